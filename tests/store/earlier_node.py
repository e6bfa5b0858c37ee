"""A node of the release before turns: its statements word for word (`earlier/`), one after the other as it had them.

What its scripts and ours have in common is shared: each query that they name is looked up among the old ones.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from darkroom.core.machine import Change
from darkroom.core.task import State, Task
from darkroom.store import Store, credits, postgres_schema, sqlite  # noqa: A004 - the field's word
from darkroom.store.database import Database, Script, connect, migrations
from darkroom.store.queries import NAME, Statement, statement
from darkroom.store.rows import change_params, task_params
from darkroom.store.scripts import add_event, event_row, finish_parent, owe_row, use_files
from darkroom.testing.databases import ENGINE, LEASE, NOW

SCHEMA = (1, 2, 6, 7)  # its migrations


def recorded() -> dict[str, Statement]:
    """Every statement of that release, by name."""
    texts = [path.read_text("utf-8") for path in sorted((Path(__file__).parent / "earlier").glob("*.sql"))]
    found = [part for text in texts for part in NAME.split(text)[1:]]
    return {name: statement(name, block) for name, block in zip(found[0::2], found[1::2], strict=True)}


@asynccontextmanager
async def earlier_node(url: str) -> AsyncIterator[EarlierNode]:
    """A node that made its own schema; it goes on when others change that."""
    with pytest.MonkeyPatch.context() as patch:
        for driver in (sqlite, postgres_schema):
            patch.setattr(driver, "migrations", lambda kind: [each for each in migrations(kind) if each[0] in SCHEMA])
        database = await connect(url)
    database._statements = recorded()
    try:
        yield EarlierNode(database)
    finally:
        await database.close()


class EarlierNode:
    """One node. `store` is for what that release did as this one does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.store = Store(database)

    async def submit(self, *tasks: Task) -> None:
        """Store a task, or a parent with its parts."""
        await self._database.write(lambda: submit_script(tasks))

    async def put(self, tasks: list[Task]) -> None:
        """Store rows of many tasks, without credits and events."""
        await self._database.write(lambda: put_script(tasks))

    async def claim(self, limit: int = 1, now: int = NOW) -> list[Any]:
        """Lease tasks; their rows."""
        rows: list[Any] = await self._database.write(lambda: claim_script(limit, now))
        return rows

    async def apply(self, change: Change) -> bool:
        """Carry out a transition; false when somebody else was first."""
        return await self._database.write(lambda: apply_script(change))


def running(task: Task, row: Any) -> Task:
    """A task that was submitted, as a claim found it."""
    found = {name: row[name] for name in ("seq", "attempt", "failures", "version", "started_at")}
    return replace(task, state=State.RUNNING, **found)


def submit_script(tasks: tuple[Task, ...]) -> Script[None]:
    for task in tasks:
        assert (yield "add_task", task_params(task, None, None))
    yield from use_files(tasks)
    yield from credits.hold(tasks)
    for task in tasks:
        yield from add_event(task.account_id, task.id, 1, State.QUEUED, 0, task.created_at)


def put_script(tasks: list[Task]) -> Script[None]:
    yield "add_task", [task_params(task, None, None) for task in tasks]


def claim_script(limit: int, now: int) -> Script[list[Any]]:
    params = {"worker": "earlier", "engines": f",{ENGINE},", "limit": limit, "now": now, "lease_until": now + LEASE}
    rows = yield "claim", params
    rows = sorted(rows, key=lambda row: (-row["priority"], row["seq"]))
    yield (
        "add_event",
        [event_row(row["account_id"], row["id"], row["version"], State.RUNNING, row["attempt"], now) for row in rows],
    )
    for parent_id, account_id in sorted({(row["parent_id"], row["account_id"]) for row in rows if row["parent_id"]}):
        started = yield "start_parent", {"id": parent_id, "now": now}
        if started:
            yield from add_event(account_id, parent_id, started[0]["version"], State.RUNNING, 0, now)
    return rows


def apply_script(change: Change) -> Script[bool]:
    changed = yield "change_task", change_params(change)
    if not changed:
        return False
    version = changed[0]["version"]
    yield from add_event(change.account_id, change.task_id, version, change.state, change.attempt, change.at)
    for file_id in sorted(set(change.inputs)):
        yield "leave_file", {"id": file_id, "now": change.at}
    if change.price:
        yield from credits.settle(change, changed[0])
    yield from owe_row(changed[0], change.account_id, change.task_id, change.state, change.at)
    if change.parent_id and change.final:
        yield from seen_as_then(finish_parent(change.parent_id, change.at))
    return True


def seen_as_then(script: Script[None]) -> Script[None]:
    """A script of ours, which reads columns that may not be there yet."""
    try:
        query = next(script)
        while True:
            query = script.send([{"turn": 0, "gate": 0, **dict(row)} for row in (yield query)])
    except StopIteration:
        return
