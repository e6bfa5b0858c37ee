"""The outbox as scripts: deliveries are written in the transaction of the event that they tell of.

Guarantees: of one task, a receiver is told in order, for the next delivery is `waiting` until the one before it is
through; what became of a try is written only while its lease holds, and with it what that does to the webhook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from ..core.ids import new_id
from ..core.task import FINAL, Callback, Callbacks, State
from ..core.webhooks import Delivery, Kind, Next, Outcome, Status, Webhook, event_name, why_disabled
from .database import Row, Script

DISABLED = "The webhook is disabled."
DELETED = "The webhook was deleted."

decode_states = msgspec.json.Decoder(tuple[State, ...]).decode


@dataclass(frozen=True, slots=True)
class Ended:
    """What the end of a try wrote. `disabled` says why its webhook was disabled by it."""

    written: bool
    disabled: str | None = None


def owe(callbacks: Callbacks | None, account_id: str, task_id: str, n: int, state: State, now: int) -> Script[None]:
    """The deliveries that a task's new state makes."""
    for callback in callbacks.to if callbacks else ():
        if state in callback.events:
            yield from add_delivery(callback, account_id, task_id, n, state, now)


def add_delivery(callback: Callback, account_id: str, task_id: str, n: int, state: State, now: int) -> Script[None]:
    """One line of the outbox."""
    status = Status.PENDING
    if n > 1 and len(callback.events) > 1 and not all(each.final for each in callback.events):
        before = yield "unfinished_delivery", {"task_id": task_id, "webhook_id": callback.webhook_id or ""}
        status = Status.WAITING if before else Status.PENDING
    params = {
        "id": delivery_id(now),
        "task_id": task_id,
        "n": n,
        "event": event_name(state),
        "status": status.value,
        "now": now,
    }
    if callback.webhook_id is None:
        yield "add_delivery", {**params, "account_id": account_id, "url": callback.url, "lane": callback.lane}
    else:
        yield "add_webhook_delivery", {**params, "webhook_id": callback.webhook_id, "error": DISABLED}


def delivery_id(now: int) -> str:
    """A new id, as receivers see it."""
    return "msg_" + new_id(now).replace("-", "")


def claim_script(rooms: Mapping[str, int], now: int, until: int) -> Script[list[Delivery]]:
    """Lease due deliveries of some lanes, up to a number from each."""
    found: list[Delivery] = []
    for lane, room in rooms.items():
        rows = yield "claim_deliveries", {"lane": lane, "limit": room, "now": now, "lease_until": until}
        found += map(delivery_from, rows)
    return found


def end_script(delivery: Delivery, outcome: Outcome, then: Next, now: int) -> Script[Ended]:
    """What became of a try, what that does to its webhook, and the task's next delivery to the same receiver."""
    over = then.status is not Status.PENDING
    written = yield (
        "end_try",
        {
            "id": delivery.id,
            "tries": delivery.tries,
            "status": then.status.value,
            "due_at": then.due_at,
            "http_status": outcome.http_status,
            "error": outcome.error,
            "finished_at": now if over else None,
        },
    )
    if not written:
        return Ended(False)
    disabled = None
    if delivery.webhook_id is not None:
        disabled = yield from judge(delivery.webhook_id, delivery, outcome, then, now)
    if over and delivery.internal_id is not None and State(delivery.event.partition(".")[2]) not in FINAL:
        yield "promote_delivery", {"task_id": delivery.internal_id, "webhook_id": delivery.webhook_id or "", "now": now}
    return Ended(True, disabled)


def judge(webhook_id: str, delivery: Delivery, outcome: Outcome, then: Next, now: int) -> Script[str | None]:
    """What a try does to its webhook; why it is disabled, if it is."""
    if outcome.kind is Kind.SENT:
        yield "webhook_worked", {"id": webhook_id}
    if outcome.kind not in (Kind.FAILED, Kind.GONE):
        return None
    rows = yield "webhook_failed", {"id": webhook_id, "now": now}
    reason = why_disabled(webhook_from(rows[0]), delivery, outcome, then, now) if rows else None
    if reason is None:
        return None
    disabled = yield from disable_script(webhook_id, reason, now)
    return reason if disabled else None


def disable_script(webhook_id: str, reason: str, now: int) -> Script[bool]:
    """Send nothing more to a webhook; false where it is disabled already."""
    disabled = yield "disable_webhook", {"id": webhook_id, "reason": reason, "now": now}
    if disabled:
        yield "drop_deliveries", {"webhook_id": webhook_id, "error": DISABLED, "now": now}
    return bool(disabled)


def change_script(webhook: Webhook, disabled: bool | None, now: int) -> Script[bool]:
    """A webhook's new URL and events, to which what is not sent yet is moved; and whether it is disabled."""
    place: dict[str, Any] = {"url": webhook.url, "lane": webhook.lane}
    changed = yield "change_webhook", {"id": webhook.id, "events": dump_states(webhook.events), **place}
    if not changed:
        return False
    yield "move_deliveries", {"webhook_id": webhook.id, **place}
    if disabled:
        yield from disable_script(webhook.id, "It was disabled by its owner.", now)
    elif disabled is False:
        yield "enable_webhook", {"id": webhook.id}
    return True


def delete_script(webhook_id: str, now: int) -> Script[bool]:
    """A webhook without its deliveries, which stay in the log."""
    deleted = yield "delete_webhook", {"id": webhook_id}
    if deleted:
        yield "drop_deliveries", {"webhook_id": webhook_id, "error": DELETED, "now": now}
    return bool(deleted)


def dump_states(states: tuple[State, ...]) -> str:
    """States as the webhook table keeps them."""
    return msgspec.json.encode(states).decode()


def webhook_from(row: Row) -> Webhook:
    """A row of the webhook table."""
    return Webhook(
        **{field.name: row[field.name] for field in fields(Webhook)} | {"events": decode_states(row["events"])}
    )


def delivery_from(row: Row) -> Delivery:
    """A row of the delivery table, with the task's public id where the query joined it."""
    values = dict(row)
    del values["lease_until"]
    internal_id, number, status = values.pop("task_id"), values.pop("n"), Status(values.pop("status"))
    task_id = values.pop("public_id", None)
    return Delivery(**values, internal_id=internal_id, task_id=task_id, number=number, status=status)
