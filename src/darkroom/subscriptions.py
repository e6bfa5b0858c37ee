"""What accounts can do with webhooks: the use-cases behind `WebhookCommand`, and who is to be told of a new task.

Guarantees: what belongs to somebody else is not found; a secret is shown when it is made, and otherwise only that of
the account's single requests, to whoever has its key.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .core import webhook_commands as commands
from .core.commands import Deleted, Submit
from .core.errors import Code, TaskError
from .core.ids import new_id
from .core.task import Callback, Callbacks
from .core.webhook_commands import WebhookCommand, WebhookResult
from .core.webhooks import BOTH_SIGN, ENDS, TEST, Delivery, Webhook, new_secret
from .hub import WEBHOOK, Hub
from .lanes import lane_name
from .sending import receiver
from .store import Store
from .store.outbox import END

MOST = 20  # webhooks of one account
FRESH = 1.0  # seconds that a look-up is trusted: so late hears a webhook of tasks that another server takes
REMEMBERED = 10_000  # accounts


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Webhooks of accounts. `clock` gives UTC milliseconds."""

    store: Store
    hub: Hub
    clock: Callable[[], int]
    known: dict[str, tuple[tuple[Callback, ...], float]] = field(default_factory=dict, repr=False)

    async def callbacks(self, account_id: str, command: Submit) -> Callbacks | None:
        """Who is to be told of a task that this command makes."""
        known = self.known.get(account_id)
        to = known[0] if known and known[1] > time.monotonic() else await self.enabled(account_id)
        if command.webhook is not None:
            url, origin = receiver(command.webhook, "webhook")
            await self.store.outbox.request_secrets(account_id, self.clock())  # so that it is there to be read
            to = (*to, Callback(command.webhook_events or ENDS, None, url, lane_name(account_id, origin)))
        return Callbacks(command.base_url, to) if to else None

    async def enabled(self, account_id: str) -> tuple[Callback, ...]:
        """The account's webhooks that are told of new tasks."""
        webhooks = await self.store.outbox.webhooks(account_id)
        to = tuple(Callback(webhook.events, webhook.id) for webhook in webhooks if webhook.disabled_at is None)
        if len(self.known) >= REMEMBERED:
            self.known.clear()
        self.known[account_id] = to, time.monotonic() + FRESH
        return to

    async def handle(self, account_id: str, command: WebhookCommand) -> WebhookResult | Deleted:
        """Carry out a command."""
        match command:
            case commands.ListWebhooks():
                return commands.WebhookList(tuple(await self.store.outbox.webhooks(account_id)))
            case commands.CreateWebhook():
                return await self.create(account_id, command)
            case commands.GetWebhook():
                return await self.own(account_id, command.webhook_id)
            case commands.ChangeWebhook():
                return await self.change(account_id, command)
            case commands.DeleteWebhook():
                webhook = await self.own(account_id, command.webhook_id)
                deleted = await self.store.outbox.delete(webhook.id, self.clock())
                self.known.pop(account_id, None)
                return Deleted(int(deleted))
            case commands.RotateWebhook() | commands.GetWebhookSecret():
                return await self.secret(account_id, command)
            case commands.TryWebhook():
                return await self.attempt(account_id, command.webhook_id)
            case commands.ListDeliveries():
                return await self.page(account_id, command)
            case commands.GetDelivery():
                return await self.own_delivery(account_id, command.delivery_id)
            case commands.Replay():
                return await self.replay(account_id, command.delivery_id)
        raise AssertionError(command)

    async def create(self, account_id: str, command: commands.CreateWebhook) -> commands.NewWebhook:
        """Make a webhook; its secret is shown now."""
        url, origin = receiver(command.url, "url")
        if len(await self.store.outbox.webhooks(account_id)) >= MOST:
            raise TaskError(Code.CONFLICT, f"An account has at most {MOST} webhooks. Delete one first.")
        now = self.clock()
        lane, secret = lane_name(account_id, origin), new_secret()
        webhook = Webhook(new_id(now), account_id, url, lane, command.events, secret, created_at=now)
        await self.store.outbox.add(webhook)
        self.known.pop(account_id, None)
        return commands.NewWebhook(webhook)

    async def own(self, account_id: str, webhook_id: str) -> Webhook:
        """A webhook of this account; anybody else's is not found."""
        webhook = await self.store.outbox.webhook(webhook_id)
        if webhook is None or webhook.account_id != account_id:
            raise TaskError(Code.NOT_FOUND, "There is no such webhook.")
        return webhook

    async def change(self, account_id: str, command: commands.ChangeWebhook) -> Webhook:
        """Change a webhook."""
        webhook = await self.own(account_id, command.webhook_id)
        if command.url is not None:
            url, origin = receiver(command.url, "url")
            webhook = replace(webhook, url=url, lane=lane_name(account_id, origin))
        if command.events is not None:
            webhook = replace(webhook, events=command.events)
        await self.store.outbox.change(webhook, command.disabled, self.clock())
        self.known.pop(account_id, None)
        self.hub.notify(WEBHOOK)
        return await self.own(account_id, webhook.id)

    async def secret(
        self, account_id: str, command: commands.RotateWebhook | commands.GetWebhookSecret
    ) -> commands.NewWebhook | commands.RequestSecret:
        """A new secret, or the one of the account's single requests."""
        now = self.clock()
        webhook_id = command.webhook_id if isinstance(command, commands.RotateWebhook) else None
        if webhook_id is not None:
            webhook = await self.own(account_id, webhook_id)
            await self.store.outbox.rotate(webhook.id, new_secret(), now + BOTH_SIGN)
            return commands.NewWebhook(await self.own(account_id, webhook.id))
        await self.store.outbox.request_secrets(account_id, now)
        if isinstance(command, commands.RotateWebhook):
            await self.store.outbox.rotate_request_secret(account_id, new_secret(), now + BOTH_SIGN)
        return commands.RequestSecret((await self.store.outbox.request_secrets(account_id, now))[0])

    async def attempt(self, account_id: str, webhook_id: str) -> Delivery:
        """Put a test event into the outbox."""
        webhook = await self.own(account_id, webhook_id)
        if webhook.disabled_at is not None:
            raise disabled()
        delivery_id = await self.store.outbox.add_test(webhook, TEST, self.clock())
        self.hub.notify(WEBHOOK)
        return await self.own_delivery(account_id, delivery_id)

    async def page(self, account_id: str, command: commands.ListDeliveries) -> commands.DeliveryPage:
        """A page of the log; the cursor is the id of the last one."""
        task_id = None
        if command.task_id is not None:
            task = await self.store.task(command.task_id)
            if task is None or task.account_id != account_id:
                raise TaskError(Code.NOT_FOUND, "There is no such task.")
            task_id = task.id
        found = await self.store.outbox.deliveries(
            account_id,
            command.limit + 1,
            command.cursor or END,
            task_id=task_id,
            webhook_id=command.webhook_id,
            status=command.status,
        )
        page = tuple(found[: command.limit])
        return commands.DeliveryPage(page, page[-1].id if len(found) > command.limit else None)

    async def own_delivery(self, account_id: str, delivery_id: str) -> Delivery:
        """A delivery of this account; anybody else's is not found."""
        delivery = await self.store.outbox.delivery(delivery_id)
        if delivery is None or delivery.account_id != account_id:
            raise TaskError(Code.NOT_FOUND, "There is no such delivery.")
        return delivery

    async def replay(self, account_id: str, delivery_id: str) -> Delivery:
        """Send a delivery again that is through."""
        delivery = await self.own_delivery(account_id, delivery_id)
        if delivery.webhook_id is not None:
            webhook = await self.store.outbox.webhook(delivery.webhook_id)
            if webhook is None:
                raise TaskError(Code.CONFLICT, "The webhook of this delivery was deleted.")
            if webhook.disabled_at is not None:
                raise disabled()
        if not await self.store.outbox.replay(delivery.id, self.clock()):
            raise TaskError(Code.CONFLICT, "This delivery is still to be sent, so it cannot be sent again.")
        self.hub.notify(WEBHOOK)
        return await self.own_delivery(account_id, delivery_id)


def disabled() -> TaskError:
    """Nothing is sent to a disabled webhook."""
    return TaskError(Code.CONFLICT, 'The webhook is disabled. Enable it first: PATCH {"disabled": false}.')
