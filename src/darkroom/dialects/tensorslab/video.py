"""The vendor's video routes: one for each model of its SeeDance family, one query, one delete.

What its clients send is honoured as the nearest thing that can be made: their older programs ask for lengths and
resolutions that the pages of these models do not list.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.commands import Command, Submit, TaskResult
from ...core.task import STORING, Artifact, Operation, State, Task
from .. import Field, WireRequest, WireResponse, answer
from .fields import integer, prompt, sources, switch
from .shapes import STATUS, SUFFIXES, Envelope, reason

MODELS = {
    "seedancev2": "Make a video with SeeDance V2",
    "seedancev15pro": "Make a video with SeeDance V1.5 Pro",
    "seedancev1profast": "Make a video with SeeDance V1 Pro Fast",
    "seedancev1": "Make a video with SeeDance V1",
}
SUBMITS = {f"/v1/video/{model}": model for model in MODELS}
QUERY, DELETE = "/v1/video/infobytaskid", "/v1/video/deletevideotask"

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9", "adaptive")
RESOLUTIONS = {"480p": 480, "720p": 720, "1080p": 1080, "1440p": 1440}
DEFAULT_RATIO, DEFAULT_DURATION, DEFAULT_FPS = "9:16", 5, 24
DEFAULT_RESOLUTION = {"seedancev2": "1080p"}  # of the others 720p
DURATIONS = (1, 15)  # seconds
FPS = (8, 60)
UPLOADING = 5

FORM = (
    Field("prompt", "What to show.", required=True, example="waves on a beach at sunset"),
    Field("sourceImage", "The first frame and, as a second file, the last.", "file", many=True),
    Field("imageUrl", "The same as links, with a comma between them."),
    Field("ratio", "Width to height; 9:16 without it. `adaptive` is that of the first picture.", choices=RATIOS),
    Field("duration", "Length in seconds; 5 without it.", "integer", example=5),
    Field("resolution", "Pixels of the shorter side.", choices=tuple(RESOLUTIONS)),
    Field("fps", "Frames a second; 24 without it.", "integer", example=24),
    Field("generate_audio", "1 adds sound.", choices=("0", "1")),
    Field("return_last_frame", "1 adds the last frame, as a picture, behind the video.", choices=("0", "1")),
    Field("seed", "Repeats a result; -1 means any.", "integer"),
)


class MoreBody(msgspec.Struct):
    """How much to tell of a task."""

    moreTaskInfo: Annotated[bool, Meta(description="Whether to tell what was asked for.")] = False  # noqa: N815


class VideoQueryBody(MoreBody, kw_only=True):
    """Which task to read, and how much of it."""

    taskid: Annotated[str, Meta(description="The id that the submit answered.", examples=["abcd_1234567890abcdef"])]


class VideoInfoData(msgspec.Struct, kw_only=True):
    """A task's state: 1 pending, 2 processing, 3 completed, 4 failed, 5 uploading. What was asked for is there on
    demand."""

    taskid: str
    url: list[str]
    task_status: Annotated[
        int, Meta(ge=1, le=5, description="1 pending, 2 processing, 3 completed, 4 failed, 5 uploading.")
    ]
    message: str | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    imageurl: str | UnsetType = UNSET
    resolution: str | UnsetType = UNSET
    fps: int | UnsetType = UNSET
    source: str | UnsetType = UNSET
    duration: int | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    ratio: str | UnsetType = UNSET


class VideoInfo(Envelope, kw_only=True):
    """The answer to a query."""

    data: VideoInfoData


def submit(request: WireRequest) -> Command:
    """Create a task with the model that the path names."""
    model = SUBMITS[request.path]
    text, inputs = prompt(request), sources(request)
    ratio, resolution = _ratio(request), _resolution(request, model)
    params: dict[str, Any] = {
        "prompt": text,
        "duration": _within(integer(request, "duration"), DEFAULT_DURATION, DURATIONS),
        "fps": _within(integer(request, "fps"), DEFAULT_FPS, FPS),
        "resolution": resolution,
    }
    if ratio != "adaptive":
        params["ratio"] = ratio
    for field, param in (("generate_audio", "audio"), ("return_last_frame", "last_frame")):
        if switch(request, field):
            params[param] = True
    seed = integer(request, "seed")
    if seed is not None and seed != -1:
        params["seed"] = seed
    asked = {"source": model, "ratio": ratio}
    if link := request.field("imageUrl"):
        asked["imageurl"] = link
    return Submit(
        operation=Operation.VIDEO_GENERATE,
        model=model,
        params=params,
        inputs=inputs,
        extra=asked,
    )


def _ratio(request: WireRequest) -> str:
    """The ratio that is asked for, or the nearest one."""
    text = re.sub(r"\s", "", request.field("ratio") or "").lower()
    sides = re.fullmatch(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})", text)
    if text in RATIOS:
        return text
    return min(RATIOS[:-1], key=lambda name: abs(_steepness(name) - _steepness(text))) if sides else DEFAULT_RATIO


def _steepness(ratio: str) -> float:
    width, _, height = ratio.partition(":")
    return math.log(int(width) / int(height))


def _resolution(request: WireRequest, model: str) -> str:
    """The level that is asked for, or the nearest one: `2K` is 1440p."""
    default = DEFAULT_RESOLUTION.get(model, "720p")
    text = (request.field("resolution") or default).lower()
    lines = re.fullmatch(r"([0-9]{2,5})p?", text)
    if re.fullmatch(r"[24]k", text):
        return "1440p"
    if lines is None:
        return default
    return min(RESOLUTIONS, key=lambda name: abs(RESOLUTIONS[name] - int(lines[1])))


def _within(value: int | None, default: int, limits: tuple[int, int]) -> int:
    low, high = limits
    return default if value is None else max(low, min(high, value))


def encode_info(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task."""
    task = result.task
    data = VideoInfoData(taskid=task.public_id, url=[], task_status=_status(task))
    if task.state is State.SUCCEEDED:
        data.url = [link(task, index, artifact, request) for index, artifact in enumerate(task.artifacts)]
    elif task.state.final:
        data.message = reason(task)
    if request.json(MoreBody).moreTaskInfo:
        _tell_more(data, task)
    return answer(VideoInfo(data=data))


def link(task: Task, index: int, artifact: Artifact, request: WireRequest) -> str:
    """A link to a result; it ends in the kind of file."""
    return request.link(f"/videos/{task.public_id}_{index}.{SUFFIXES.get(artifact.media_type, 'bin')}")


def _status(task: Task) -> int:
    if task.state is State.RUNNING and task.stage == STORING:
        return UPLOADING
    return STATUS[task.state]


def _tell_more(data: VideoInfoData, task: Task) -> None:
    """What was asked for, as far as it is known: the task may have come in by another dialect."""
    params, extra = task.params, task.extra
    data.source = str(extra.get("source", task.model))
    data.imageurl = str(extra.get("imageurl", ""))
    for name in ("prompt", "resolution"):
        if name in params:
            setattr(data, name, str(params[name]))
    for name in ("fps", "duration", "seed"):
        if name in params:
            setattr(data, name, int(params[name]))
    if "ratio" in extra or "ratio" in params:
        data.ratio = str(extra.get("ratio", params.get("ratio")))
