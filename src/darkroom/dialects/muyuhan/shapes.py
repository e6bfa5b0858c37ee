"""Wire structs of the muyuhan dialect, and how tasks become them.

Key order is that of the vendor's page: https://doc.muyuhan.xin/api/face_wap/image/task_info.html (2026-01-29).
"""

from __future__ import annotations

from enum import IntEnum

import msgspec

from ...core.task import Artifact, Operation, State, Task
from .. import WireRequest


class TaskType(IntEnum):
    """The vendor's kinds of work. 1 and 2 cannot be submitted; they name tasks that came in by other dialects."""

    TEXT_TO_IMAGE = 1
    IMAGE_TO_IMAGE = 2
    FACE_SWAP = 3
    ENHANCE = 4
    FILTER = 5
    UPSCALE = 6
    VIDEO = 7


KNOWN_TYPES = frozenset(TaskType)
OPERATION_TYPES = {
    Operation.IMAGE_GENERATE: TaskType.TEXT_TO_IMAGE,
    Operation.IMAGE_EDIT: TaskType.IMAGE_TO_IMAGE,
    Operation.IMAGE_FACE_SWAP: TaskType.FACE_SWAP,
    Operation.IMAGE_ENHANCE: TaskType.ENHANCE,
    Operation.IMAGE_FILTER: TaskType.FILTER,
    Operation.IMAGE_UPSCALE: TaskType.UPSCALE,
    Operation.VIDEO_GENERATE: TaskType.VIDEO,
    Operation.VIDEO_FACE_SWAP: TaskType.VIDEO,
    Operation.VIDEO_FILTER: TaskType.VIDEO,
    Operation.VIDEO_ENHANCE: TaskType.VIDEO,
    Operation.VIDEO_UPSCALE: TaskType.VIDEO,
}

STATES = {State.QUEUED: 10, State.RUNNING: 20, State.SUCCEEDED: 30, State.FAILED: 2, State.CANCELED: 2}

EXTENSIONS = {"image/jpeg": "jpg", "video/quicktime": "mov"}  # elsewhere the media type's second half is the extension

SUCCESS = 200
RESULTS_PER_TASK = 100  # numbers kept free for the results of one task


class SubmitBody(msgspec.Struct, rename="camel"):
    """What `POST /submitTask` takes, in any encoding; numbers may be text. `appId` and `udid` are not looked at."""

    task_type: int | str | None = None
    style_id: int | str | list[int | str] | None = None
    images: str | list[str] | None = None
    file_name: int | str | list[int | str] | None = None
    content: str | None = None
    aspect_ratio: int | str | None = None
    seed: int | str | None = None
    scale: int | str | None = None
    app_id: int | str | None = None
    udid: int | str | None = None


class SubmittedView(msgspec.Struct, rename="camel"):
    """A task that was just made; both pairs of names say the same, for clients of either generation."""

    prompt_id: str
    custom_task_id: str
    task_id: int
    id: int
    state: int


class UploadView(msgspec.Struct, rename="camel"):
    """A kept picture. `customTaskId` and `fileName` are its name for `/submitTask`; `id` is for show."""

    custom_task_id: str
    id: int
    state: int
    file_name: str


class ImageView(msgspec.Struct, rename="camel"):
    """One result: `path` links to its thumbnail, `origin` to itself, `taskId` names the task that made it."""

    id: int
    task_id: int
    path: str
    origin: str


class PartView(msgspec.Struct, rename="camel"):
    """One part of a task that makes several results."""

    task_id: int
    prompt_id: str
    task_type: int
    thumb_file_url: str
    state: int
    reason: str
    image_list: list[ImageView]


class TaskView(PartView, rename="camel"):
    """A task as its caller sees it; `taskList` is empty for a task of one part."""

    task_list: list[PartView]


class SubmittedBody(msgspec.Struct):
    """The answer of `/submitTask`."""

    code: int
    msg: str
    data: SubmittedView


class UploadBody(msgspec.Struct):
    """The answer of `/picUpload`."""

    code: int
    msg: str
    data: UploadView


class TaskBody(msgspec.Struct):
    """The answer of `/getTaskInfo`."""

    code: int
    msg: str
    data: TaskView


class ErrorBody(msgspec.Struct):
    """The body of every refused request."""

    code: int
    msg: str
    data: None = None


def number(task: Task) -> int:
    """The vendor's `taskId`: a parent goes by the number of its first part."""
    return task.children[0].seq if task.children else task.seq


def task_type(task: Task) -> int:
    """The kind that the caller asked for, or the nearest one for a task of another dialect."""
    told = task.extra.get("taskType")
    return int(told if told in KNOWN_TYPES else OPERATION_TYPES[task.operation])


def images(task: Task, request: WireRequest) -> list[ImageView]:
    """Results of the task, or those of its parts in their order, with links signed now."""
    if task.children:
        return [image for child in task.children for image in images(child, request)]
    return [image_view(task, index, artifact, request) for index, artifact in enumerate(task.artifacts)]


def image_view(task: Task, index: int, artifact: Artifact, request: WireRequest) -> ImageView:
    """One result; without a thumbnail both links lead to the result."""
    kind = artifact.media_type.rpartition("/")[2]
    origin = request.link(f"/faceWap/original/{task.public_id}_{index}.{EXTENSIONS.get(artifact.media_type, kind)}")
    return ImageView(
        id=task.seq * RESULTS_PER_TASK + index,
        task_id=task.seq,
        path=request.link(f"/faceWap/thumb/{task.public_id}_{index}.webp") if artifact.thumbnail_key else origin,
        origin=origin,
    )


def part_view(task: Task, request: WireRequest) -> PartView:
    """A task without its parts."""
    results = images(task, request)
    return PartView(
        task_id=number(task),
        prompt_id=task.public_id,
        task_type=task_type(task),
        thumb_file_url=results[0].path if results else "",
        state=STATES[task.state],
        # A task that waits for its next try has a failure too, but has not failed.
        reason=task.failure.message if task.failure and task.state in (State.FAILED, State.CANCELED) else "",
        image_list=results,
    )


def task_view(task: Task, request: WireRequest) -> TaskView:
    """A task as its caller sees it."""
    whole = part_view(task, request)
    parts = [part_view(child, request) for child in task.children]
    return TaskView(
        whole.task_id,
        whole.prompt_id,
        whole.task_type,
        whole.thumb_file_url,
        whole.state,
        whole.reason,
        whole.image_list,
        parts,
    )
