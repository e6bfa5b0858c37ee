"""Where a waiting task stands in the queue, cheaply, however long the queue is."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Mapping

from .core.fairness import Place
from .core.task import Gate, Task
from .store import Store

NEAR = 100  # tasks of a model that are counted exactly, each time
FAR = 20_000  # tasks of a model that are told apart at all
FRESH = 1.0  # seconds that a look at the whole queue is good for, at least
SHARE = 0.02  # of the time that looks may take: one at a long queue is good for longer


class Positions:
    """Counts the tasks ahead of one: at once while they are few, otherwise from a look once in a while."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: Mapping[str, list[Place]] = {}
        self._fresh_until = 0.0
        self._looking = asyncio.Lock()

    async def ahead(self, task: Task) -> Mapping[str, int]:
        """How many tasks of which model will be claimed before this one."""
        if task.gate is Gate.LIMIT:
            return await self._store.ahead(task, NEAR)
        if time.monotonic() < self._fresh_until:
            far = self._far(task)
            if max(far.values(), default=0) >= NEAR:
                return far
        near = await self._store.ahead(task, NEAR)
        if max(near.values(), default=0) < NEAR:
            return near
        async with self._looking:  # one look for all who want one
            if time.monotonic() >= self._fresh_until:
                began = time.monotonic()
                self._queue = await self._store.queue(FAR)
                self._fresh_until = began + max(FRESH, (time.monotonic() - began) / SHARE)
        far = self._far(task)
        return {model: max(near.get(model, 0), far.get(model, 0)) for model in near.keys() | far.keys()}

    def _far(self, task: Task) -> dict[str, int]:
        """The same by the last look at the whole queue."""
        place = Place(-task.priority, task.turn, task.seq)
        return {model: bisect_left(places, place) for model, places in self._queue.items()}
