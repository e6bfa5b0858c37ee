"""Webhooks of an account, and the log of what was sent to them and to URLs of single requests."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.commands import Deleted
from ...core.errors import Code, TaskError
from ...core.webhook_commands import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    DeliveryPage,
    GetDelivery,
    GetWebhook,
    GetWebhookSecret,
    ListDeliveries,
    ListWebhooks,
    NewWebhook,
    Replay,
    RequestSecret,
    RotateWebhook,
    TryWebhook,
    WebhookCommand,
    WebhookList,
)
from ...core.webhooks import Delivery, Status, Webhook, event_name, states_of
from .. import Endpoint, Field, WireRequest, WireResponse, answer
from .shapes import rfc3339

MAX_PAGE = 100
Events = Annotated[
    list[str],
    Meta(description="What it is told; the ends of tasks without it.", examples=[["task.succeeded", "task.failed"]]),
]


class WebhookBody(msgspec.Struct, forbid_unknown_fields=True):
    """A webhook to create."""

    url: Annotated[str, Meta(description="http or https address that takes POST requests.")]
    events: Events = []


class WebhookChangeBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to change of a webhook. To enable it forgets its failures."""

    url: str | None = None
    events: Events | None = None
    disabled: bool | None = None


class WebhookView(msgspec.Struct):
    """A webhook. `failures` counts failed tries since the last success; `disabled_reason` says why it is disabled."""

    id: str
    url: str
    events: list[str]
    failures: int
    failing_since: str | None
    disabled_at: str | None
    disabled_reason: str | None
    previous_secret_until: str | None
    created_at: str


class NewWebhookView(WebhookView):
    """A webhook with its secret, which is shown now only."""

    secret: str


class WebhooksView(msgspec.Struct):
    """The account's webhooks, oldest first."""

    items: list[WebhookView]


class SecretView(msgspec.Struct):
    """What signs for URLs of single requests."""

    secret: str


class DeliveryView(msgspec.Struct):
    """One event for one receiver. `id` is what the receiver gets as `webhook-id`; `next_try_at` while it is pending."""

    id: str
    event: str
    task: str | None
    webhook: str | None
    url: str
    status: Annotated[Status, Meta(description="waiting, pending, then sent, skipped or failed.")]
    tries: int
    next_try_at: str | None
    http_status: int | None
    error: str | None
    created_at: str
    finished_at: str | None


class DeliveriesView(msgspec.Struct):
    """A page of deliveries, newest first."""

    items: list[DeliveryView]
    next_cursor: str | None


def create(request: WireRequest) -> WebhookCommand:
    """Create a webhook."""
    body = request.json(WebhookBody)
    return CreateWebhook(body.url, states_of(body.events, "events"))


def change(request: WireRequest) -> WebhookCommand:
    """Change a webhook."""
    body = request.json(WebhookChangeBody)
    events = None if body.events is None else states_of(body.events, "events")
    return ChangeWebhook(request.params["id"], body.url, events, body.disabled)


def list_deliveries(request: WireRequest) -> WebhookCommand:
    """Read a page of the log."""
    query = request.query
    status, limit = query.get("status"), query.get("limit", "20")
    if status is not None and status not in list(Status):
        raise TaskError(Code.INVALID_INPUT, f"'status' is one of {', '.join(Status)}.", param="status")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_PAGE):
        raise TaskError(Code.INVALID_INPUT, f"'limit' is a number from 1 to {MAX_PAGE}.", param="limit")
    return ListDeliveries(
        query.get("task"), query.get("webhook"), Status(status) if status else None, int(limit), query.get("cursor")
    )


def webhook_view(webhook: Webhook) -> WebhookView:
    """A webhook without its secret."""
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=[event_name(state) for state in webhook.events],
        failures=webhook.failures,
        failing_since=rfc3339(webhook.failing_since),
        disabled_at=rfc3339(webhook.disabled_at),
        disabled_reason=webhook.disabled_reason,
        previous_secret_until=rfc3339(webhook.previous_until),
        created_at=rfc3339(webhook.created_at) or "",
    )


def delivery_view(delivery: Delivery) -> DeliveryView:
    """A delivery."""
    return DeliveryView(
        id=delivery.id,
        event=delivery.event,
        task=delivery.task_id,
        webhook=delivery.webhook_id,
        url=delivery.url,
        status=delivery.status,
        tries=delivery.tries,
        next_try_at=rfc3339(delivery.due_at) if delivery.status is Status.PENDING else None,
        http_status=delivery.http_status,
        error=delivery.error,
        created_at=rfc3339(delivery.created_at) or "",
        finished_at=rfc3339(delivery.finished_at),
    )


def encode_webhook(webhook: Webhook, _request: WireRequest) -> WireResponse:
    """Answer with a webhook."""
    return answer(webhook_view(webhook))


