"""Histories: `/newImageHistory`, `/userAlbum` in its two forms, and `/videoTaskHistory`.

One row for each result of each part, newest first; a part without results has one row too. A page is counted in tasks.
Rows of failed tasks keep the zero values of the vendor's Go server, its zero time among them.

https://doc.muyuhan.xin/api/face_wap/image/image_history_new.html
https://doc.muyuhan.xin/api/face_wap/image/image_history.html
https://doc.muyuhan.xin/api/face_wap/pix/user_album.html (2025-09-12)
https://doc.muyuhan.xin/api/face_wap/image/video_history.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from ...core.commands import Command, List, TaskPage
from ...core.task import Operation, Task
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import form_of, read
from .envelope import ErrorBody, Success
from .files import link_to_input, links
from .older_templates import AlbumTemplate, VideoTemplate, album_template, video_template
from .shapes import IMAGES, STATES, VIDEOS, Reason, Seconds, StateNumber, reason, result_number
from .templates import ImageTemplate, Templates

PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
ZERO_TIME = -62135596800  # 0001-01-01 in Unix seconds
FAILED = 2
VIDEO_ALBUM, IMAGE_ALBUM = 1, 2  # as in /recentList

Covering = Annotated[str, Meta(description="A link to a picture that stands for it, or nothing.")]
Origin = Annotated[str, Meta(description="A signed link to the result, or nothing.")]
StyleId = Annotated[int, Meta(description="The template, or 0.")]
TextId = Annotated[str, Meta(description="The task's running number, as text.", examples=["443"])]


class PageBody(msgspec.Struct, rename="camel"):
    """Which page."""

    page: Annotated[int, Meta(description="From 1.", ge=0, le=10**9)] = 1
    page_size: Annotated[int, Meta(description="Tasks a page.", ge=0, le=MAX_PAGE_SIZE)] = PAGE_SIZE


class AlbumBody(PageBody, rename="camel"):
    """Which page of which album."""

    type: Annotated[Literal[1, 2] | None, Meta(description="1 videos, 2 pictures; otherwise as the server is set.")] = (
        None
    )


class ImageRow(msgspec.Struct, rename="camel"):
    """A picture."""

    id: int
    task_id: int
    style_id: StyleId
    prompt_id: str
    covering: Covering
    origin: Origin
    reason: Reason
    state: StateNumber
    created_at: Seconds
    image_temp: ImageTemplate | None


class AlbumRow(msgspec.Struct, rename="camel"):
    """A picture, as earlier clients see it."""

    id: int
    task_id: TextId
    style_id: StyleId
    prompt_id: str
    covering: Covering
    origin: Origin
    reason: Reason
    state: StateNumber
    created_at: Seconds
    image_temp: AlbumTemplate | None


class VideoRow(msgspec.Struct, rename="camel"):
    """A video, as the earliest clients see it."""

    id: int
    task_id: TextId
    prompt_id: str
    covering: Covering
    origin: Origin
    reason: Reason
    state: StateNumber
    created_at: Seconds


class VideoTaskRow(msgspec.Struct, rename="camel"):
    """A video."""

    id: int
    style_id: StyleId
    task_id: TextId
    prompt_id: str
    covering: Covering
    origin: Origin
    reason: Reason
    state: StateNumber
    created_at: Seconds
    video_temp: VideoTemplate | None


class ImageHistoryBody(Success, kw_only=True):
    """The answer of `/newImageHistory`."""

    data: list[ImageRow]


class AlbumHistoryBody(Success, kw_only=True):
    """The answer of `/userAlbum` about pictures."""

    data: list[AlbumRow]


class VideoAlbumBody(Success, kw_only=True):
    """The answer of `/userAlbum` about videos."""

    data: list[VideoRow]


class VideoHistoryBody(Success, kw_only=True):
    """The answer of `/videoTaskHistory`."""

    data: list[VideoTaskRow]


def page_of(body: PageBody, operations: tuple[Operation, ...]) -> Command:
    """The command for a page; 0 counts as absent, as in Go."""
    size = body.page_size or PAGE_SIZE
    return List(limit=size, skip=max(0, body.page - 1) * size, operations=operations)


def results(page: TaskPage) -> Iterator[tuple[Task, int]]:
    """Every part with the index of each of its results, newest first."""
    for task in page.tasks:
        for part in reversed(task.children or (task,)):
            for index in reversed(range(max(1, len(part.artifacts)))):
                yield part, index


class Histories:
    """Encodes pages of tasks. `album` is what `/userAlbum` lists unless it is told."""

    def __init__(self, templates: Templates, album: str) -> None:
        self._templates = templates
        self._album = VIDEO_ALBUM if album == "video" else IMAGE_ALBUM

    def decode_images(self, request: WireRequest) -> Command:
        """Ask for pictures."""
        return page_of(read(request, PageBody), IMAGES)

    def decode_videos(self, request: WireRequest) -> Command:
        """Ask for videos."""
        return page_of(read(request, PageBody), VIDEOS)

    def decode_album(self, request: WireRequest) -> Command:
        """Ask for either."""
        body = read(request, AlbumBody)
        return page_of(body, VIDEOS if self._lists_videos(body) else IMAGES)

    def encode_images(self, page: TaskPage, request: WireRequest) -> WireResponse:
        """Answer with pictures and their templates."""
        rows = []
        for task, index in results(page):
            template = self._templates.of(task)
            view = self._templates.image(template, task.price) if template else None
            row = self._row(task, index, request)
            rows.append(ImageRow(**row, task_id=task.seq, style_id=template.id if template else 0, image_temp=view))
        return answer(ImageHistoryBody(data=rows))

    def encode_videos(self, page: TaskPage, request: WireRequest) -> WireResponse:
        """Answer with videos and their templates."""
        rows = []
        for task, index in results(page):
            template = self._templates.of(task)
            view = video_template(template, self._templates) if template else None
            row = self._row(task, index, request)
            style = template.id if template else 0
            rows.append(VideoTaskRow(**row, task_id=str(task.seq), style_id=style, video_temp=view))
        return answer(VideoHistoryBody(data=rows))

    def encode_album(self, page: TaskPage, request: WireRequest) -> WireResponse:
        """Answer in the form of the page for videos, or of the one for pictures."""
        if self._lists_videos(read(request, AlbumBody)):
            videos = [
                VideoRow(**self._row(task, index, request), task_id=str(task.seq)) for task, index in results(page)
            ]
            return answer(VideoAlbumBody(data=videos))
        rows = []
        for task, index in results(page):
            template = self._templates.of(task)
            view = album_template(template, self._templates) if template else None
            row = self._row(task, index, request)
            style = template.id if template else 0
            rows.append(AlbumRow(**row, task_id=str(task.seq), style_id=style, image_temp=view))
        return answer(AlbumHistoryBody(data=rows))

    def _lists_videos(self, body: AlbumBody) -> bool:
        return (body.type or self._album) == VIDEO_ALBUM

    def _row(self, task: Task, index: int, request: WireRequest) -> dict[str, Any]:
        """What the rows of all histories share."""
        state = STATES[task.state]
        row = {"prompt_id": task.public_id, "reason": reason(task), "state": state}
        if state == FAILED:
            return {**row, "id": 0, "covering": "", "origin": "", "created_at": ZERO_TIME}
        path, origin = links(task, index, request) if task.artifacts else ("", "")
        return {
            **row,
            "id": result_number(task, index),
            "covering": self._covering(task, path if path != origin else "", request),
            "origin": origin,
            "created_at": task.created_at // 1000,
        }

    def _covering(self, task: Task, thumbnail: str, request: WireRequest) -> str:
        """The picture for a row: a video's own, a template's sample, or what the caller handed in."""
        template = self._templates.of(task)
        sample = template.covering.after if template else ""
        handed_in = link_to_input(task, request)
        if task.operation in VIDEOS:
            return thumbnail or handed_in or sample
        return sample or handed_in or thumbnail

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The three pages."""
        return (
            Endpoint(
                method="POST",
                path="/newImageHistory",
                decode=self.decode_images,
                encode=self.encode_images,
                request=PageBody,
                response=ImageHistoryBody | ErrorBody,
                form=form_of(PageBody),
                summary="List pictures",
            ),
            Endpoint(
                method="POST",
                path="/userAlbum",
                decode=self.decode_album,
                encode=self.encode_album,
                request=AlbumBody,
                response=AlbumHistoryBody | VideoAlbumBody | ErrorBody,
                form=form_of(AlbumBody),
                summary="List pictures or videos, for earlier clients",
            ),
            Endpoint(
                method="POST",
                path="/videoTaskHistory",
                decode=self.decode_videos,
                encode=self.encode_videos,
                request=PageBody,
                response=VideoHistoryBody | ErrorBody,
                form=form_of(PageBody),
                summary="List videos",
            ),
        )
