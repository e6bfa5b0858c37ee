"""Our own API, the cleanest of all: the dashboard, the command line and the SDK are its clients.

Times are RFC 3339 in UTC, links are absolute and signed when they are read, errors are
`{"error": {"code", "message", "param"}}` with the right HTTP status.
"""

from __future__ import annotations

import msgspec

from ...core.commands import (
    Batch,
    Cancel,
    Command,
    Delete,
    Deleted,
    Download,
    DownloadFile,
    Get,
    KeepFile,
    List,
    Submit,
    SubmitBatch,
    TaskEvent,
    TaskPage,
)
from ...core.errors import Code, TaskError
from ...core.task import File, State
from ...core.webhooks import states_of
from .. import (
    HTTP_STATUS,
    SIGNED,
    WAIT,
    Dialect,
    Endpoint,
    Field,
    WireRequest,
    WireResponse,
    answer,
    bearer_or_bare,
    not_encoded,
)
from . import webhooks
from .administration import ADMINISTRATION
from .following import FOLLOWING
from .money import MONEY
from .paging import page_of, page_query
from .reviews import REVIEWS
from .shapes import (
    BatchView,
    ErrorBody,
    ErrorView,
    EventView,
    FileView,
    PageView,
    TaskBody,
    TaskView,
    encode_task,
    index_of,
    milliseconds,
    rfc3339,
    task_view,
)

PAGE = page_query(Field("state", "Tasks in this state only.", choices=tuple(State)))


def submit(request: WireRequest) -> Command:
    """Create a task."""
    return asked(request.json(TaskBody), request.base_url, request.wait())


def submit_batch(request: WireRequest) -> Command:
    """Create many tasks."""
    return SubmitBatch(tuple(asked(body, request.base_url) for body in request.each(TaskBody)))


def asked(body: TaskBody, base_url: str, wait: float = 0) -> Submit:
    """A body as a command."""
    return Submit(
        operation=body.operation,
        model=body.model,
        params=body.params,
        inputs=tuple(item.source() for item in body.inputs),
        count=body.count,
        wait=wait,
        webhook=body.webhook,
        webhook_events=states_of(body.webhook_events, "webhook_events"),
        start_at=milliseconds(body.start_at, "start_at"),
        deadline=milliseconds(body.deadline, "deadline"),
        base_url=base_url,
        metadata=body.metadata,
    )


def get(request: WireRequest) -> Command:
    """Read a task."""
    return Get(request.params["id"], request.wait())


def list_tasks(request: WireRequest) -> Command:
    """Read a page of tasks."""
    state = request.query.get("state")
    if state is not None and state not in list(State):
        raise TaskError(Code.INVALID_INPUT, f"'state' is one of {', '.join(State)}.", param="state")
    return List(State(state) if state else None, *page_of(request))


def upload(request: WireRequest) -> Command:
    """Keep a file for later tasks."""
    files = [item.file for item in request.files if item.field == "file"]
    if len(files) != 1:
        raise TaskError(Code.INVALID_INPUT, "Send one file as the multipart field 'file'.", param="file")
    return KeepFile(files[0].id)


def download(request: WireRequest) -> Command:
    """Read a result by its signed link."""
    thumbnail = request.path.endswith("/thumbnail")
    return Download(request.params["id"], index_of(request), request.signature(), thumbnail)


def encode_batch(batch: Batch, _request: WireRequest) -> WireResponse:
    """Answer with the ids of new tasks."""
    return answer(BatchView(list(batch.task_ids)), 201)


def encode_page(page: TaskPage, request: WireRequest) -> WireResponse:
    """Answer with a page of tasks."""
    return answer(PageView([task_view(task, request) for task in page.tasks], page.next_cursor))


def encode_file(file: File, request: WireRequest) -> WireResponse:
    """Answer with an uploaded file."""
    url = request.link(f"/files/{file.id}")
    return answer(FileView(file.id, file.media_type, file.size, file.width, file.height, url), 201)


def encode_deleted(_result: Deleted, _request: WireRequest) -> WireResponse:
    """Answer that nothing is left."""
    return WireResponse(204)


def encode_error(error: TaskError, _request: WireRequest) -> WireResponse:
    """A refusal."""
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    return answer(ErrorBody(ErrorView(error.code, error.message, error.param)), HTTP_STATUS[error.code], retry)


def encode_webhook(told: TaskEvent, request: WireRequest) -> bytes:
    """The task as it is now, with what happened and when."""
    view = task_view(told.task, request, told)
    return msgspec.json.encode(EventView(told.event, rfc3339(told.at) or "", view))


dialect = Dialect(
    name="native",
    title="Darkroom",
    description="Submit a task, read it until it is final, fetch its results. Times are RFC 3339 in UTC; links are "
    "signed when they are read.",
    prefix="/api",
    error=ErrorBody,
    credential=bearer_or_bare,
    encode_error=encode_error,
    capabilities=frozenset({"cancel", "list", "delete", "sync", "webhook", "expires"}),
    encode_webhook=encode_webhook,
    endpoints=(
        Endpoint(
            method="POST",
            path="/tasks",
            decode=submit,
            encode=encode_task,
            request=TaskBody,
            response=TaskView,
            query=(WAIT,),
            status=201,
            summary="Create a task",
        ),
        Endpoint(
            method="POST",
            path="/tasks/batch",
            decode=submit_batch,
            encode=encode_batch,
            request=list[TaskBody],
            response=BatchView,
            status=201,
            summary="Create many tasks",
            description="Up to 10,000 tasks, as a JSON array or one a line: all of them, or none.",
        ),
        Endpoint(
            method="GET",
            path="/tasks",
            decode=list_tasks,
            encode=encode_page,
            response=PageView,
            query=PAGE,
            summary="List tasks",
        ),
        Endpoint(
            method="GET",
            path="/tasks/{id}",
            decode=get,
            encode=encode_task,
            response=TaskView,
            query=(WAIT,),
            poll=True,
            summary="Read a task",
        ),
        Endpoint(
            method="POST",
            path="/tasks/{id}/cancel",
            decode=lambda request: Cancel(request.params["id"]),
            encode=encode_task,
            response=TaskView,
            summary="Cancel a task",
        ),
        Endpoint(
            method="DELETE",
            path="/tasks/{id}",
            decode=lambda request: Delete((request.params["id"],)),
            encode=encode_deleted,
            status=204,
            summary="Delete a task and its results",
        ),
        *FOLLOWING,
        Endpoint(
            method="GET",
            path="/tasks/{id}/outputs/{index}",
            decode=download,
            encode=not_encoded,
            public=True,
            query=SIGNED,
            summary="Read a result",
        ),
        Endpoint(
            method="GET",
            path="/tasks/{id}/outputs/{index}/thumbnail",
            decode=download,
            encode=not_encoded,
            public=True,
            query=SIGNED,
            summary="Read a result's thumbnail",
        ),
        Endpoint(
            method="POST",
            path="/files",
            decode=upload,
            encode=encode_file,
            uploads=True,
            response=FileView,
            status=201,
            summary="Upload an input",
            form=(Field("file", "The picture or video.", "file", required=True),),
        ),
        Endpoint(
            method="GET",
            path="/files/{id}",
            public=True,
            encode=not_encoded,
            query=SIGNED,
            summary="Read an uploaded file",
            decode=lambda request: DownloadFile(request.params["id"], request.signature()),
        ),
        *MONEY,
        *webhooks.endpoints,
        *ADMINISTRATION,
        *REVIEWS,
    ),
)
