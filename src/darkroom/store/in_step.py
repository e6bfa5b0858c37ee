"""Runs scripts on PostgreSQL, those that wait together in one transaction and in step.

A statement costs a round trip and a transaction costs an fsync, however little they do. So scripts that wait while the
connections are busy are begun together; the same query of several of them goes to the server at once.

Guarantees: each script is all or nothing, and durable when its caller goes on. Scripts of one transaction see each
other's rows as if they had run one after the other: a row that one has locked is given to the next when that one has
ended. When one of them fails, nothing of the transaction is kept, and the others are run again without it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeVar

import asyncpg

from ..core.errors import TaskError
from .contended import COMBINED, Combined
from .database import Params, Row, Script
from .queries import Statement, arguments
from .set_based import SetBased, one_by_one

T = TypeVar("T")

RUNNERS = 2  # transactions at once: while one is committed, the next one is begun
TOGETHER = 128  # scripts in one transaction, at most

Begin = Callable[[], Script[Any]]


@dataclass(slots=True, eq=False)
class Turn:
    """A script that runs: the query that it wants next, or how it ended."""

    number: int  # among those of its transaction
    script: Script[Any]
    name: str | None = None  # of the query; `None` when it has ended
    one: Params = field(default_factory=dict)
    many: list[dict[str, Any]] | None = None
    result: Any = None
    error: BaseException | None = None
    locks: list[tuple[Any, ...]] = field(default_factory=list)

    def go_on(self, rows: list[Row] | None) -> None:
        """Send the rows of its query; `None` begins."""
        self.name, self.many = None, None
        try:
            self.name, params = next(self.script) if rows is None else self.script.send(rows)
        except StopIteration as done:
            self.result = done.value
        except BaseException as error:  # noqa: BLE001 - its caller gets it
            self.error = error
        else:
            self.one, self.many = ({}, params) if isinstance(params, list) else (params, None)


class StuckError(Exception):
    """Scripts of one transaction wait for each other's rows."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A script that waits for its turn, and where its outcome goes."""

    script: Begin
    future: asyncio.Future[Any]


