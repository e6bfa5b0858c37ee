"""A server's outgoing half in the test's own process: store, hub and the sender of webhooks, with short waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from darkroom.addresses import AS_ASKED, Addresses
from darkroom.clock import utc_now
from darkroom.core.ids import new_id
from darkroom.core.machine import Policy, decide
from darkroom.core.task import Callback, Callbacks, State, Task, Trigger
from darkroom.core.webhooks import ENDS, Delivery, Status, Webhook, new_secret
from darkroom.dialects import discover
from darkroom.hub import WEBHOOK, Hub
from darkroom.lanes import Lanes, lane_name
from darkroom.objects.signing import Signer, SigningKey
from darkroom.reach import Reach
from darkroom.sending import Sender, receiver
from darkroom.store import Store
from darkroom.subscriptions import Subscriptions
from darkroom.testing.databases import ENGINE, new_artifact, new_family, new_task
from darkroom.webhooks import Webhooks

LOOPBACK = ("127.0.0.0/8",)
SHORT = (0, 20, 20, 20)  # milliseconds
BASE = "https://media.example/api"
POLICY = Policy()
ACCOUNT = "account"


@dataclass
class Office:
    """What tests do with it. Tasks belong to `ACCOUNT`."""

    store: Store
    hub: Hub = field(default_factory=Hub)
    schedule: Sequence[int] = SHORT
    allow: Sequence[str] = LOOPBACK
    timeout: float = 30.0
    closed: float = 0.01
    authorities: str = ""
    addresses: Addresses = AS_ASKED

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[Webhooks]:
        """Send, until the block is left."""
        signer = Signer([SigningKey("k", bytes(32))], period_ms=3_600_000, lifetime_ms=3_600_000)
        webhooks = Webhooks(
            self.store,
            self.hub,
            Sender(Reach(self.allow), self.timeout, self.authorities),
            {dialect.name: dialect for dialect in discover()},
            signer,
            schedule=self.schedule,
            lanes=Lanes(self.closed),
            addresses=self.addresses,
        )
        running = asyncio.create_task(webhooks.run())
        try:
            yield webhooks
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @property
    def subscriptions(self) -> Subscriptions:
        return Subscriptions(self.store, self.hub, utc_now)

    async def subscribe(self, url: str, events: tuple[State, ...] = ENDS, account_id: str = ACCOUNT) -> Webhook:
        """A webhook of the account."""
        text, origin = receiver(url, "url")
        now = utc_now()
        webhook = Webhook(
            new_id(now), account_id, text, lane_name(account_id, origin), events, new_secret(), created_at=now
        )
        await self.store.outbox.add(webhook)
        return webhook

    async def submit(self, *to: Callback, dialect: str = "native", base_url: str = BASE, **known: Any) -> Task:
        """A task that waits, and owes what is due to these."""
        account_id = known.pop("account_id", ACCOUNT)
        now = utc_now()
        known = {"created_at": now, "run_at": now, "dialect": dialect, **known}
        task = new_task(account_id, callbacks=Callbacks(base_url, to) if to else None, **known)
        made = await self.store.submit((task,))
        self.hub.notify(WEBHOOK)
        found = await self.store.task(made.public_id)
        assert found is not None
        return found

    async def submit_family(self, *to: Callback) -> tuple[Task, ...]:
        """A parent of two, and its parts."""
        parent, *parts = new_family(ACCOUNT)
        tasks = (replace(parent, dialect="native", callbacks=Callbacks(BASE, to)), *parts)
        await self.store.submit(tasks)
        return tasks

    async def claimed(self, limit: int = 1) -> list[Task]:
        """What a worker begins."""
        tasks = await self.store.claim("worker", (ENGINE,), limit, utc_now(), 60_000)
        self.hub.notify(WEBHOOK)
        return tasks

    async def moved(self, task: Task, trigger: Trigger = Trigger.COMPLETE) -> Task:
        """The task after a transition."""
        artifacts = (new_artifact(),) if trigger is Trigger.COMPLETE else ()
        change = decide(task, trigger, now=utc_now(), policy=POLICY, artifacts=artifacts)
        assert change is not None
        done = await self.store.apply(change)
        assert done is not None
        self.hub.notify(WEBHOOK)
        return done

    async def canceled(self, *to: Callback, **known: Any) -> Task:
        """A task that ended as soon as it was submitted."""
        return await self.moved(await self.submit(*to, **known), Trigger.CANCEL)

    async def log(self, **wanted: Any) -> list[Delivery]:
        """The account's deliveries, oldest first."""
        return (await self.store.outbox.deliveries(ACCOUNT, 1000, **wanted))[::-1]

    async def until(self, *statuses: Status, seconds: float = 60.0) -> list[Delivery]:
        """The account's deliveries, as soon as they have these statuses."""
        async with asyncio.timeout(seconds):
            while True:
                log = await self.log()
                if sorted(found.status for found in log) == sorted(statuses):
                    return log
                await asyncio.sleep(0.01)


def at(url: str, events: tuple[State, ...] = ENDS, account_id: str = ACCOUNT) -> Callback:
    """A URL of one request."""
    text, origin = receiver(url, "webhook")
    return Callback(events, None, text, lane_name(account_id, origin))


def to(webhook: Webhook) -> Callback:
    """A webhook of the account."""
    return Callback(webhook.events, webhook.id)
