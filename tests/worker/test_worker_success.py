"""What a worker does with tasks that go well."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from workshop import Played, Workshop

from darkroom.core.task import State
from darkroom.engines import Context, Job, Output


async def nothing(job: Job, context: Context) -> Sequence[Output]:
    return ()


async def test_a_task_runs_and_its_results_are_stored(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.final((await shop.submit_all(results=2, count=2, size="640x480")).task)
        assert task.state is State.SUCCEEDED
        assert [artifact.media_type for artifact in task.artifacts] == ["image/png"] * 2
        for artifact in task.artifacts:
            assert (artifact.width, artifact.height) == (640, 480)
            assert artifact.blurhash
            assert artifact.thumbnail_key
            whole = b"".join([chunk async for chunk in await shop.objects.get(artifact.key)])
            assert len(whole) == artifact.size
            assert whole.startswith(b"\x89PNG")
            small = b"".join([chunk async for chunk in await shop.objects.get(artifact.thumbnail_key)])
            assert small[8:12] == b"WEBP"
        assert await shop.stored() == sorted(
            f"tasks/{task.id}/1/{number}{kind}" for number in (0, 1) for kind in ("", ".thumbnail")
        )


async def test_a_result_is_paid_when_it_is_delivered(tmp_path: Path) -> None:
    async with Workshop(tmp_path, funds=10) as shop, shop.working():
        task = await shop.final((await shop.submit_all(results=1, count=4)).task)
        account = await shop.store.account(shop.account_id)
        assert account
        assert (task.cost, account.available, account.held) == (1, 9, 0)


async def test_the_history_tells_each_state_once(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.final(await shop.submit())
        assert await shop.states(task) == ["queued", "running", "succeeded"]


async def test_an_engine_gets_its_inputs_as_files_in_order(tmp_path: Path) -> None:
    seen: list[bytes] = []

    async def look(job: Job, context: Context) -> Sequence[Output]:
        seen.extend(path.read_bytes() for path in job.inputs)
        assert all(path.parent == job.workdir for path in job.inputs)
        return ()

    async with Workshop(tmp_path, Played(look)) as shop, shop.working():
        files = [await shop.upload("red"), await shop.upload("blue")]
        task = await shop.final(await shop.submit("played", inputs=files))
        assert task.state is State.SUCCEEDED
        stored = []
        for file_id in files:
            found = await shop.store.file(file_id)
            assert found
            stored.append(b"".join([chunk async for chunk in await shop.objects.get(found[0].key)]))
        assert seen == stored


async def test_an_engine_without_inputs_has_an_empty_folder_to_work_in(tmp_path: Path) -> None:
    async def look(job: Job, context: Context) -> Sequence[Output]:
        assert not list(job.workdir.iterdir())
        return ()

    async with Workshop(tmp_path, Played(look)) as shop, shop.working():
        for _ in range(3):
            assert (await shop.final(await shop.submit("played"))).state is State.SUCCEEDED


async def test_nothing_is_left_in_the_folder_that_tasks_run_in(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        async with shop.working():
            await shop.final(await shop.submit(results=1))
            await shop.final(await shop.submit(results=1, outcome="fail"))
        assert not [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
        for worker in (tmp_path / "work").iterdir():
            assert [list(folder.iterdir()) for folder in worker.iterdir()] in ([], [[]])  # one for the next task


async def test_progress_is_seen_while_a_task_runs_and_never_goes_back(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def report(job: Job, context: Context) -> Sequence[Output]:
        await context.progress(40)
        await context.progress(20)
        await go_on.wait()
        await context.progress(100)
        return ()

    async with Workshop(tmp_path, Played(report)) as shop, shop.working():
        task = await shop.submit("played")
        seen = await shop.until(task, lambda found: found.progress > 0)
        assert (seen.state, seen.progress) == (State.RUNNING, 40)
        go_on.set()
        assert (await shop.final(task)).progress == 100


async def test_a_running_task_never_shows_that_it_is_done(tmp_path: Path) -> None:
    told, go_on = asyncio.Event(), asyncio.Event()

    async def report(job: Job, context: Context) -> Sequence[Output]:
        await context.progress(100)
        told.set()
        await go_on.wait()
        return ()

    async with Workshop(tmp_path, Played(report)) as shop, shop.working():
        task = await shop.submit("played")
        await told.wait()
        seen = await shop.until(task, lambda found: found.progress > 0)
        assert (seen.state, seen.progress) == (State.RUNNING, 99)
        go_on.set()
        await shop.final(task)


async def test_warnings_of_an_engine_reach_the_task(tmp_path: Path) -> None:
    async def warn(job: Job, context: Context) -> Sequence[Output]:
        from PIL import Image

        Image.new("RGB", (8, 8)).save(job.workdir / "a.png")
        return (Output(job.workdir / "a.png", ("The picture is black.",)),)

    async with Workshop(tmp_path, Played(warn)) as shop, shop.working():
        assert (await shop.final(await shop.submit("played"))).warnings == ("The picture is black.",)


async def test_a_worker_runs_no_more_tasks_at_once_than_it_has_slots(tmp_path: Path) -> None:
    at_once: list[int] = [0]
    go_on = asyncio.Event()

    async def count(job: Job, context: Context) -> Sequence[Output]:
        at_once.append(at_once[-1] + 1)
        if at_once[-1] == 2:
            asyncio.get_running_loop().call_later(0.1, go_on.set)
        await go_on.wait()
        at_once.append(at_once[-1] - 1)
        return ()

    async with Workshop(tmp_path, Played(count, slots=9)) as shop:
        tasks = [await shop.submit("played") for _ in range(6)]
        async with shop.working(slots=2):
            for task in tasks:
                assert (await shop.final(task)).state is State.SUCCEEDED
    assert max(at_once) == 2


async def test_an_engine_gets_no_more_jobs_at_once_than_it_has_slots(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def wait(job: Job, context: Context) -> Sequence[Output]:
        await go_on.wait()
        return ()

    engine = Played(wait, slots=1)
    async with Workshop(tmp_path, engine) as shop:
        slow = [await shop.submit("played") for _ in range(3)]
        quick = [await shop.submit() for _ in range(5)]
        async with shop.working(slots=2):
            for task in quick:  # the one slot that is left serves them all
                await shop.final(task)
            assert len(engine.jobs) == 1
            assert [(await shop.read(task)).state for task in slow] == [State.RUNNING, State.QUEUED, State.QUEUED]
            go_on.set()
            for task in slow:
                assert (await shop.final(task)).state is State.SUCCEEDED


async def test_a_task_whose_time_has_come_is_run_without_a_wake_up(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        first = await shop.submit(outcome="fail_once")  # its second try is due a moment later
        assert (await shop.final(first)).attempt == 2


async def test_the_parts_of_a_task_run_and_it_ends_with_the_last_of_them(tmp_path: Path) -> None:
    go_on = asyncio.Event()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        if len(engine.jobs) == 3:
            await go_on.wait()
        return ()

    engine = Played(play)
    async with Workshop(tmp_path, engine) as shop, shop.working():
        parent = (await shop.submit_all("played", inputs=[await shop.upload()], parts=3)).task
        seen = await shop.until(parent, lambda found: found.progress > 60)
        assert seen.state is State.RUNNING
        assert [child.state for child in seen.children].count(State.SUCCEEDED) == 2
        go_on.set()
        done = await shop.final(parent)
        assert (done.state, done.progress) == (State.SUCCEEDED, 100)
        assert await shop.states(done) == ["queued", "running", "succeeded"]


async def test_how_long_a_task_ran_is_learned_without_the_time_that_it_waited(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        (claimed,) = await shop.store.claim("gone", ("fake",), 1, shop.now(), 1)
        shop.offset = 600_000  # ten minutes later
        assert claimed.id == task.id
        assert await shop.janitor.sweep() == 1
        async with shop.working():
            await shop.final(task)
        waiting = await shop.submit()
        eta = shop.estimates.eta(waiting, {}, shop.now())
        assert eta is not None
        assert eta < 60
