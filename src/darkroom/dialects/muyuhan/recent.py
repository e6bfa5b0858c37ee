"""`/recentList`: the templates of an account's newest tasks.

https://doc.muyuhan.xin/api/face_wap/pix/recent_list.html (2025-09-12)
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal

from msgspec import Meta

from ...core.commands import Command, List, TaskPage
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import AppBody, form_of, read
from .envelope import ErrorBody, Success
from .older_templates import RecentTemplate, recent_template
from .shapes import IMAGES, VIDEOS
from .templates import Templates

LOOKED_THROUGH = 100  # tasks
OF_VIDEOS = 1


class RecentBody(AppBody, rename="camel"):
    """Which templates."""

    type: Annotated[Literal[1, 2], Meta(description="1 for videos, 2 for pictures.")] = 2


class RecentListBody(Success, kw_only=True):
    """The answer of `/recentList`."""

    data: list[RecentTemplate]


class Recent:
    """Encodes the templates of tasks."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def decode(self, request: WireRequest) -> Command:
        """Ask for the newest tasks."""
        body = read(request, RecentBody)
        return List(limit=LOOKED_THROUGH, operations=VIDEOS if body.type == OF_VIDEOS else IMAGES)

    def encode(self, page: TaskPage, request: WireRequest) -> WireResponse:
        """Answer with each template once, that of the newest task first."""
        video = read(request, RecentBody).type == OF_VIDEOS
        used = [template for task in page.tasks if (template := self._templates.of(task))]
        uses = Counter(template.id for template in used)
        found = {template.id: template for template in used}
        rows = [recent_template(item, self._templates, uses[item.id], video=video) for item in found.values()]
        return answer(RecentListBody(data=rows))

    def endpoint(self) -> Endpoint:
        """`/recentList`."""
        return Endpoint(
            method="POST",
            path="/recentList",
            decode=self.decode,
            encode=self.encode,
            request=RecentBody,
            response=RecentListBody | ErrorBody,
            form=form_of(RecentBody),
            summary="List the templates that were used lately",
        )
