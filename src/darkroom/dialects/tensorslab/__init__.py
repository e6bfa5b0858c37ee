"""The image API of TensorsLab, as its documentation and its clients' requests describe it.

Bodies carry `code` 1000, 9999 or 9000. HTTP statuses follow what clients do with them: several raise on anything but
2xx before they read the body, so a refused submit is 200 with its reason in the body.
"""

from __future__ import annotations

import re
import secrets
import string

from ...core.commands import Command, Delete, Deleted, Download, Get, Inline, Link, Source, Submit, TaskResult, Upload
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import HTTP_STATUS, Dialect, Endpoint, WireRequest, WireResponse, answer, bearer_or_bare, not_encoded
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
    image_info,
)
from .sizes import names_shape, pixels

MODELS = {
    "seedreamv4": "Generate or edit with SeeDream V4",
    "seedreamv45": "Generate or edit with SeeDream V4.5",
    "seedreamv5": "Generate or edit with SeeDream V5 Lite",
    "zimage": "Generate with Z-Image",
    "quickedit": "Edit with Quick Edit",
}
SUBMITS = {f"/v1/images/{model}": model for model in MODELS}
QUERY, DELETE = "/v1/images/infobytaskid", "/v1/images/deleteimagestask"
FORM = ("prompt", "resolution", "batchsize", "sourceImage", "imageUrl", "seed", "prompt_extend", "category")

MAX_BATCH = 15
RESULT_NAME = re.compile(r"(.+)_([0-9]{1,4})\.[A-Za-z0-9]{1,8}")

# What a route answers where the request itself is at fault; who may ask, how often, and our own faults keep theirs.
ROUTE_STATUS = {**dict.fromkeys(SUBMITS, 200), QUERY: 404, DELETE: 400}
FAULT_OF_REQUEST = frozenset({400, 402, 404, 409, 413})


def submit(request: WireRequest) -> Command:
    """Create a task with the model that the path names."""
    model = SUBMITS[request.path]
    prompt = request.field("prompt")
    if prompt is None:
        raise _refused("prompt", "is required: say what to draw, as text in multipart/form-data")
    inputs = _sources(request)
    if model == "quickedit" and not inputs:
        raise _refused("sourceImage", "or 'imageUrl' is required: quickedit changes a picture")
    params = {"prompt": prompt, **_size(request, model, inputs), **_tuning(request)}
    category = request.field("category")
    return Submit(
        operation=Operation.IMAGE_EDIT if inputs else Operation.IMAGE_GENERATE,
        model=model,
        params=params,
        inputs=inputs,
        count=_batch(request),
        idempotency_key=request.headers.get("idempotency-key"),
        extra={"category": category} if category else {},
    )


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
        raise TaskError(Code.NOT_FOUND, "There is no such image. Query the task for its links.")
    return Download(name[1], int(name[2]), request.signature())


def _sources(request: WireRequest) -> tuple[Source, ...]:
    """The pictures to edit: uploads in their order, then links. Clients join several links with commas."""
    for item in request.files:
        if item.field != "sourceImage":
            raise _refused(item.field, "takes no file: send pictures as 'sourceImage'")
    sources: list[Source] = [Upload(item.file.id) for item in request.files]
    for name, value in request.form:
        if name == "imageUrl" and value.strip():
            sources += [_linked(url.strip(" ,")) for url in re.split(r",\s*(?=https?://|data:)", value.strip(" ,"))]
    return tuple(sources)


def _linked(url: str) -> Source:
    if url.startswith("data:"):
        return Inline(url)
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise _refused("imageUrl", "takes http:// or https:// addresses, several of them with commas between")
    return Link(url)


def _size(request: WireRequest, model: str, inputs: tuple[Source, ...]) -> dict[str, str]:
    """The size to make; nothing where an edit keeps a shape that only the engine will see, that of a linked picture."""
    resolution = request.field("resolution")
    uploaded = [(item.file.width, item.file.height) for item in request.files if item.file.width and item.file.height]
    if inputs and not uploaded and not names_shape(resolution):
        return {}
    return {"size": pixels(resolution, model, uploaded[0] if uploaded else None)}


def _tuning(request: WireRequest) -> dict[str, int | bool]:
    """Seed and prompt extension; a seed of -1 means any."""
    found: dict[str, int | bool] = {}
    seed, extend = _integer(request, "seed"), request.field("prompt_extend")
    if seed is not None and seed != -1:
        found["seed"] = seed
    if extend is not None:
        if extend.lower() not in ("0", "1", "false", "true"):
            raise _refused("prompt_extend", "is 0 or 1")
        found["prompt_extend"] = extend.lower() in ("1", "true")
    return found


def _batch(request: WireRequest) -> int:
    count = _integer(request, "batchsize")
    if count is not None and not 1 <= count <= MAX_BATCH:
        raise _refused("batchsize", f"is a number from 1 to {MAX_BATCH}")
    return count or 1


def _integer(request: WireRequest, name: str) -> int | None:
    text = request.field(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise _refused(name, "is a whole number")
    return int(text)


def _refused(field: str, why: str) -> TaskError:
    return TaskError(Code.INVALID_INPUT, f"Field '{field}' {why}.", param=field)


def encode_submitted(result: TaskResult, _request: WireRequest) -> WireResponse:
    """Answer with the new task's id."""
    return answer(Submitted(data=SubmittedData(result.task.public_id)))


def encode_info(result: TaskResult, request: WireRequest) -> WireResponse:
    """Answer with a task."""
    return answer(ImageInfo(data=image_info(result.task, request)))


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


dialect = Dialect(
    name="tensorslab",
    at_root=True,
    credential=bearer_or_bare,
    encode_error=encode_error,
    mint_id=mint_id,
    models=tuple(MODELS),
    capabilities=frozenset({"delete"}),
    endpoints=(
        *(
            Endpoint(
                method="POST",
                path=path,
                decode=submit,
                encode=encode_submitted,
                summary=MODELS[model],
                uploads=True,
                response=Submitted,
                form=FORM,
            )
            for path, model in SUBMITS.items()
        ),
        Endpoint(
            method="POST",
            path=QUERY,
            decode=query,
            encode=encode_info,
            summary="Read an image task",
            poll=True,
            request=QueryBody,
            response=ImageInfo,
        ),
        Endpoint(
            method="POST",
            path=DELETE,
            decode=delete,
            encode=encode_deleted,
            summary="Delete image tasks and their results",
            request=DeleteBody,
            response=DeletedTasks,
        ),
        Endpoint(
            method="GET",
            path="/images/{name}",
            decode=download,
            encode=not_encoded,
            public=True,
            summary="Read a result",
        ),
    ),
)
