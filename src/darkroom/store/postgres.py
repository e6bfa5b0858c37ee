"""PostgreSQL through asyncpg: state, queue, locks, replication and failover are PostgreSQL's.

Guarantees: a script is all or nothing, alone or with others in one READ COMMITTED transaction; claims skip rows that
others lock; a lost connection is answered
as `unavailable` and may be retried.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

import asyncpg

from ..core.errors import Code, TaskError
from .database import Row, Script, migrations
from .in_step import Begin, InStep, Steps, Turn, arguments
from .queries import statements

T = TypeVar("T")

MIGRATION_LOCK = 0x6461726B  # any number that nothing else locks
UNREADABLE = (
    "the URL cannot be read: write postgresql://USER:PASSWORD@HOST:PORT/NAME, and what is no letter or digit in the "
    "password as %XX"
)
NOW = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
TURN = 0.05  # seconds between looks whether another node has done with the schema
LONGEST_COMMAND = 3_600.0  # seconds that one command of the schema may take, on very many rows
RETRIES = 3  # of a transaction that lost a deadlock


class PostgresDatabase:
    """One database, by a pool of connections."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._statements = statements()
        self._scripts = InStep(self._alone, self._together)

    @classmethod
    async def open(cls, url: str, connections: int = 10) -> Self:
        """Connect and bring the schema up to date; nodes that start together take turns."""
        try:
            pool = await asyncpg.create_pool(
                url, min_size=1, max_size=connections, command_timeout=60, reset=leave_as_it_is
            )
        except (OSError, asyncpg.PostgresError) as error:
            raise ConnectionError(f"cannot reach the database: {error}") from error
        except (ValueError, asyncpg.InterfaceError):  # what it says may hold the password
            raise ValueError(UNREADABLE) from None
        try:
            async with pool.acquire() as connection:
                await migrate(connection)
        except BaseException:
            pool.terminate()
            raise
        return cls(pool)

    async def read(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query."""
        statement = self._statements[name]
        try:
            rows: list[Row] = await self._pool.fetch(statement.positional, *arguments(statement, params))
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        return rows

    def read_at_once(self, name: str, **params: Any) -> list[Row] | None:  # noqa: ARG002 - as the protocol has it
        """A server has to be asked, and that takes time."""
        return None

    async def time(self) -> int:
        """What the server's clock says."""
        try:
            now: int = await self._pool.fetchval(NOW)
        except UNAVAILABLE as error:
            raise unavailable(error) from error
        return now

    async def write(self, script: Callable[[], Script[T]]) -> T:
        """Run a script, in one transaction with others that wait."""
        return await self._scripts.run(script)

    async def _alone(self, script: Callable[[], Script[T]]) -> T:
        """Run a script in one transaction, again where the database chose it to lose a deadlock."""
        for last in (False,) * RETRIES + (True,):
            try:
                async with self._pool.acquire() as connection, connection.transaction():
                    return await self._drive(connection, script())
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                if last:
                    raise unavailable(error) from error
            except UNAVAILABLE as error:
                raise unavailable(error) from error
        raise AssertionError

    async def _together(self, scripts: list[Begin]) -> list[Turn]:
        """Run scripts in one transaction, which is kept if none of them fails."""
        try:
            async with self._pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                try:
                    turns = await Steps(connection, self._statements).run(scripts)
                except BaseException:
                    await transaction.rollback()
                    raise
                if any(turn.error for turn in turns):
                    await transaction.rollback()
                else:
                    await transaction.commit()
                return turns
        except UNAVAILABLE as error:
            raise unavailable(error) from error

    async def _drive(self, connection: asyncpg.Connection, script: Script[T]) -> T:
        try:
            name, params = next(script)
            while True:
                statement = self._statements[name]
                if isinstance(params, Mapping):
                    rows = await connection.fetch(statement.positional, *arguments(statement, params))
                else:
                    await connection.executemany(
                        statement.positional_many, [arguments(statement, each) for each in params]
                    )
                    rows = []
                name, params = script.send(rows)
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """Finish what was begun, and close every connection."""
        await self._scripts.close()
        await self._pool.close()


UNAVAILABLE = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, or a statement that was canceled
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a failover
)


async def leave_as_it_is(_: asyncpg.Connection) -> None:
    """No script leaves anything behind in its connection; to reset one would cost each read a second round trip."""


def unavailable(error: Exception) -> TaskError:
    """What callers see when the database cannot answer."""
    return TaskError(
        Code.UNAVAILABLE,
        "The server's database is not available at the moment. Try again later.",
        detail=f"PostgreSQL: {error}",
        retryable=True,
        retry_after=5,
    )


async def migrate(connection: asyncpg.Connection) -> None:
    """Apply the schema files that the database lacks, each in a transaction of its own.

    One that says CONCURRENTLY runs statement by statement, and from its beginning again if it was broken off.
    """
    # Not by a statement that waits: an index that is made concurrently waits for all statements.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1::bigint)", MIGRATION_LOCK):  # noqa: ASYNC110 - a database does not tell
        await asyncio.sleep(TURN)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)"
        )
        for version, _, text in migrations("postgres"):
            if await connection.fetch("SELECT 1 FROM migration WHERE version = $1", version):
                continue
            if "CONCURRENTLY" in text:
                for command in filter(str.strip, text.split(";\n")):
                    await connection.execute(command, timeout=LONGEST_COMMAND)
                await note(connection, version)
            else:
                async with connection.transaction():
                    await connection.execute(text)
                    await note(connection, version)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1::bigint)", MIGRATION_LOCK)


async def note(connection: asyncpg.Connection, version: int) -> None:
    """Write down that a schema file was applied."""
    now = int(time.time() * 1000)
    await connection.execute("INSERT INTO migration (version, applied_at) VALUES ($1, $2)", version, now)
