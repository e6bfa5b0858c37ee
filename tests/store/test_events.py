"""The log of events: what happened to an account's tasks, in order, and nothing of anybody else's."""

from __future__ import annotations

from dataclasses import replace

from lives import claimed, moved, submitted

from darkroom.core.task import STORING, State, Trigger
from darkroom.testing.databases import new_task


async def test_the_log_tells_each_beginning_of_a_state_once(store):
    await submitted(store, "somebody else")
    task = await submitted(store, "caller")
    running = next(each for each in await claimed(store, 2) if each.id == task.id)
    await moved(store, running, Trigger.COMPLETE)
    events = await store.account_events("caller", 0)
    assert [(state, now.id, now.state) for _, state, _, now in events] == [
        (State.QUEUED, task.id, State.SUCCEEDED),
        (State.RUNNING, task.id, State.SUCCEEDED),
        (State.SUCCEEDED, task.id, State.SUCCEEDED),
    ]
    numbers = [number for number, *_ in events]
    assert numbers == sorted(set(numbers))
    assert await store.last_event("caller") == numbers[-1]
    assert [number for number, *_ in await store.account_events("caller", numbers[0])] == numbers[1:]
    assert len(await store.account_events("caller", 0, limit=2)) == 2


async def test_an_account_without_tasks_has_no_events(store):
    assert await store.last_event("caller") == 0
    assert await store.account_events("caller", 0) == []


async def test_the_stage_of_a_running_task_is_kept_until_it_ends(store):
    await submitted(store, "caller")
    (task,) = await claimed(store)
    before = await store.task(task.public_id)
    await store.heartbeat(task, 1_000, 1_000, progress=40, stage=STORING)
    during = await store.task(task.public_id)
    assert (before.stage, during.stage, during.version) == ("", STORING, before.version + 1)
    await store.heartbeat(task, 2_000, 1_000, progress=40, stage=STORING)
    assert (await store.task(task.public_id)).version == during.version
    ended = await moved(store, task, Trigger.COMPLETE)
    assert ended.stage == ""


async def test_a_parent_shows_the_stage_of_a_part(store):
    parent = replace(new_task("caller"), parts=1)
    part = replace(new_task("caller"), parent_id=parent.id)
    await store.submit((parent, part))
    (running,) = await claimed(store)
    await store.heartbeat(running, 1_000, 1_000, stage="drawing")
    assert (await store.task(parent.public_id)).stage == "drawing"
