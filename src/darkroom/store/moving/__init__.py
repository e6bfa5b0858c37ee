"""Moves everything from one database to another one: SQLite to PostgreSQL, or back.

Guarantees: nothing of the old database changes but its mark; what is broken off, at any moment, goes on when it is
begun again; the new database can be opened by nobody else before it is proven equal, the old one by nobody after that.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

import msgspec

from ...core.ids import new_id
from .sides import OWN, PAGE, Mark, MoveError, Opened, Side, Table, Values
from .sqlite import sqlite_side

__all__ = ["Move", "MoveError", "Moved", "moving"]


class Tell(Protocol):
    """Takes word of how far a table has come."""

    def __call__(self, subject: str, text: str, *, last: bool = False) -> None:
        """Say it; `last` is never left out."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What a move came to. `before` is when it had been done already (UTC milliseconds)."""

    source: str
    target: str
    tables: int
    rows: int
    before: int | None = None


@asynccontextmanager
async def moving(source: str, target: str, tell: Tell, now: int) -> AsyncIterator[Move]:
    """A move between two databases, given by their URLs: both are open, and nobody else's until this ends."""
    if source.startswith("sqlite:") == target.startswith("sqlite:"):
        raise MoveError("one of the two must be sqlite:PATH and the other one postgresql://…")
    async with AsyncExitStack() as stack:
        old = await stack.enter_async_context(opened(source, new=False))
        new = await stack.enter_async_context(opened(target, new=True))
        yield Move(old, new, tell, now)


def opened(url: str, *, new: bool) -> Opened:
    """One side by its URL."""
    if url.startswith("sqlite:"):
        return sqlite_side(url, new=new)
    if url.startswith(("postgresql:", "postgres:")):
        from .postgres import postgres_side

        return postgres_side(url)
    raise MoveError("use sqlite:PATH or postgresql://HOST/NAME")


class Move:
    """One move. `tell` gets lines about its progress."""

    def __init__(self, source: Side, target: Side, tell: Tell, now: int) -> None:
        self._source = source
        self._target = target
        self._tell = tell
        self._now = now

    async def run(self) -> Moved:
        """Move everything, or what is left of it, and prove that both sides are equal."""
        tables = await self._tables()
        move_id, before = await self._begin(tables)
        if before is not None:
            return Moved(self._source.place, self._target.place, len(tables), 0, before)
        await self._source.still(tables)
        await self._source.alone()  # behind the lock: who comes now waits for it, and is refused in the end
        for table in tables:
            await self._carry(table)
        await self._target.settle()
        await self._target.still(tables)
        rows = sum([await self._compare(table) for table in tables])
        # The old database first: when this breaks off in between, the next run finds both equal, and ends it.
        await self._source.mark(Mark(move_id, "departed", self._target.place, self._now))
        await self._target.mark(Mark(move_id, "arrived", self._source.place, self._now))
        return Moved(self._source.place, self._target.place, len(tables), rows)

    async def _tables(self) -> list[Table]:
        """What is moved: every table of the schema, which must be the same on both sides."""
        ours, theirs = await self._source.tables(), await self._target.tables()
        schema = ours if self._source.place.startswith("sqlite:") else theirs  # nobody else has tables in that file
        for name, table in schema.items():
            if not table.key or name not in ours or name not in theirs or alike(ours[name]) != alike(theirs[name]):
                raise MoveError(f"the table {name} is not the same in both databases: this is a bug, or it was changed")
        return [table for name, table in schema.items() if name not in OWN]

    async def _begin(self, tables: list[Table]) -> tuple[str, int | None]:
        """The id of this move, and when it was done, if it was. What is somebody else's is refused."""
        left = {mark.id: mark for mark in await self._source.marks() if mark.role in ("departing", "departed")}
        come = {mark.id: mark for mark in await self._target.marks() if mark.role in ("arriving", "arrived")}
        for move_id in left.keys() & come.keys():
            if come[move_id].role == "arrived":
                return move_id, come[move_id].at
            await self._target.alone()
            return move_id, None
        for mark in left.values():
            if mark.role == "departed":
                raise MoveError(f"{self._source.place} was moved to {mark.other} before: there it goes on")
        for mark in come.values():
            if mark.role == "arriving":
                raise MoveError(f"{self._target.place} holds part of {mark.other}: give an empty database")
        filled = [table.name for table in tables if not await self._target.is_empty(table)]
        if filled:
            raise MoveError(
                f"{self._target.place} holds other data (in {', '.join(filled)}), and nothing was changed: "
                "give an empty database"
            )
        move_id = new_id(self._now)
        await self._source.alone()
        await self._source.mark(Mark(move_id, "departing", self._target.place, self._now))
        await self._target.mark(Mark(move_id, "arriving", self._source.place, self._now))
        await self._target.alone()  # behind the mark: who comes now is refused, and who was there before is seen
        return move_id, None

    async def _carry(self, table: Table) -> None:
        """Bring one table over; what an earlier run brought stays, as far as it is the same."""
        total, done, last = await self._source.count(table), 0, None
        if not await self._target.is_empty(table):
            done, last = await self._common(table)
            await self._target.cut(table, last)
            self._tell(table.name, f"{done:,} of {total:,} rows are there already", last=True)
        async for page in self._source.pages(table, last):
            await self._target.add(table, page)
            done += len(page)
            self._tell(table.name, f"{done:,} of {total:,} rows", last=done >= total)
        if table.numbered:
            await self._target.set_last_number(table, await self._source.last_number(table))

    async def _common(self, table: Table) -> tuple[int, Values | None]:
        """How many rows both sides have in common from the beginning, and the key of the last of them."""
        count, last = 0, None
        async with (
            aclosing(self._source.pages(table, None)) as ours,
            aclosing(self._target.pages(table, None)) as theirs,
        ):
            async for page in ours:
                there: list[Values] = await anext(theirs, [])
                for mine, other in zip(page, there, strict=False):
                    if mine != other:
                        return count, last
                    count, last = count + 1, table.key_of(mine)
                if len(there) < PAGE:
                    break
        return count, last

    async def _compare(self, table: Table) -> int:
        """Prove that a table is the same on both sides; how many rows it has."""
        (rows, digest), there = await self._contents(self._source, table), await self._contents(self._target, table)
        same = (rows, digest) == there
        if same and table.numbered:
            same = await self._source.last_number(table) == await self._target.last_number(table)
        if not same:
            raise MoveError(
                f"{table.name} differs ({rows:,} rows and {there[0]:,}): somebody writes to {self._target.place}. "
                "Stop that and run this again"
            )
        self._tell(table.name, f"{rows:,} rows, sha256 {digest}, the same on both sides", last=True)
        return rows

    async def _contents(self, side: Side, table: Table) -> tuple[int, str]:
        """How many rows a table has, and a digest of all of them in order."""
        digest, count = hashlib.sha256(), 0
        async for page in side.pages(table, None):
            digest.update(b"".join(msgspec.json.encode(row) + b"\n" for row in page))
            count += len(page)
            self._tell(table.name, f"{count:,} rows read of {side.place}")
        return count, digest.hexdigest()


def alike(table: Table) -> tuple[set[str], tuple[str, ...], bool]:
    """What must be the same of a table in both databases; columns may be in another order."""
    return set(table.columns), table.key, table.numbered
