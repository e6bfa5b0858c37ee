"""Both of the vendor's ways to ask for a video: `/v1/videos/generations`, and the newer `/v1/videos`.

A video is never waited for. Tasks of the older way are read at `/v1/tasks/{id}`, wrapped in `data`; those of the newer
one at `/v1/videos/{id}`, flat. Each address answers both. The bytes come from `/v1/videos/{id}/content`.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.commands import Command, ReadResult, Source, Submit, TaskResult
from ...core.errors import Code, TaskError
from ...core.task import Operation, State, Task
from .. import WireRequest, WireResponse, answer
from .bodies import ClipBody, VideoBody, VideoReference, read
from .names import DEFAULT_CLIP_MODEL, DEFAULT_VIDEO_MODEL, IMAGE_MODELS
from .references import source, sources
from .submit import required
from .views import FailureView, Percent, Seconds, created, failure_of, finished, progress

CLIP_SECONDS = ("6", "10", "12", "16", "20")
CLIP_SIZES = {"1280x720": "16:9", "720x1280": "9:16", "1024x1024": "1:1"}
CLIP_TIERS = ("480p", "720p")
PRESETS = ("normal", "fun", "spicy", "custom")
MAX_CLIP_PROMPT = 2_500  # characters
MAX_CLIP_REFERENCES = 7
VIDEO_SECONDS = 4
ROLES = ("reference", "first_frame", "last_frame")
VIDEO = "video"  # in the luggage of tasks that were made here: the model as its caller called it

ClipStatus = Literal["queued", "processing", "completed", "failed", "cancelled"]
CLIP_STATUS: dict[State, ClipStatus] = {
    State.QUEUED: "queued",
    State.RUNNING: "processing",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELED: "cancelled",
}
VideoStatus = Literal["queued", "in_progress", "completed", "failed"]
VIDEO_STATUS: dict[State, VideoStatus] = {
    State.QUEUED: "queued",
    State.RUNNING: "in_progress",
    State.SUCCEEDED: "completed",
    State.FAILED: "failed",
    State.CANCELED: "failed",
}

ClipId = Annotated[str, Meta(examples=["video_0af0fe5de388490597197ee8"])]
VideoId = Annotated[str, Meta(examples=["task_0af0fe5de388490597197ee8"])]


class ClipTicket(msgspec.Struct):
    """A submitted video of the older family."""

    id: ClipId
    task_id: ClipId
    status: ClipStatus


class ClipTicketView(msgspec.Struct):
    """The answer to a submit of the older family."""

    data: ClipTicket


class ClipState(msgspec.Struct):
    """A video of the older family. `completed_at` is there once it is final."""

    id: ClipId
    task_id: ClipId
    status: ClipStatus
    progress: Percent
    created_at: Seconds
    completed_at: Seconds | UnsetType = UNSET
    error: FailureView | UnsetType = UNSET


class ClipView(msgspec.Struct):
    """The answer to the query of a video of the older family."""

    data: ClipState


class VideoView(msgspec.Struct):
    """A video of the newer family."""

    id: VideoId
    task_id: VideoId
    object: Literal["video"]
    model: Annotated[str, Meta(description="As it was asked for.", examples=["minimax-h3"])]
    status: VideoStatus
    progress: Percent
    error: FailureView | UnsetType = UNSET


def minted(prefix: str) -> Callable[[], str]:
    """Makes task ids in one of the vendor's spellings."""
    return lambda: f"{prefix}_{uuid.uuid4().hex[:24]}"


def generate_clip(request: WireRequest) -> Command:
    """Make a video, the older way."""
    body = read(request, ClipBody)
    prompt = required(body.prompt)
    command = begun(body.model, DEFAULT_CLIP_MODEL)
    try:
        if len(prompt) > MAX_CLIP_PROMPT:
            raise invalid("prompt", f"takes up to {MAX_CLIP_PROMPT} characters")
        seconds = chosen("seconds", body.seconds, CLIP_SECONDS)
        size = chosen("size", body.size, CLIP_SIZES)
        tier = chosen("resolution_name", body.resolution_name, CLIP_TIERS, otherwise="720p")
        preset = chosen("preset", body.preset, PRESETS)
        inputs = sources([body.input_reference])
        if len(inputs) > MAX_CLIP_REFERENCES:
            raise invalid("input_reference", f"takes up to {MAX_CLIP_REFERENCES} pictures")
    except TaskError as problem:
        return replace(command, refusal=problem)
    params: dict[str, Any] = {"prompt": prompt, "duration": int(seconds)}
    # The sizes are those of 720p; in 480p they only say which shape.
    params |= {"size": size} if tier == "720p" else {"ratio": CLIP_SIZES[size], "resolution": tier}
    params |= {"style": preset} if preset in ("fun", "spicy") else {}
    return replace(command, params=params, inputs=inputs)


