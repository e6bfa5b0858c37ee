"""What nobody else puts right: leases of lost workers, and tasks that waited past their deadline."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from workshop import HOUR, PATIENCE, Workshop

from darkroom.core.errors import Code
from darkroom.core.machine import Policy
from darkroom.core.task import State, Task


async def lost(shop: Workshop, **params: Any) -> Task:
    """A task whose worker is not heard of any more."""
    task = await shop.submit(**params)
    (claimed,) = await shop.store.claim("gone", ("fake",), 1, shop.now(), shop.lease)
    assert claimed.id == task.id
    return claimed


def logged(caplog: pytest.LogCaptureFixture, task: Task) -> list[str]:
    """What the log says about a task."""
    return [record.getMessage() for record in caplog.records if vars(record).get("fields", {}).get("task") == task.id]


async def test_a_task_of_a_lost_worker_is_run_by_another_one(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await lost(shop)
        assert await shop.lose_leases() == 1
        waiting = await shop.read(task)
        assert waiting.failure
        assert (waiting.state, waiting.failures, waiting.failure.code) == (State.QUEUED, 1, Code.WORKER_LOST)
        async with shop.working():
            done = await shop.final(task)
        assert (done.state, done.attempt) == (State.SUCCEEDED, 2)


async def test_a_lease_that_holds_is_left_alone(tmp_path: Path) -> None:
    async with Workshop(tmp_path, lease=60_000) as shop:
        task = await lost(shop)
        shop.offset = 30_000
        assert await shop.janitor.sweep() == 0
        assert (await shop.read(task)).state is State.RUNNING
        await shop.lose_leases()


async def test_a_task_that_loses_worker_after_worker_fails_for_good(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Workshop(tmp_path, funds=1, policy=Policy(max_failures=2, backoff=1)) as shop:
        task = await lost(shop)
        await shop.lose_leases()
        shop.offset += 10
        await shop.store.claim("gone", ("fake",), 1, shop.now(), shop.lease)
        await shop.lose_leases()
        done = await shop.read(task)
        assert done.failure
        assert (done.state, done.failure.code, done.failures) == (State.FAILED, Code.WORKER_LOST, 2)
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (1, 0)
    assert logged(caplog, task) == ["lease.expired", "lease.expired"]


async def test_what_the_janitor_ends_is_logged_as_what_a_worker_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "darkroom")
    async with Workshop(tmp_path) as shop:
        task = await lost(shop)
        await shop.lose_leases()
        shop.offset += HOUR
        await shop.janitor.sweep()
    assert logged(caplog, task) == ["task.submitted", "lease.expired", "task.retried", "task.failed"]


async def test_files_of_a_lost_attempt_are_removed_and_no_others(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await lost(shop)
        for key in (f"tasks/{task.id}/1/0", f"tasks/{task.id}/1/0.thumbnail", f"tasks/{task.id}/10/0", "tasks/x/1/0"):
            await shop.objects.put(key, b"result")
        await shop.lose_leases()
        assert await shop.stored() == [f"tasks/{task.id}/10/0", "tasks/x/1/0"]


async def test_a_lost_task_that_was_to_be_canceled_is_canceled(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=1) as shop:
        task = await lost(shop)
        assert await shop.store.mark_cancel(task.id)
        await shop.lose_leases()
        done = await shop.read(task)
        assert (done.state, done.failures) == (State.CANCELED, 0)


async def test_a_task_that_waited_past_its_deadline_fails_and_costs_nothing(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=1) as shop:
        task = await shop.submit()
        shop.offset = HOUR // 2
        assert await shop.janitor.sweep() == 0
        shop.offset = HOUR + 1
        assert await shop.janitor.sweep() == 1
        done = await shop.read(task)
        assert done.failure
        assert (done.state, done.failure.code, done.attempt) == (State.FAILED, Code.TIMED_OUT, 0)
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (1, 0)


async def test_whoever_waits_for_a_task_hears_of_its_end_from_the_janitor(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        parent = (await shop.submit_all(inputs=[await shop.upload()], parts=2)).task
        parts = (await shop.read(parent)).children
        with shop.hub.watch(parent.id) as of_parent, shop.hub.watch(parts[0].public_id) as of_part:
            shop.offset = HOUR + 1
            assert await shop.janitor.sweep() == 2
            assert of_parent.is_set()
            assert of_part.is_set()
        assert (await shop.read(parent)).state is State.FAILED


async def test_a_sweep_ends_more_tasks_than_it_reads_at_once(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        for _ in range(130):
            await shop.submit()
        assert len(await shop.store.claim("gone", ("fake",), 120, shop.now(), shop.lease)) == 120
        assert await shop.lose_leases() == 120
        shop.offset += HOUR
        assert await shop.janitor.sweep() == 130


async def test_janitors_beside_each_other_count_each_loss_once(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        tasks = [await shop.submit() for _ in range(20)]
        await shop.store.claim("gone", ("fake",), 20, shop.now(), shop.lease)
        shop.offset = shop.lease + 1
        assert sum(await asyncio.gather(*(shop.janitor.sweep() for _ in range(4)))) == 20
        assert [(await shop.read(task)).failures for task in tasks] == [1] * 20


async def test_every_lease_ends_when_the_only_server_starts(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await lost(shop)
        assert await shop.janitor.sweep() == 0
        assert await shop.janitor.sweep(all_leases=True) == 1
        assert (await shop.read(task)).state is State.QUEUED


async def test_a_task_that_cannot_be_ended_does_not_keep_the_others_waiting(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its ledger says already that its credits came back; something else has written there."""
    async with Workshop(tmp_path) as shop:
        odd, *others = [await shop.submit() for _ in range(3)]
        with sqlite3.connect(tmp_path / "darkroom.db") as other:
            other.execute(
                "INSERT INTO entry (account_id, task_id, kind, free, paid, held, bank, revenue, created_at)"
                " SELECT account_id, task_id, 'release', 0, 0, 0, 0, 0, created_at FROM entry WHERE task_id = ?",
                (odd.id,),
            )
        shop.offset = HOUR + 1
        async with asyncio.timeout(PATIENCE):
            assert await shop.janitor.sweep() == 2
        assert [(await shop.read(task)).state for task in others] == [State.FAILED] * 2
        assert (await shop.read(odd)).state is State.QUEUED
        assert "loop.failed" in [record.getMessage() for record in caplog.records]
        other.execute("DELETE FROM entry WHERE kind = 'release' AND held = 0")
        other.commit()
        other.close()
        assert await shop.janitor.sweep() == 1


async def test_a_janitor_survives_what_nobody_thought_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with Workshop(tmp_path) as shop:
        task = await lost(shop)
        shop.offset = shop.lease + 1
        other = sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)
        other.execute("ALTER TABLE task RENAME COLUMN deadline TO due")
        other.execute("ALTER TABLE task RENAME COLUMN lease_until TO leased")
        janitor = shop.janitor
        janitor._period = 0.02
        running = asyncio.create_task(janitor.run())
        async with asyncio.timeout(PATIENCE):
            while "loop.failed" not in [record.getMessage() for record in caplog.records]:
                await asyncio.sleep(0.01)
        other.execute("ALTER TABLE task RENAME COLUMN leased TO lease_until")
        other.execute("ALTER TABLE task RENAME COLUMN due TO deadline")
        other.close()
        assert (await shop.until(task, lambda found: found.state is State.QUEUED)).failures == 1
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
