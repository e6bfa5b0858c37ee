"""How long tasks take here, learned from those that ended: for queue estimates and `Retry-After`."""

from __future__ import annotations

from collections.abc import Mapping

from .core.review import held
from .core.task import Gate, State, Task

WEIGHT = 0.2  # of the newest run in the mean
SOONEST, LATEST = 1, 30  # seconds between polls that we advise
TELLING = 5  # per cent of progress from which on it tells how fast a run is


class Estimates:
    """Mean run time by model, in seconds."""

    def __init__(self, slots: int) -> None:
        self._slots = max(1, slots)
        self._seconds: dict[str, float] = {}

    def observe(self, model: str, seconds: float) -> None:
        """Learn from one finished run."""
        known = self._seconds.get(model, seconds)
        self._seconds[model] = known + WEIGHT * (seconds - known)

    def eta(self, task: Task, ahead: Mapping[str, int], now: int) -> float | None:
        """Seconds until a task without parts should be done, or `None` where nothing is known yet.

        `ahead` says how many tasks of which model are claimed before it.
        """
        if task.state is State.RUNNING:
            return self._left(task, now)
        mean = self._seconds.get(task.model)
        if mean is None or task.state.final or held(task):
            return None
        if task.gate is Gate.TIME:
            return round(max(0, task.run_at - now) / 1000 + mean, 1)
        before = sum(ahead.values())
        turns = before // self._slots
        if not turns:
            return round(mean, 1)
        work = sum(self._seconds.get(model, mean) * count for model, count in ahead.items())
        return round(turns * work / before + mean, 1)

    def _left(self, task: Task, now: int) -> float | None:
        """Of a run: what is left of the mean or, where that is over or unknown, what its progress promises."""
        if task.started_at is None:
            return None
        spent = max(0.0, (now - task.started_at) / 1000)
        mean = self._seconds.get(task.model)
        if mean is not None and mean > spent:
            return round(mean - spent, 1)
        if task.progress >= TELLING:
            return round(spent * (100 - task.progress) / task.progress, 1)
        return None if mean is None else 0.0


def retry_after(eta: float | None) -> int:
    """Seconds after which the next poll is worth while."""
    return SOONEST if eta is None else int(min(LATEST, max(SOONEST, eta * 0.8)))