def generate_video(request: WireRequest) -> Command:
    """Make a video, the newer way."""
    body = read(request, VideoBody)
    prompt = required(body.prompt)
    command = begun(body.model, DEFAULT_VIDEO_MODEL)
    try:
        inputs = frames(body.references or [])
        params: dict[str, Any] = {"prompt": prompt, "duration": whole("seconds", body.seconds)}
    except TaskError as problem:
        return replace(command, refusal=problem)
    params["resolution"] = (body.resolution or "480p").strip().lower()
    framed = any(reference.role in ROLES[1:] for reference in body.references or [])
    ratio = (body.aspect_ratio or ("auto" if framed else "16:9")).strip().lower()
    params |= {"ratio": ratio} if ratio != "auto" else {}
    params |= {"audio": True} if body.generate_audio else {}
    return replace(command, params=params, inputs=inputs)


def begun(name: str | None, otherwise: str) -> Submit:
    """The part of a submit that the vendor looks at first: which model."""
    model = (name or "").strip() or otherwise
    if model in IMAGE_MODELS:
        raise TaskError(
            Code.UNSUPPORTED, f"Model '{model}' makes pictures: use POST /v1/images/generations.", param="model"
        )
    return Submit(operation=Operation.VIDEO_GENERATE, model=model, extra={VIDEO: model})


def frames(references: list[VideoReference]) -> tuple[Source, ...]:
    """The pictures of a video: those that are referred to, or its first and last frame."""
    pictures: dict[str, list[Source]] = {role: [] for role in ROLES}
    for reference in references:
        role = reference.role or ROLES[0]
        if reference.type != "image":
            message = (
                f"References of type '{reference.type}' are not taken by this server. Send pictures: type 'image'."
            )
            raise TaskError(Code.INVALID_INPUT, message, param="references")
        if role not in ROLES:
            raise invalid("role", f"takes one of {', '.join(ROLES)}")
        pictures[role].append(source(reference.source.strip()))
    plain, first, last = (pictures[role] for role in ROLES)
    if len(first) > 1 or len(last) > len(first) or (plain and first):
        message = "Send one first_frame, with a last_frame or without, or pictures of the role 'reference'; not both."
        raise TaskError(Code.INVALID_INPUT, message, param="references")
    return (*plain, *first, *last)


def chosen(name: str, value: str | int | None, choices: tuple[str, ...] | dict[str, str], otherwise: str = "") -> str:
    """A value of the vendor's list; the first one where there is none."""
    text = str(value).strip().lower() if value is not None else otherwise or next(iter(choices))
    if text not in choices:
        raise invalid(name, f"takes one of {', '.join(choices)}")
    return text


def whole(name: str, value: str | int | None) -> int:
    """A whole number of seconds, which clients send as a number or as text."""
    if value is None:
        return VIDEO_SECONDS
    if isinstance(value, str):
        text = value.strip()
        if not (text.isascii() and text.isdigit() and len(text) <= 4):
            raise invalid(name, "must be a whole number of seconds")
        value = int(text)
    return value


def invalid(name: str, why: str) -> TaskError:
    """The refusal of one field."""
    return TaskError(Code.INVALID_INPUT, f"Parameter '{name}' {why}.", param=name)


def content(request: WireRequest) -> Command:
    """Read the bytes of a video."""
    return ReadResult(request.params["id"])


def is_video(task: Task) -> bool:
    """True for tasks that were made here. Those of other dialects show links to their results elsewhere."""
    return VIDEO in task.extra


def encode_clip_ticket(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer to a submit of the older family."""
    task = result.task
    return answer(ClipTicketView(ClipTicket(task.public_id, task.public_id, CLIP_STATUS[task.state])))


def encode_clip(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer to the query of a video at `/v1/tasks/{id}`."""
    task = result.task
    view = ClipState(task.public_id, task.public_id, CLIP_STATUS[task.state], progress(task), created(task))
    if task.state.final:
        view.completed_at = finished(task)
    if task.state in (State.FAILED, State.CANCELED):
        view.error = failure_of(task)
    return answer(ClipView(view))


def encode_video(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer to a submit of the newer family, and to the query of a video at `/v1/videos/{id}`."""
    task = result.task
    view = VideoView(
        id=task.public_id,
        task_id=task.public_id,
        object="video",
        model=task.extra.get(VIDEO, task.model),
        status=VIDEO_STATUS[task.state],
        progress=progress(task),
    )
    if task.state in (State.FAILED, State.CANCELED):
        view.error = failure_of(task)
    return answer(view)
