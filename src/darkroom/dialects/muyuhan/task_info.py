"""`/getTaskInfo`: a task by `promptId`, and by `custom_task_id` in the shape of the sister application pic_master.

https://doc.muyuhan.xin/api/face_wap/image/task_info.html (2026-01-29)
https://doc.muyuhan.xin/api/pic_master/images/task_info.html
"""

from __future__ import annotations

import msgspec

from ...core.commands import Command, Get, TaskResult
from ...core.errors import Code, TaskError
from .. import Endpoint, Field, WireRequest, WireResponse, answer
from .envelope import ErrorBody, Success
from .pic_master import PicMasterBody, pic_master_view
from .shapes import TaskView, task_view
from .templates import Templates

SISTERS = "custom_task_id"


class TaskBody(Success, kw_only=True):
    """The answer of `/getTaskInfo` to `promptId`."""

    data: TaskView


def get(request: WireRequest) -> Command:
    """Read a task, by either of its id's names."""
    query = request.query
    task_id = query.get("promptId") or query.get(SISTERS)
    if not task_id:
        raise TaskError(Code.INVALID_INPUT, "The query needs 'promptId', as /submitTask answered it.", param="promptId")
    return Get(task_id, request.wait())


class TaskInfo:
    """Encodes tasks; templates give the sister application's `styleName`."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def encode(self, result: TaskResult, request: WireRequest) -> WireResponse:
        """Answer with a task and its parts, in the shape that the name of the parameter stands for."""
        body: msgspec.Struct
        query = request.query
        if query.get(SISTERS) and not query.get("promptId"):
            body = PicMasterBody(msg="", data=pic_master_view(result.task, self._templates.of(result.task), request))
        else:
            body = TaskBody(data=task_view(result.task, request))
        return answer(body)


def get_task_info(templates: Templates) -> Endpoint:
    """`/getTaskInfo`."""
    return Endpoint(
        method="GET",
        path="/getTaskInfo",
        decode=get,
        encode=TaskInfo(templates).encode,
        response=TaskBody | PicMasterBody | ErrorBody,
        poll=True,
        query=(
            Field("promptId", "The task, as `/submitTask` answered it."),
            Field(SISTERS, "The same task, in the shape of the sister application; one of the two is needed."),
            Field("wait", "Seconds to hold the answer until the task is done.", "number", example=30),
        ),
        summary="Read a task",
    )
