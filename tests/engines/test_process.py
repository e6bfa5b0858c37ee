"""Child processes: whatever happens to one, the caller gets a result or a `TaskError` and nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvloop
from process_targets import Parcel

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Job
from darkroom.engines._child import RATE, Call, pack
from darkroom.engines._process import Child, Children, ProcessEngine, spawn
from darkroom.testing.engines import Recorder, example, placed
from darkroom.testing.processes import child_processes

PATIENCE = 60  # seconds

PARENT = """
import asyncio, sys
from darkroom.engines._process import Child

async def show(percent, note):
    print(note, flush=True)

asyncio.run(Child("process_targets:hang").call(None, type(None), show))
"""

uvloop.new_event_loop().close()  # the first one opens a pipe that it keeps as long as the process lives


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find the targets; after each test every process and every open file is gone."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    before = child_processes(), open_files()
    yield
    assert (child_processes() - before[0], open_files() - before[1]) == (set(), set())


def open_files() -> set[tuple[str, str]]:
    """Descriptors with what they are; that of the list itself is closed by then."""
    found = set()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):
            found.add((descriptor.name, str(descriptor.readlink())))
    return found


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@contextmanager
def watched(pid: int) -> Iterator[Callable[[], Awaitable[None]]]:
    """Wait for the end of a process that is not ours."""
    ended, handle = asyncio.Event(), os.pidfd_open(pid)
    asyncio.get_running_loop().add_reader(handle, ended.set)
    try:
        yield lambda: asyncio.wait_for(ended.wait(), PATIENCE)  # type: ignore[arg-type, return-value]
    finally:
        asyncio.get_running_loop().remove_reader(handle)
        os.close(handle)


async def call(function: str, argument: Any = None, result_type: Any = Any, recorder: Recorder | None = None) -> Any:
    child = Child(f"process_targets:{function}")
    try:
        return await child.call(argument, result_type, recorder.progress if recorder else None)
    finally:
        await child.close()


async def started(function: str) -> tuple[Child, asyncio.Task[None], Recorder]:
    """A call that has begun its work, and the note that it reported."""
    child, recorder = Child(f"process_targets:{function}"), Recorder()
    running = asyncio.create_task(child.call(None, type(None), recorder.progress))
    await asyncio.wait_for(recorder.started.wait(), PATIENCE)
    return child, running, recorder


async def test_arguments_and_results_keep_their_types() -> None:
    parcel = Parcel(Path("/a/ß.png"), (Path("b"),), Operation.IMAGE_EDIT, {"seed": 2**63, "size": [1, None, 0.5]})
    assert await call("echo", parcel, Parcel) == parcel


async def test_a_large_result_arrives() -> None:
    assert await call("large", 5_000_000, bytes) == bytes(5_000_000)


async def test_a_child_starts_with_its_first_call_and_is_kept_for_the_next() -> None:
    child = Child("process_targets:pid")
    assert not child.alive
    first = await child.call(None, int)
    assert child.alive
    assert child.pid == first
    assert await child.call(None, int) == first
    await child.close()
    assert not child.alive


async def test_a_child_works_with_low_priority_one_thread_and_only_the_modules_it_needs() -> None:
    niceness, threads, heavy = await call("surroundings", None, tuple[int, str, list[str]])
    assert (niceness, threads, heavy) == (min(19, os.nice(0) + 10), "1", [])


async def test_a_task_error_is_carried_over_completely() -> None:
    with pytest.raises(TaskError) as caught:
        await call("fails", "task")
    error = caught.value
    assert (error.code, error.message) == (Code.CONTENT_REJECTED, "Choose another picture.")
    assert (error.param, error.detail, error.retryable, error.retry_after) == ("image", "nude", False, 7)


async def test_a_full_disk_is_no_bug_of_the_target() -> None:
    with pytest.raises(TaskError, match="no room") as caught:
        await call("fails", "no_room")
    assert (caught.value.code, caught.value.retryable) == (Code.STORAGE_FAILED, True)


async def test_running_out_of_memory_may_be_retried() -> None:
    with pytest.raises(TaskError, match="out of memory") as caught:
        await call("fails", "memory")
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, True)


@pytest.mark.parametrize("kind", ["bug", "system_exit"])
async def test_a_bug_of_the_target_is_told_to_the_operator_alone(kind: str) -> None:
    with pytest.raises(TaskError) as caught:
        await call("fails", kind)
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, True)
    assert "secret" not in caught.value.message
    assert "process_targets.py" in (caught.value.detail or "")


async def test_a_child_survives_an_exception_of_its_target() -> None:
    child = Child("process_targets:fails")
    for _ in range(2):
        with pytest.raises(TaskError, match="Choose another picture"):
            await child.call("task", type(None))
        pid = child.pid
    assert child.alive
    assert child.pid == pid
    await child.close()


@pytest.mark.parametrize(("kind", "how"), [("kill", "signal 9"), ("exit", "exit code 3")])
async def test_a_process_that_ends_during_a_call_is_a_failed_attempt(kind: str, how: str) -> None:
    with pytest.raises(TaskError, match=f"ended unexpectedly .{how}.") as caught:
        await call("fails", kind)
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, True)


async def test_a_child_killed_from_outside_in_the_middle_is_a_failed_attempt_and_is_replaced() -> None:
    child, running, recorder = await started("hang")
    pid = int(recorder.notes[0])
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(TaskError, match=r"signal 9"):
        await running
    assert not exists(pid)
    child.target = "process_targets:pid"
    assert await child.call(None, int) != pid
    await child.close()


@pytest.mark.parametrize("target", ["process_targets:missing", "no_such_module:work"])
async def test_a_target_that_cannot_be_loaded_is_a_failed_attempt(target: str) -> None:
    child = Child(target)
    with pytest.raises(TaskError) as caught:
        await child.call(None, int)
    await child.close()
    assert caught.value.code is Code.ENGINE_FAILED
    assert target.split(":")["missing" in target] in (caught.value.detail or "")


@pytest.mark.parametrize(
    ("function", "argument", "result_type"),
    [("pid", object(), int), ("pid", 2**70, int), ("pid", None, str), ("unsendable", None, str), ("echo", 5, Parcel)],
)
async def test_what_cannot_travel_is_a_failed_attempt(function: str, argument: object, result_type: type) -> None:
    with pytest.raises(TaskError) as caught:
        await call(function, argument, result_type)
    assert caught.value.code is Code.ENGINE_FAILED
    assert caught.value.detail


async def test_canceling_a_call_leaves_no_process_and_no_task() -> None:
    child, running, recorder = await started("hang")
    assert exists(pid := int(recorder.notes[0]))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not exists(pid)
    assert not child.alive
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_canceling_a_call_before_its_process_runs_leaves_nothing() -> None:
    running = asyncio.create_task(call("hang"))
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_canceling_a_call_ends_what_its_process_started() -> None:
    _, running, recorder = await started("hang_with_a_helper")
    with watched(int(recorder.notes[0])) as end:
        running.cancel()
        await end()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_error_of_the_progress_callback_ends_the_call() -> None:
    async def lost(percent: int, note: str) -> None:
        raise TaskError(Code.WORKER_LOST, "Another worker has it.")

    child = Child("process_targets:hang")
    with pytest.raises(TaskError, match="Another worker"):
        await child.call(None, type(None), lost)
    assert not child.alive


async def test_a_flood_of_progress_gives_few_messages_and_the_result() -> None:
    recorder, begun = Recorder(), time.monotonic()
    assert await call("flood", None, str, recorder) == "done"
    # The first leaves at once and the last with the result; those between keep their distance.
    assert len(recorder.percents) <= 2 + RATE * (time.monotonic() - begun)
    assert recorder.percents == sorted(recorder.percents)
    assert (recorder.percents[-1], recorder.notes[-1]) == (100, "step 100000")


@dataclass
class Teller(Recorder):
    """A recorder whose first report makes a file, for which the target waits."""

    told: Path = Path()

    async def progress(self, percent: int, note: str = "") -> None:
        await super().progress(percent, note)
        self.told.touch()


async def test_steady_progress_arrives_now_and_then(tmp_path: Path) -> None:
    recorder, begun = Teller(told=tmp_path / "told"), time.monotonic()
    await call("steady", recorder.told, type(None), recorder)
    assert 2 <= len(recorder.percents) <= 2 + RATE * (time.monotonic() - begun)
    assert recorder.percents[-1] == 100


async def test_progress_stays_within_bounds_and_never_goes_back(tmp_path: Path) -> None:
    recorder = Teller(told=tmp_path / "told")
    await call("zigzag", recorder.told, type(None), recorder)
    assert recorder.percents == [10, 100]


async def test_progress_that_nobody_takes_does_not_pile_up(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    release, percents = asyncio.Event(), []

    async def slow(percent: int, note: str) -> None:
        percents.append(percent)
        await release.wait()

    running = asyncio.create_task(call_with(slow, "ten_reports", fifo))
    assert await asyncio.to_thread(fifo.read_text) == "all reported"
    release.set()
    await running
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert len(percents) <= 3


async def call_with(on_progress: Callable[[int, str], Awaitable[None]], function: str, argument: object) -> None:
    child = Child(f"process_targets:{function}")
    await child.call(argument, type(None), on_progress)
    await child.close()


async def test_printing_does_not_break_the_protocol() -> None:
    assert await call("noisy", None, str) == "quiet"


@pytest.mark.parametrize("busy", [False, True])
async def test_a_child_ends_when_its_parent_closes_the_pipe(busy: bool) -> None:
    process = await spawn("process_targets:hang")
    assert process.stdin
    assert process.stdout
    if busy:
        process.stdin.write(pack(Call(None)))
        await process.stdout.readexactly(4)
    process.stdin.close()
    await asyncio.wait_for(asyncio.gather(process.wait(), process.stdout.read()), PATIENCE)
    await process.stdin.wait_closed()


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout
    with watched(int(await parent.stdout.readline())) as end:
        parent.kill()
        await end()
    await asyncio.gather(parent.wait(), parent.stdout.read())


async def test_a_child_does_not_end_by_an_interrupt_from_the_keyboard() -> None:
    child = Child("process_targets:pid")
    pid = await child.call(None, int)
    os.kill(pid, signal.SIGINT)
    assert await child.call(None, int) == pid
    await child.close()


async def test_calls_of_one_child_wait_for_one_another() -> None:
    child = Child("process_targets:pid")
    assert len(set(await asyncio.gather(*(child.call(None, int) for _ in range(3))))) == 1
    await child.close()


async def test_two_calls_side_by_side_use_two_children(tmp_path: Path) -> None:
    children = Children("process_targets:pid_after_others", 2)
    pids = await asyncio.gather(*(children.call(tmp_path, int) for _ in range(2)))
    assert len(set(pids)) == 2
    await children.close()


async def test_a_pool_reuses_its_warm_child_and_replaces_a_dead_one() -> None:
    before = child_processes()
    children = Children("process_targets:fails", 3)
    for kind, started_so_far in (("task", 1), ("task", 1), ("kill", 0), ("task", 1)):
        with pytest.raises(TaskError):
            await children.call(kind, type(None))
        assert len(child_processes() - before) == started_so_far
    await children.close()


async def test_a_pool_has_no_more_children_than_its_limit() -> None:
    children = Children("process_targets:pid", 1)
    assert len({await pid for pid in asyncio.as_completed([children.call(None, int) for _ in range(4)])}) == 1
    await children.close()


async def test_closing_a_pool_ends_calls_in_progress() -> None:
    children, recorder = Children("process_targets:hang", 1), Recorder()
    running = asyncio.create_task(children.call(None, type(None), recorder.progress))
    await recorder.started.wait()
    await children.close()
    with pytest.raises(TaskError, match="ended unexpectedly"):
        await running


def test_children_work_and_are_canceled_under_uvloop() -> None:
    async def scenario() -> None:
        assert await call("flood", None, str, Recorder()) == "done"
        _, running, recorder = await started("hang")
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not exists(int(recorder.notes[0]))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def job(folder: Path, deliver: str) -> Job:
    return placed(example("text", Operation.IMAGE_GENERATE, deliver=deliver), folder, "one")


async def test_an_engine_delivers_what_its_target_wrote(tmp_path: Path) -> None:
    recorder, asked = Recorder(), job(tmp_path, "a.txt")
    async with ProcessEngine("text", (), "process_targets:outputs", 1) as engine:
        [output] = await engine.run(asked, recorder)
    assert (output.path, output.warnings) == (asked.workdir / "a.txt", ("a warning",))
    assert output.path.read_text() == "one"
    assert (recorder.percents, recorder.notes) == ([50], ["half"])


@pytest.mark.parametrize("deliver", ["../outside.txt", "missing.txt", "link.txt", "."])
async def test_an_output_that_is_no_file_of_the_workdir_is_refused(tmp_path: Path, deliver: str) -> None:
    asked = job(tmp_path, deliver)
    (tmp_path / "outside.txt").touch()
    (asked.workdir / "link.txt").symlink_to(tmp_path / "outside.txt")
    async with ProcessEngine("text", (), "process_targets:outputs", 1) as engine:
        with pytest.raises(TaskError) as caught:
            await engine.run(asked, Recorder())
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, False)
