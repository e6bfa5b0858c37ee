"""Tasks that wait for a person: queued, and due at a time that never comes.

Held before its first run, a task has nothing but that. Held after a run, its checkpoint keeps what the run made, so
that nobody sees it before a person has, and the run is not repeated.
"""

from __future__ import annotations

from dataclasses import replace

from .machine import Change
from .task import State, Task

HELD = 1 << 53  # milliseconds; the time at which a held task is due
MADE = "made: "  # begins a checkpoint that keeps results, and is followed by them as the worker wrote them


def held(task: Task) -> bool:
    """Whether a task waits for a person."""
    return task.state is State.QUEUED and task.run_at == HELD


def hold(change: Change, made: str) -> Change:
    """A run that was given back, held together with what it made."""
    return replace(change, run_at=HELD, checkpoint=MADE + made)


def made_before(task: Task) -> str | None:
    """What an earlier run made, if a person has looked at it or is to do so."""
    checkpoint = task.checkpoint or ""
    return checkpoint.removeprefix(MADE) if checkpoint.startswith(MADE) else None
