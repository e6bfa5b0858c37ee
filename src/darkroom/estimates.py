"""How long tasks take here, learned from those that ended: for queue estimates and `Retry-After`."""

from __future__ import annotations

from .core.task import State, Task

WEIGHT = 0.2  # of the newest run in the mean
SOONEST, LATEST = 1, 30  # seconds between polls that we advise


class Estimates:
    """Mean run time by model, in seconds."""

    def __init__(self, slots: int) -> None:
        self._slots = max(1, slots)
        self._seconds: dict[str, float] = {}

    def observe(self, model: str, seconds: float) -> None:
        """Learn from one finished run."""
        known = self._seconds.get(model, seconds)
        self._seconds[model] = known + WEIGHT * (seconds - known)

    def eta(self, task: Task, ahead: int, now: int) -> float | None:
        """Seconds until the task should be done, or `None` where nothing is known yet."""
        mean = self._seconds.get(task.model)
        if mean is None or task.state.final:
            return None
        if task.state is State.RUNNING and task.started_at is not None:
            return round(max(0.0, mean - (now - task.started_at) / 1000), 1)
        return round(mean * (ahead // self._slots + 1), 1)

    def retry_after(self, task: Task, ahead: int, now: int) -> int:
        """Seconds after which the next poll is worth while."""
        eta = self.eta(task, ahead, now)
        return SOONEST if eta is None else int(min(LATEST, max(SOONEST, eta * 0.8)))
