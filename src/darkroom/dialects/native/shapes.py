"""Wire structs of the native dialect, and how tasks become them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, assert_never

import msgspec
from msgspec import Meta

from ...core.commands import Inline, Link, Source, TaskResult, Upload
from ...core.errors import Code, TaskError
from ...core.review import held
from ...core.task import Artifact, Gate, Operation, State, Task
from .. import WireRequest, WireResponse, answer


class InputBody(msgspec.Struct):
    """One input: an uploaded file's id, a URL, or base64 data. Exactly one of them."""

    file: Annotated[str | None, Meta(description="Id of an uploaded file.")] = None
    url: Annotated[str | None, Meta(description="http or https address.")] = None
    data: Annotated[str | None, Meta(description="Base64, with or without a data: prefix.")] = None

    def source(self) -> Source:
        """The input as commands know it."""
        given = [value for value in (self.file, self.url, self.data) if value]
        if len(given) != 1:
            raise TaskError(Code.INVALID_INPUT, "Each input needs one of 'file', 'url' or 'data'.", param="inputs")
        if self.file:
            return Upload(self.file)
        return Link(self.url) if self.url else Inline(self.data or "")


class TaskBody(msgspec.Struct, forbid_unknown_fields=True):
    """A task to create."""

    operation: Annotated[Operation, Meta(description="What to do.", examples=["image.generate"])]
    model: Annotated[str | None, Meta(description="Name of a model; the operation's default without it.")] = None
    params: Annotated[
        dict[str, Any],
        Meta(
            description="The model's parameters: see GET /models.",
            examples=[{"prompt": "a mountain lake at sunset", "size": "1024x768"}],
        ),
    ] = {}
    inputs: Annotated[list[InputBody], Meta(description="Pictures or videos to work on.")] = []
    count: Annotated[int, Meta(ge=1, le=100, description="How many results.")] = 1
    webhook: Annotated[str | None, Meta(description="A URL that is told when the task ends: see Webhooks.")] = None
    webhook_events: Annotated[
        list[str], Meta(description="What it is told instead.", examples=[["task.running", "task.succeeded"]])
    ] = []
    start_at: Annotated[
        str | None, Meta(description="When it may start, at the earliest; RFC 3339.", examples=["2030-01-01T00:00:00Z"])
    ] = None
    deadline: Annotated[
        str | None, Meta(description="When it fails unless it is done; RFC 3339.", examples=["2030-01-01T06:00:00Z"])
    ] = None
    metadata: Annotated[dict[str, Any], Meta(description="Yours: kept with the task and given back.")] = {}


class OutputView(msgspec.Struct):
    """One result. Sizes in bytes and pixels, duration in seconds."""

    url: Annotated[str, Meta(description="Signed link; needs no key.")]
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
    state: Annotated[State, Meta(description="queued, running, then succeeded, failed or canceled.")]
    progress: Annotated[int, Meta(description="Per cent.", ge=0, le=100)]
    stage: Annotated[str, Meta(description="What a running task does now.")]
    attempt: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    start_at: Annotated[str | None, Meta(description="When it may start, at the earliest; null: at any time.")]
    deadline: Annotated[str | None, Meta(description="When it fails unless it is done.")]
    waiting_for: Annotated[
        Literal["worker", "limit", "start", "review"] | None,
        Meta(
            description="What a queued task waits for: a free worker, the end of other tasks of its account, which may "
            "run no more at once, the time of its start, or a person."
        ),
    ]
    is_possible: Annotated[
        bool | None, Meta(description="Whether a worker is there that runs its model. Null when it is not queued.")
    ]
    position: Annotated[int | None, Meta(description="1: it is the next to run. Null before its start.")]
    eta_seconds: float | None
    outputs: list[OutputView]
    expires_at: Annotated[str | None, Meta(description="How long the results are kept; null: for ever.")]
    expired_at: Annotated[str | None, Meta(description="When the results were removed.")]
    expired: Annotated[bool, Meta(description="Whether the results were removed.")]
    zip_url: Annotated[str | None, Meta(description="Signed link to all results as one file.")]
    events_url: Annotated[str | None, Meta(description="Signed link to the events of an unfinished task.")]
    preview_url: Annotated[str | None, Meta(description="Signed link to a picture of the running task's work.")]
    error: ErrorView | None
    warnings: list[str]
    price: Annotated[int, Meta(description="Credits that were set aside for it.")]
    cost: Annotated[int, Meta(description="Credits that it has cost.")]
    children: list[TaskView]
    metadata: dict[str, Any]


