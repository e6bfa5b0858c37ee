"""How a task looks on the wire: the answers to a submit, the task query, and the older query of old clients.

Times are seconds. Links are absolute and signed when they are read. `file_id` is opaque and always the same for one
result; it opens nothing.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ...core.commands import TaskResult
from ...core.task import State, Task
from .. import WireRequest, WireResponse, answer
from .errors import FAILURES, encode_failure, why
from .modes import apimart, respond_async
from .submit import asynchronous

STATUS: dict[State, Literal["queued", "in_progress", "succeeded", "failed"]] = {
    State.QUEUED: "queued",
    State.RUNNING: "in_progress",
    State.SUCCEEDED: "succeeded",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}
OLD_STATUS: dict[State, Literal["queued", "running", "success", "failed"]] = {
    State.QUEUED: "queued",
    State.RUNNING: "running",
    State.SUCCEEDED: "success",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}


class ImageView(msgspec.Struct):
    """One result."""

    url: str
    file_id: str


class ImagesView(msgspec.Struct):
    """The answer to a submit: with results when it was waited for, with an empty `data` when not."""

    created: int
    data: list[ImageView]
    task_id: str
    resolution: str | UnsetType = UNSET


class TicketView(msgspec.Struct):
    """A submitted task, in APIMart's shape."""

    status: Literal["submitted"]
    task_id: str


class TicketsView(msgspec.Struct):
    """The answer to a submit, in APIMart's shape."""

    code: int
    data: list[TicketView]


class ResultView(msgspec.Struct):
    """The results of a task."""

    created: int
    data: list[ImageView]


class FailureView(msgspec.Struct):
    """Why a task failed."""

    code: str
    message: str


class TaskView(msgspec.Struct):
    """A task. `completed_at` is there once it is final, then either `result` or `error`."""

    id: str
    task_id: str
    object: Literal["image.task"]
    status: Literal["queued", "in_progress", "succeeded", "failed"]
    progress: int
    created_at: int
    completed_at: int | UnsetType = UNSET
    result: ResultView | UnsetType = UNSET
    error: FailureView | UnsetType = UNSET


class OldTaskView(msgspec.Struct):
    """A task as the older query shows it. `finished_at` is 0 and `error` empty while there is nothing to say."""

    task_id: str
    status: Literal["queued", "running", "success", "failed"]
    conversation_id: str
    created: int
    finished_at: int
    error: str
    credit_cost: int
    data: list[ImageView]


def encode_generated(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to a generation."""
    return _submitted(result.task, request, asynchronous(request))


def encode_edited(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to an edit."""
    return _submitted(result.task, request, respond_async(request))


def encode_task(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to a task query."""
    task = result.task
    created = _seconds(task.created_at)
    view = TaskView(task.public_id, task.public_id, "image.task", STATUS[task.state], _progress(task), created)
    if task.state.final:
        view.completed_at = _finished(task)
    if task.state is State.SUCCEEDED:
        view.result = ResultView(created, _images(task, request))
    elif task.state.final:
        failure = why(task)
        view.error = FailureView(FAILURES[failure.code][1], failure.message)
    return answer(view)


def encode_old_task(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to the older task query."""
    task = result.task
    error = ""
    if task.state in (State.FAILED, State.CANCELED):
        failure = why(task)
        error = f"{FAILURES[failure.code][1]}: {failure.message}"
    return answer(
        OldTaskView(
            task_id=task.public_id,
            status=OLD_STATUS[task.state],
            conversation_id="",  # the vendor's upstream has conversations; there is none here
            created=_seconds(task.created_at),
            finished_at=_finished(task) if task.state.final else 0,
            error=error,
            credit_cost=task.cost,
            data=_images(task, request),
        )
    )


def file_id(task: Task, index: int) -> str:
    """The opaque name of one result."""
    return "file_" + hashlib.sha256(f"{task.public_id}/{index}".encode()).hexdigest()[:32]


def _submitted(task: Task, request: WireRequest, at_once: bool) -> WireResponse:
    if apimart(request):
        return answer(TicketsView(200, [TicketView("submitted", task.public_id)]))
    if not at_once and task.state in (State.FAILED, State.CANCELED):
        return encode_failure(task, request)
    images = [] if at_once else _images(task, request)
    resolution = task.extra.get("resolution") or UNSET
    return answer(ImagesView(_seconds(task.created_at), images, task.public_id, resolution))


def _images(task: Task, request: WireRequest) -> list[ImageView]:
    """The results of a task that succeeded; others have none to show."""
    count = len(task.artifacts) if task.state is State.SUCCEEDED else 0
    return [ImageView(request.link(f"/p/img/{task.public_id}/{index}"), file_id(task, index)) for index in range(count)]


def _progress(task: Task) -> int:
    if task.state is State.RUNNING:
        return min(99, max(1, task.progress))
    return 100 if task.state.final else 0


def _finished(task: Task) -> int:
    return _seconds(task.finished_at if task.finished_at is not None else task.created_at)


def _seconds(milliseconds: int) -> int:
    return milliseconds // 1000
