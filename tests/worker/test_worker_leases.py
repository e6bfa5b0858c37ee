"""Leases, checkpoints, and a worker that stops, stalls or cannot reach its database."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from workshop import PATIENCE, Played, Workshop

from darkroom import worker as worker_module
from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy
from darkroom.core.task import State, Task
from darkroom.engines import Context, Job, Output
from darkroom.store import sqlite
from darkroom.store.database import Database, Row, Script
from darkroom.worker import Worker

T = TypeVar("T")


class Held:
    """Plays jobs that wait until they are let go; `begun` holds the attempts."""

    def __init__(self) -> None:
        self.begun: asyncio.Queue[Job] = asyncio.Queue()
        self.go_on = asyncio.Event()
        self.stopped: list[int] = []

    async def play(self, job: Job, context: Context) -> Sequence[Output]:
        self.begun.put_nowait(job)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.stopped.append(job.attempt)
            raise
        return ()


def seen(caplog: pytest.LogCaptureFixture, event: str) -> list[dict[str, Any]]:
    """The fields of every event of a name that was logged."""
    return [vars(record)["fields"] for record in caplog.records if record.getMessage() == event]


# ---- heartbeats


async def test_a_lease_is_renewed_as_long_as_its_engine_works(tmp_path: Path) -> None:
    held = Held()
    async with Workshop(tmp_path, Played(held.play), lease=600) as shop, shop.working():
        task = await shop.submit("played")
        first = (await shop.running(task)).lease_until
        assert first
        while shop.now() < first + 600:  # twice as long as the lease
            assert await shop.janitor.sweep() == 0
            await asyncio.sleep(0.05)
        held.go_on.set()
        done = await shop.final(task)
        assert (done.state, done.attempt, done.failures) == (State.SUCCEEDED, 1, 0)


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

    async with Workshop(tmp_path, Played(play), lease=600) as shop, shop.working() as worker:
        task = await shop.running(await shop.submit("played"))
        assert await shop.lose_leases() == 1
        task = await shop.until(task, lambda found: found.attempt == 2)
        (old,) = [attempt for attempt in worker._attempts if attempt.task.attempt == 1]
        slow_to_stop.set()
        await asyncio.wait([old.running], timeout=PATIENCE)
        assert task.lease_until
        while shop.now() < task.lease_until + 200:
            assert await shop.janitor.sweep() == 0
            await asyncio.sleep(0.05)
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


class Upstream:
    """An engine that has a vendor do the work, which it pays for: `orders` counts how often."""

    def __init__(self) -> None:
        self.orders = 0
        self.ordered = asyncio.Event()
        self.fail: TaskError | None = None
        self.done = asyncio.Event()

    async def play(self, job: Job, context: Context) -> Sequence[Output]:
        if job.checkpoint is None:
            self.orders += 1
            await context.checkpoint(f"order-{self.orders}")
        self.ordered.set()
        if self.fail:
            error, self.fail = self.fail, None
            raise error
        await self.done.wait()
        return ()


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


# ---- the database is away


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Nobody can write into the database."""
    other = sqlite3.connect(folder / "darkroom.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait for others, and the worker tries again soon."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(worker_module, "REWRITE", 0.05)


async def logged(caplog: pytest.LogCaptureFixture, event: str) -> None:
    """Wait until an event was logged."""
    async with asyncio.timeout(PATIENCE):
        while not seen(caplog, event):
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("outcome", ["succeed", "fail"])
async def test_an_outcome_is_written_when_the_database_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, outcome: str
) -> None:
    async with Workshop(tmp_path, funds=1) as shop, shop.working():
        task = await shop.running(await shop.submit(steps=1, step_ms=200, results=1, outcome=outcome))
        with away(tmp_path):
            await logged(caplog, "storage.failed")
        done = await shop.final(task)
        assert (done.state, done.attempt) == (State.SUCCEEDED if outcome == "succeed" else State.FAILED, 1)
        assert len(await shop.stored()) == 2 * len(done.artifacts)


@pytest.mark.usefixtures("impatient")
async def test_a_worker_goes_on_claiming_when_the_database_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        with away(tmp_path):
            async with shop.working() as worker:
                await logged(caplog, "loop.failed")
                worker.stop()
        async with shop.working():
            assert (await shop.final(task)).state is State.SUCCEEDED


@pytest.mark.usefixtures("impatient")
async def test_a_checkpoint_is_stored_before_its_engine_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ready, go_on = asyncio.Event(), asyncio.Event()
    upstream = Upstream()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        ready.set()
        await go_on.wait()
        return await upstream.play(job, context)

    async with Workshop(tmp_path, Played(play)) as shop, shop.working():
        task = await shop.submit("played")
        await ready.wait()
        with away(tmp_path):
            go_on.set()
            await logged(caplog, "loop.failed")
            assert not upstream.ordered.is_set()
        await upstream.ordered.wait()
        assert (await shop.read(task)).checkpoint == "order-1"
        upstream.done.set()
        await shop.final(task)


class Unconfirmed:
    """A database that carries out a script and then loses the connection, each time that `lose` says so."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lose: Callable[[Any], bool] = lambda _: False

    async def read(self, name: str, **params: Any) -> list[Row]:
        return await self.database.read(name, **params)

    async def write(self, script: Callable[[], Script[T]]) -> T:
        result = await self.database.write(script)
        if self.lose(result):
            raise TaskError(Code.UNAVAILABLE, "The connection was lost.", retryable=True)
        return result

    async def close(self) -> None:
        await self.database.close()


@pytest.mark.usefixtures("impatient")
async def test_a_result_survives_that_the_confirmation_of_its_commit_is_lost(tmp_path: Path) -> None:
    made: list[Unconfirmed] = []
    lost: list[Task] = []

    def unconfirmed(database: Database) -> Database:
        made.append(Unconfirmed(database))
        return made[0]

    def lose(result: Any) -> bool:
        if isinstance(result, Task) and result.state is State.SUCCEEDED and not lost:
            lost.append(result)
            return True
        return False

    async with Workshop(tmp_path, database=unconfirmed) as shop:
        made[0].lose = lose
        async with shop.working():
            task = await shop.final(await shop.submit(results=1))
        assert lost
        assert task.state is State.SUCCEEDED
        assert await shop.stored() == [f"tasks/{task.id}/1/0", f"tasks/{task.id}/1/0.thumbnail"]


async def test_a_worker_survives_what_nobody_thought_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "REWRITE", 0.05)
    async with Workshop(tmp_path, Played((held := Held()).play), lease=600) as shop:
        with sqlite3.connect(tmp_path / "darkroom.db") as other:
            other.execute("ALTER TABLE task RENAME COLUMN worker TO laborer")
        async with shop.working():
            await logged(caplog, "loop.failed")
            with sqlite3.connect(tmp_path / "darkroom.db") as other:
                other.execute("ALTER TABLE task RENAME COLUMN laborer TO worker")
            task = await shop.submit("played")
            await held.begun.get()
            held.go_on.set()
            assert (await shop.final(task)).state is State.SUCCEEDED
        other.close()
