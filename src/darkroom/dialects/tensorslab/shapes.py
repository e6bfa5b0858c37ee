"""Wire structs of the TensorsLab dialect, and the words that its image and video routes share.

Every answer is `{"code", "msg", "data"}`: 1000 is success, 9999 a failure, 9000 too few credits. A task that failed
while it ran is no failure of the request: the envelope says 1000 and the task's status says 4.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.task import State, Task

TaskId = Annotated[str, Meta(description="The task's id.", examples=["abcd_1234567890abcdef"])]


class WireCode(IntEnum):
    """What the envelope says."""

    SUCCESS = 1000
    NO_CREDITS = 9000
    FAILURE = 9999


class Status(IntEnum):
    """What a query says. A canceled task has failed: the vendor has no word of its own for it."""

    QUEUED = 1
    PROCESSING = 2
    COMPLETED = 3
    FAILED = 4


STATUS = {
    State.QUEUED: Status.QUEUED,
    State.RUNNING: Status.PROCESSING,
    State.SUCCEEDED: Status.COMPLETED,
    State.FAILED: Status.FAILED,
    State.CANCELED: Status.FAILED,
}

# Clients name the file that they save after the link's suffix.
SUFFIXES = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/gif": "gif",
    "video/mp4": "mp4",
    "video/webm": "webm",
}


class QueryBody(msgspec.Struct):
    """Which task to read."""

    taskid: TaskId


class DeleteBody(msgspec.Struct):
    """Which tasks to forget; `uid` means nothing here."""

    taskids: Annotated[list[str], Meta(min_length=1, examples=[["abcd_1234567890abcdef"]])]
    uid: str | int | None = None


class Envelope(msgspec.Struct, kw_only=True):
    """What every success begins with."""

    code: Annotated[int, Meta(description="1000: success.", examples=[1000])] = WireCode.SUCCESS
    msg: str = "OK"


class SubmittedData(msgspec.Struct):
    """The new task. There is no `url`: clients would take it for the finished image and not query."""

    taskid: TaskId


class Submitted(Envelope, kw_only=True):
    """The answer to a submit."""

    msg: str = "Task created successfully"
    data: SubmittedData


class ImageInfoData(msgspec.Struct, kw_only=True):
    """A task's state. Times are UTC, links absolute and signed."""

    taskid: TaskId
    starttime: Annotated[str, Meta(description="UTC.", examples=["2026-01-30 12:00:00"])] | UnsetType = UNSET
    url: Annotated[list[str], Meta(description="Links to the pictures; none before they are done.")]
    image_status: Annotated[Status, Meta(description="1 queued, 2 processing, 3 completed, 4 failed.")]
    width: Annotated[int, Meta(description="Pixels of the first picture.")] | UnsetType = UNSET
    height: int | UnsetType = UNSET
    error_message: Annotated[str, Meta(description="Why the task failed.")] | UnsetType = UNSET


class ImageInfo(Envelope, kw_only=True):
    """The answer to a query of an image task."""

    data: ImageInfoData


class DeletedData(msgspec.Struct):
    """The outcome of a delete."""

    status: str = "Success"


class DeletedTasks(Envelope, kw_only=True):
    """The answer to a delete."""

    msg: str = "Successfully"
    data: DeletedData


class ErrorResponse(msgspec.Struct):
    """A refusal."""

    code: Annotated[int, Meta(description="9999: failure; 9000: too few credits.", examples=[9999])]
    msg: Annotated[str, Meta(description="What is wrong, and what to do.")]


def reason(task: Task) -> str:
    """Why a task failed."""
    return task.failure.message if task.failure else "Generation failed"


def clock(time: int) -> str:
    """UTC milliseconds as `YYYY-MM-DD HH:MM:SS`."""
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
