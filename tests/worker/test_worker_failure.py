"""What a worker does when an engine, a result or a file goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from workshop import Played, Workshop

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy
from darkroom.core.task import State
from darkroom.engines import Context, Job, Output
from darkroom.objects import Objects, Source


def raising(make: Callable[[], BaseException]) -> Played:
    async def play(job: Job, context: Context) -> Sequence[Output]:
        raise make()

    return Played(play)


def broken() -> TaskError:
    return TaskError(Code.ENGINE_FAILED, "Out of film.", retryable=True)


async def test_a_failed_task_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.final(await shop.submit(outcome="fail_once"))
        assert (task.state, task.attempt, task.failures) == (State.SUCCEEDED, 2, 1)
        assert task.failure is None
        assert await shop.states(task) == ["queued", "running", "queued", "running", "succeeded"]


async def test_a_task_that_waits_for_its_next_try_tells_why(tmp_path: Path) -> None:
    async with Workshop(tmp_path, policy=Policy(backoff=60_000)) as shop, shop.working():
        task = await shop.until(await shop.submit(outcome="fail_once"), lambda found: found.failures == 1)
        assert task.state is State.QUEUED
        assert task.failure
        assert task.failure.code is Code.ENGINE_FAILED
        *_, (_, _, _, failed_at) = await shop.store.events(task.id)
        assert task.run_at == failed_at + 60_000
        await shop.cancel(task)


async def test_a_task_that_keeps_failing_fails_for_good(tmp_path: Path) -> None:
    engine = raising(broken)
    async with Workshop(tmp_path, engine, policy=Policy(max_failures=4, backoff=1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert (task.state, task.attempt, task.failures) == (State.FAILED, 4, 4)
        assert task.failure
        assert (task.failure.code, task.failure.message) == (Code.ENGINE_FAILED, "Out of film.")
        assert len(engine.jobs) == 4


async def test_a_failed_task_costs_nothing(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=100) as shop, shop.working():
        task = await shop.final(await shop.submit(outcome="fail"))
        account = await shop.store.account(shop.account_id)
        assert account
        assert (task.cost, account.available, account.held) == (0, 100, 0)


async def test_what_cannot_succeed_is_not_tried_again(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.final(await shop.submit(outcome="fail"))
        assert (task.state, task.attempt, task.failures) == (State.FAILED, 1, 1)


async def test_a_task_that_takes_too_long_is_stopped_and_tried_again(tmp_path: Path) -> None:
    stopped = []

    async def hang(job: Job, context: Context) -> Sequence[Output]:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.append(job.attempt)
        return ()

    engine = Played(hang, timeout=1)
    async with Workshop(tmp_path, engine, policy=Policy(max_failures=2, backoff=1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert (task.state, task.failure.code, stopped) == (State.FAILED, Code.TIMED_OUT, [1, 2])


async def test_a_task_runs_no_longer_than_its_deadline_allows(tmp_path: Path) -> None:
    async def hang(job: Job, context: Context) -> Sequence[Output]:
        await asyncio.Event().wait()
        return ()

    async with Workshop(tmp_path, Played(hang)) as shop:
        task = await shop.submit("played")
        assert task.deadline
        shop.offset = task.deadline - shop.now() - 200
        async with shop.working():
            seen = await shop.until(task, lambda found: found.failures == 1)
        assert seen.failure
        assert seen.failure.code is Code.TIMED_OUT
        shop.offset += 60_000
        await shop.janitor.sweep()
        assert (await shop.read(task)).state is State.FAILED


@pytest.mark.parametrize(
    "raised",
    [
        ValueError("secret: 4711"),
        SystemExit(3),
        asyncio.CancelledError(),
        TimeoutError("upstream"),
        ExceptionGroup("", [OSError()]),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_an_engine_raises_is_a_failed_attempt(tmp_path: Path, raised: BaseException) -> None:
    async with (
        Workshop(tmp_path, raising(lambda: raised), policy=Policy(max_failures=2, backoff=1)) as shop,
        shop.working(),
    ):
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert (task.state, task.failure.code, task.attempt) == (State.FAILED, Code.ENGINE_FAILED, 2)
        assert "4711" not in task.failure.message
        assert type(raised).__name__ in (task.failure.detail or "")
        # The worker lives on.
        assert (await shop.final(await shop.submit())).state is State.SUCCEEDED


async def test_a_broken_engine_is_logged_with_its_trace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine = raising(lambda: ValueError("4711"))
    async with Workshop(tmp_path, engine, policy=Policy(max_failures=1)) as shop, shop.working():
        await shop.final(await shop.submit("played"))
    (record,) = [record for record in caplog.records if record.getMessage() == "engine.failed"]
    assert record.levelno == logging.ERROR
    assert record.exc_info
    assert "4711" in str(record.exc_info[1])


async def test_an_output_outside_the_folder_of_the_job_is_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(tmp_path / "mine.png")

    async def steal(job: Job, context: Context) -> Sequence[Output]:
        return (Output(tmp_path / "mine.png"),)

    async def steal_by_link(job: Job, context: Context) -> Sequence[Output]:
        (job.workdir / "link.png").symlink_to(tmp_path / "mine.png")
        return (Output(job.workdir / "link.png"),)

    for number, play in enumerate((steal, steal_by_link)):
        (folder := tmp_path / str(number)).mkdir()
        async with Workshop(folder, Played(play)) as shop, shop.working():
            task = await shop.final(await shop.submit("played"))
            assert task.failure
            assert (task.state, task.failure.code, task.artifacts) == (State.FAILED, Code.ENGINE_FAILED, ())
            assert await shop.stored() == []
    assert (tmp_path / "mine.png").exists()


@pytest.mark.parametrize("name", ["missing.png", "."])
async def test_an_output_that_is_no_file_is_a_failure(tmp_path: Path, name: str) -> None:
    async def promise(job: Job, context: Context) -> Sequence[Output]:
        return (Output(job.workdir / name),)

    async with Workshop(tmp_path, Played(promise)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert (task.state, task.failure.code) == (State.FAILED, Code.ENGINE_FAILED)


async def test_an_output_that_is_no_picture_is_a_failure(tmp_path: Path) -> None:
    async def scribble(job: Job, context: Context) -> Sequence[Output]:
        (job.workdir / "a.png").write_text("<svg onload=alert(1)>")
        return (Output(job.workdir / "a.png"),)

    async with Workshop(tmp_path, Played(scribble)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert (task.state, task.failure.code) == (State.FAILED, Code.ENGINE_FAILED)
        assert await shop.stored() == []


async def test_an_engine_that_hands_back_nonsense_fails_its_task_alone(tmp_path: Path) -> None:
    async def nonsense(job: Job, context: Context) -> Sequence[Output]:
        return "results"  # type: ignore[return-value]

    async with Workshop(tmp_path, Played(nonsense), policy=Policy(max_failures=1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.state is State.FAILED
        assert (await shop.final(await shop.submit())).state is State.SUCCEEDED


class Filling(Objects):
    """Real object storage that takes so many files and no more."""

    room = 3

    async def put(self, key: str, source: Source, media_type: str = "") -> None:
        if self.room == 0:
            raise TaskError(Code.STORAGE_FAILED, "The file could not be stored.", retryable=True)
        self.room -= 1
        await super().put(key, source, media_type)


async def test_results_that_were_stored_half_way_are_removed(tmp_path: Path) -> None:
    async with Workshop(tmp_path, policy=Policy(max_failures=2, backoff=1)) as shop:
        filling = Filling.open(str(tmp_path / "objects"))
        shop.results.objects = filling
        async with shop.working():
            task = await shop.final((await shop.submit_all(results=2, count=2)).task)
        assert task.failure
        assert (task.state, task.failure.code, filling.room) == (State.FAILED, Code.STORAGE_FAILED, 0)
        assert await shop.stored() == []


async def test_an_input_that_was_deleted_meanwhile_fails_its_task(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        file_id = await shop.upload()
        task = await shop.submit(inputs=[file_id])
        await shop.objects.delete(f"files/{file_id}")
        async with shop.working():
            done = await shop.final(task)
        assert done.failure
        assert (done.state, done.failure.code) == (State.FAILED, Code.NOT_FOUND)


async def test_a_failing_part_does_not_stop_the_others(tmp_path: Path) -> None:
    async def play(job: Job, context: Context) -> Sequence[Output]:
        if len(engine.jobs) == 1:
            raise TaskError(Code.CONTENT_REJECTED, "Not this one.")
        return ()

    engine = Played(play)
    async with Workshop(tmp_path, engine) as shop, shop.working():
        parent = (await shop.submit_all("played", inputs=[await shop.upload()], parts=3)).task
        done = await shop.final(parent)
        assert done.state is State.SUCCEEDED
        assert sorted(child.state for child in done.children) == [State.FAILED, State.SUCCEEDED, State.SUCCEEDED]
        assert "1 of 3 parts did not succeed." in done.warnings


async def test_a_task_of_a_model_that_is_gone_still_runs(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        made = await shop.submit()
        (found,) = await shop.store.tasks(shop.account_id, None, 10)
        again = replace(found, id=made.id[::-1], public_id="other", model="of-yesterday", price=0)
        await shop.store.submit((again,))
        async with shop.working():
            assert (await shop.final(again)).state is State.SUCCEEDED
            await shop.final(made)
