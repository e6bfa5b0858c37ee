"""What all answers about tasks share: times in seconds, progress, and the reason of a failure."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.task import State, Task
from .errors import FAILURES, why

Seconds = Annotated[int, Meta(description="Unix time in seconds.", examples=[1_777_080_000])]
Percent = Annotated[int, Meta(description="0 to 100.", examples=[50])]


class FailureView(msgspec.Struct):
    """Why a task failed."""

    code: Annotated[str, Meta(examples=["upstream_error"])]
    message: Annotated[str, Meta(examples=["上游返回错误"])]


def failure_of(task: Task) -> FailureView:
    """Why a task has no result, in the vendor's words."""
    failure = why(task)
    return FailureView(FAILURES[failure.code][1], failure.message)


def progress(task: Task) -> int:
    """How far a task is: 0 while it waits, 100 once it is final."""
    if task.state is State.RUNNING:
        return min(99, max(1, task.progress))
    return 100 if task.state.final else 0


def created(task: Task) -> int:
    """When a task was submitted."""
    return task.created_at // 1000


def finished(task: Task) -> int:
    """When a final task ended."""
    return (task.finished_at if task.finished_at is not None else task.created_at) // 1000
