"""What a caller can ask for about webhooks, and the answers: as `commands`, for a part of the server of its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from .task import State
from .webhooks import Delivery, Status, Webhook


class WebhookCommand:
    """What an account can ask for about its webhooks and what they were sent."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class CreateWebhook(WebhookCommand):
    """Tell a URL of some events of every task from now on."""

    url: str
    events: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class ListWebhooks(WebhookCommand):
    """Read the account's webhooks, oldest first."""


@dataclass(frozen=True, slots=True)
class GetWebhook(WebhookCommand):
    """Read one webhook."""

    webhook_id: str


@dataclass(frozen=True, slots=True)
class ChangeWebhook(WebhookCommand):
    """Change what is not `None`. To enable a webhook forgets its failures."""

    webhook_id: str
    url: str | None = None
    events: tuple[State, ...] | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True)
class DeleteWebhook(WebhookCommand):
    """Send nothing more to a webhook."""

    webhook_id: str


@dataclass(frozen=True, slots=True)
class RotateWebhook(WebhookCommand):
    """Give a webhook, or without one the account's requests, a new secret; for a time both sign."""

    webhook_id: str | None = None


@dataclass(frozen=True, slots=True)
class TryWebhook(WebhookCommand):
    """Send a test event to a webhook."""

    webhook_id: str


@dataclass(frozen=True, slots=True)
class GetWebhookSecret(WebhookCommand):
    """Read the secret that signs what goes to URLs of single requests."""


@dataclass(frozen=True, slots=True)
class ListDeliveries(WebhookCommand):
    """Read a page of what was sent and is to be sent, newest first."""

    task_id: str | None = None
    webhook_id: str | None = None
    status: Status | None = None
    limit: int = 20
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class GetDelivery(WebhookCommand):
    """Read one delivery."""

    delivery_id: str


@dataclass(frozen=True, slots=True)
class Replay(WebhookCommand):
    """Send a delivery again, under the same id, with all its tries."""

    delivery_id: str


@dataclass(frozen=True, slots=True)
class WebhookList:
    """An account's webhooks."""

    webhooks: tuple[Webhook, ...]


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that was just made or got a new secret, which is shown now only."""

    webhook: Webhook


@dataclass(frozen=True, slots=True)
class RequestSecret:
    """What signs for URLs of single requests."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeliveryPage:
    """A page of deliveries and where the next one starts."""

    deliveries: tuple[Delivery, ...]
    next_cursor: str | None


WebhookResult = Webhook | WebhookList | NewWebhook | RequestSecret | Delivery | DeliveryPage
