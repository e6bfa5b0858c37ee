"""How a task for pictures looks on the wire: the answers to a submit, the task query, and the one of old clients.

Times are seconds. Links are absolute and signed when they are read. `file_id` is opaque and always the same for one
result; it opens nothing. Both queries show exactly the fields of the vendor's page, unless the operator asked for those
that only the vendor's server adds (`trace.py`).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.commands import Command, Get, TaskResult
from ...core.task import State, Task
from .. import WireRequest, WireResponse, answer
from .errors import encode_failure, encode_timeout
from .modes import apimart, asynchronous, respond_async
from .trace import traced
from .videos import encode_clip, is_video
from .views import FailureView, Percent, Seconds, created, failure_of, finished, progress

Encode = Callable[[TaskResult, WireRequest], WireResponse]
TaskId = Annotated[str, Meta(examples=["img_0af0fe5de388490597197ee8"])]

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


class ImageView(msgspec.Struct, kw_only=True):
    """One result: a link to it or, where it was asked for, the picture itself as base64."""

    url: str | UnsetType = UNSET
    b64_json: str | UnsetType = UNSET
    file_id: Annotated[str, Meta(examples=["file_5d41402abc4b2a76b9719d911017c592"])]


class LinkView(msgspec.Struct):
    """One result."""

    url: str
    file_id: Annotated[str, Meta(examples=["file_5d41402abc4b2a76b9719d911017c592"])]


class ImagesView(msgspec.Struct):
    """The answer to a submit: with results when it was waited for, with an empty `data` when not."""

    created: Seconds
    data: list[ImageView]
    task_id: TaskId
    resolution: Annotated[str, Meta(description="The tier: 1k, 2k or 4k.", examples=["1k"])] | UnsetType = UNSET


class TicketView(msgspec.Struct):
    """A submitted task, in APIMart's shape."""

    status: Literal["submitted"]
    task_id: TaskId


class TicketsView(msgspec.Struct):
    """The answer to a submit, in APIMart's shape."""

    code: Annotated[int, Meta(examples=[200])]
    data: list[TicketView]


class ResultView(msgspec.Struct):
    """The results of a task."""

    created: Seconds
    data: list[LinkView]


class TaskView(msgspec.Struct):
    """A task. `completed_at` is there once it is final, then either `result` or `error`."""

    id: TaskId
    task_id: TaskId
    object: Literal["image.task"]
    status: Literal["queued", "in_progress", "succeeded", "failed"]
    progress: Percent
    created_at: Seconds
    completed_at: Seconds | UnsetType = UNSET
    result: ResultView | UnsetType = UNSET
    error: FailureView | UnsetType = UNSET


class OldTaskView(msgspec.Struct):
    """A task as the older query shows it. `finished_at` is 0 and `error` empty while there is nothing to say."""

    task_id: TaskId
    status: Literal["queued", "running", "success", "failed"]
    conversation_id: str
    created: Seconds
    finished_at: int
    error: Annotated[str, Meta(description="code: message, or nothing.", examples=[""])]
    credit_cost: Annotated[int, Meta(description="Credits paid: 0 until it has succeeded.", examples=[1])]
    data: list[LinkView]


def get(request: WireRequest) -> Command:
    """Read a task."""
    return Get(request.params["id"], request.wait())


def encode_generated(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to a generation."""
    return _submitted(result, request, asynchronous(request))


def encode_edited(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer to an edit."""
    return _submitted(result, request, respond_async(request))


def task_encoder(*, trace: bool) -> Encode:
    """How the task query is answered."""

    def encode_task(result: TaskResult, request: WireRequest) -> WireResponse:
        """Answer to a task query."""
        if is_video(result.task):
            return encode_clip(result, request)
        view = task_view(result.task, request)
        return traced(view, result.task) if trace else answer(view)

    return encode_task


def old_task_encoder(*, trace: bool) -> Encode:
    """How the older task query is answered."""

    def encode_old_task(result: TaskResult, request: WireRequest) -> WireResponse:
        """Answer to the older task query."""
        view = old_task_view(result.task, request)
        return traced(view, result.task) if trace else answer(view)

    return encode_old_task


def task_view(task: Task, request: WireRequest) -> TaskView:
    """A task as the vendor's page shows it."""
    task_id = task.public_id
    view = TaskView(task_id, task_id, "image.task", STATUS[task.state], progress(task), created(task))
    if task.state.final:
        view.completed_at = finished(task)
    if task.state is State.SUCCEEDED:
        view.result = ResultView(created(task), links(task, request))
    elif task.state.final:
        view.error = failure_of(task)
    return view


def old_task_view(task: Task, request: WireRequest) -> OldTaskView:
    """A task as the older part of that page shows it."""
    error = ""
    if task.state in (State.FAILED, State.CANCELED):
        failure = failure_of(task)
        error = f"{failure.code}: {failure.message}"
    return OldTaskView(
        task_id=task.public_id,
        status=OLD_STATUS[task.state],
        conversation_id="",  # the vendor's upstream has conversations; there is none here
        created=created(task),
        finished_at=finished(task) if task.state.final else 0,
        error=error,
        credit_cost=task.cost,
        data=links(task, request),
    )


def links(task: Task, request: WireRequest) -> list[LinkView]:
    """The results of a task that succeeded; others have none to show."""
    count = len(task.artifacts) if task.state is State.SUCCEEDED else 0
    return [LinkView(request.link(f"/p/img/{task.public_id}/{index}"), file_id(task, index)) for index in range(count)]


def file_id(task: Task, index: int) -> str:
    """The opaque name of one result."""
    return "file_" + hashlib.sha256(f"{task.public_id}/{index}".encode()).hexdigest()[:32]


def _submitted(result: TaskResult, request: WireRequest, at_once: bool) -> WireResponse:
    task = result.task
    if apimart(request):
        return answer(TicketsView(200, [TicketView("submitted", task.public_id)]))
    images: list[ImageView] = []
    if not at_once:
        if task.state is not State.SUCCEEDED:
            return encode_failure(task, request) if task.state.final else encode_timeout(task, request)
        images = [ImageView(url=link.url, file_id=link.file_id) for link in links(task, request)]
    for image, content in zip(images, result.embedded, strict=False):  # nothing where links were asked for
        image.url, image.b64_json = UNSET, base64.b64encode(content).decode()
    resolution = task.extra.get("resolution") or UNSET
    return answer(ImagesView(created(task), images, task.public_id, resolution))
