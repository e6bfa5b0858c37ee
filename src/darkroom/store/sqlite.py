"""SQLite: reads at once on the calling thread, writes on one writer thread that commits waiting scripts together.

Guarantees: a script is committed with an fsync (`synchronous=FULL`) before its caller goes on; scripts that share a
commit fail alone, by savepoint, unless the disk or the file failed: then nothing of the group is kept; no commit ever
blocks the event loop; every caller gets an answer, whatever happens to the writer.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from ..core.errors import Code, TaskError
from .database import Row, Script, migrations
from .queries import Statement, Values, arguments, statements, values_of

T = TypeVar("T")

TOGETHER = 20  # rows in one insert
GROUP = 256  # scripts in one commit, at most
BUSY_TIMEOUT = 10  # seconds to wait for another process that writes
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]
STORAGE_FAILED = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)


class SqliteDatabase:
    """One database file. Safe beside other processes; within one there is a single writer."""

    def __init__(self, path: str) -> None:
        if path in ("", ":memory:"):
            raise ValueError("a SQLite database needs a file: use sqlite:PATH")
        self._path = path
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._statements = statements()
        try:
            with contextlib.ExitStack() as opened:
                self._writer = self._open(opened)
                migrate(self._writer)
                self._writer.execute("PRAGMA temp_store = MEMORY")  # what a script would take back: see `_attempt`
                self._reader = self._open(opened)
                self._reader.execute("PRAGMA query_only = 1")
                opened.pop_all()
        except sqlite3.Error as error:
            raise ConnectionError(f"cannot open the database {path}: {error}") from error
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._closed = False
        self._closing = threading.Lock()  # nothing may be put behind the end of the queue
        self._thread = threading.Thread(target=self._write_all, name="sqlite-writer", daemon=True)
        self._thread.start()

    def _open(self, opened: contextlib.ExitStack) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=BUSY_TIMEOUT
        )
        opened.callback(connection.close)
        connection.row_factory = sqlite3.Row
        turn_on_log(connection)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_size = -16000")
        return connection

    async def read(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query at once: an indexed read takes microseconds, a thread hop would take longer."""
        return self.read_at_once(name, **params)

    def read_at_once(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query on the calling thread."""
        statement = self._statements[name]
        try:
            return self._reader.execute(statement.numbered, arguments(statement, params)).fetchall()
        except sqlite3.Error as error:
            if self._closed or storage_failed(error):
                raise unavailable(error) from error
            raise

    async def write(self, script: Callable[[], Script[T]]) -> T:
        """Run a script on the writer thread; durable when this returns.

        A caller who gives up before the script's turn leaves nothing behind; later, the script is carried out.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        with self._closing:
            if self._closed:
                raise unavailable(sqlite3.ProgrammingError("the database is closed"))
            self._waiting.put(Work(script, future, loop))
        return await future

    async def time(self) -> int:
        """What this machine's clock says."""
        return time.time_ns() // 1_000_000

    async def ping(self) -> None:
        """Return when the file can be read."""
        self.read_at_once("ping")

    async def close(self) -> None:
        """Commit what waits, fold the log into the file, and close."""
        with self._closing:
            self._closed = True
            self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)
        self._reader.close()
        self._writer.close()

    def _write_all(self) -> None:
        while (first := self._waiting.get()) is not None:
            group = [first]
            last = False
            while len(group) < GROUP and not self._waiting.empty():
                work = self._waiting.get()
                if work is None:
                    last = True
                    break
                group.append(work)
            self._commit(group)
            if last:
                return

    def _commit(self, group: list[Work]) -> None:
        outcomes: list[Outcome]
        group = [work for work in group if not work.future.cancelled()]
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(work) for work in group]
            self._writer.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - the thread must outlive everything, or all callers wait for ever
            with contextlib.suppress(sqlite3.Error):  # the next group tries again
                self._writer.rollback()
            outcomes = [(work.future, None, unavailable(error)) for work in group]
        for loop in {work.loop for work in group}:
            with contextlib.suppress(RuntimeError):  # a loop that was closed: nobody waits there
                loop.call_soon_threadsafe(resolve, [item for item in outcomes if item[0].get_loop() is loop])

    def _attempt(self, work: Work) -> Outcome:
        self._writer.execute("SAVEPOINT script")
        try:
            result = drive(self._writer, self._statements, work.script())
        except BaseException as error:  # the caller gets it
            if isinstance(error, sqlite3.Error) and storage_failed(error):
                raise  # the disk or the file, not the script: nothing of the group can be kept
            self._writer.execute("ROLLBACK TO script")
            self._writer.execute("RELEASE script")
            return work.future, None, error
        self._writer.execute("RELEASE script")
        return work.future, result, None


class Work:
    """A script that waits for the writer, and where its outcome goes."""

    __slots__ = ("future", "loop", "script")

    def __init__(
        self, script: Callable[[], Script[Any]], future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.script = script
        self.future = future
        self.loop = loop


def drive(connection: sqlite3.Connection, queries: dict[str, Statement], script: Script[T]) -> T:
    """Run a script's queries one after the other."""
    try:
        name, params = next(script)
        while True:
            statement = queries[name]
            if isinstance(params, list):
                run_for_all(connection, statement, values_of(statement, params))
                rows = []
            else:
                rows = connection.execute(statement.numbered, arguments(statement, params)).fetchall()
            name, params = script.send(rows)
    except StopIteration as done:
        result: T = done.value
        return result


def run_for_all(connection: sqlite3.Connection, statement: Statement, rows: list[Values]) -> None:
    """Run a statement for each of several rows; to begin it costs as much as a row, so many are inserted at once."""
    whole = len(rows) - len(rows) % TOGETHER
    if whole and (text := statement.together(TOGETHER)):
        for begin in range(0, whole, TOGETHER):
            connection.execute(text, tuple(chain.from_iterable(rows[begin : begin + TOGETHER])))
        rows = rows[whole:]
    connection.executemany(statement.many, rows)


def resolve(outcomes: list[Outcome]) -> None:
    """Hand outcomes to their callers, on the callers' loop."""
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


def storage_failed(error: sqlite3.Error) -> bool:
    """Whether the disk, the file or a lock failed, rather than the query."""
    return (getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF) in STORAGE_FAILED


def unavailable(error: Exception) -> TaskError:
    """What callers see when the database cannot answer."""
    return TaskError(
        Code.UNAVAILABLE,
        "The server's database is not available at the moment. Try again later.",
        detail=f"SQLite: {error}",
        retryable=True,
        retry_after=5,
    )


def turn_on_log(connection: sqlite3.Connection) -> None:
    """Choose the write-ahead log; SQLite itself does not wait when several processes do so in a fresh file."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def migrate(connection: sqlite3.Connection) -> None:
    """Apply the schema files that the database lacks, each in a transaction of its own."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migration (version INTEGER NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL)"
    )
    for version, _, text in migrations("sqlite"):
        connection.execute("BEGIN IMMEDIATE")
        if not connection.execute("SELECT 1 FROM migration WHERE version = ?", (version,)).fetchone():
            for command in filter(str.strip, text.split(";\n")):
                connection.execute(command)
            now = int(time.time() * 1000)
            connection.execute("INSERT INTO migration (version, applied_at) VALUES (?, ?)", (version, now))
        connection.execute("COMMIT")
