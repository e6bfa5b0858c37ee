"""What the skeleton of a dialect leaves to do, done: its three functions, and what they need."""

from __future__ import annotations

from darkroom_acme import JobBody, JobView, Refusal

from darkroom.core.commands import Command, Submit, TaskResult
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation, State
from darkroom.dialects import HTTP_STATUS, WireRequest, WireResponse, answer

WORDS = {
    State.QUEUED: "waiting",
    State.RUNNING: "working",
    State.SUCCEEDED: "done",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}


def submit(request: WireRequest) -> Command:
    """Create a task."""
    return Submit(operation=Operation.IMAGE_GENERATE, params={"prompt": request.json(JobBody).prompt})


def encode_job(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task."""
    task = result.task
    paths = [f"/v1/jobs/{task.public_id}/results/{index}" for index in range(len(task.artifacts))]
    links = [request.link(path) for path in paths]
    reason = task.failure.message if task.failure else None
    return answer(JobView(task.public_id, WORDS[task.state], links, reason))


def encode_error(error: TaskError, request: WireRequest) -> WireResponse:
    """A refusal."""
    return answer(Refusal(error.code, error.message), HTTP_STATUS[error.code])
