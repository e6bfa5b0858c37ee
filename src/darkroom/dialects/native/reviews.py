"""For keys with the scope `admin`: tasks that wait for a person, with all that there is to look at."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.admin_commands import Approve, ListReviews, Refuse, Review, ReviewPage
from ...core.commands import Command, DownloadHeld
from ...core.task import Artifact, File, Operation
from .. import SIGNED, Endpoint, WireRequest, WireResponse, answer, not_encoded
from .paging import page_of, page_query
from .shapes import TaskView, encode_task, index_of, rfc3339


class RefuseBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why a task is refused."""

    reason: Annotated[
        str, Meta(description="What its caller is told.", max_length=500, examples=["a public person"])
    ] = ""


class LookView(msgspec.Struct):
    """A file to be looked at. Sizes in bytes and pixels."""

    url: Annotated[str, Meta(description="Signed link; needs no key.")]
    media_type: str
    width: int
    height: int
    size: int


class ReviewView(msgspec.Struct):
    """A task that waits for a person: before its run, or with what the run made."""

    id: str
    account: str
    operation: Operation
    model: str
    created_at: str
    params: dict[str, Any]
    inputs: list[LookView]
    outputs: Annotated[list[LookView], Meta(description="What its run made; empty where it has not run yet.")]
    metadata: dict[str, Any]


class ReviewsView(msgspec.Struct):
    """A page of held tasks, oldest first."""

    items: list[ReviewView]
    next_cursor: str | None


def look(url: str, file: File | Artifact) -> LookView:
    """A file and its link."""
    return LookView(url, file.media_type, file.width, file.height, file.size)


def review_view(review: Review, request: WireRequest) -> ReviewView:
    """A held task as an administrator sees it."""
    task = review.task
    return ReviewView(
        id=task.public_id,
        account=task.account_id,
        operation=task.operation,
        model=task.model,
        created_at=rfc3339(task.created_at) or "",
        params=dict(task.params),
        inputs=[look(request.own_link(f"/files/{file.id}"), file) for file in task.inputs],
        outputs=[
            look(request.own_link(f"/reviews/{task.public_id}/outputs/{index}"), artifact)
            for index, artifact in enumerate(review.made)
        ],
        metadata=dict(task.metadata),
    )


def encode_reviews(page: ReviewPage, request: WireRequest) -> WireResponse:
    """Answer with a page of held tasks."""
    return answer(ReviewsView([review_view(review, request) for review in page.reviews], page.next_cursor))


def refuse(request: WireRequest) -> Command:
    """End a held task."""
    body = request.json(RefuseBody) if request.body else RefuseBody()
    return Refuse(request.params["id"], body.reason)


REVIEWS = (
    Endpoint(
        method="GET",
        path="/reviews",
        decode=lambda request: ListReviews(*page_of(request)),
        encode=encode_reviews,
        response=ReviewsView,
        query=page_query(),
        summary="List tasks that wait for a person",
        description="Oldest first, with links to all that there is to look at. Needs a key with the scope `admin`.",
    ),
    Endpoint(
        method="POST",
        path="/reviews/{id}/approve",
        decode=lambda request: Approve(request.params["id"]),
        encode=encode_task,
        response=TaskView,
        summary="Let a held task go on",
    ),
    Endpoint(
        method="POST",
        path="/reviews/{id}/refuse",
        decode=refuse,
        encode=encode_task,
        request=RefuseBody,
        response=TaskView,
        summary="Refuse a held task",
        description="It fails with `content_rejected`, its credits come back, and what it made is removed.",
    ),
    Endpoint(
        method="GET",
        path="/reviews/{id}/outputs/{index}",
        decode=lambda request: DownloadHeld(request.params["id"], index_of(request), request.signature()),
        encode=not_encoded,
        public=True,
        query=SIGNED,
        summary="Read what a held task made",
    ),
)
