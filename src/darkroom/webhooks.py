"""Sends webhooks from the outbox in the database.

Guarantees: at least once, always under the same id; of one task, a receiver is told in order; what is under way when a
process dies is sent again when its lease ends; several processes do not send the same at once. The body shows the task
as it is when it is sent, with links that are signed then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from . import __version__
from .addresses import AS_ASKED, Addresses
from .clock import Clock, utc_now
from .core.commands import TaskEvent
from .core.webhooks import (
    SCHEDULE,
    TEST,
    Delivery,
    Kind,
    Outcome,
    Status,
    after_try,
    signature,
    signing_secrets,
)
from .dialects import Dialect
from .hub import WEBHOOK, Hub, woken
from .lanes import Lanes
from .log import Event, write, write_failure
from .objects.signing import Signer
from .sending import Sender
from .store import Store

LOOK = 1000  # lanes in one look at the outbox
IDLE = 2.0  # seconds between looks without a wake-up
GATHER = 0.01  # seconds in which what ends is gathered before the next look, while something is under way
LEASE, LEASE_SHORTEST = 4, 5_000  # times what a receiver has to answer, and milliseconds: more than a try can take
LAST = 1.0  # seconds that requests under way may take to end when the server stops
LARGEST = 1 << 20  # bytes of a body
HEADERS = (("Content-Type", "application/json"), ("User-Agent", f"darkroom/{__version__}"))


class Webhooks:
    """One per process. `schedule` is in milliseconds, as `core.webhooks.SCHEDULE`."""

    def __init__(
        self,
        store: Store,
        hub: Hub,
        sender: Sender,
        dialects: Mapping[str, Dialect],
        signer: Signer,
        *,
        schedule: Sequence[int] = SCHEDULE,
        lanes: Lanes | None = None,
        addresses: Addresses = AS_ASKED,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._hub = hub
        self._sender = sender
        self._dialects = dialects
        self._signer = signer
        self._schedule = schedule
        self._lease = max(LEASE_SHORTEST, int(LEASE * sender.timeout * 1000))
        self._clock = clock
        self._lanes = lanes or Lanes()
        self._addresses = addresses
        self._under_way: set[asyncio.Task[None]] = set()
        self._after = ""  # the lane that the last look ended with
        self._due: float | None = None  # when the first delivery is due, of the looks since the first lane

    async def run(self) -> None:
        """Send what is due, for ever."""
        with self._hub.watch(WEBHOOK) as happened:
            try:
                while True:
                    happened.clear()  # what woke it until now, this look will see
                    try:
                        pause = await self.turn()
                    except Exception as error:  # noqa: BLE001 - it must outlive everything, or nobody is told any more
                        write_failure("webhooks", error)
                        pause = IDLE
                    await woken(happened, pause)
                    if self._under_way:
                        await asyncio.sleep(GATHER)
            finally:
                await self._stop()

    async def turn(self) -> float:
        """Begin what is due and finds room; seconds until something else may be."""
        now = self._clock()
        lanes = await self._store.outbox.lanes(self._after, LOOK)
        more = len(lanes) == LOOK
        rooms = self._lanes.rooms((lane for lane, due in lanes if due <= now), time.monotonic())
        for delivery in await self._store.outbox.claim(rooms, now, self._lease) if rooms else ():
            self._begin(delivery)
        now, at = self._clock(), time.monotonic()
        later = [self._next_at(lane, due - now, at) for lane, due in lanes if lane not in rooms]
        due_at = min([*later, *([self._due] if self._due is not None else [])], default=None)
        self._after, self._due = (lanes[-1][0], due_at) if more else ("", None)
        for lane in self._lanes.idle(at):
            self._sender.forget(lane)
        if more:
            return 0.0
        return IDLE if due_at is None else min(IDLE, max(GATHER, due_at - at))

    def _next_at(self, lane: str, wait: int, at: float) -> float:
        """When a lane is looked at again whose first delivery is due in so many milliseconds.

        On the monotonic clock, which is at `at`. One without room is looked at when a request ends.
        """
        closed_until = self._lanes[lane].closed_until
        if wait <= 0 and closed_until <= at:
            return at + IDLE
        return max(closed_until, at + wait / 1000)

    def _begin(self, delivery: Delivery) -> None:
        self._lanes.begin(delivery.lane, time.monotonic())
        sending = asyncio.create_task(self._deliver(delivery))
        self._under_way.add(sending)
        sending.add_done_callback(self._ended)

    def _ended(self, sending: asyncio.Task[None]) -> None:
        self._under_way.discard(sending)
        self._hub.wake(WEBHOOK)

    async def _stop(self) -> None:
        """Let requests that are under way end, or give them back."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=LAST)
        left = tuple(self._under_way)
        for sending in left:
            sending.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._sender.close()

    # ---- one delivery

    async def _deliver(self, delivery: Delivery) -> None:
        """Make one try and write down what came of it."""
        try:
            outcome = await self._try(delivery)
            await self._end(delivery, outcome)
        except asyncio.CancelledError:
            await self._store.outbox.release(delivery, self._clock())
            raise
        except Exception as error:  # noqa: BLE001 - as in `run`; the lease ends, and it is tried again
            write_failure("webhooks", error)
        finally:
            self._lanes.end(delivery.lane)

    async def _try(self, delivery: Delivery) -> Outcome:
        keys = await self._secrets(delivery)
        if not keys:
            return Outcome(Kind.REFUSED, error="The webhook was disabled or deleted.")
        body = await self._body(delivery)
        if isinstance(body, Outcome):
            return body
        seconds = self._clock() // 1000
        headers = (
            *HEADERS,
            ("webhook-id", delivery.id),
            ("webhook-timestamp", str(seconds)),
            ("webhook-signature", signature(keys, delivery.id, seconds, body)),
            ("darkroom-event", delivery.event),
        )
        begun = time.monotonic()
        outcome = await self._sender.post(delivery.lane, delivery.url, headers, body)
        if outcome.alive:
            self._lanes.answered(delivery.lane, time.monotonic() - begun)
        else:
            self._lanes.failed(delivery.lane, time.monotonic())
        return outcome

    async def _secrets(self, delivery: Delivery) -> tuple[str, ...]:
        """What signs a delivery; nothing where it is not to be sent any more."""
        now = self._clock()
        if delivery.webhook_id is None:
            return await self._store.outbox.request_secrets(delivery.account_id, now)
        webhook = await self._store.outbox.webhook(delivery.webhook_id)
        if webhook is None or webhook.disabled_at is not None:
            return ()
        return signing_secrets(webhook.secret, webhook.previous_secret, webhook.previous_until, now)

    async def _body(self, delivery: Delivery) -> bytes | Outcome:
        """What is sent, or why nothing is."""
        if delivery.event == TEST:
            return msgspec.json.encode({"type": TEST, "timestamp": rfc3339(delivery.created_at), "data": {}})
        task = await self._store.task_of_id(delivery.internal_id or "")
        dialect = self._dialects.get(task.dialect) if task is not None else None
        if task is None or task.callbacks is None or dialect is None:
            return Outcome(Kind.REFUSED, error="The task was deleted, or its dialect is not there any more.")
        now = self._clock()
        told = TaskEvent(task, event=delivery.event, at=delivery.created_at)
        base_url = task.callbacks.base_url
        files_url = self._addresses.files(base_url)
        body = dialect.webhook_body(told, base_url, lambda path: self._signer.sign(path, now), files_url)
        if body is None:
            return Outcome(Kind.SKIPPED)
        if len(body) > LARGEST:
            return Outcome(
                Kind.REFUSED, error=f"The body has {len(body)} bytes, more than the {LARGEST} that are sent."
            )
        return body

    async def _end(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock()
        then = after_try(delivery, outcome, now, random.random(), self._schedule)  # noqa: S311 - spreads, hides nothing
        ended = await self._store.outbox.end(delivery, outcome, then, now)
        if not ended.written or then.status in (Status.SENT, Status.SKIPPED):
            return
        again = (then.due_at - now) / 1000 if then.status is Status.PENDING else None
        write(
            Event.WEBHOOK_FAILED,
            level=logging.INFO if again is not None else logging.WARNING,
            delivery=delivery.id,
            task=delivery.internal_id,
            receiver=delivery.lane.partition(" ")[2],
            tries=delivery.tries,
            reason=outcome.error,
            again=again,
        )
        if ended.disabled:
            write(
                Event.WEBHOOK_DISABLED,
                level=logging.WARNING,
                webhook=delivery.webhook_id,
                receiver=delivery.lane.partition(" ")[2],
                reason=ended.disabled,
            )


def rfc3339(at: int) -> str:
    """UTC milliseconds as RFC 3339."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
