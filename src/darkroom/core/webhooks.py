"""Webhooks without any I/O: who is told of which events, when a delivery is tried, and what a try's outcome does.

A delivery's id never changes: a receiver that gets it twice can tell. Signatures are those of Standard Webhooks
(https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from .errors import Code, TaskError
from .task import FINAL, State

RETRIES = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 36_000.0)  # seconds before each further try
LIFETIME = 48 * 3_600_000  # milliseconds after which nothing is tried again: so long is no receiver waited for
JITTER = 0.1  # of a wait at most, so that what failed together is not tried together for ever
LONGEST_WAIT = 3_600_000  # milliseconds that a receiver may ask for with Retry-After
BOTH_SIGN = 24 * 3_600_000  # milliseconds after a rotation in which the secret before it signs, too
SECRET_PREFIX = "whsec_"  # noqa: S105 - how Standard Webhooks marks secrets
PREFIX = "task."
TEST = "webhook.test"
ENDS = tuple(state for state in State if state in FINAL)  # what is told unless somebody asks for more


class Status(StrEnum):
    """Where a delivery is: `waiting` for an earlier one of its task, `pending` until it is `sent` or given up."""

    WAITING = "waiting"
    PENDING = "pending"
    SENT = "sent"
    SKIPPED = "skipped"
    FAILED = "failed"


class Kind(StrEnum):
    """What came of one try. `refused` never left this server, `skipped` is nothing that the dialect tells."""

    SENT = "sent"
    FAILED = "failed"
    GONE = "gone"
    REFUSED = "refused"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One try. `error` is for the owner of the webhook, `retry_after` in milliseconds.

    `alive` is false when the receiver as a whole cannot take anything now: then others to it need not be tried.
    """

    kind: Kind
    http_status: int | None = None
    error: str | None = None
    alive: bool = True
    retry_after: int = 0


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription of an account. `previous_secret` signs until `previous_until`; times are UTC milliseconds.

    `failures` counts failed tries since the last one that succeeded, `failing_since` is when the first of them was.
    """

    id: str
    account_id: str
    url: str
    lane: str
    events: tuple[State, ...]
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    previous_until: int | None = None
    failures: int = 0
    failing_since: int | None = None
    disabled_at: int | None = None
    disabled_reason: str | None = None
    created_at: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one receiver. `task_id` is the public id, `internal_id` the other; a test has neither.

    `number` is that of the event in its task's history. A `lane` is what one account sends to one host and port.
    Tries are counted from `begun_at`, which a replay moves.
    """

    id: str
    account_id: str
    internal_id: str | None
    task_id: str | None
    number: int
    event: str
    url: str
    lane: str
    webhook_id: str | None
    status: Status
    tries: int
    due_at: int
    http_status: int | None
    error: str | None
    begun_at: int
    finished_at: int | None
    created_at: int


@dataclass(frozen=True, slots=True)
class Next:
    """What a try makes of its delivery: the new status and, while that is `pending`, when it is tried again."""

    status: Status
    due_at: int


def schedule_of(retries: Sequence[float]) -> tuple[int, ...]:
    """The waits before all tries, in milliseconds, from those before each further one, in seconds."""
    return (0, *(int(seconds * 1000) for seconds in retries))


SCHEDULE = schedule_of(RETRIES)


def after_try(
    delivery: Delivery, outcome: Outcome, now: int, spread: float, schedule: Sequence[int] = SCHEDULE
) -> Next:
    """Say what becomes of a delivery; `spread` is a random number from 0 to 1.

    It is given up after the last try of the schedule, and also after `LIFETIME`: of many that wait for a receiver which
    is down, one at a time is tried.
    """
    match outcome.kind:
        case Kind.SENT:
            return Next(Status.SENT, now)
        case Kind.SKIPPED:
            return Next(Status.SKIPPED, now)
        case Kind.GONE | Kind.REFUSED:
            return Next(Status.FAILED, now)
        case Kind.FAILED:
            if delivery.tries >= len(schedule) or now - delivery.begun_at > LIFETIME:
                return Next(Status.FAILED, now)
            wait = max(schedule[delivery.tries], min(outcome.retry_after, LONGEST_WAIT))
            return Next(Status.PENDING, now + int(wait * (1 + JITTER * spread)))


def why_disabled(webhook: Webhook, delivery: Delivery, outcome: Outcome, then: Next, now: int) -> str | None:
    """Why a subscription ends with this failure, if it does.

    It does where the receiver says that it is gone, and where a delivery was given up and nothing else has succeeded
    for half of the time that it was tried.
    """
    if outcome.kind is Kind.GONE:
        return "The receiver answered 410 Gone."
    if then.status is not Status.FAILED or outcome.kind is not Kind.FAILED or webhook.failing_since is None:
        return None
    if (now - webhook.failing_since) * 2 < now - delivery.begun_at:
        return None
    return f"The last {webhook.failures} tries failed, and a delivery was given up. {outcome.error}"


def event_name(state: State) -> str:
    """The name of the event that a state began."""
    return PREFIX + state


def states_of(events: Collection[str], param: str) -> tuple[State, ...]:
    """The states that some event names mean, in their order; the final ones for none."""
    if not events:
        return ENDS
    wanted = set(events)
    if unknown := sorted(wanted - {event_name(state) for state in State}):
        known = ", ".join(event_name(state) for state in State)
        raise TaskError(Code.INVALID_INPUT, f"There is no event {unknown[0]!r}; there are {known}.", param=param)
    return tuple(state for state in State if event_name(state) in wanted)


def new_secret() -> str:
    """A secret with 256 random bits, as Standard Webhooks spells it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def signature(keys: Iterable[str], delivery_id: str, seconds: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret, newest first."""
    content = f"{delivery_id}.{seconds}.".encode() + body
    digests = (hmac.digest(base64.b64decode(key.removeprefix(SECRET_PREFIX)), content, "sha256") for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def signing_secrets(secret: str, previous: str | None, until: int | None, now: int) -> tuple[str, ...]:
    """The secrets that sign now, newest first."""
    return (secret, previous) if previous and until and until > now else (secret,)
