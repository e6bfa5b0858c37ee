"""Wire structs of the native dialect, and how tasks become them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

from ...core.commands import Inline, Link, Source, Upload
from ...core.errors import Code, TaskError
from ...core.task import Artifact, Operation, State, Task
from .. import WireRequest


class InputBody(msgspec.Struct):
    """One input: an uploaded file's id, a URL, or base64 data. Exactly one of them."""

    file: str | None = None
    url: str | None = None
    data: str | None = None

    def source(self) -> Source:
        """The input as commands know it."""
        given = [value for value in (self.file, self.url, self.data) if value]
        if len(given) != 1:
            raise TaskError(Code.INVALID_INPUT, "Each input needs one of 'file', 'url' or 'data'.", param="inputs")
        if self.file:
            return Upload(self.file)
        return Link(self.url) if self.url else Inline(self.data or "")


class TaskBody(msgspec.Struct, forbid_unknown_fields=True):
    """What `POST /api/tasks` takes."""

    operation: Operation
    model: str | None = None
    params: dict[str, Any] = {}
    inputs: list[InputBody] = []
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    webhook: str | None = None
    metadata: dict[str, Any] = {}


class OutputView(msgspec.Struct):
    """One result. Sizes in bytes and pixels, duration in seconds."""

    url: str
    thumbnail_url: str | None
    media_type: str
    width: int
    height: int
    size: int
    duration: float | None
    blurhash: str | None


class ErrorView(msgspec.Struct):
    """Why a request was refused or a task failed."""

    code: str
    message: str
    param: str | None


class ErrorBody(msgspec.Struct):
    """The body of every refused request."""

    error: ErrorView


class TaskView(msgspec.Struct):
    """A task as its caller sees it."""

    id: str
    operation: str
    model: str
    state: str
    progress: int
    attempt: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    position: int | None
    eta_seconds: float | None
    outputs: list[OutputView]
    error: ErrorView | None
    warnings: list[str]
    cost: int
    children: list[TaskView]
    metadata: dict[str, Any]


class PageView(msgspec.Struct):
    """A page of tasks, newest first."""

    items: list[TaskView]
    next_cursor: str | None


class FileView(msgspec.Struct):
    """An uploaded file."""

    id: str
    media_type: str
    size: int
    width: int
    height: int
    url: str


class ModelView(msgspec.Struct):
    """A model; `parameters` is JSON Schema, `price` in credits per result."""

    name: str
    operations: list[str]
    description: str
    price: int
    min_inputs: int
    max_inputs: int
    max_count: int
    parameters: dict[str, Any]


class ModelsView(msgspec.Struct):
    """The catalog."""

    items: list[ModelView]


class AccountView(msgspec.Struct):
    """The caller's account, in credits."""

    id: str
    name: str
    available: int
    held: int
    created_at: str


def rfc3339(time: int | None) -> str | None:
    """UTC milliseconds as RFC 3339."""
    if time is None:
        return None
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def output_view(task: Task, index: int, artifact: Artifact, request: WireRequest) -> OutputView:
    """One result with links signed now."""
    path = f"/tasks/{task.public_id}/outputs/{index}"
    return OutputView(
        url=request.link(path),
        thumbnail_url=request.link(f"{path}/thumbnail") if artifact.thumbnail_key else None,
        media_type=artifact.media_type,
        width=artifact.width,
        height=artifact.height,
        size=artifact.size,
        duration=artifact.duration,
        blurhash=artifact.blurhash,
    )


def task_view(task: Task, request: WireRequest, position: int | None = None, eta: float | None = None) -> TaskView:
    """A task as its caller sees it."""
    failure = task.failure if task.state is not State.SUCCEEDED else None
    return TaskView(
        id=task.public_id,
        operation=task.operation,
        model=task.model,
        state=task.state,
        progress=task.progress,
        attempt=task.attempt,
        created_at=rfc3339(task.created_at) or "",
        started_at=rfc3339(task.started_at),
        finished_at=rfc3339(task.finished_at),
        position=position,
        eta_seconds=eta,
        outputs=[output_view(task, index, artifact, request) for index, artifact in enumerate(task.artifacts)],
        error=ErrorView(failure.code, failure.message, failure.param) if failure else None,
        warnings=list(task.warnings),
        cost=task.cost,
        children=[task_view(child, request) for child in task.children],
        metadata=dict(task.metadata),
    )
