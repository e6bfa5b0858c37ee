"""Where a waiting task stands in the queue, cheaply, however long the queue is."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Mapping

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
        self._places: dict[str, list[int]] = {}
        self._looked = -FRESH

    async def ahead(self, task: Task) -> Mapping[str, int]:
        """How many tasks of which model will be claimed before this one."""
        near = await self._store.ahead(task, NEAR)
        if sum(near.values()) < NEAR:
            return near
        if time.monotonic() - self._looked >= FRESH:
            self._looked = time.monotonic()
            self._look(await self._store.queue(FAR))
        place = bisect_left(self._queue, (-task.priority, task.seq))
        if place < NEAR:  # the look was too early for it
            return near
        return {model: count for model, places in self._places.items() if (count := bisect_left(places, place))}

    def _look(self, queue: list[tuple[int, int, str]]) -> None:
        self._queue = [(rank, seq) for rank, seq, _ in queue]
        self._places = {}
        for place, (_, _, model) in enumerate(queue):
            self._places.setdefault(model, []).append(place)
