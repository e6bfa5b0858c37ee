"""Cancels: of waiting and of running tasks, and against everything that happens at the same time."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from workshop import PATIENCE, Played, Workshop

from darkroom import service
from darkroom import worker as worker_module
from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy, decide
from darkroom.core.task import State, Trigger
from darkroom.engines import Context, Job, Output
from darkroom.objects import folder
from darkroom.testing.processes import descendants

SLOW = {"steps": 100, "step_ms": 100}


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cancel is answered when the task has ended, also where this machine stands still for a moment."""
    monkeypatch.setattr(service, "STOP_WITHIN", PATIENCE)


async def test_a_waiting_task_is_canceled_at_once(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=5) as shop:
        task = await shop.cancel(await shop.submit())
        assert task.state is State.CANCELED
        assert task.failure
        assert task.failure.code is Code.CANCELED
        async with shop.working():
            await shop.final(await shop.submit())
        assert (await shop.read(task)).attempt == 0
        account = await shop.store.account(shop.account_id)
        assert account
        assert account.held == 0


async def test_a_running_task_is_canceled_within_five_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "STOP_WITHIN", 5.0)
    async with Workshop(tmp_path, funds=1) as shop, shop.working():
        task = await shop.running(await shop.submit(**SLOW))
        assert (await shop.cancel(task)).state is State.CANCELED
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (1, 0)
        assert await shop.states(task) == ["queued", "running", "canceled"]


async def test_the_process_of_a_canceled_task_is_gone(tmp_path: Path) -> None:
    before = descendants(os.getpid())
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.submit("fake-process", outcome="hang")
        await shop.until(task, lambda found: found.progress > 0)  # the child has got that far
        at_work = descendants(os.getpid()) - before
        assert len(at_work) == 1
        assert (await shop.cancel(task)).state is State.CANCELED
        assert not descendants(os.getpid()) & at_work
        # The next task gets a new one.
        assert (await shop.final(await shop.submit("fake-process"))).state is State.SUCCEEDED
    assert descendants(os.getpid()) == before


async def test_a_task_that_waits_for_its_next_try_is_canceled_at_once(tmp_path: Path) -> None:
    async with Workshop(tmp_path, policy=Policy(backoff=60_000)) as shop, shop.working():
        task = await shop.until(await shop.submit(outcome="fail_once"), lambda found: found.failures == 1)
        assert (await shop.cancel(task)).state is State.CANCELED


