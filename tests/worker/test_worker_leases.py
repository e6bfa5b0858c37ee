"""Leases, checkpoints, and a worker that stops, stalls or cannot reach its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from plays import Held, Upstream, seen
from workshop import PATIENCE, Played, Workshop

from darkroom import worker as worker_module
from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy
from darkroom.core.task import State, Task
from darkroom.engines import Context, Job, Output
from darkroom.janitor import Janitor
from darkroom.worker import Worker

# ---- heartbeats


async def test_a_lease_is_renewed_as_long_as_its_engine_works(tmp_path: Path) -> None:
    held = Held()
    async with Workshop(tmp_path, Played(held.play)) as shop, shop.working():
        task = await shop.running(await shop.submit("played"))
        for _ in range(2):
            await renewed(shop, task)
        held.go_on.set()
        done = await shop.final(task)
        assert (done.state, done.attempt, done.failures) == (State.SUCCEEDED, 1, 0)


async def renewed(shop: Workshop, task: Task) -> None:
    """Return when the lease of a running task was renewed, and holds beyond the end that it had."""
    end = (await shop.read(task)).lease_until
    assert end
    await shop.until(task, lambda found: found.lease_until is not None and found.lease_until > end)
    janitor = Janitor(shop.store, shop.results, shop.hub, policy=shop.policy, clock=lambda: end + 1)
    assert await janitor.sweep() == 0


async def test_a_stale_worker_cannot_finish_and_its_files_are_removed(tmp_path: Path) -> None:
    """It comes back after its task was given to somebody else, who has finished it."""
    late = asyncio.Event()

    async def draw(job: Job, context: Context) -> Sequence[Output]:
        from PIL import Image

        if job.attempt == 1:
            await late.wait()
        Image.new("RGB", (8, 8)).save(job.workdir / "a.png")
        return (Output(job.workdir / "a.png"),)

    async with Workshop(tmp_path, Played(draw), lease=600) as shop:
        task = await shop.submit("played")
        async with stalled(shop) as stale:
            assert await shop.lose_leases() == 1
            async with shop.working(lease=30_000):
                done = await shop.final(task)
            (attempt,) = stale._attempts
            late.set()
            await asyncio.wait([attempt.running], timeout=PATIENCE)
        assert (done.state, done.attempt, done.failures) == (State.SUCCEEDED, 2, 1)
        assert await shop.read(task) == done
        assert await shop.stored() == [f"tasks/{task.id}/2/0", f"tasks/{task.id}/2/0.thumbnail"]
        assert (await shop.states(task)).count("succeeded") == 1


@asynccontextmanager
async def stalled(shop: Workshop) -> AsyncIterator[Worker]:
    """A worker that has claimed the waiting task, and from then on neither claims nor sends heartbeats."""
    worker = shop.worker()
    for task in await shop.store.claim("stalled", ("played",), 1, shop.now(), shop.lease):
        worker._start(task)
    yield worker


async def test_an_engine_is_stopped_when_its_lease_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    held = Held()
    async with Workshop(tmp_path, Played(held.play), policy=Policy(backoff=60_000)) as shop, shop.working():
        task = await shop.submit("played")
        await held.begun.get()
        assert await shop.lose_leases() == 1
        async with asyncio.timeout(PATIENCE):
            while not held.stopped:
                await asyncio.sleep(0.01)
        found = await shop.read(task)
        assert (found.state, found.failures, found.attempt) == (State.QUEUED, 1, 1)
        await shop.cancel(task)
    assert seen(caplog, "task.lost") == [{"task": task.id, "attempt": 1}]


async def test_a_worker_that_gets_its_own_lost_task_again_keeps_the_new_lease(tmp_path: Path) -> None:
    """The old attempt takes its time to stop; that must not end the care for the new one."""
    slow_to_stop, go_on = asyncio.Event(), asyncio.Event()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        if job.attempt > 1:
            await go_on.wait()
            return ()
        try:
            await asyncio.Event().wait()
        finally:
            await slow_to_stop.wait()
        return ()

    async with Workshop(tmp_path, Played(play)) as shop, shop.working() as worker:
        task = await shop.running(await shop.submit("played"))
        assert await shop.lose_leases() == 1
        task = await shop.until(task, lambda found: found.attempt == 2)
        (old,) = [attempt for attempt in worker._attempts if attempt.task.attempt == 1]
        slow_to_stop.set()
        await asyncio.wait([old.running], timeout=PATIENCE)
        await renewed(shop, task)
        go_on.set()
        done = await shop.final(task)
        assert (done.state, done.attempt) == (State.SUCCEEDED, 2)


# ---- stopping


async def test_a_stopped_worker_gives_its_tasks_back_unharmed(tmp_path: Path) -> None:
    held = Held()
    async with Workshop(tmp_path, Played(held.play)) as shop:
        tasks = [await shop.submit("played") for _ in range(3)]
        async with shop.working(slots=2):
            await held.begun.get()
            await held.begun.get()
        found = [await shop.read(task) for task in tasks]
        assert [(task.state, task.failures, task.failure) for task in found] == [(State.QUEUED, 0, None)] * 3
        held.go_on.set()
        async with shop.working():
            for task in tasks:
                assert (await shop.final(task)).state is State.SUCCEEDED


async def test_a_task_that_is_claimed_while_its_worker_stops_is_given_back(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        worker = shop.worker()
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0)  # it has asked for tasks
        worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running
        found = await shop.read(task)
        assert (found.state, found.attempt, found.failures) == (State.QUEUED, 1, 0)


async def test_a_worker_stops_although_its_last_slot_is_taken_at_that_moment(tmp_path: Path) -> None:
    held = Held()
    async with Workshop(tmp_path, Played(held.play)) as shop:
        task = await shop.submit("played")
        worker = shop.worker(slots=1)
        running = asyncio.create_task(worker.run())
        await asyncio.sleep(0)
        worker.stop()
        async with asyncio.timeout(PATIENCE):
            await running
        assert (await shop.read(task)).failures == 0


async def test_a_worker_stops_although_an_engine_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "STOP_WITHIN", 0.2)
    at_last = asyncio.Event()

    async def stubborn(job: Job, context: Context) -> Sequence[Output]:
        while not at_last.is_set():
            try:
                await at_last.wait()
            except asyncio.CancelledError:
                continue
        return ()

    async with Workshop(tmp_path, Played(stubborn)) as shop:
        task = await shop.submit("played")
        async with shop.working() as worker:
            await shop.running(task)
        (attempt,) = worker._attempts
        at_last.set()
        await asyncio.wait([attempt.running], timeout=PATIENCE)
        assert (await shop.read(task)).state is State.SUCCEEDED


# ---- checkpoints


async def test_a_checkpoint_survives_that_its_worker_stops(tmp_path: Path) -> None:
    upstream = Upstream()
    async with Workshop(tmp_path, engine := Played(upstream.play)) as shop:
        task = await shop.submit("played")
        async with shop.working():
            await upstream.ordered.wait()
        assert (await shop.read(task)).checkpoint == "order-1"
        upstream.done.set()
        async with shop.working():
            assert (await shop.final(task)).state is State.SUCCEEDED
    assert [job.checkpoint for job in engine.jobs] == [None, "order-1"]


async def test_a_checkpoint_survives_that_its_worker_is_lost(tmp_path: Path) -> None:
    upstream = Upstream()
    async with Workshop(tmp_path, engine := Played(upstream.play)) as shop, shop.working():
        task = await shop.submit("played")
        await upstream.ordered.wait()
        upstream.done.set()
        await shop.lose_leases()
        assert (await shop.final(task)).state is State.SUCCEEDED
    assert upstream.orders == 1
    assert [job.checkpoint for job in engine.jobs] in ([None], [None, "order-1"])


async def test_a_checkpoint_does_not_survive_that_its_engine_failed(tmp_path: Path) -> None:
    upstream = Upstream()
    upstream.fail = TaskError(Code.ENGINE_FAILED, "The order was refused.", retryable=True)
    upstream.done.set()
    async with Workshop(tmp_path, engine := Played(upstream.play)) as shop, shop.working():
        assert (await shop.final(await shop.submit("played"))).state is State.SUCCEEDED
    assert upstream.orders == 2
    assert [job.checkpoint for job in engine.jobs] == [None, None]
