"""Files: `/picUpload`, and the links to results and to uploaded pictures.

https://doc.muyuhan.xin/api/face_wap/search/pic_upload.html (2026-04-08)
"""

from __future__ import annotations

from functools import partial
from typing import Annotated
from zlib import crc32

import msgspec
from msgspec import Meta

from ...core.commands import Command, Download, DownloadFile, KeepFile
from ...core.errors import Code, TaskError
from ...core.task import File, Task
from .. import Endpoint, Field, WireRequest, WireResponse, answer, not_encoded
from .bodies import form_of
from .envelope import FILES, ErrorBody, Success

FILE_FIELDS = ("images", "images[]", "image", "file")
EXTENSIONS = {"image/jpeg": "jpg", "video/quicktime": "mov"}  # elsewhere the media type's second half is the extension
UPLOADED = 30  # there is nothing left to wait for


class UploadBody(msgspec.Struct, rename="camel"):
    """What comes with a picture."""

    task_type: Annotated[int | str | None, Meta(description="8, a search. Not looked at.", examples=[8])] = None
    app_id: Annotated[int | str | None, Meta(description="The app. Not looked at.", examples=["com.example.app"])] = (
        None
    )
    udid: Annotated[int | str | None, Meta(description="The device. Not looked at.", examples=["6F9619FF-8B86"])] = None


class UploadView(msgspec.Struct, rename="camel"):
    """A kept picture."""

    custom_task_id: Annotated[str, Meta(description="The picture's name, for `fileName` of `/submitTask`.")]
    id: Annotated[int, Meta(description="A number for show.")]
    state: Annotated[int, Meta(description="30: there is nothing to wait for.", examples=[30])]
    file_name: Annotated[str, Meta(description="The same as `customTaskId`.")]


class UploadedBody(Success, kw_only=True):
    """The answer of `/picUpload`."""

    data: UploadView


def upload(request: WireRequest) -> Command:
    """Keep a picture for later tasks."""
    files = [item.file for item in request.files if item.field in FILE_FIELDS]
    if len(files) != 1:
        raise TaskError(Code.INVALID_INPUT, "Send one picture as the multipart field 'images'.", param="images")
    return KeepFile(files[0].id)


def encode_upload(file: File, _request: WireRequest) -> WireResponse:
    """Answer with a kept picture."""
    shown = crc32(file.id.encode()) & 0x7FFF_FFFF or 1  # positive, and small enough for an int of any client
    return answer(UploadedBody(data=UploadView(file.id, shown, UPLOADED, file.id)))


def download(request: WireRequest, *, thumbnail: bool) -> Command:
    """Read a result by its signed link. The extension is for the eye: the Content-Type says what the file is."""
    task_id, _, rest = request.params["name"].rpartition("_")
    index = rest.partition(".")[0]
    if not (task_id and index.isascii() and index.isdigit() and len(index) <= 4):
        raise TaskError(Code.INVALID_INPUT, "The link names no result. Query the task again for its links.")
    return Download(task_id, int(index), request.signature(), thumbnail)


def download_upload(request: WireRequest) -> Command:
    """Read an uploaded picture by its signed link."""
    return DownloadFile(request.params["name"].partition(".")[0], request.signature())


def extension(media_type: str) -> str:
    """The extension that a link shows."""
    return EXTENSIONS.get(media_type, media_type.rpartition("/")[2])


def links(task: Task, index: int, request: WireRequest) -> tuple[str, str]:
    """Links to a result's thumbnail and to itself; without a thumbnail both lead to the result."""
    artifact = task.artifacts[index]
    origin = request.link(f"{FILES}original/{task.public_id}_{index}.{extension(artifact.media_type)}")
    return request.link(f"{FILES}thumb/{task.public_id}_{index}.webp") if artifact.thumbnail_key else origin, origin


def link_to_input(task: Task, request: WireRequest) -> str:
    """A link to the first picture that a task got, or nothing."""
    picture = next((file for file in task.inputs if file.media_type.startswith("image/")), None)
    return request.link(f"{FILES}images/{picture.id}.{extension(picture.media_type)}") if picture else ""


SIGNED = (
    Field("exp", "When the link expires, in UTC milliseconds.", "integer", required=True),
    Field("sig", "Its signature.", required=True),
)
PICTURE = Field("images", "The picture.", kind="file", required=True)
ENDPOINTS = (
    Endpoint(
        method="POST",
        path="/picUpload",
        decode=upload,
        encode=encode_upload,
        uploads=True,
        response=UploadedBody | ErrorBody,
        form=(PICTURE, *form_of(UploadBody)),
        summary="Upload a picture",
        description="The vendor's page of this name starts a search; here it keeps the picture for later tasks.",
    ),
    Endpoint(
        method="GET",
        path=FILES + "original/{name}",
        decode=partial(download, thumbnail=False),
        encode=not_encoded,
        public=True,
        query=SIGNED,
        summary="Read a result",
    ),
    Endpoint(
        method="GET",
        path=FILES + "thumb/{name}",
        decode=partial(download, thumbnail=True),
        encode=not_encoded,
        public=True,
        query=SIGNED,
        summary="Read a result's thumbnail",
    ),
    Endpoint(
        method="GET",
        path=FILES + "images/{name}",
        decode=download_upload,
        encode=not_encoded,
        public=True,
        query=SIGNED,
        summary="Read an uploaded picture",
    ),
)
