"""Children that are killed while nobody calls them: a failed attempt at most, and never a bug of the server."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import uvloop

from darkroom.core.errors import TaskError
from darkroom.engines._process import Child, spawn
from darkroom.testing.processes import child_processes


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Children find the targets; after each test every process is gone."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)
    before = child_processes()
    yield
    assert child_processes() <= before


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_child_that_was_killed_while_nobody_called_it_is_replaced(loop_factory: Any) -> None:
    """A call that comes before its end is known is a failed attempt, whatever shows it, and the next one works."""

    async def scenario() -> None:
        child = Child("process_targets:pid")
        for number in range(12):
            pid = await child.call(None, int)
            os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(0.0005 * number)
            with suppress(TaskError):
                assert await child.call(None, int) != pid
        await child.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_child_that_was_killed_before_its_first_call_arrived_is_a_failed_attempt(
    loop_factory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stillborn(target: str, memory_mib: int = 0) -> asyncio.subprocess.Process:
        process = await spawn(target, memory_mib)
        process.kill()
        assert process.stdin is not None
        while not process.stdin.is_closing():
            await asyncio.sleep(0.001)
        return process

    async def scenario() -> None:
        child = Child("process_targets:pid")
        with monkeypatch.context() as patched:
            patched.setattr("darkroom.engines._process.spawn", stillborn)
            with pytest.raises(TaskError, match="ended unexpectedly"):
                await child.call(None, int)
        assert await child.call(None, int) == child.pid
        await child.close()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(scenario())
