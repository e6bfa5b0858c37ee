"""The muyuhan "face_wap" API: face swap, enhancement, filters and upscaling, one task or several at once.

Every answer is HTTP 200 with `{"code", "msg", "data"}`; only file links speak in HTTP status codes. The vendor prints
`/getTaskInfo` alone; docs/dialects/muyuhan.md says which of the rest is our choice.
"""

from __future__ import annotations

from functools import partial
from zlib import crc32

from ...core.commands import Command, Download, Get, KeepFile, TaskResult
from ...core.errors import Code, TaskError
from ...core.task import File
from .. import Dialect, Endpoint, WireRequest, WireResponse, answer, bearer_or_bare, not_encoded
from .shapes import (
    STATES,
    SUCCESS,
    ErrorBody,
    SubmitBody,
    SubmittedBody,
    SubmittedView,
    TaskBody,
    UploadBody,
    UploadView,
    number,
    task_view,
)
from .submit import FILE_FIELDS, submit

SYSTEM_ERROR, PARAMETER_ERROR, NO_DATA = 510, 800, 900  # the vendor's
BAD_TOKEN, NO_CREDITS = 401, 402  # ours: the vendor's pages name none

CODES = {
    Code.MISSING_KEY: BAD_TOKEN,
    Code.INVALID_KEY: BAD_TOKEN,
    Code.FORBIDDEN: BAD_TOKEN,
    Code.NOT_FOUND: NO_DATA,
    Code.INVALID_INPUT: PARAMETER_ERROR,
    Code.INVALID_MEDIA: PARAMETER_ERROR,
    Code.TOO_LARGE: PARAMETER_ERROR,
    Code.UNSUPPORTED: PARAMETER_ERROR,
    Code.UNKNOWN_MODEL: PARAMETER_ERROR,
    Code.NO_CREDITS: NO_CREDITS,
    Code.CONFLICT: PARAMETER_ERROR,
    Code.RATE_LIMITED: SYSTEM_ERROR,
    Code.INVALID_LINK: PARAMETER_ERROR,
    Code.EXPIRED_LINK: PARAMETER_ERROR,
    Code.UNAVAILABLE: SYSTEM_ERROR,
    Code.INTERNAL: SYSTEM_ERROR,
    Code.ENGINE_FAILED: SYSTEM_ERROR,
    Code.TIMED_OUT: SYSTEM_ERROR,
    Code.WORKER_LOST: SYSTEM_ERROR,
    Code.STORAGE_FAILED: SYSTEM_ERROR,
    Code.CONTENT_REJECTED: PARAMETER_ERROR,
    Code.CANCELED: SYSTEM_ERROR,
}

LINK_STATUS = {PARAMETER_ERROR: 400, BAD_TOKEN: 403, NO_DATA: 404}
UPLOADED = 30  # there is nothing left to wait for


def upload(request: WireRequest) -> Command:
    """Keep a picture for later tasks."""
    files = [item.file for item in request.files if item.field in FILE_FIELDS]
    if len(files) != 1:
        raise TaskError(Code.INVALID_INPUT, "Send one picture as the multipart field 'images'.", param="images")
    return KeepFile(files[0].id)


def get(request: WireRequest) -> Command:
    """Read a task, by either of its id's names."""
    query = request.query
    task_id = query.get("promptId") or query.get("custom_task_id")
    if not task_id:
        raise TaskError(Code.INVALID_INPUT, "The query needs 'promptId', as /submitTask answered it.", param="promptId")
    return Get(task_id, request.wait())


def download(request: WireRequest, *, thumbnail: bool) -> Command:
    """Read a result by its signed link. The extension is for the eye: the Content-Type says what the file is."""
    task_id, _, rest = request.params["name"].rpartition("_")
    index = rest.partition(".")[0]
    if not (task_id and index.isascii() and index.isdigit() and len(index) <= 4):
        raise TaskError(Code.INVALID_INPUT, "The link names no result. Query the task again for its links.")
    return Download(task_id, int(index), request.signature(), thumbnail)


def encode_upload(file: File, _request: WireRequest) -> WireResponse:
    """Answer with a kept picture."""
    shown = crc32(file.id.encode()) & 0x7FFF_FFFF or 1  # positive, and small enough for an int of any client
    return answer(UploadBody(SUCCESS, "SUCCESS", UploadView(file.id, shown, UPLOADED, file.id)))


def encode_submitted(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer with the ids of a new task."""
    task = result.task
    view = SubmittedView(task.public_id, task.public_id, number(task), number(task), STATES[task.state])
    return answer(SubmittedBody(SUCCESS, "SUCCESS", view))


def encode_task(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task and its parts."""
    return answer(TaskBody(SUCCESS, "SUCCESS", task_view(result.task, request)))


def encode_error(error: TaskError, request: WireRequest) -> WireResponse:
    """A refusal."""
    code, status = CODES[error.code], 200
    if request.path.startswith("/faceWap/"):
        refused = error.code in (Code.INVALID_LINK, Code.EXPIRED_LINK)
        status = 403 if refused else LINK_STATUS.get(code, 500)
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    return answer(ErrorBody(code, error.message), status, retry)


dialect = Dialect(
    name="muyuhan",
    at_root=True,
    credential=bearer_or_bare,
    encode_error=encode_error,
    capabilities=frozenset({"children"}),
    endpoints=(
        Endpoint(
            method="POST",
            path="/picUpload",
            decode=upload,
            encode=encode_upload,
            uploads=True,
            response=UploadBody,
            summary="Upload a picture",
            form=("images", "appId", "udid", "taskType"),
        ),
        Endpoint(
            method="POST",
            path="/submitTask",
            decode=submit,
            encode=encode_submitted,
            uploads=True,
            request=SubmitBody,
            response=SubmittedBody,
            summary="Create a task",
            form=SubmitBody.__struct_encode_fields__,
        ),
        Endpoint(
            method="GET",
            path="/getTaskInfo",
            decode=get,
            encode=encode_task,
            response=TaskBody,
            poll=True,
            summary="Read a task",
        ),
        Endpoint(
            method="GET",
            path="/faceWap/original/{name}",
            decode=partial(download, thumbnail=False),
            encode=not_encoded,
            public=True,
            summary="Read a result",
        ),
        Endpoint(
            method="GET",
            path="/faceWap/thumb/{name}",
            decode=partial(download, thumbnail=True),
            encode=not_encoded,
            public=True,
            summary="Read a result's thumbnail",
        ),
    ),
)