class EventView(msgspec.Struct):
    """What a webhook is sent: what happened, when, and the task as it is now."""

    type: str
    timestamp: str
    data: TaskView


class UpdateView(msgspec.Struct):
    """What an event tells: a state, the run that it is of (0 for a new task), and the task as it is now."""

    state: str
    attempt: int
    task: TaskView


class BatchView(msgspec.Struct):
    """The ids of a batch, in the order of its tasks."""

    ids: list[str]


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


def rfc3339(time: int | None) -> str | None:
    """UTC milliseconds as RFC 3339."""
    if time is None:
        return None
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(text: str | None, param: str) -> int | None:
    """RFC 3339 as UTC milliseconds."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return int(time.astimezone(UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        pass
    raise TaskError(Code.INVALID_INPUT, f"'{param}' is a time such as 2030-01-01T00:00:00Z.", param=param)


def waiting_for(task: Task) -> Literal["worker", "limit", "start", "review"] | None:
    """What a task waits for, if it does; a parent for what its first waiting part does."""
    part = next((child for child in task.children if child.state is State.QUEUED), task)
    if task.state is not State.QUEUED:
        return None
    if held(part):
        return "review"
    match part.gate:
        case Gate.OPEN | Gate.COUNTED:
            return "worker"
        case Gate.LIMIT:
            return "limit"
        case Gate.TIME:
            return "start"
        case _:
            assert_never(part.gate)


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


def task_view(task: Task, request: WireRequest, told: TaskResult | None = None) -> TaskView:
    """A task as its caller sees it, with what was told of its wait."""
    failure = task.failure if task.state is not State.SUCCEEDED else None
    path = f"/tasks/{task.public_id}"
    later = task.state is State.QUEUED and task.run_at > task.created_at and not held(task)
    return TaskView(
        id=task.public_id,
        operation=task.operation,
        model=task.model,
        state=task.state,
        progress=task.progress,
        stage=task.stage,
        attempt=task.attempt,
        created_at=rfc3339(task.created_at) or "",
        started_at=rfc3339(task.started_at),
        finished_at=rfc3339(task.finished_at),
        start_at=rfc3339(task.run_at) if later else None,
        deadline=rfc3339(task.deadline),
        waiting_for=waiting_for(task),
        is_possible=told.possible if told and task.state is State.QUEUED else None,
        position=told.position if told else None,
        eta_seconds=told.eta if told else None,
        outputs=[output_view(task, index, artifact, request) for index, artifact in enumerate(task.artifacts)],
        expires_at=rfc3339(task.expires_at),
        expired_at=rfc3339(task.expired_at),
        expired=task.expired_at is not None,
        zip_url=request.link(f"{path}/zip") if task.artifacts else None,
        events_url=None if task.state.final else request.own_link(f"{path}/events"),
        preview_url=f"{request.own_link(f'{path}/preview')}&n={task.shown}" if task.shown else None,
        error=ErrorView(failure.code, failure.message, failure.param) if failure else None,
        warnings=list(task.warnings),
        price=task.price,
        cost=task.cost,
        children=[task_view(child, request) for child in task.children],
        metadata=dict(task.metadata),
    )


def encode_task(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task; 201 when it was just made."""
    created = request.method == "POST" and request.path == "/tasks"
    return answer(task_view(result.task, request, result), 201 if created else 200)


def index_of(request: WireRequest) -> int:
    """The number of a result in a link's path."""
    index = request.params["index"]
    if not (index.isascii() and index.isdigit() and len(index) <= 4):
        raise TaskError(Code.INVALID_INPUT, "The link's result number is not a number.", param="index")
    return int(index)
