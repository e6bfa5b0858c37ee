"""Wire structs of the TensorsLab dialect, and how tasks become them.

Every answer is `{"code", "msg", "data"}`: 1000 is success, 9999 a failure, 9000 too few credits. A task that failed
while it ran is no failure of the request: the envelope says 1000 and `image_status` says 4.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from ...core.task import State, Task
from .. import WireRequest


class WireCode(IntEnum):
    """What the envelope says."""

    SUCCESS = 1000
    NO_CREDITS = 9000
    FAILURE = 9999


class ImageStatus(IntEnum):
    """What a query says. A canceled task has failed: the vendor has no word of its own for it."""

    QUEUED = 1
    PROCESSING = 2
    COMPLETED = 3
    FAILED = 4


STATUS = {
    State.QUEUED: ImageStatus.QUEUED,
    State.RUNNING: ImageStatus.PROCESSING,
    State.SUCCEEDED: ImageStatus.COMPLETED,
    State.FAILED: ImageStatus.FAILED,
    State.CANCELED: ImageStatus.FAILED,
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
    """What `POST /v1/images/infobytaskid` takes."""

    taskid: str


class DeleteBody(msgspec.Struct):
    """What `POST /v1/images/deleteimagestask` takes; `uid` means nothing here."""

    taskids: Annotated[list[str], msgspec.Meta(min_length=1)]
    uid: str | int | None = None


class SubmittedData(msgspec.Struct):
    """The new task. There is no `url`: clients would take it for the finished image and not query."""

    taskid: str


class Submitted(msgspec.Struct, kw_only=True):
    """The answer to a submit."""

    code: int = WireCode.SUCCESS
    msg: str = "Task created successfully"
    data: SubmittedData


class ImageInfoData(msgspec.Struct, kw_only=True):
    """A task's state. Times are UTC, links absolute and signed."""

    taskid: str
    starttime: str | UnsetType = UNSET
    url: list[str]
    image_status: int
    width: int | UnsetType = UNSET
    height: int | UnsetType = UNSET
    error_message: str | UnsetType = UNSET


class ImageInfo(msgspec.Struct, kw_only=True):
    """The answer to a query."""

    code: int = WireCode.SUCCESS
    msg: str = "OK"
    data: ImageInfoData


class DeletedData(msgspec.Struct):
    """The outcome of a delete."""

    status: str = "Success"


class DeletedTasks(msgspec.Struct, kw_only=True):
    """The answer to a delete."""

    code: int = WireCode.SUCCESS
    msg: str = "Successfully"
    data: DeletedData


class ErrorResponse(msgspec.Struct):
    """A refusal."""

    code: int
    msg: str


def image_info(task: Task, request: WireRequest) -> ImageInfoData:
    """A task with exactly the fields that the vendor's page shows for its state."""
    data = ImageInfoData(taskid=task.public_id, url=[], image_status=STATUS[task.state])
    if task.state is State.SUCCEEDED:
        data.url = [
            request.link(f"/images/{task.public_id}_{index}.{SUFFIXES.get(artifact.media_type, 'bin')}")
            for index, artifact in enumerate(task.artifacts)
        ]
        data.starttime = clock(task.created_at if task.started_at is None else task.started_at)
        if task.artifacts:
            data.width, data.height = task.artifacts[0].width, task.artifacts[0].height
    elif task.state.final:
        data.error_message = task.failure.message if task.failure else "Generation failed"
    return data


def clock(time: int) -> str:
    """UTC milliseconds as `YYYY-MM-DD HH:MM:SS`."""
    return datetime.fromtimestamp(time / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
