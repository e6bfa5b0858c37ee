"""What a move needs of each of its two databases, and what the schema says about their tables."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

PAGE = 250  # rows that are held in memory at once
OWN = frozenset({"migration", "move"})  # tables that tell of the database itself, and stay

Values = tuple[Any, ...]


class MoveError(RuntimeError):
    """Why a move cannot begin or go on, and what to do."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns, those of its primary key, and whether the database numbers its rows by that key."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    numbered: bool

    def key_of(self, row: Values) -> Values:
        """The primary key of a row."""
        return tuple(row[self.columns.index(name)] for name in self.key)


@dataclass(frozen=True, slots=True)
class Mark:
    """A line about a move in one of its databases."""

    id: str
    role: str
    other: str
    at: int


class Side(Protocol):
    """One database of a move, which no server uses."""

    place: str  # as people know it, without a password

    async def tables(self) -> dict[str, Table]:
        """Every table of the schema, by name."""

    async def marks(self) -> list[Mark]:
        """What is known here of moves."""

    async def mark(self, mark: Mark) -> None:
        """Write down a move, for good, in place of one that was never finished. Ends what `still` began."""

    async def alone(self) -> None:
        """Make sure that nobody else uses this database, or raise `MoveError`."""

    async def still(self, tables: Iterable[Table]) -> None:
        """From now on nobody can change anything, until `mark` or the end; what is read is of one moment."""

    async def is_empty(self, table: Table) -> bool:
        """Whether a table has no row."""

    async def count(self, table: Table) -> int:
        """How many rows a table has."""

    def pages(self, table: Table, after: Values | None) -> AsyncGenerator[list[Values]]:
        """The rows behind a key, or all of them, by their keys' bytes: `PAGE` at a time, and the rest."""

    async def cut(self, table: Table, after: Values | None) -> None:
        """Remove the rows behind a key, or all of them."""

    async def add(self, table: Table, rows: Sequence[Values]) -> None:
        """Add rows as they are, all or none."""

    async def last_number(self, table: Table) -> int:
        """The last number that was given to a row of a numbered table, also one that is gone; 0 before the first."""

    async def set_last_number(self, table: Table, number: int) -> None:
        """Go on numbering behind a number."""

    async def settle(self) -> None:
        """Let the database look at its new contents, so that its plans are good from the first moment."""


Opened = AbstractAsyncContextManager[Side]


def behind(key: Sequence[str], placeholders: Sequence[str]) -> str:
    """The condition that a row's key is behind another one."""
    return f"({', '.join(key)}) > ({', '.join(placeholders)})"
