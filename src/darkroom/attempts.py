"""One run of a task by a worker: what its engine is told, what it may tell, and why it is stopped."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from .core.task import Task, Trigger
from .engines import Job

if TYPE_CHECKING:
    from .worker import Worker

REWRITE = 1.0  # seconds between tries to write something down


@dataclass(slots=True, eq=False)
class Attempt:
    """One run of a task by this worker; what its engine may tell. `began` and `renewed` are on the monotonic clock."""

    task: Task
    worker: Worker
    percent: int = 0
    stage: str = ""
    previews: int = 0
    reported: tuple[int, str, int] = (0, "", 0)
    began: float = field(default_factory=time.monotonic)
    renewed: float = field(default_factory=time.monotonic)
    stop: Trigger | None = None
    held: str | None = None  # what it made, if a person has to look at that first
    expired: bool = False  # its time was over before it ended
    lost: bool = False
    ended: bool = False
    running: asyncio.Task[None] | None = None

    @property
    def canceled(self) -> bool:
        """True once the caller canceled the task; otherwise a stopped attempt is one that another goes on from."""
        return self.stop is Trigger.CANCEL

    @property
    def stopped(self) -> bool:
        """True once the engine was told to stop."""
        return self.expired or self.stop is not None

    @property
    def news(self) -> bool:
        """Whether there is something to report."""
        return (self.percent, self.stage, self.previews) != self.reported

    async def progress(self, percent: int, stage: str = "") -> None:
        """Remember progress; the next pulse reports it."""
        self.percent = max(self.percent, min(99, percent))
        self.stage = stage or self.stage

    async def preview(self, picture: Path) -> None:
        """Store a picture of the work; the next pulse tells that there is one."""
        if await self.worker.previews.keep(self.task, picture):
            self.previews += 1

    async def checkpoint(self, value: str) -> None:
        """Save what a later attempt needs; returns when it is stored, however often that has to be tried."""
        while not await self.worker.renew(self, value):  # noqa: ASYNC110 - a database does not say that it is back
            await asyncio.sleep(REWRITE)

    def end(self, trigger: Trigger) -> None:
        """Stop the engine, unless it has just ended by itself; `trigger` says why."""
        if self.stop is None and not self.ended and self.running is not None:
            self.stop = trigger
            self.running.cancel()

    def expire(self) -> None:
        """Stop the engine: its time is over."""
        if not self.stopped and not self.ended and self.running is not None:
            self.expired = True
            self.running.cancel()


def job_of(task: Task, inputs: tuple[Path, ...], workdir: Path) -> Job:
    """What the engine is told of a task."""
    return Job(
        task_id=task.id,
        attempt=task.attempt,
        operation=task.operation,
        model=task.model,
        params=task.params,
        count=task.count,
        inputs=inputs,
        workdir=workdir,
        checkpoint=task.checkpoint,
    )
