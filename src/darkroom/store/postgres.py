"""PostgreSQL through asyncpg: state, queue, locks, replication and failover are PostgreSQL's.

Guarantees: a script is all or nothing, alone or with others in one READ COMMITTED transaction; claims skip rows that
others lock; a lost connection, a server that does not answer in time and one that takes no writes are answered as
`unavailable`, may be retried, and are not used again; a commit is never canceled, so that what a standby has not got
is not seen by anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Self, TypeVar

import asyncpg

from .database import SECONDS, Row, Script, Tell, silently
from .hosts import Hosts, Line
from .in_step import Begin, InStep, Steps, Turn
from .outage import UNAVAILABLE, Outage, unavailable
from .postgres_schema import LONGEST_COMMAND, UnfinishedError, migrate
from .queries import arguments, statements
from .set_based import SetBased
from .shared_reads import SharedReads

T = TypeVar("T")

UNREADABLE = (
    "the URL cannot be read: write postgresql://USER:PASSWORD@HOST:PORT/NAME, and what is no letter or digit in the "
    "password as %XX"
)
NOW = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
# A statement for many is a join, and one that is planned while a table is small would read all of it when it is large.
BEGIN = "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off"
RETRIES = 3  # of a transaction that works when it is begun again
CONFIRMED = 0.8  # of the time for a command, in which a commit is confirmed: later the driver would cancel it
AGAIN = (
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.InvalidCachedStatementError,  # a node of the next release has added a column to what the statement returns
)
ELSEWHERE = (TimeoutError, asyncpg.ReadOnlySQLTransactionError)  # after these all connections are made anew


class PostgresDatabase:
    """One database, by a pool of connections. `seconds` are those that it has to answer a command."""

    def __init__(self, pool: asyncpg.Pool, seconds: float = SECONDS, tell: Tell = silently) -> None:
        self._pool = pool
        self._seconds = seconds
        self._outage = Outage(tell)
        self._silent = False  # a command was not answered in time, and none has been since
        self._asking = False  # somebody finds out whether it answers again
        self._used = 0  # connections, now
        self._statements = statements()
        self._sets = SetBased()
        self._scripts = InStep(self._alone, self._together)
        self._shared = SharedReads(self._connection, self._sets)

    @classmethod
    async def open(cls, url: str, seconds: float = SECONDS, tell: Tell = silently, connections: int = 10) -> Self:
        """Connect and bring the schema up to date; nodes that start together take turns."""
        hosts = Hosts(url, seconds)
        try:
            connection = await hosts.connect(connection_class=Line, command_timeout=LONGEST_COMMAND)
            try:
                await migrate(connection)
            finally:
                await connection.close()
            pool = await asyncpg.create_pool(
                connect=hosts.connect,
                connection_class=Line,
                min_size=0,
                max_size=connections,
                command_timeout=seconds,
                reset=leave_as_it_is,
            )
        except UnfinishedError:
            raise
        except asyncpg.ClientConfigurationError:  # what it says may hold the password
            raise ValueError(UNREADABLE) from None
        except UNAVAILABLE as error:
            raise ConnectionError(f"cannot reach the database: {error}") from error
        except ValueError:
            raise ValueError(UNREADABLE) from None
        return cls(pool, seconds, tell)

    async def read(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query."""
        statement = self._statements[name]
        if statement.shared:
            return await self._shared.read(statement, arguments(statement, params))
        async with self._connection() as connection:
            rows: list[Row] = await connection.fetch(statement.positional, *arguments(statement, params))
            return rows

    def read_at_once(self, name: str, **params: Any) -> list[Row] | None:  # noqa: ARG002 - as the protocol has it
        """A server has to be asked, and that takes time."""
        return None

    async def time(self) -> int:
        """What the server's clock says."""
        async with self._connection() as connection:
            now: int = await connection.fetchval(NOW)
            return now

    async def write(self, script: Callable[[], Script[T]]) -> T:
        """Run a script, in one transaction with others that wait."""
        return await self._scripts.run(script)

    async def ping(self) -> None:
        """Return when the database answers and takes writes."""
        async with self._connection() as connection:
            if await connection.fetchval("SHOW transaction_read_only") == "on":
                raise asyncpg.ReadOnlySQLTransactionError("it takes no writes")

    async def _alone(self, script: Callable[[], Script[T]]) -> T:
        """Run a script in one transaction, again where it lost a deadlock, or the schema changed under it."""

        async def work(connection: asyncpg.Connection) -> T:
            return await self._drive(connection, script())

        for last in (False,) * RETRIES + (True,):
            try:
                return await self._transact(work)
            except AGAIN as error:
                if last:
                    raise unavailable(error) from error
        raise AssertionError

    async def _together(self, scripts: list[Begin]) -> list[Turn]:
        """Run scripts in one transaction, which is kept if none of them fails."""
        return await self._transact(
            lambda connection: Steps(connection, self._statements, self._sets).run(scripts),
            keep=lambda turns: not any(turn.error for turn in turns),
            begin=BEGIN,
        )

    async def _transact(
        self,
        work: Callable[[asyncpg.Connection], Awaitable[T]],
        keep: Callable[[T], bool] = lambda _: True,
        begin: str = "BEGIN",
    ) -> T:
        """Do work in one transaction, which is kept unless it fails or `keep` says no."""
        async with self._connection() as connection:
            await connection.execute(begin)
            try:
                done = await work(connection)
            except (asyncio.CancelledError, *UNAVAILABLE):
                raise  # the connection is closed, and the server rolls back by itself
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            if keep(done):
                await commit(connection, self._seconds * CONFIRMED)
            else:
                await connection.execute("ROLLBACK")
            return done

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection. One on which the database was not available is closed."""
        try:
            connection = await self._acquire()
            self._used += 1
            try:
                yield connection
            except (asyncio.CancelledError, *UNAVAILABLE) as error:
                await self._close(connection, error)
                raise
            finally:
                self._used -= 1
                await self._pool.release(connection)
        except UNAVAILABLE as error:
            raise self._outage.failed(error) from error
        self._outage.worked()

    async def _acquire(self) -> asyncpg.Connection:
        """A connection from the pool.

        While the database is silent one caller at a time finds out whether it still is, and all others are refused at
        once: they would wait, and whoever asks for them would ask again.
        """
        if not self._silent:
            return await self._pooled()
        if self._asking:
            raise TimeoutError
        self._asking = True
        try:
            connection = await self._pooled()
            try:
                await connection.execute("SELECT 1")
            except BaseException as error:
                await self._close(connection, error)
                await self._pool.release(connection)
                raise
            self._silent = False
            return connection
        finally:
            self._asking = False

    async def _pooled(self) -> asyncpg.Connection:
        """One that is free, or a new one; both have limits of their own. Otherwise the first that becomes free."""
        try:
            if self._used < self._pool.get_max_size():
                return await self._pool.acquire()
            async with asyncio.timeout(self._seconds):
                return await self._pool.acquire()
        except TimeoutError:
            raise ConnectionError("all connections to it are busy") from None
        except OSError as error:
            self._silent = self._silent or isinstance(error.__cause__, TimeoutError)
            raise

    async def _close(self, connection: asyncpg.Connection, error: BaseException) -> None:
        """Close a connection, and all others if the database may be elsewhere by now."""
        if isinstance(error, ELSEWHERE):
            await self._pool.expire_connections()
            self._silent = self._silent or isinstance(error, TimeoutError)
        with suppress(asyncpg.InterfaceError):  # it is no connection any more
            await connection.close()

    async def _drive(self, connection: asyncpg.Connection, script: Script[T]) -> T:
        try:
            name, params = next(script)
            while True:
                statement = self._statements[name]
                if isinstance(params, list):
                    await self._sets.for_each(connection, statement, params)
                    rows = []
                else:
                    rows = await connection.fetch(statement.positional, *arguments(statement, params))
                name, params = script.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """Finish what was begun, and close every connection."""
        await self._scripts.close()
        await self._pool.close()


async def commit(connection: asyncpg.Connection, seconds: float) -> None:
    """Commit. If that is not confirmed in time, hang up, and do not cancel.

    A commit that is canceled while it waits for a standby is done all the same, and seen by everybody: a failover
    would undo what a repeated request was told.
    """
    committing = asyncio.ensure_future(connection.execute("COMMIT"))
    try:
        await asyncio.wait({committing}, timeout=seconds)
    finally:
        in_time = committing.done()
        if not in_time:
            connection.terminate()
    if not in_time:
        await asyncio.gather(committing, return_exceptions=True)
        raise TimeoutError
    await committing


async def leave_as_it_is(_: asyncpg.Connection) -> None:
    """No script leaves anything behind in its connection; to reset one would cost each read a second round trip."""
