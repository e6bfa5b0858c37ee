"""Reads on PostgreSQL that come while one of their kind is under way go to the server together, as one statement.

A read by a key costs the server far less than its round trip costs both sides. So the first of a kind is sent at once,
and those that come until it is answered wait for that, and are then one read. Who comes when it should have been
answered long ago waits no more, and takes along those who do.

Guarantee: what a caller gets was read after it asked. Callers share rows, and leave them as they are.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field

import asyncpg

from .database import Row
from .queries import Statement, Values
from .set_based import SetBased

TOGETHER = 256  # different reads in one statement, at most
PATIENCE = 1.0  # seconds that others wait for one: a connection may be dead without anybody knowing


@dataclass(slots=True, eq=False)
class Kind:
    """The reads of one statement; those that wait, by their parameters, and until when others join them."""

    statement: Statement
    wait_until: float = 0.0
    waiting: dict[Values, list[asyncio.Future[list[Row]]]] = field(default_factory=dict)


class SharedReads:
    """The reads of one database that are often made at once; `connection` lends a connection."""

    def __init__(
        self, connection: Callable[[], AbstractAsyncContextManager[asyncpg.Connection]], sets: SetBased
    ) -> None:
        self._connection = connection
        self._sets = sets
        self._loop = asyncio.get_running_loop()
        self._kinds: dict[str, Kind] = {}
        self._working: set[asyncio.Task[None]] = set()

    async def read(self, statement: Statement, values: Values) -> list[Row]:
        """Run a reading query, with those that wait for the same."""
        kind = self._kinds.get(statement.name)
        if kind is None:
            kind = self._kinds[statement.name] = Kind(statement)
        if time.monotonic() < kind.wait_until:
            future: asyncio.Future[list[Row]] = self._loop.create_future()
            kind.waiting.setdefault(values, []).append(future)
            return await future
        kind.wait_until = time.monotonic() + PATIENCE
        try:
            async with self._connection() as connection:
                rows: list[Row] = await connection.fetch(statement.positional, *values)
                return rows
        finally:
            if kind.waiting:
                working = asyncio.create_task(self._work(kind))
                self._working.add(working)
                working.add_done_callback(self._working.discard)
            else:
                kind.wait_until = 0.0

    async def _work(self, kind: Kind) -> None:
        while kind.waiting:
            kind.wait_until = time.monotonic() + PATIENCE
            group = [(values, kind.waiting.pop(values)) for values in list(kind.waiting)[:TOGETHER]]
            try:
                async with self._connection() as connection:
                    asked = [dict(zip(kind.statement.names, values, strict=True)) for values, _ in group]
                    answers = await self._sets.answers(connection, kind.statement, asked)
            except Exception as error:  # noqa: BLE001 - those who asked get it
                for _, futures in group:
                    fail(futures, error)
            else:
                for (_, futures), rows in zip(group, answers, strict=True):
                    answer(futures, rows)
        kind.wait_until = 0.0


def answer(futures: Iterable[asyncio.Future[list[Row]]], rows: list[Row]) -> None:
    """Give rows to those who still want them."""
    for future in futures:
        if not future.done():
            future.set_result(rows)


def fail(futures: Iterable[asyncio.Future[list[Row]]], error: Exception) -> None:
    """Tell those who still wait what went wrong."""
    for future in futures:
        if not future.done():
            future.set_exception(error)
