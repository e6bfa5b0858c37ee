"""Knows who works, so that a caller hears at once when nobody can run what he asks for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

from .clock import Clock
from .core.task import Task
from .core.workers import PRESENT, WorkerInfo, can_run
from .log import write_failure
from .store import Store

REMEMBERED = 2.0  # seconds for which what was read is good
PERIOD = 10.0  # seconds between two signs of life of a worker


class Roster:
    """The workers that were heard of lately, on all servers. `needs` are the labels that models ask for."""

    def __init__(self, store: Store, needs: Mapping[str, tuple[str, ...]], clock: Clock) -> None:
        self._store = store
        self._needs = needs
        self._clock = clock
        self._workers: list[WorkerInfo] = []
        self._until = 0.0

    async def possible(self, task: Task) -> bool:
        """Whether a worker is there that can run a task."""
        if time.monotonic() > self._until:
            self._workers = await self._store.workers(self._clock() - PRESENT)
            self._until = time.monotonic() + REMEMBERED
        return can_run(self._workers, task.engine, task.model, self._needs)


async def stay_announced(store: Store, worker: WorkerInfo, clock: Clock) -> None:
    """Write down now and then that a worker is there, until canceled; then it is there no more."""
    try:
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await store.announce(replace(worker, seen_at=clock()))
            except Exception as error:  # noqa: BLE001 - the database may be back at the next one
                write_failure("roster", error)
    finally:
        await store.forget_worker(worker.name)
