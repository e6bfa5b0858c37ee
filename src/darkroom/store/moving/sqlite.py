"""A SQLite file as one side of a move. Its lock keeps servers away, and a transaction everybody else who writes."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from ..file_lock import HeldError, held, path_of
from ..sqlite import BUSY_TIMEOUT, migrate, turn_on_log
from .sides import PAGE, Mark, MoveError, Side, Table, Values, behind


@asynccontextmanager
async def sqlite_side(url: str, *, new: bool) -> AsyncIterator[Side]:
    """A file with its lock held. One that is not new must be there."""
    path = path_of(url)
    if not path:
        raise MoveError("a SQLite database needs a file: use sqlite:PATH")
    with ExitStack() as stack:
        try:
            ready(Path(path), new=new)
            stack.enter_context(held(path))
            connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT)
            stack.callback(connection.close)
            turn_on_log(connection)
            migrate(connection)
        except HeldError as error:
            raise MoveError(
                f"a darkroom server or another move (process {error.owner}) uses {path}: stop it and run this again"
            ) from None
        except (OSError, sqlite3.Error) as error:
            raise MoveError(f"cannot open the database {path}: {error}") from error
        try:
            yield SqliteSide(path, connection)
        except sqlite3.Error as error:
            raise MoveError(f"{path}: {error}: when that is mended run this again, it goes on") from error


def ready(path: Path, *, new: bool) -> None:
    """Make the folder of a new file; one that is not new must be there."""
    if new:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    elif not path.is_file():
        raise MoveError(f"there is no database {path}")


class SqliteSide:
    """One file. Text keys sort by their bytes, as `BINARY` does."""

    def __init__(self, path: str, connection: sqlite3.Connection) -> None:
        self.place = f"sqlite:{os.path.realpath(path)}"
        self._connection = connection

    async def tables(self) -> dict[str, Table]:
        """Every table of the schema, by name."""
        found = self._connection.execute(
            "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
        ).fetchall()
        return {name: self._table(name, text) for name, text in found}

    def _table(self, name: str, text: str) -> Table:
        columns = self._connection.execute(f"PRAGMA table_info({name})").fetchall()
        key = tuple(column[1] for column in sorted(columns, key=lambda column: column[5]) if column[5])
        return Table(name, tuple(column[1] for column in columns), key, "AUTOINCREMENT" in text)

    async def marks(self) -> list[Mark]:
        """What is known here of moves."""
        return [Mark(*row) for row in self._connection.execute("SELECT id, role, other, at FROM move ORDER BY at")]

    async def mark(self, mark: Mark) -> None:
        """Write down a move, for good."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM move WHERE role IN ('departing', 'arriving')")
        self._connection.execute(
            "INSERT INTO move (id, role, other, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET role = excluded.role, other = excluded.other, at = excluded.at",
            (mark.id, mark.role, mark.other, mark.at),
        )
        self._connection.execute("COMMIT")

    async def alone(self) -> None:
        """The lock is held: there is no server."""

    async def still(self, tables: Iterable[Table]) -> None:  # noqa: ARG002 - it is the whole file
        """Who wants to write waits, or fails; reading goes on."""
        self._connection.execute("BEGIN IMMEDIATE")

    async def is_empty(self, table: Table) -> bool:
        """Whether a table has no row."""
        return self._connection.execute(f"SELECT 1 FROM {table.name} LIMIT 1").fetchone() is None

    async def count(self, table: Table) -> int:
        """How many rows a table has."""
        (number,) = self._connection.execute(f"SELECT COUNT(*) FROM {table.name}").fetchone()
        return int(number)

    async def pages(self, table: Table, after: Values | None) -> AsyncGenerator[list[Values]]:
        """The rows behind a key, page by page."""
        where = f"WHERE {self._behind(table)}" if after is not None else ""
        query = f"SELECT {', '.join(table.columns)} FROM {table.name} {where} ORDER BY {', '.join(table.key)}"
        cursor = self._connection.execute(query, after or ())
        while page := cursor.fetchmany(PAGE):
            yield page

    async def cut(self, table: Table, after: Values | None) -> None:
        """Remove the rows behind a key, or all of them."""
        where = f"WHERE {self._behind(table)}" if after is not None else ""
        self._connection.execute(f"DELETE FROM {table.name} {where}", after or ())

    async def add(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows as they are, all or none."""
        values = ", ".join("?" * len(table.columns))
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany(
                f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({values})", rows
            )

    async def last_number(self, table: Table) -> int:
        """The last number that was given to a row."""
        found = self._connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        return int(found[0]) if found else 0

    async def set_last_number(self, table: Table, number: int) -> None:
        """Go on numbering behind a number."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table.name,))
            self._connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table.name, number))

    async def settle(self) -> None:
        """Nothing: the queries are made for their indexes, and SQLite is never told otherwise."""

    @staticmethod
    def _behind(table: Table) -> str:
        return behind(table.key, "?" * len(table.key))