class InStep:
    """Scripts and the connections that run them. `alone` runs one in a transaction of its own; `together` commits some.

    A `TaskError` of `together` is everybody's; what else it raises, with nothing kept, makes each of its scripts run
    alone, where it either works or tells what is wrong.
    """

    def __init__(
        self,
        alone: Callable[[Begin], Awaitable[Any]],
        together: Callable[[list[Begin]], Awaitable[list[Turn]]],
    ) -> None:
        self._alone = alone
        self._together = together
        self._loop = asyncio.get_running_loop()  # once: to ask for it is a system call
        self._waiting: list[Waiting] = []
        self._runners: set[asyncio.Task[None]] = set()

    async def run(self, script: Callable[[], Script[T]]) -> T:
        """Run a script, durably; a caller who gives up before its turn leaves nothing behind."""
        waiting: Waiting = Waiting(script, self._loop.create_future())
        self._waiting.append(waiting)
        if len(self._runners) < RUNNERS:
            runner = asyncio.create_task(self._work())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)
        result: T = await waiting.future
        return result

    async def close(self) -> None:
        """Return when nothing runs any more."""
        while self._runners:
            await asyncio.gather(*self._runners, return_exceptions=True)

    async def _work(self) -> None:
        while self._waiting:
            group = [waiting for waiting in self._waiting[:TOGETHER] if not waiting.future.cancelled()]
            del self._waiting[:TOGETHER]
            if len(group) > 1:
                group = await self._commit(group)
            await asyncio.gather(*(self._one(waiting) for waiting in group))

    async def _commit(self, group: list[Waiting]) -> list[Waiting]:
        """Run scripts together; those that have to be run alone.

        None of them is, where the connection was lost: perhaps all is written, and only its caller can find out.
        """
        try:
            turns = await self._together([waiting.script for waiting in group])
        except TaskError as error:
            for waiting in group:
                if not waiting.future.done():
                    waiting.future.set_exception(error)
            return []
        except Exception:  # noqa: BLE001 - whatever it is: alone, each of them meets it or works
            return group
        failed = [waiting for waiting, turn in zip(group, turns, strict=True) if turn.error is not None]
        if failed:
            others = [waiting for waiting in group if waiting not in failed]
            return failed + (await self._commit(others) if len(others) > 1 else others)
        for waiting, turn in zip(group, turns, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(turn.result)
        return []

    async def _one(self, waiting: Waiting) -> None:
        try:
            result = await self._alone(waiting.script)
        except Exception as error:  # noqa: BLE001 - its caller gets it
            with suppress(asyncio.InvalidStateError):
                waiting.future.set_exception(error)
        else:
            with suppress(asyncio.InvalidStateError):
                waiting.future.set_result(result)


class Steps:
    """One transaction of several scripts."""

    def __init__(self, connection: asyncpg.Connection, statements: Mapping[str, Statement], sets: SetBased) -> None:
        self._connection = connection
        self._statements = statements
        self._sets = sets
        self._wanted: defaultdict[tuple[bool, str, bool], list[Turn]] = defaultdict(list)
        self._locked: dict[tuple[Any, ...], Turn] = {}
        self._held_up: list[Turn] = []  # their rows are locked
        self._last: defaultdict[str, list[Params]] = defaultdict(list)
        self._failed = False

    async def run(self, scripts: list[Begin]) -> list[Turn]:
        """Run scripts to their ends, or until the first fails. Rolled back by the caller if one of them failed."""
        turns = [Turn(number, script()) for number, script in enumerate(scripts)]
        for turn in turns:
            self._go_on(turn, None)
        while (self._wanted or self._held_up) and not self._failed:
            await self._step()
        if not self._failed:
            added = {self._statements[name]: rows for name, rows in self._last.items()}
            await self._sets.add(self._connection, added)
        for turn in turns:
            turn.script.close()
        return turns

    def _go_on(self, turn: Turn, rows: list[Row] | None) -> None:
        """Let a script go on to its next query; what is only to be inserted can wait for that of all others."""
        turn.go_on(rows)
        while turn.name is not None and self._statements[turn.name].last:
            self._last[turn.name] += [turn.one] if turn.many is None else turn.many
            turn.go_on([])
        if turn.name is not None:
            self._want(turn.name, turn)
            return
        self._failed = self._failed or turn.error is not None
        for lock in turn.locks:
            del self._locked[lock]
        if turn.locks:
            held_up, self._held_up = self._held_up, []
            for other in held_up:
                self._want(str(other.name), other)

    def _want(self, name: str, turn: Turn) -> None:
        """Note what a script waits for: its query, or before that a row."""
        statement = self._statements[name]
        if statement.locks and not self._locks(turn, (name, *sorted(turn.one.items()))):
            self._held_up.append(turn)
        else:
            self._wanted[statement.contended, name, turn.many is not None].append(turn)

    def _locks(self, turn: Turn, row: tuple[Any, ...]) -> bool:
        """Whether a script gets a row to itself: not while another script of this transaction has it."""
        holder = self._locked.setdefault(row, turn)
        if holder is turn and row not in turn.locks:
            turn.locks.append(row)
        return holder is turn

    async def _step(self) -> None:
        """Carry out one query, for all scripts that want it.

        Rows that many want come last, all at once and in one order: so no two transactions hold what the other one
        waits for, and none holds them longer than it must.
        """
        if not self._wanted:
            raise StuckError
        wanted = _, name, several = min(self._wanted)
        ready = sorted(self._wanted.pop(wanted), key=attrgetter("number"))
        answers = await (self._many if several else self._each)(self._statements[name], ready)
        for turn, rows in zip(ready, answers, strict=True):
            self._go_on(turn, rows)

    async def _each(self, statement: Statement, turns: list[Turn]) -> list[list[Row]]:
        """The rows of one query for each script."""
        if statement.contended:
            return await self._contended(statement, COMBINED[statement.name], turns)
        asked = [turn.one for turn in turns]
        if not statement.reads:
            return await self._sets.answers(self._connection, statement, asked)
        values = [arguments(statement, params) for params in asked]
        different = dict(zip(values, asked, strict=True))
        found = await self._sets.answers(self._connection, statement, list(different.values()))
        rows = dict(zip(different, found, strict=True))
        return [rows[each] for each in values]

    async def _contended(self, statement: Statement, combined: Combined, turns: list[Turn]) -> list[list[Row]]:
        """The same of rows that several of them change: at once or, where that cannot be, one after the other."""
        groups: defaultdict[tuple[Any, ...], list[Turn]] = defaultdict(list)
        for turn in turns:
            groups[combined.key(turn.one)].append(turn)
        keys = sorted(groups)  # everybody locks them in this order
        merged = [combined.merge([turn.one for turn in groups[key]]) for key in keys]
        found = await one_by_one(self._connection, statement, merged)
        answers: dict[Turn, list[Row]] = {}
        alone: list[Turn] = []
        for key, rows in zip(keys, found, strict=True):
            group = groups[key]
            if rows:
                shares = combined.share(rows[0], [turn.one for turn in group])
                answers.update((turn, [share]) for turn, share in zip(group, shares, strict=True))
            elif len(group) > 1:
                alone += group
        found = await one_by_one(self._connection, statement, [turn.one for turn in alone])
        answers.update(zip(alone, found, strict=True))
        return [answers.get(turn, []) for turn in turns]

    async def _many(self, statement: Statement, turns: list[Turn]) -> list[list[Row]]:
        """One query for the many rows of each script."""
        rows = [each for turn in turns for each in turn.many or ()]
        await self._sets.for_each(self._connection, statement, rows)
        return [[] for _ in turns]
