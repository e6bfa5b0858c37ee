"""Who works: what a server knows of each worker process."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from .fairness import ANYTHING, Serves

PRESENT = 45_000  # milliseconds since a worker was last heard of, in which it counts as there


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker process: its engines, which of their models it serves, and how many tasks it runs at once.

    `seen_at` is when it was last heard of, in UTC milliseconds.
    """

    name: str
    engines: tuple[str, ...]
    slots: int
    serves: Serves = ANYTHING
    version: str = ""
    seen_at: int = 0


def can_run(workers: Iterable[WorkerInfo], engine: str, model: str, needs: Mapping[str, Collection[str]]) -> bool:
    """Whether one of the workers can run a model of an engine; `needs` are the labels that models ask for."""
    return any(engine in worker.engines and worker.serves.takes(model, needs) for worker in workers)
