"""For suites of the store: new tasks, a database that fails on demand, and sums that must always agree."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, TypeVar

from ..core.ids import new_id
from ..core.task import Artifact, Operation, State, Task
from ..store import Store
from ..store.database import Database, Row, Script

T = TypeVar("T")

NOW = 1_769_774_400_000  # 2026-01-30 12:00:00 UTC, in milliseconds
LEASE = 30_000
ENGINE = "example"

numbers = itertools.count(1)


def new_task(account_id: str = "nobody", **fields: Any) -> Task:
    """A task to be submitted; free and due at `NOW` unless told otherwise."""
    task_id = new_id(NOW)
    known: dict[str, Any] = {
        "id": task_id,
        "public_id": f"task-{task_id}",
        "account_id": account_id,
        "dialect": "example",
        "operation": Operation.IMAGE_GENERATE,
        "model": "example-model",
        "engine": ENGINE,
        "created_at": NOW,
        "run_at": NOW,
    }
    return Task(**known | fields)


def new_family(account_id: str = "nobody", parts: int = 2, **fields: Any) -> tuple[Task, ...]:
    """A parent and its children, to be submitted together; `fields` are those of each child."""
    parent = new_task(account_id, parts=parts)
    return (parent, *(new_task(account_id, parent_id=parent.id, **fields) for _ in range(parts)))


def new_artifact() -> Artifact:
    """A stored result."""
    return Artifact(f"results/{next(numbers)}", "image/png", 1_234, 64, 48)


class InjectedError(Exception):
    """The fault that `FaultyDatabase` injects."""


class FaultyDatabase:
    """A database whose scripts fail after `fail_after` queries, before the next one or their commit.

    With `None` nothing fails; `queries` counts those of the last script.
    """

    def __init__(self, database: Database, fail_after: int | None = None) -> None:
        self.database = database
        self.fail_after = fail_after
        self.queries = 0

    async def read(self, name: str, **params: Any) -> list[Row]:
        """Run one reading query."""
        return await self.database.read(name, **params)

    def read_at_once(self, name: str, **params: Any) -> list[Row] | None:
        """Run one reading query without waiting."""
        return self.database.read_at_once(name, **params)

    async def write(self, script: Callable[[], Script[T]]) -> T:
        """Run a script up to its fault."""
        return await self.database.write(lambda: self._interrupted(script()))

    async def time(self) -> int:
        """What the database's clock says."""
        return await self.database.time()

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.database.ping()

    async def close(self) -> None:
        """Let go of the database."""
        await self.database.close()

    def _interrupted(self, script: Script[T]) -> Script[T]:
        self.queries = 0
        rows: list[Row] | None = None
        while True:
            try:
                query = next(script) if rows is None else script.send(rows)
            except StopIteration as done:
                self._fail_if_due()
                result: T = done.value
                return result
            self._fail_if_due()
            rows = yield query
            self.queries += 1

    def _fail_if_due(self) -> None:
        if self.queries == self.fail_after:
            raise InjectedError


async def check_sums(store: Store) -> None:
    """Assert that every account's balance is the sum of its ledger, and holds exactly what unfinished tasks cost."""
    for account in await store.accounts():
        lines = await store.entries(account.id)
        entries = [entry for entry, _ in lines]
        assert account.free == sum(entry.free for entry in entries)
        assert account.paid == sum(entry.paid for entry in entries)
        assert account.held == sum(entry.held for entry in entries)
        assert account.free >= 0
        assert account.paid >= 0
        assert not any(entry.available + entry.held + entry.bank + entry.revenue for entry in entries)
        tasks = [part for task in await store.tasks(account.id, None, 10_000) for part in task.children or (task,)]
        assert account.held == sum(part.price for part in tasks if not part.state.final)
        assert sum(entry.revenue for entry in entries) == sum(
            part.cost for part in tasks if part.state is State.SUCCEEDED
        )
