"""Where a waiting task stands in the queue, cheaply, however long the queue is."""

from __future__ import annotations

import time
from bisect import bisect_left

from .core.task import Task
from .store import Store

NEAR = 100  # tasks that are counted exactly, each time
FAR = 20_000  # tasks that are told apart at all
FRESH = 1.0  # seconds that a look at the whole queue is good for


class Positions:
    """Counts the tasks ahead of one: at once for the first hundred, beyond that from a look once a second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._queue: list[tuple[int, int]] = []
        self._looked = -FRESH

    async def ahead(self, task: Task) -> int:
        """How many tasks will be claimed before this one."""
        near = await self._store.ahead(task, NEAR)
        if near < NEAR:
            return near
        if time.monotonic() - self._looked >= FRESH:
            self._looked = time.monotonic()
            self._queue = await self._store.queue(FAR)
        return max(near, bisect_left(self._queue, (-task.priority, task.seq)))