async def test_every_part_of_a_canceled_task_is_canceled(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working(slots=2):
        parent = (await shop.submit_all(inputs=[await shop.upload()], parts=4, **SLOW)).task
        await shop.running(parent)
        done = await shop.cancel(parent)
        assert [child.state for child in done.children] == [State.CANCELED] * 4
        assert done.state is State.CANCELED


async def test_a_finished_task_cannot_be_canceled(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.final(await shop.submit())
        with pytest.raises(TaskError) as refused:
            await shop.cancel(task)
        assert refused.value.code is Code.CONFLICT
        assert (await shop.read(task)).state is State.SUCCEEDED


async def test_a_canceled_task_stays_canceled_whatever_its_engine_says_when_it_is_stopped(tmp_path: Path) -> None:
    async def defiant(job: Job, context: Context) -> Sequence[Output]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise TaskError(Code.ENGINE_FAILED, "The connection was lost.", retryable=True) from None
        return ()

    async with Workshop(tmp_path, Played(defiant)) as shop, shop.working():
        task = await shop.running(await shop.submit("played"))
        assert (await shop.cancel(task)).state is State.CANCELED


async def test_a_cancel_that_comes_while_an_attempt_fails_is_not_forgotten(tmp_path: Path) -> None:
    """The attempt ends as a failure that would be tried again; but nobody wants that any more."""

    async def fail(job: Job, context: Context) -> Sequence[Output]:
        assert await shop.store.mark_cancel(job.task_id)
        raise TaskError(Code.ENGINE_FAILED, "Out of film.", retryable=True)

    async with Workshop(tmp_path, Played(fail), policy=Policy(backoff=60_000)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.state is State.CANCELED
        account = await shop.store.account(shop.account_id)
        assert account
        assert account.held == 0


async def test_a_cancel_while_results_are_stored_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(incoming: Path, target: Path) -> None:
        begun.set()
        go_on.wait(PATIENCE)
        publish(incoming, target)

    publish = folder._publish
    monkeypatch.setattr(folder, "_publish", slow)
    async with Workshop(tmp_path, lease=600) as shop, shop.working() as worker:
        task = await shop.submit(results=1)
        await asyncio.to_thread(begun.wait, PATIENCE)
        (attempt,) = worker._attempts
        canceling = asyncio.create_task(shop.cancel(task))
        async with asyncio.timeout(PATIENCE):
            while attempt.stop is None:
                await asyncio.sleep(0.01)
        go_on.set()
        assert (await canceling).state is State.CANCELED
        assert await shop.stored() == []


async def test_a_stopped_job_cannot_write_into_the_folder_of_the_next_one(tmp_path: Path) -> None:
    """A thread cannot be stopped: it goes on when its job was canceled long ago."""
    go_on, written = threading.Event(), threading.Event()

    def draw(workdir: Path) -> None:
        go_on.wait(PATIENCE)
        try:
            (workdir / "0.png").write_bytes(b"of somebody else")
        finally:
            written.set()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        if len(engine.jobs) == 1:
            await asyncio.to_thread(draw, job.workdir)
        go_on.set()
        await asyncio.to_thread(written.wait, PATIENCE)
        assert not list(job.workdir.iterdir())
        return ()

    engine = Played(play)
    async with Workshop(tmp_path, engine) as shop, shop.working(slots=1):
        first = await shop.running(await shop.submit("played"))
        assert (await shop.cancel(first)).state is State.CANCELED
        second = await shop.final(await shop.submit("played"))
        assert (second.state, second.failures) == (State.SUCCEEDED, 0)


async def race(shop: Workshop, tasks: int, delay: float, **params: Any) -> Counter[State]:
    """Finish and cancel at the same time; who won how often."""

    async def one(number: int) -> State:
        task = await shop.submit(**params)
        await asyncio.sleep(random.uniform(0, delay))
        try:
            canceled = await shop.cancel(task)
        except TaskError as error:
            if error.code is not Code.CONFLICT:
                raise
            canceled = task
        done = await shop.final(task)
        if canceled.state.final:
            assert canceled.state is done.state
        states = await shop.states(task)
        assert [state for state in states if State(state).final] == [done.state]
        assert len(done.artifacts) == (params.get("results", 0) if done.state is State.SUCCEEDED else 0)
        return done.state

    async with asyncio.timeout(PATIENCE):
        return Counter(await asyncio.gather(*(one(number) for number in range(tasks))))


def few(won: Counter[State]) -> bool:
    """Whether one of both won hardly ever."""
    return min(won[State.SUCCEEDED], won[State.CANCELED]) <= 20


async def test_a_thousand_races_of_finish_against_cancel_have_one_winner_each(tmp_path: Path) -> None:
    async with Workshop(tmp_path, slots=8, funds=1_000) as shop, shop.working():
        won: Counter[State] = Counter()
        delay = 0.15
        while won.total() < 1_000 or (won.total() < 2_000 and few(won)):
            latest = await race(shop, 100, delay)
            won += latest
            if latest[State.SUCCEEDED] < latest[State.CANCELED] / 4:  # this machine is slow
                delay = min(2 * delay, 2.0)
        assert not few(won), won
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (1_000, 0)  # without results, a success is free, too


async def test_races_over_results_leave_the_files_of_the_winners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "STOP_WITHIN", PATIENCE)
    async with Workshop(tmp_path, funds=60) as shop:
        async with shop.working():
            won = await race(shop, 60, 1.0, results=1)
        wanted = [
            key
            for task in await shop.store.tasks(shop.account_id, State.SUCCEEDED, 100)
            for artifact in task.artifacts
            for key in (artifact.key, artifact.thumbnail_key)
        ]
        assert await shop.stored() == sorted(filter(None, wanted))
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (60 - won[State.SUCCEEDED], 0)


async def test_races_of_cancel_against_failures_have_one_winner_each(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=100, policy=Policy(backoff=30)) as shop, shop.working():
        won = await race(shop, 100, 0.2, outcome="fail_once")
        assert won[State.CANCELED] + won[State.SUCCEEDED] == 100


@pytest.mark.parametrize("trigger", [Trigger.RETRY, Trigger.RELEASE])
async def test_a_cancel_is_not_lost_when_the_task_goes_back_to_the_queue_at_that_moment(
    tmp_path: Path, trigger: Trigger
) -> None:
    async with Workshop(tmp_path, policy=Policy(backoff=60_000)) as shop:
        task = await shop.submit()
        (claimed,) = await shop.store.claim("worker", ("fake",), 1, shop.now(), 30_000)
        error = TaskError(Code.ENGINE_FAILED, "as asked", retryable=True) if trigger is Trigger.RETRY else None
        change = decide(claimed, trigger, now=shop.now(), policy=shop.policy, error=error)
        assert change is not None
        applying = asyncio.create_task(shop.store.apply(change))
        await asyncio.sleep(0)  # it is with the writer, and the row still says that the task runs
        assert (await shop.cancel(task)).state is State.CANCELED
        await applying
