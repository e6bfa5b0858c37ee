"""What engines of tests play, and a look into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from workshop import PATIENCE

from darkroom.core.errors import TaskError
from darkroom.engines import Context, Job, Output


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


async def logged(caplog: pytest.LogCaptureFixture, event: str) -> None:
    """Wait until an event was logged."""
    async with asyncio.timeout(PATIENCE):
        while not seen(caplog, event):
            await asyncio.sleep(0.01)


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
