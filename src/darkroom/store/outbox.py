"""Webhooks, what is to be sent to them, and what was: by name, over a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.webhooks import Delivery, Next, Outcome, Status, Webhook, new_secret, signing_secrets
from .accounts import LAST
from .database import Database, Script
from .deliveries import (
    Ended,
    change_script,
    claim_script,
    delete_script,
    delivery_from,
    delivery_id,
    dump_states,
    end_script,
    webhook_from,
)

END = "msg_g"  # behind every id


class Outbox:
    """Part of the store. Times are UTC milliseconds and always given by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def _run(self, name: str, **params: Any) -> bool:
        def script() -> Script[bool]:
            return bool((yield name, params))

        return await self._database.write(script)

    # ---- webhooks

    async def add(self, webhook: Webhook) -> None:
        """Keep a new webhook."""
        await self._run(
            "add_webhook",
            id=webhook.id,
            account_id=webhook.account_id,
            url=webhook.url,
            lane=webhook.lane,
            events=dump_states(webhook.events),
            secret=webhook.secret,
            now=webhook.created_at,
        )

    async def webhooks(self, account_id: str) -> list[Webhook]:
        """An account's webhooks, oldest first."""
        return [webhook_from(row) for row in await self._database.read("webhooks", account_id=account_id)]

    async def webhook(self, webhook_id: str) -> Webhook | None:
        """One webhook, whoever owns it."""
        rows = await self._database.read("webhook", id=webhook_id)
        return webhook_from(rows[0]) if rows else None

    async def change(self, webhook: Webhook, disabled: bool | None, now: int) -> bool:
        """Give a webhook its new URL and events, and enable or disable it; false when it is gone."""
        return await self._database.write(lambda: change_script(webhook, disabled, now))

    async def delete(self, webhook_id: str, now: int) -> bool:
        """Forget a webhook; what it was not sent yet, it never is."""
        return await self._database.write(lambda: delete_script(webhook_id, now))

    async def rotate(self, webhook_id: str, secret: str, until: int) -> bool:
        """Sign with a new secret, and until a time with the one before it, too."""
        return await self._run("rotate_webhook", id=webhook_id, secret=secret, until=until)

    # ---- secrets of requests

    async def request_secrets(self, account_id: str, now: int) -> tuple[str, ...]:
        """The secrets that sign for URLs of an account's single requests, newest first; made when they are needed."""
        while not (rows := await self._database.read("webhook_secret", account_id=account_id)):
            await self._run("add_webhook_secret", account_id=account_id, secret=new_secret(), now=now)
        secret, previous, until = rows[0]
        return signing_secrets(secret, previous, until, now)

    async def rotate_request_secret(self, account_id: str, secret: str, until: int) -> None:
        """Sign with a new secret, and until a time with the one before it, too."""
        await self._run("rotate_webhook_secret", account_id=account_id, secret=secret, until=until)

    # ---- sending

    async def lanes(self, after: str, limit: int) -> list[tuple[str, int]]:
        """Lanes in which something waits, by name behind `after`, and when the first of it is due."""
        rows = await self._database.read("lanes", after=after, limit=limit)
        return [(row["lane"], row["due_at"]) for row in rows]

    async def claim(self, rooms: Mapping[str, int], now: int, lease: int) -> list[Delivery]:
        """Lease due deliveries for `lease` milliseconds, up to a number from each lane."""
        return await self._database.write(lambda: claim_script(rooms, now, now + lease))

    async def end(self, delivery: Delivery, outcome: Outcome, then: Next, now: int) -> Ended:
        """Write what became of a try, unless its lease was lost."""
        return await self._database.write(lambda: end_script(delivery, outcome, then, now))

    async def release(self, delivery: Delivery, now: int) -> None:
        """Give back a try that did not take place, to be made at once."""
        await self._run("release_try", id=delivery.id, tries=delivery.tries, now=now)

    async def release_all(self, now: int) -> None:
        """Give back everything that is under way: for a start on a database that no other server can be using."""
        await self._run("release_tries", now=now)

    # ---- the log

    async def add_test(self, webhook: Webhook, event: str, now: int) -> str:
        """Put an event into the outbox that belongs to no task; its id."""
        new = delivery_id(now)
        known = {"id": new, "task_id": None, "n": 0, "event": event, "status": Status.PENDING.value}
        await self._run("add_webhook_delivery", **known, webhook_id=webhook.id, error="", now=now)
        return new

    async def replay(self, delivery_id: str, now: int) -> bool:
        """Begin a delivery again that is through; false when it is not."""
        return await self._run("replay_delivery", id=delivery_id, now=now)

    async def remove_old(self, before: int, limit: int = 1000) -> int:
        """Remove up to so many deliveries that were through before a time; how many."""

        def script() -> Script[int]:
            return len((yield "remove_old_deliveries", {"before": before, "limit": limit}))

        return await self._database.write(script)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """One delivery, whoever owns it."""
        rows = await self._database.read("delivery", id=delivery_id)
        return delivery_from(rows[0]) if rows else None

    async def deliveries(
        self,
        account_id: str,
        limit: int,
        before: str = END,
        *,
        task_id: str | None = None,
        webhook_id: str | None = None,
        status: Status | None = None,
    ) -> list[Delivery]:
        """A page of an account's deliveries, newest first, behind the id `before`; `task_id` is the internal one.

        Those of one task are in the order of its events, whatever the clocks of the nodes said that wrote them.
        """
        wanted = {"before": before, "limit": limit, "webhook_id": webhook_id, "status": status and status.value}
        if task_id is None:
            rows = await self._database.read("deliveries", account_id=account_id, **wanted)
        else:
            unknown = LAST if before == END else 0  # behind a line that is gone by now there is nothing older
            rows = await self._database.read("deliveries_of_task", task_id=task_id, unknown=unknown, **wanted)
        return [delivery_from(row) for row in rows]
