"""Long answers of the native dialect: events about tasks as they happen, and all results in one file."""

from __future__ import annotations

from urllib.parse import parse_qsl

import msgspec

from ...core.commands import Command, DownloadPreview, Follow, ReadAll, Signature, Update
from ...core.errors import Code, TaskError
from .. import EVENT_STREAM, SIGNED, Endpoint, Field, WireRequest, WireResponse, not_encoded
from .shapes import UpdateView, task_view

AFTER = (Field("after", "The last event that was seen, where no Last-Event-ID is sent.", "integer"),)


def after(request: WireRequest) -> int | None:
    """The last event that a follower has seen, in the header that browsers send by themselves, or `after`."""
    text = request.headers.get("last-event-id") or request.query.get("after") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise TaskError(Code.INVALID_INPUT, "'after' is the number of an event of this stream.", param="after")
    return int(text)


def signed(request: WireRequest) -> Signature | None:
    """The signature of a link that stands in for a key."""
    return request.signature() if "sig" in request.query else None


def follow_task(request: WireRequest) -> Command:
    """Be told of a task."""
    return Follow(request.params["id"], after(request), signature=signed(request))


def follow_account(request: WireRequest) -> Command:
    """Be told of all tasks, by a link that names the account."""
    return Follow(None, after(request), request.params["id"], request.signature())


def read_all(request: WireRequest) -> Command:
    """Read all results of several tasks."""
    ids = tuple(value for name, value in parse_qsl(request.query_string) if name == "id")
    return ReadAll(ids)


def encode_update(update: Update, request: WireRequest) -> WireResponse:
    """One server-sent event."""
    lines = [b"id: %d" % update.number] if update.number is not None else []
    if update.result is None:
        lines += [b"event: synced", b"data: {}"]
    else:
        found = update.result
        view = UpdateView(
            update.state or found.task.state,
            update.attempt,
            task_view(found.task, request, found),
        )
        lines += [b"event: task" if update.number is None else b"event: state", b"data: " + msgspec.json.encode(view)]
    return WireResponse(200, b"\n".join(lines) + b"\n\n", media_type=EVENT_STREAM)


FOLLOWING = (
    Endpoint(
        method="GET",
        path="/tasks/{id}/events",
        decode=follow_task,
        encode=encode_update,
        stream=True,
        linked=True,
        response=UpdateView,
        query=AFTER,
        summary="Follow a task",
        description="Server-sent events, until the task is final. `events_url` of the task needs no key.",
    ),
    Endpoint(
        method="GET",
        path="/events",
        decode=lambda request: Follow(None, after(request)),
        encode=encode_update,
        stream=True,
        response=UpdateView,
        query=AFTER,
        summary="Follow all tasks",
        description="Server-sent events about the account's tasks, without an end.",
    ),
    Endpoint(
        method="GET",
        path="/accounts/{id}/events",
        decode=follow_account,
        encode=encode_update,
        stream=True,
        public=True,
        response=UpdateView,
        query=(*AFTER, *SIGNED),
        summary="Follow all tasks by a link",
        description="The same for browsers, which send no key: `events_url` of the account.",
    ),
    Endpoint(
        method="GET",
        path="/tasks/{id}/preview",
        decode=lambda request: DownloadPreview(request.params["id"], request.signature()),
        encode=not_encoded,
        public=True,
        query=SIGNED,
        summary="Read the preview of a running task",
        description="A small WebP picture, where the engine shows any. `preview_url` of the task changes with each.",
    ),
    Endpoint(
        method="GET",
        path="/tasks/{id}/zip",
        decode=lambda request: ReadAll((request.params["id"],), signed(request)),
        encode=not_encoded,
        linked=True,
        summary="Read all results of a task as a zip",
    ),
    Endpoint(
        method="GET",
        path="/zip",
        decode=read_all,
        encode=not_encoded,
        query=(Field("id", "A task; may be repeated.", required=True, many=True),),
        summary="Read all results of several tasks as a zip",
    ),
)
