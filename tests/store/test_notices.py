"""What happens to an account's tasks, as it is told: everything, once, and to nobody else."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest
from lives import claimed, moved, submitted

from darkroom.core.commands import Notice
from darkroom.core.task import State, Trigger
from darkroom.hub import Hub
from darkroom.notices import PAGE, Notices
from darkroom.store import Store
from darkroom.testing.databases import NOW, new_family

LONG = 60.0  # seconds; a follower that is not woken would take as long
PATIENCE = 60.0


@pytest.fixture
async def caller(store: Store) -> str:
    """An account."""
    return (await store.add_account("caller", 100, NOW)).id


async def told(following: AsyncGenerator[tuple[Notice, ...], None], count: int) -> list[Notice]:
    """The next notices, however many come at once."""
    found: list[Notice] = []
    async with asyncio.timeout(PATIENCE):
        while len(found) < count:
            found += await anext(following)
    return found


async def test_a_follower_is_told_each_state_with_the_run_that_it_began_in(store, caller):
    async with aclosing(Notices(store, Hub()).follow(caller, 0)) as following:
        task = await submitted(store, caller, price=3)
        (running,) = await claimed(store)
        await moved(store, running, Trigger.COMPLETE)
        found = await told(following, 3)
    assert [(notice.state, notice.attempt) for notice in found] == [
        (State.QUEUED, 0),
        (State.RUNNING, 1),
        (State.SUCCEEDED, 1),
    ]
    assert {notice.task.id for notice in found} == {task.id}
    assert [notice.number for notice in found] == sorted({notice.number for notice in found})
    assert {(notice.account.id, notice.account.available) for notice in found} == {(caller, 97)}


async def test_a_task_that_is_tried_again_waits_in_a_run_of_its_own(store, caller):
    await submitted(store, caller)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.RELEASE)
    async with aclosing(Notices(store, Hub()).follow(caller, 0)) as following:
        found = await told(following, 3)
    assert [(notice.state, notice.attempt) for notice in found][-1] == (State.QUEUED, 1)


async def test_a_follower_is_told_what_happened_after_its_number_and_nothing_of_others(store, caller):
    await submitted(store, caller)
    seen = await store.last_event(caller)
    other = await store.add_account("another caller", 0, NOW)
    await submitted(store, other.id)
    mine = await submitted(store, caller)
    async with aclosing(Notices(store, Hub()).follow(caller, seen)) as following:
        assert [notice.task.id for notice in await told(following, 1)] == [mine.id]


async def test_a_waiting_follower_is_woken_by_the_hub(store, caller):
    hub = Hub()
    async with aclosing(Notices(store, hub, reread=LONG).follow(caller, 0)) as following:
        assert await anext(following) == ()
        waiting = asyncio.create_task(told(following, 1))
        await asyncio.sleep(0)
        task = await submitted(store, caller)
        hub.changed(task)
        assert [notice.task.id for notice in await waiting] == [task.id]


async def test_a_follower_that_nobody_wakes_looks_by_itself(store, caller):
    async with aclosing(Notices(store, Hub(), reread=0.01).follow(caller, 0)) as following:
        assert await anext(following) == ()
        task = await submitted(store, caller)
        assert [notice.task.id for notice in await told(following, 1)] == [task.id]


async def test_many_events_are_told_in_order_and_once(store, caller):
    made = [(await submitted(store, caller)).id for _ in range(PAGE + 20)]
    async with aclosing(Notices(store, Hub(), reread=0.01).follow(caller, 0)) as following:
        found = await told(following, len(made))
        for _ in range(4):  # looks that go back find nothing new
            found += await anext(following)
    assert [notice.task.id for notice in found] == made


async def test_a_parent_is_told_with_its_parts(store, caller):
    parent, *parts = new_family(caller)
    await store.submit((parent, *parts))
    async with aclosing(Notices(store, Hub()).follow(caller, 0)) as following:
        found = await told(following, 3)
    assert [notice.task.id for notice in found] == [parent.id, *(part.id for part in parts)]
    assert [len(notice.task.children) for notice in found] == [2, 0, 0]


async def test_an_event_that_turns_up_behind_a_later_one_is_told_too(store, database_url, caller):
    late, early = await submitted(store, caller), await submitted(store, caller)
    await owned(database_url, late.id, "nobody yet")  # as while the transaction that wrote it has not ended
    async with aclosing(Notices(store, Hub(), reread=0.01).follow(caller, 0)) as following:
        assert [notice.task.id for notice in await told(following, 1)] == [early.id]
        await owned(database_url, late.id, caller)
        assert [notice.task.id for notice in await told(following, 1)] == [late.id]
        for _ in range(4):
            assert await anext(following) == ()


async def owned(database_url: str, task_id: str, account_id: str) -> None:
    """Let the events of a task belong to an account."""
    change = f"UPDATE event SET account_id = '{account_id}' WHERE task_id = '{task_id}'"
    connection: Any
    if database_url.startswith("sqlite:"):
        with sqlite3.connect(database_url.removeprefix("sqlite:")) as connection:
            connection.execute(change)
        connection.close()
        return
    connection = await asyncpg.connect(database_url)
    await connection.execute(change)
    await connection.close()
