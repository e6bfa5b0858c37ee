"""What the vendor's server adds to its documented task queries, for operators who ask for it (`trace = true`).

These fields are in no documentation of the vendor, but its own tools read them. They say what is known here: which
engine and model did the work, in how many attempts, and how long it took.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...core.task import State, Task
from .. import WireResponse, answer
from .views import failure_of

SAME_TEXT = ("error_message", "error_msg", "message", "failure_reason", "failed_reason", "fail_reason")


def traced(view: msgspec.Struct, task: Task) -> WireResponse:
    """The answer to a task query, with the fields of the vendor's server."""
    return answer(msgspec.to_builtins(view) | server_fields(task))


def server_fields(task: Task) -> dict[str, Any]:
    """Everything that the server adds, as far as it applies."""
    fields: dict[str, Any] = {}
    resolution = task.extra.get("resolution")
    if resolution:
        fields["resolution"] = resolution
    if task.state in (State.FAILED, State.CANCELED):
        failure = failure_of(task)
        fields |= {"error_code": failure.code} | dict.fromkeys(SAME_TEXT, failure.message)
    if task.started_at is not None:
        timing = timing_of(task)
        final = {"provider": task.engine, "model": task.model}
        fields["provider_trace"] = {"final": final, "attempts": task.attempt, "timing": timing}
        if resolution:
            fields["provider_trace"]["resolution"] = resolution
        fields["provider_trace_summary"] = f"{task.engine}({task.model})"
        fields["timing"] = timing
    return fields


def timing_of(task: Task) -> dict[str, int]:
    """How long a task waited, and how long it ran and took altogether once it has ended; in milliseconds."""
    started = task.started_at if task.started_at is not None else task.created_at
    timing = {"queue_ms": started - task.created_at}
    if task.finished_at is not None:
        timing |= {"run_ms": task.finished_at - started, "total_ms": task.finished_at - task.created_at}
    return timing
