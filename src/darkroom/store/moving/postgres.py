"""A PostgreSQL as one side of a move. Connections of Darkroom tell by their name that a server is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from ..database import SECONDS
from ..hosts import APPLICATION, Hosts
from ..postgres import UNREADABLE
from ..postgres_schema import migrate
from .sides import PAGE, Mark, MoveError, Side, Table, Values, behind

GOING = 5.0  # seconds in which a connection that was just closed may still be seen
LOOK = 0.1
# What waits on purpose may wait; and `mark` writes to disk what was committed before it.
SESSION = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET synchronous_commit = off"
COLUMNS = """
SELECT table_name, column_name, data_type = 'text' AS is_text, is_identity = 'YES' AS numbered
FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name, ordinal_position
"""
KEYS = """
SELECT relname AS table_name, attname AS column_name
FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
    JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey::int2[])
WHERE indisprimary AND relnamespace = current_schema()::regnamespace
ORDER BY relname, array_position(indkey::int2[], attnum)
"""
OTHERS = """
SELECT pid, COALESCE(host(client_addr), 'a socket') AS place FROM pg_stat_activity
WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()
"""


@asynccontextmanager
async def postgres_side(url: str) -> AsyncIterator[Side]:
    """A database with its schema brought up to date."""
    try:
        connection = await Hosts(url, SECONDS).connect()
    except OSError as error:
        raise MoveError(f"cannot reach the database: {error}") from error
    except (ValueError, asyncpg.InterfaceError):  # what it says may hold the password
        raise MoveError(UNREADABLE) from None
    try:
        try:
            await connection.execute(SESSION)
            await migrate(connection)
        except asyncpg.PostgresError as error:
            raise MoveError(f"cannot make the tables ({error}): give a database of Darkroom's own") from error
        try:
            yield await PostgresSide.over(connection)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise MoveError(f"PostgreSQL: {error}: when that is mended run this again, it goes on") from error
        await connection.close(timeout=GOING)
    finally:
        connection.terminate()


class PostgresSide:
    """One database. Text keys are sorted by their bytes, whatever the database's own collation."""

    def __init__(self, connection: asyncpg.Connection, place: str, texts: frozenset[tuple[str, str]]) -> None:
        self.place = place
        self._connection = connection
        self._texts = texts
        self._still: Any = None

    @classmethod
    async def over(cls, connection: asyncpg.Connection) -> PostgresSide:
        """A side over one connection."""
        place = await connection.fetchval(
            "SELECT 'postgresql://' || COALESCE(host(inet_server_addr()) || ':' || inet_server_port(), 'localhost')"
            " || '/' || current_database()"
        )
        texts = frozenset((row[0], row[1]) for row in await connection.fetch(COLUMNS) if row["is_text"])
        return cls(connection, place, texts)

    async def tables(self) -> dict[str, Table]:
        """Every table of the schema, by name."""
        columns: dict[str, list[str]] = {}
        numbered = set()
        for row in await self._connection.fetch(COLUMNS):
            columns.setdefault(row["table_name"], []).append(row["column_name"])
            if row["numbered"]:
                numbered.add(row["table_name"])
        keys: dict[str, list[str]] = {}
        for row in await self._connection.fetch(KEYS):
            keys.setdefault(row["table_name"], []).append(row["column_name"])
        return {
            name: Table(name, tuple(found), tuple(keys.get(name, ())), name in numbered)
            for name, found in columns.items()
        }

    async def marks(self) -> list[Mark]:
        """What is known here of moves."""
        return [Mark(*row) for row in await self._connection.fetch("SELECT id, role, other, at FROM move ORDER BY at")]

    async def mark(self, mark: Mark) -> None:
        """Write down a move, for good: on disk, with everything before it."""
        if self._still is None:
            self._still = self._connection.transaction()
            await self._still.start()
        await self._connection.execute("SET LOCAL synchronous_commit = on")
        await self._connection.execute("DELETE FROM move WHERE role IN ('departing', 'arriving')")
        await self._connection.execute(
            "INSERT INTO move (id, role, other, at) VALUES ($1, $2, $3, $4)"
            " ON CONFLICT (id) DO UPDATE SET role = excluded.role, other = excluded.other, at = excluded.at",
            *(mark.id, mark.role, mark.other, mark.at),
        )
        await self._still.commit()
        self._still = None

    async def alone(self) -> None:
        """Make sure that no server and no other move is connected."""
        for _ in range(int(GOING / LOOK)):
            await self._connection.execute("SELECT pg_stat_clear_snapshot()")
            others = await self._connection.fetch(OTHERS, APPLICATION)
            if not others:
                return
            await asyncio.sleep(LOOK)
        told = ", ".join(f"process {row['pid']} for {row['place']}" for row in others)
        raise MoveError(
            f"{self.place} is in use ({told}): stop every darkroom there and run this again. What a machine that is "
            "gone has left connected ends with SELECT pg_terminate_backend(PROCESS)"
        )

    async def still(self, tables: Iterable[Table]) -> None:
        """Who wants to write waits, and so does a server that starts: it asks for moves first. Reading goes on."""
        self._still = self._connection.transaction(isolation="repeatable_read")
        await self._still.start()
        await self._connection.execute(f"LOCK TABLE {', '.join(table.name for table in tables)} IN SHARE MODE")
        await self._connection.execute("LOCK TABLE move IN ACCESS EXCLUSIVE MODE")

    async def is_empty(self, table: Table) -> bool:
        """Whether a table has no row."""
        return not await self._connection.fetch(f"SELECT 1 FROM {table.name} LIMIT 1")

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        return int(await self._connection.fetchval(f"SELECT COUNT(*) FROM {table.name}"))

    async def pages(self, table: Table, after: Values | None) -> AsyncGenerator[list[Values]]:
        """The rows behind a key, page by page."""
        key = ", ".join(self._sorted(table))
        query = f"SELECT {', '.join(table.columns)} FROM {table.name} {self._behind(table, after)} ORDER BY {key}"
        async with self._connection.transaction():
            cursor = await self._connection.cursor(query, *(after or ()))
            while page := await cursor.fetch(PAGE):
                yield [tuple(row) for row in page]

    async def cut(self, table: Table, after: Values | None) -> None:
        """Remove the rows behind a key, or all of them."""
        await self._connection.execute(f"DELETE FROM {table.name} {self._behind(table, after)}", *(after or ()))

    async def add(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows as they are, with their numbers, all or none."""
        try:
            await self._connection.copy_records_to_table(table.name, records=rows, columns=table.columns)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError, TypeError) as error:
            first, last = table.key_of(rows[0]), table.key_of(rows[-1])
            raise MoveError(f"{table.name}: PostgreSQL refuses a row from {first} to {last}: {error}") from error

    async def last_number(self, table: Table) -> int:
        """The last number that was given to a row."""
        sequence = await self._sequence(table)
        query = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"
        return int(await self._connection.fetchval(query))

    async def set_last_number(self, table: Table, number: int) -> None:
        """Go on numbering behind a number."""
        sequence = await self._sequence(table)
        query = "SELECT setval($1::text::regclass, $2, $3)"
        await self._connection.execute(query, sequence, max(number, 1), number > 0)

    async def settle(self) -> None:
        """Read samples of the tables."""
        await self._connection.execute("ANALYZE")

    async def _sequence(self, table: Table) -> str:
        return str(await self._connection.fetchval("SELECT pg_get_serial_sequence($1, $2)", table.name, table.key[0]))

    def _sorted(self, table: Table) -> list[str]:
        return [f'{name} COLLATE "C"' if (table.name, name) in self._texts else name for name in table.key]

    def _behind(self, table: Table, after: Values | None) -> str:
        if after is None:
            return ""
        return f"WHERE {behind(self._sorted(table), [f'${n}' for n in range(1, len(table.key) + 1)])}"
