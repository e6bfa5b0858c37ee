"""What metrics and probes ask of a database, and tasks that wait for a person."""

from __future__ import annotations

from lives import claimed, submitted

from darkroom.core.review import HELD
from darkroom.store import LAST
from darkroom.store.credits import Audit
from darkroom.testing.databases import NOW


async def test_waiting_tasks_are_counted_by_model_with_their_oldest(store):
    first = await submitted(store, run_at=NOW - 5000)
    await submitted(store, run_at=NOW - 100)
    await submitted(store, run_at=NOW + 1000)  # a retry that is not due
    await submitted(store, run_at=HELD)
    assert await store.waiting(NOW, 100) == [(first.model, 2, NOW - 5000)]
    assert await store.due(100) == 2  # what is not due waits for no worker
    assert await store.due(1) == 1  # it counts no farther
    assert await store.at_work() == []


async def test_running_tasks_are_counted_by_model(store):
    await submitted(store)
    [task] = await claimed(store, limit=1)
    assert await store.at_work() == [(task.model, 1)]
    assert await store.waiting(NOW, 100) == []


async def test_without_webhooks_none_is_due(store):
    assert await store.deliveries_due(NOW, 100) == (0, NOW)


async def test_a_held_task_is_claimed_after_it_was_released_and_not_before(store):
    task = await submitted(store, run_at=HELD)
    assert [each.id for each in await store.held()] == [task.id]
    assert await claimed(store, limit=5) == []
    audit = Audit("somebody", "task.approved", task.public_id, NOW, {})
    assert await store.release_held(task.public_id, audit)
    assert not await store.release_held(task.public_id, audit)
    assert [(line.actor, line.action) for line in await store.audit(10, LAST)] == [("somebody", "task.approved")]
    assert await store.held() == []
    assert [each.id for each in await claimed(store, limit=5)] == [task.id]
