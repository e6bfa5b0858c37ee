"""Tasks as the vendor writes them: kinds, states and the shape that `/getTaskInfo` and the socket share.

Key order is that of the vendor's page: https://doc.muyuhan.xin/api/face_wap/image/task_info.html (2026-01-29).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.task import Operation, State, Task
from .. import WireRequest
from .files import links


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
IMAGES = tuple(operation for operation in Operation if operation.startswith("image."))
VIDEOS = tuple(operation for operation in Operation if operation.startswith("video."))

STATES = {State.QUEUED: 10, State.RUNNING: 20, State.SUCCEEDED: 30, State.FAILED: 2, State.CANCELED: 2}
RESULTS_PER_TASK = 100  # numbers kept free for the results of one task

StateNumber = Annotated[int, Meta(description="10 queued, 20 running, 30 done, 2 failed.", examples=[30])]
Reason = Annotated[str, Meta(description="Why it failed, or nothing.")]
Seconds = Annotated[int, Meta(description="Unix seconds.", examples=[1769594446])]


class ImageView(msgspec.Struct, rename="camel"):
    """One result."""

    id: Annotated[int, Meta(description="A number for show.")]
    task_id: Annotated[int, Meta(description="The task or part that made it.")]
    path: Annotated[str, Meta(description="A signed link to its thumbnail.")]
    origin: Annotated[str, Meta(description="A signed link to itself.")]


class PartView(msgspec.Struct, rename="camel"):
    """One part of a task that makes several results."""

    task_id: Annotated[int, Meta(description="A running number; of a task with parts, that of its first part.")]
    prompt_id: str
    task_type: Annotated[
        int,
        Meta(
            description="3 face swap, 4 enhance, 5 filter, 6 upscale, 7 video; 1 text to image and 2 image to image "
            "where another API made the task.",
            examples=[7],
        ),
    ]
    thumb_file_url: Annotated[str, Meta(description="The first result's thumbnail, or nothing.")]
    state: StateNumber
    reason: Reason
    image_list: list[ImageView]


class TaskView(PartView, rename="camel"):
    """A task as its caller sees it."""

    task_list: Annotated[list[PartView], Meta(description="The parts; none of a task without parts.")]


def number(task: Task) -> int:
    """The vendor's `taskId`: a parent goes by the number of its first part."""
    return task.children[0].seq if task.children else task.seq


def task_type(task: Task) -> int:
    """The kind that the caller asked for, or the nearest one for a task of another dialect."""
    told = task.extra.get("taskType")
    return int(told if told in KNOWN_TYPES else OPERATION_TYPES[task.operation])


def reason(task: Task) -> str:
    """Why a task failed. One that waits for its next try has a failure too, but has not failed."""
    return task.failure.message if task.failure and task.state in (State.FAILED, State.CANCELED) else ""


def result_number(task: Task, index: int = 0) -> int:
    """The number of a result."""
    return task.seq * RESULTS_PER_TASK + index


def images(task: Task, request: WireRequest) -> list[ImageView]:
    """Results of the task, or those of its parts in their order, with links signed now."""
    if task.children:
        return [image for child in task.children for image in images(child, request)]
    return [
        ImageView(result_number(task, index), task.seq, *links(task, index, request))
        for index in range(len(task.artifacts))
    ]


def part_view(task: Task, request: WireRequest) -> PartView:
    """A task without its parts."""
    results = images(task, request)
    return PartView(
        task_id=number(task),
        prompt_id=task.public_id,
        task_type=task_type(task),
        thumb_file_url=results[0].path if results else "",
        state=STATES[task.state],
        reason=reason(task),
        image_list=results,
    )


def task_view(task: Task, request: WireRequest) -> TaskView:
    """A task as its caller sees it."""
    parts = [part_view(child, request) for child in task.children]
    return TaskView(**msgspec.structs.asdict(part_view(task, request)), task_list=parts)
