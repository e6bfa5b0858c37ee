"""Parents and children in the store: a parent is never run, and shows what its children do."""

from __future__ import annotations

import pytest
from lives import claimed, moved

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State, Trigger
from darkroom.testing.databases import ENGINE, LEASE, NOW, check_sums, new_family

BROKEN = TaskError(Code.ENGINE_FAILED, "The engine could not draw this.", retryable=True)


async def test_a_parent_waits_runs_and_ends_with_its_children(store):
    family = new_family(parts=2)
    public_id = family[0].public_id
    await store.submit(family)
    assert (await store.task(public_id)).state is State.QUEUED
    (first,) = await claimed(store)
    assert (await store.task(public_id)).state is State.RUNNING
    await moved(store, first, Trigger.COMPLETE, NOW + 1)
    half = await store.task(public_id)
    assert (half.state, half.progress, len(half.artifacts)) == (State.RUNNING, 50, 1)
    (second,) = await claimed(store)
    await moved(store, second, Trigger.COMPLETE, NOW + 2)
    done = await store.task(public_id)
    assert (done.state, done.progress, done.finished_at) == (State.SUCCEEDED, 100, NOW + 2)
    assert done.artifacts == tuple(artifact for child in done.children for artifact in child.artifacts)
    assert [child.id for child in done.children] == [child.id for child in family[1:]]
    events = await store.events(family[0].id)
    assert [state for _, state, _, _ in events] == [State.QUEUED, State.RUNNING, State.SUCCEEDED]


async def test_a_parent_is_never_handed_to_a_worker(store):
    family = new_family(parts=3)
    await store.submit(family)
    assert {task.id for task in await claimed(store, limit=10)} == {part.id for part in family[1:]}
    assert family[0].id not in {task.id for task in await store.expired(NOW + 10 * LEASE)}
    assert await store.next_due((ENGINE,)) is None


@pytest.mark.parametrize(
    ("ends", "state", "code"),
    [
        ((Trigger.COMPLETE, Trigger.FAIL), State.SUCCEEDED, None),
        ((Trigger.FAIL, Trigger.COMPLETE), State.SUCCEEDED, None),
        ((Trigger.CANCEL, Trigger.FAIL), State.FAILED, Code.ENGINE_FAILED),
        ((Trigger.FAIL, Trigger.CANCEL), State.FAILED, Code.ENGINE_FAILED),
        ((Trigger.CANCEL, Trigger.CANCEL), State.CANCELED, Code.CANCELED),
    ],
)
async def test_a_parents_end_follows_from_its_childrens(store, ends, state, code):
    account = await store.add_account("caller", 10, NOW)
    family = new_family(account.id, parts=2, price=3)
    await store.submit(family)
    for task, trigger in zip(await claimed(store, limit=2), ends, strict=True):
        await moved(store, task, trigger, error=BROKEN if trigger is Trigger.FAIL else None)
    parent = await store.task(family[0].public_id)
    (listed,) = await store.tasks(account.id, state, 10)
    assert (parent.state, parent.failure.code if parent.failure else None) == (state, code)
    assert listed == parent
    assert parent.cost == 3 * ends.count(Trigger.COMPLETE)
    await check_sums(store)


async def test_a_parent_whose_children_never_ran_can_be_canceled(store):
    family = new_family(parts=2)
    await store.submit(family)
    for child in (await store.task(family[0].public_id)).children:
        await moved(store, child, Trigger.CANCEL)
    events = await store.events(family[0].id)
    assert [state for _, state, _, _ in events] == [State.QUEUED, State.CANCELED]


async def test_a_retried_child_does_not_end_its_parent(store):
    family = new_family(parts=2)
    await store.submit(family)
    first, second = await claimed(store, limit=2)
    await moved(store, first, Trigger.COMPLETE)
    await moved(store, second, Trigger.RETRY, error=BROKEN)
    assert (await store.task(family[0].public_id)).state is State.RUNNING
    (again,) = await claimed(store, now=NOW + 60_000)
    await moved(store, again, Trigger.COMPLETE, NOW + 61_000)
    assert (await store.task(family[0].public_id)).state is State.SUCCEEDED


async def test_a_poll_sees_at_a_glance_that_a_child_moved(store):
    family = new_family(parts=2)
    await store.submit(family)
    seen = []

    async def look() -> None:
        seen.append((await store.glance(family[0].public_id))[1])
        assert seen[-1] == (await store.task(family[0].public_id)).version

    await look()
    first, second = await claimed(store, limit=2)
    await look()
    await store.heartbeat(first, NOW, LEASE, progress=50)
    await look()
    await moved(store, first, Trigger.COMPLETE)
    await look()
    await moved(store, second, Trigger.COMPLETE)
    await look()
    assert seen == sorted(set(seen))


async def test_a_family_is_listed_once_and_deleted_as_a_whole(store):
    family = new_family("caller", parts=2)
    await store.submit(family)
    assert [task.id for task in await store.tasks("caller", None, 10)] == [family[0].id]
    for task in await claimed(store, limit=2):
        await moved(store, task, Trigger.COMPLETE)
    assert await store.delete(await store.task(family[0].public_id))
    assert [await store.task(part.public_id) for part in family] == [None] * 3
    assert [await store.events(part.id) for part in family] == [[]] * 3


async def test_a_parent_whose_children_were_deleted_one_by_one_can_still_be_read(store):
    family = new_family("caller", parts=2)
    await store.submit(family)
    for task in await claimed(store, limit=2):
        await store.delete(await moved(store, task, Trigger.COMPLETE))
    assert (await store.task(family[0].public_id)).state is State.SUCCEEDED