def encode_new(new: NewWebhook, request: WireRequest) -> WireResponse:
    """Answer with a webhook and its secret."""
    shown = msgspec.structs.asdict(webhook_view(new.webhook))
    created = request.method == "POST" and request.path == "/webhooks"
    return answer(NewWebhookView(**shown, secret=new.webhook.secret), 201 if created else 200)


def encode_webhooks(found: WebhookList, _request: WireRequest) -> WireResponse:
    """Answer with the account's webhooks."""
    return answer(WebhooksView([webhook_view(webhook) for webhook in found.webhooks]))


def encode_secret(found: RequestSecret, _request: WireRequest) -> WireResponse:
    """Answer with the secret of single requests."""
    return answer(SecretView(found.secret))


def encode_delivery(delivery: Delivery, request: WireRequest) -> WireResponse:
    """Answer with a delivery; 201 when it was just begun."""
    return answer(delivery_view(delivery), 201 if request.method == "POST" else 200)


def encode_deliveries(page: DeliveryPage, _request: WireRequest) -> WireResponse:
    """Answer with a page of the log."""
    return answer(DeliveriesView([delivery_view(delivery) for delivery in page.deliveries], page.next_cursor))


def encode_deleted(_result: Deleted, _request: WireRequest) -> WireResponse:
    """Answer that nothing is left."""
    return WireResponse(204)


endpoints = (
    Endpoint(
        method="POST",
        path="/webhooks",
        decode=create,
        encode=encode_new,
        request=WebhookBody,
        response=NewWebhookView,
        status=201,
        summary="Create a webhook",
        description="Every task that is submitted from now on tells it.",
    ),
    Endpoint(
        method="GET",
        path="/webhooks",
        decode=lambda _: ListWebhooks(),
        encode=encode_webhooks,
        response=WebhooksView,
        summary="List webhooks",
    ),
    Endpoint(
        method="GET",
        path="/webhooks/{id}",
        decode=lambda request: GetWebhook(request.params["id"]),
        encode=encode_webhook,
        response=WebhookView,
        summary="Read a webhook",
    ),
    Endpoint(
        method="PATCH",
        path="/webhooks/{id}",
        decode=change,
        encode=encode_webhook,
        request=WebhookChangeBody,
        response=WebhookView,
        summary="Change, disable or enable a webhook",
    ),
    Endpoint(
        method="DELETE",
        path="/webhooks/{id}",
        decode=lambda request: DeleteWebhook(request.params["id"]),
        encode=encode_deleted,
        status=204,
        summary="Delete a webhook",
    ),
    Endpoint(
        method="POST",
        path="/webhooks/{id}/rotate",
        decode=lambda request: RotateWebhook(request.params["id"]),
        encode=encode_new,
        response=NewWebhookView,
        summary="Give a webhook a new secret",
        description="For a day the secret before it signs, too.",
    ),
    Endpoint(
        method="POST",
        path="/webhooks/{id}/test",
        decode=lambda request: TryWebhook(request.params["id"]),
        encode=encode_delivery,
        response=DeliveryView,
        status=201,
        summary="Send a test event",
    ),
    Endpoint(
        method="GET",
        path="/webhook-secret",
        decode=lambda _: GetWebhookSecret(),
        encode=encode_secret,
        response=SecretView,
        summary="Read what signs for URLs of single requests",
    ),
    Endpoint(
        method="POST",
        path="/webhook-secret/rotate",
        decode=lambda _: RotateWebhook(),
        encode=encode_secret,
        response=SecretView,
        summary="Make a new secret for URLs of single requests",
        description="For a day the secret before it signs, too.",
    ),
    Endpoint(
        method="GET",
        path="/deliveries",
        decode=list_deliveries,
        encode=encode_deliveries,
        response=DeliveriesView,
        query=(
            Field("task", "Deliveries of this task only."),
            Field("webhook", "Deliveries to this webhook only."),
            Field("status", "Deliveries with this status only.", choices=tuple(Status)),
            Field("limit", f"How many, 1 to {MAX_PAGE}; 20 without it.", "integer"),
            Field("cursor", "`next_cursor` of the page before."),
        ),
        summary="List deliveries",
    ),
    Endpoint(
        method="GET",
        path="/deliveries/{id}",
        decode=lambda request: GetDelivery(request.params["id"]),
        encode=encode_delivery,
        response=DeliveryView,
        summary="Read a delivery",
    ),
    Endpoint(
        method="POST",
        path="/deliveries/{id}/replay",
        decode=lambda request: Replay(request.params["id"]),
        encode=encode_delivery,
        response=DeliveryView,
        status=201,
        summary="Send a delivery again",
        description="Under the same id, with all its tries.",
    ),
)
