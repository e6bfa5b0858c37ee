"""A task in the shape of the sister application pic_master: the results, and one task without parts.

https://doc.muyuhan.xin/api/pic_master/images/task_info.html. Key order is that page's.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.task import Task
from .. import WireRequest
from .envelope import Success
from .image_config import SIZES, even
from .login import user_number
from .options import Template
from .shapes import STATES, Reason, Seconds, StateNumber, images, number, reason, task_type


class PicMasterImage(msgspec.Struct, rename="camel"):
    """One result."""

    id: int
    task_id: int
    path: Annotated[str, Meta(description="A signed link to its thumbnail.")]
    origin: Annotated[str, Meta(description="A signed link to itself.")]
    state: Annotated[int, Meta(description="0, as in the vendor's example.")]
    width: int
    height: int
    is_publish: int
    user_id: int
    style_id: int
    aspect_ratio: Annotated[int, Meta(description="An id of `/imageVideoConfig`, or 0.")]
    content: str
    seed: int
    task_type: int
    style_name: str
    aspect_ratio_txt: str
    favorite: bool
    created_at: Seconds


class PicMasterTask(msgspec.Struct, rename="camel"):
    """The task."""

    id: int
    custom_task_id: str
    user_id: int
    style_id: int
    task_type: int
    seed: Annotated[int, Meta(description="-1 where none was asked for.")]
    content: str
    covering: Annotated[str, Meta(description="The first result's thumbnail, or nothing.")]
    state: StateNumber
    aspect_ratio: int
    reason: Reason
    cost: Annotated[int, Meta(description="Credits that the task costs.")]
    return_state: Annotated[int, Meta(description="1 when credits came back.")]
    file_name: Annotated[str, Meta(description="The first uploaded picture, or nothing.")]
    created_at: Seconds
    updated_at: Seconds


class PicMasterView(msgspec.Struct, rename="camel"):
    """A task and its results."""

    image_list: list[PicMasterImage]
    task_info: PicMasterTask


class PicMasterBody(Success, kw_only=True):
    """The answer of `/getTaskInfo` to `custom_task_id`."""

    data: PicMasterView


def pic_master_view(task: Task, template: Template | None, request: WireRequest) -> PicMasterView:
    """A task as clients of the sister application see it; the parts show in the list of results alone."""
    ratio = aspect_ratio(task)
    shared: dict[str, Any] = {
        "user_id": user_number(task.account_id),
        "style_id": template.id if template else 0,
        "task_type": task_type(task),
        "seed": task.params.get("seed", -1),
        "content": task.params.get("prompt", ""),
        "aspect_ratio": ratio,
        "created_at": task.created_at // 1000,
    }
    results = [
        PicMasterImage(
            **msgspec.structs.asdict(view),
            state=0,
            width=artifact.width,
            height=artifact.height,
            is_publish=0,
            style_name=template.title if template else "",
            aspect_ratio_txt=[*SIZES][ratio - 1] if ratio else "",
            favorite=False,
            **shared,
        )
        for view, artifact in zip(images(task, request), task.artifacts, strict=True)
    ]
    inputs = task.children[0].inputs if task.children else task.inputs
    info = PicMasterTask(
        id=number(task),
        custom_task_id=task.public_id,
        covering=results[0].path if results else "",
        state=STATES[task.state],
        reason=reason(task),
        cost=task.cost if task.state.final else task.price,
        return_state=int(task.state.final and task.cost < task.price),
        file_name=inputs[0].id if inputs else "",
        updated_at=(task.finished_at or task.started_at or task.created_at) // 1000,
        **shared,
    )
    return PicMasterView(results, info)


def aspect_ratio(task: Task) -> int:
    """The id of the ratio that was asked for, or 0."""
    sizes = [even(size) for size in SIZES.values()]
    asked = task.params.get("size")
    return sizes.index(asked) + 1 if asked in sizes else 0
