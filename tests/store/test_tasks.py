"""A task from submit to its end, and what a worker may still do when it is no longer its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lives import claimed, moved, submitted
from tables import contents

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import File, Operation, State, Trigger
from darkroom.store import Verdict
from darkroom.testing.databases import ENGINE, LEASE, NOW, new_artifact, new_task

BROKEN = TaskError(Code.ENGINE_FAILED, "The engine could not draw this.", detail="stack trace", retryable=True)


async def test_a_task_comes_back_as_it_was_submitted(store):
    file = File("file-1", "inputs/1", "image/png", 12, 3, 4)
    await store.add_file("nobody", file, NOW)
    task = new_task(
        operation=Operation.IMAGE_EDIT,
        params={"prompt": "ein Leuchtturm, 灯台 \U0001f5fc", "steps": 3},
        inputs=(file,),
        count=2,
        priority=-5,
        deadline=NOW + 60_000,
        metadata={"order": {"lines": [1, None, "\x00"]}},
        extra={"shape": "v2"},
        key_id="key-1",
        warnings=("The seed was ignored.",),
    )
    await store.submit((task,))
    kept = await store.task(task.public_id)
    assert kept == replace(task, seq=kept.seq, version=1)


async def test_a_task_lives_from_submit_to_success(store):
    task = await submitted(store)
    (running,) = await claimed(store)
    assert (running.id, running.state, running.attempt) == (task.id, State.RUNNING, 1)
    assert (running.started_at, running.lease_until) == (NOW, NOW + LEASE)
    verdict = await store.heartbeat(running, NOW + 500, LEASE, progress=40, checkpoint="upstream-1")
    assert verdict is Verdict.CONTINUE
    beaten = await store.task(task.public_id)
    assert (beaten.progress, beaten.checkpoint, beaten.lease_until) == (40, "upstream-1", NOW + 500 + LEASE)
    artifact = new_artifact()
    done = await moved(store, running, Trigger.COMPLETE, NOW + 900, artifacts=(artifact,))
    assert (done.state, done.progress, done.artifacts) == (State.SUCCEEDED, 100, (artifact,))
    assert (done.finished_at, done.lease_until) == (NOW + 900, None)
    assert await store.task(task.public_id) == done


async def test_progress_and_checkpoint_never_go_back(store):
    task = await submitted(store)
    (running,) = await claimed(store)
    await store.heartbeat(running, NOW, LEASE, progress=60, checkpoint="upstream-1")
    await store.heartbeat(running, NOW, LEASE, progress=20)
    beaten = await store.task(task.public_id)
    assert (beaten.progress, beaten.checkpoint) == (60, "upstream-1")


async def test_the_version_grows_with_everything_that_can_be_seen(store):
    task = await submitted(store)
    versions = [(await store.glance(task.public_id))[1]]
    (running,) = await claimed(store)
    versions.append((await store.glance(task.public_id))[1])
    await store.heartbeat(running, NOW, LEASE, progress=10)
    versions.append((await store.glance(task.public_id))[1])
    await store.mark_cancel(task.id)
    versions.append((await store.glance(task.public_id))[1])
    await moved(store, running, Trigger.CANCEL)
    versions.append((await store.glance(task.public_id))[1])
    assert versions == sorted(set(versions))
    assert (await store.glance(task.public_id))[0] == task.account_id


async def test_events_are_numbered_upwards(store):
    task = await submitted(store)
    (first,) = await claimed(store)
    await store.heartbeat(first, NOW, LEASE, progress=10)
    await moved(store, first, Trigger.RETRY, error=BROKEN)
    (second,) = await claimed(store, now=NOW + 10_000)
    await moved(store, second, Trigger.COMPLETE, NOW + 11_000)
    events = await store.events(task.id)
    assert [(state, attempt) for _, state, attempt, _ in events] == [
        (State.QUEUED, 0),
        (State.RUNNING, 1),
        (State.QUEUED, 1),
        (State.RUNNING, 2),
        (State.SUCCEEDED, 2),
    ]
    numbers = [n for n, _, _, _ in events]
    assert numbers == sorted(set(numbers))
    assert [at for _, _, _, at in events] == [NOW, NOW, NOW + 1_000, NOW + 10_000, NOW + 11_000]


async def test_a_failure_is_kept_with_its_details(store):
    task = await submitted(store)
    (running,) = await claimed(store)
    error = TaskError(Code.INVALID_INPUT, "The mask is empty.", param="mask", detail="stack trace")
    await moved(store, running, Trigger.FAIL, error=error)
    failed = await store.task(task.public_id)
    assert failed.state is State.FAILED
    assert (failed.failure.code, failed.failure.param) == (Code.INVALID_INPUT, "mask")
    assert (failed.failure.message, failed.failure.detail) == ("The mask is empty.", "stack trace")


async def test_an_engine_that_reports_bytes_instead_of_text_still_fails(store):
    task = await submitted(store)
    (running,) = await claimed(store)
    assert await store.heartbeat(running, NOW, LEASE, checkpoint="a\x00b") is Verdict.CONTINUE
    await moved(store, running, Trigger.FAIL, error=TaskError(Code.ENGINE_FAILED, "Bad.", detail="\x7fELF\x00\udcff"))
    assert (await store.task(task.public_id)).failure.detail == "\x7fELF\ufffd?"


@pytest.mark.parametrize("public_id", ["", "no-such-task", "a\x00b", "a\ud800b", "' OR 1=1 --", "x" * 100_000])
async def test_an_id_that_nobody_has_is_not_found(store, public_id):
    await submitted(store)
    assert await store.task(public_id) is None
    assert await store.glance(public_id) is None


async def test_a_retried_task_waits_until_its_time(store):
    await submitted(store)
    (running,) = await claimed(store)
    waiting = await moved(store, running, Trigger.RETRY, NOW, error=BROKEN)
    assert await claimed(store, now=waiting.run_at - 1) == []
    (again,) = await claimed(store, now=waiting.run_at)
    assert (again.attempt, again.failures, again.failure.code) == (2, 1, Code.ENGINE_FAILED)


@pytest.mark.parametrize("trigger", [Trigger.RETRY, Trigger.RELEASE, Trigger.CANCEL, Trigger.COMPLETE, Trigger.FAIL])
async def test_a_stale_worker_is_refused(store, database_url, trigger):
    await submitted(store)
    (stale,) = await claimed(store)
    await moved(store, stale, Trigger.RELEASE)
    (current,) = await claimed(store, now=NOW + 2_000, worker="other worker")
    before = await contents(database_url)
    assert await store.heartbeat(stale, NOW + 3_000, LEASE, progress=50, checkpoint="stale") is Verdict.LOST
    assert await moved(store, stale, trigger, NOW + 3_000) is None
    assert await contents(database_url) == before
    assert await store.heartbeat(current, NOW + 3_000, LEASE) is Verdict.CONTINUE


async def test_a_worker_whose_task_has_ended_is_told_that_it_lost_it(store):
    await submitted(store)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.CANCEL)
    assert await store.heartbeat(running, NOW, LEASE) is Verdict.LOST


async def test_a_worker_hears_of_a_cancel_once_it_is_asked_for(store):
    task = await submitted(store)
    assert not await store.mark_cancel(task.id)
    (running,) = await claimed(store)
    assert await store.mark_cancel(task.id)
    assert not await store.mark_cancel(task.id)
    assert await store.heartbeat(running, NOW, LEASE) is Verdict.CANCEL
    assert (await store.task(task.public_id)).cancel


@pytest.mark.parametrize("trigger", [Trigger.RETRY, Trigger.RELEASE, Trigger.CANCEL, Trigger.COMPLETE, Trigger.FAIL])
async def test_replaying_a_transition_changes_nothing_and_charges_nothing(store, database_url, trigger):
    account = await store.add_account("caller", 10, NOW)
    await submitted(store, account.id, price=4)
    (running,) = await claimed(store)
    assert await moved(store, running, trigger) is not None
    before = await contents(database_url)
    assert await moved(store, running, trigger) is None
    assert await contents(database_url) == before


async def test_expired_leases_and_overdue_tasks_are_found_in_order(store):
    for wait in (30, 10, 20, 5_000):
        await submitted(store, deadline=NOW + wait)
    assert [task.deadline for task in await store.overdue(NOW + 30)] == [NOW + 10, NOW + 20, NOW + 30]
    running = await claimed(store, limit=2)
    await store.heartbeat(running[0], NOW + 10, LEASE)
    assert await store.expired(NOW + LEASE - 1) == []
    assert [task.id for task in await store.expired(NOW + LEASE)] == [running[1].id]
    assert [task.id for task in await store.expired(NOW + 2 * LEASE)] == [running[1].id, running[0].id]


async def test_only_an_ended_task_can_be_deleted(store, database_url):
    task = await submitted(store)
    assert not await store.delete(task)
    (running,) = await claimed(store)
    before = await contents(database_url)
    assert not await store.delete(running)
    assert await contents(database_url) == before
    await moved(store, running, Trigger.COMPLETE)
    assert await store.delete(task)
    assert await store.task(task.public_id) is None
    assert await store.events(task.id) == []
    assert not await store.delete(task)


async def test_the_ledger_outlives_a_deleted_task(store):
    account = await store.add_account("caller", 10, NOW)
    await submitted(store, account.id, price=4)
    (running,) = await claimed(store)
    done = await moved(store, running, Trigger.COMPLETE)
    before = await store.entries(account.id)
    assert await store.delete(done)
    assert await store.entries(account.id) == before
    assert (await store.account(account.id)).available == 6


async def test_tasks_are_counted_by_state(store):
    for _ in range(4):
        await submitted(store)
    first, second = await claimed(store, limit=2)
    await moved(store, first, Trigger.COMPLETE)
    await moved(store, second, Trigger.CANCEL)
    assert await store.counts() == {State.QUEUED: 2, State.SUCCEEDED: 1, State.CANCELED: 1}


async def test_a_tasks_place_in_the_queue_counts_those_before_it(store):
    urgent = await submitted(store, priority=9)
    first, second = await submitted(store), await submitted(store)
    ahead = [await store.ahead(task, 100) for task in (urgent, first, second)]
    assert ahead == [{}, {urgent.model: 1}, {urgent.model: 2}]
    assert await store.ahead(second, limit=1) == {urgent.model: 1}


async def test_the_next_due_time_is_the_earliest_of_the_asked_engines(store):
    assert await store.next_due((ENGINE,)) is None
    await submitted(store, run_at=NOW + 50)
    await submitted(store, run_at=NOW + 20, engine="other")
    assert await store.next_due((ENGINE,)) == NOW + 50
    assert await store.next_due((ENGINE, "other")) == NOW + 20
