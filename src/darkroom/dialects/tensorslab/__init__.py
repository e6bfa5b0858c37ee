"""The image and video API of TensorsLab, as its documentation and its clients' requests describe it.

Bodies carry `code` 1000, 9999 or 9000. HTTP statuses follow what clients do with them: several raise on anything but
2xx before they read the body, so a refused submit is 200 with its reason in the body.
"""

from __future__ import annotations

import re
import secrets
import string

from ...core.commands import Command, Delete, Deleted, Download, Get, TaskResult
from ...core.errors import Code, TaskError
from .. import (
    HTTP_STATUS,
    SIGNED,
    WAIT,
    Dialect,
    Endpoint,
    WireRequest,
    WireResponse,
    answer,
    bearer_or_bare,
    not_encoded,
)
from . import images, video
from .shapes import (
    DeleteBody,
    DeletedData,
    DeletedTasks,
    ErrorResponse,
    ImageInfo,
    QueryBody,
    Submitted,
    SubmittedData,
    WireCode,
)

RESULT_NAME = re.compile(r"(.+)_([0-9]{1,4})\.[A-Za-z0-9]{1,8}")

# What a route answers where the request itself is at fault; who may ask, how often, and our own faults keep theirs.
ROUTE_STATUS = {
    **dict.fromkeys((*images.SUBMITS, *video.SUBMITS), 200),
    **dict.fromkeys((images.QUERY, video.QUERY), 404),
    **dict.fromkeys((images.DELETE, video.DELETE), 400),
}
FAULT_OF_REQUEST = frozenset({400, 402, 404, 409, 413, 422})


def query(request: WireRequest) -> Command:
    """Read a task."""
    return Get(request.json(QueryBody).taskid, request.wait())


def delete(request: WireRequest) -> Command:
    """Forget tasks and their results."""
    return Delete(tuple(dict.fromkeys(request.json(DeleteBody).taskids)))


def download(request: WireRequest) -> Command:
    """Read a result by its signed link."""
    name = RESULT_NAME.fullmatch(request.params["name"])
    if name is None:
        raise TaskError(Code.NOT_FOUND, "There is no such result. Query the task for its links.")
    return Download(name[1], int(name[2]), request.signature())


def encode_submitted(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer with the new task's id."""
    return answer(Submitted(data=SubmittedData(result.task.public_id)))


def encode_deleted(_result: Deleted, _request: WireRequest) -> WireResponse:
    """Answer that the tasks are gone."""
    return answer(DeletedTasks(data=DeletedData()))


def encode_error(error: TaskError, request: WireRequest) -> WireResponse:
    """A refusal, with the HTTP status that clients of this route can read."""
    status = HTTP_STATUS[error.code]
    if status in FAULT_OF_REQUEST:
        status = ROUTE_STATUS.get(request.path, status)
    code = WireCode.NO_CREDITS if error.code is Code.NO_CREDITS else WireCode.FAILURE
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    return answer(ErrorResponse(code, error.message), status, retry)


def mint_id() -> str:
    """An id in the vendor's spelling: `abcd_1234567890abcdef`."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(4))
    return f"{letters}_{secrets.token_hex(8)}"


def submits() -> tuple[Endpoint, ...]:
    """One route for each model."""
    return tuple(
        Endpoint(
            method="POST",
            path=path,
            decode=family.submit,
            encode=encode_submitted,
            summary=family.MODELS[model],
            uploads=True,
            response=Submitted | ErrorResponse,
            form=family.FORM,
        )
        for family in (images, video)
        for path, model in family.SUBMITS.items()
    )


dialect = Dialect(
    name="tensorslab",
    title="TensorsLab",
    description="Image and video generation by form, read by `taskid`. Every answer carries a `code`: 1000 is success, "
    "9999 a failure, 9000 too few credits; a submit that is refused is HTTP 200 with its reason in `msg`.",
    at_root=True,
    credential=bearer_or_bare,
    encode_error=encode_error,
    error=ErrorResponse,
    mint_id=mint_id,
    models=(*images.MODELS, *video.MODELS),
    capabilities=frozenset({"delete"}),
    endpoints=(
        *submits(),
        Endpoint(
            method="POST",
            path=images.QUERY,
            decode=query,
            encode=images.encode_info,
            summary="Read an image task",
            poll=True,
            query=(WAIT,),
            request=QueryBody,
            response=ImageInfo,
        ),
        Endpoint(
            method="POST",
            path=video.QUERY,
            decode=query,
            encode=video.encode_info,
            summary="Read a video task",
            poll=True,
            query=(WAIT,),
            request=video.VideoQueryBody,
            response=video.VideoInfo,
        ),
        Endpoint(
            method="POST",
            path=images.DELETE,
            decode=delete,
            encode=encode_deleted,
            summary="Delete image tasks and their results",
            request=DeleteBody,
            response=DeletedTasks,
        ),
        Endpoint(
            method="POST",
            path=video.DELETE,
            decode=delete,
            encode=encode_deleted,
            summary="Delete video tasks and their results",
            request=DeleteBody,
            response=DeletedTasks,
        ),
        Endpoint(
            method="GET",
            path="/images/{name}",
            decode=download,
            encode=not_encoded,
            public=True,
            query=SIGNED,
            summary="Read a picture",
        ),
        Endpoint(
            method="GET",
            path="/videos/{name}",
            decode=download,
            encode=not_encoded,
            public=True,
            query=SIGNED,
            summary="Read a video",
        ),
    ),
)
