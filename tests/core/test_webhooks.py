"""When a delivery is tried, when it is given up, and what that does to its webhook."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import accumulate

import pytest

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State
from darkroom.core.webhooks import (
    ENDS,
    JITTER,
    LIFETIME,
    SCHEDULE,
    Delivery,
    Kind,
    Next,
    Outcome,
    Status,
    Webhook,
    after_try,
    new_secret,
    signature,
    signing_secrets,
    states_of,
    why_disabled,
)

NOW = 1_769_774_400_000
HOUR = 3_600_000
FAILED = Outcome(Kind.FAILED, 500, "The receiver answered with status 500.")
DELIVERY = Delivery(
    *("msg_1", "account", "internal", "task", 2, "task.succeeded", "https://host.example/", "lane", "webhook"),
    *(Status.PENDING, 1, NOW, None, None, NOW, None, NOW),
)
WEBHOOK = Webhook("webhook", "account", "https://host.example/", "lane", ENDS, "whsec_", failures=8, failing_since=NOW)


def test_a_delivery_is_tried_eight_times_in_28_hours() -> None:
    due, now = [NOW], NOW
    for tries in range(1, 9):
        then = after_try(replace(DELIVERY, tries=tries), FAILED, now, 0.0)
        if then.status is Status.FAILED:
            break
        now = then.due_at
        due.append(now)
    assert tries == 8
    assert [at - NOW for at in due] == list(accumulate(SCHEDULE))
    assert 27 * HOUR < due[-1] - NOW < 28 * HOUR


def test_what_failed_together_is_not_tried_together() -> None:
    first, last = (after_try(DELIVERY, FAILED, NOW, spread).due_at - NOW for spread in (0.0, 1.0))
    assert (first, last) == (5_000, 5_000 * (1 + JITTER))


def test_a_receiver_may_ask_for_more_time_but_not_for_a_day() -> None:
    for asked, given in ((60_000, 60_000), (1_000, 5_000), (24 * HOUR, HOUR)):
        then = after_try(DELIVERY, replace(FAILED, retry_after=asked), NOW, 0.0)
        assert then == Next(Status.PENDING, NOW + given)


def test_a_delivery_that_got_few_tries_is_given_up_in_the_end_all_the_same() -> None:
    assert after_try(DELIVERY, FAILED, NOW + LIFETIME, 0.0).status is Status.PENDING
    assert after_try(DELIVERY, FAILED, NOW + LIFETIME + 1, 0.0).status is Status.FAILED


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.SENT, Status.SENT),
        (Kind.SKIPPED, Status.SKIPPED),
        (Kind.GONE, Status.FAILED),
        (Kind.REFUSED, Status.FAILED),
    ],
)
def test_every_other_outcome_ends_a_delivery(kind: Kind, status: Status) -> None:
    assert after_try(DELIVERY, Outcome(kind), NOW, 0.5) == Next(status, NOW)


def test_a_webhook_ends_when_a_delivery_is_given_up_and_nothing_succeeds() -> None:
    given_up, later = Next(Status.FAILED, NOW), NOW + 28 * HOUR
    assert "status 500" in (why_disabled(WEBHOOK, DELIVERY, FAILED, given_up, later) or "")
    for other, then, outcome in (
        (WEBHOOK, Next(Status.PENDING, NOW), FAILED),  # more tries follow
        (replace(WEBHOOK, failing_since=later - HOUR), given_up, FAILED),  # something succeeded an hour ago
        (WEBHOOK, given_up, Outcome(Kind.REFUSED)),  # the receiver was not even asked
    ):
        assert why_disabled(other, DELIVERY, outcome, then, later) is None


def test_a_receiver_that_is_gone_ends_its_webhook() -> None:
    gone = Outcome(Kind.GONE, 410)
    assert "410" in (
        why_disabled(replace(WEBHOOK, failing_since=None), DELIVERY, gone, Next(Status.FAILED, 0), NOW) or ""
    )


def test_events_become_states_in_their_order_and_the_ends_without_any() -> None:
    assert states_of([], "events") == ENDS == (State.SUCCEEDED, State.FAILED, State.CANCELED)
    assert states_of(["task.succeeded", "task.running", "task.running"], "events") == (State.RUNNING, State.SUCCEEDED)
    for wrong in ("running", "task.", "task.done", ""):
        with pytest.raises(TaskError) as caught:
            states_of([wrong], "events")
        assert (caught.value.code, caught.value.param) == (Code.INVALID_INPUT, "events")
        assert "task.succeeded" in caught.value.message


def test_the_signature_is_that_of_the_specifications_example() -> None:
    # from the tests of https://github.com/standard-webhooks/standard-webhooks
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    found = signature((secret,), "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_has_256_bits_and_after_a_rotation_both_sign_for_a_time() -> None:
    old, new = new_secret(), new_secret()
    assert old != new
    assert len(base64.b64decode(new.removeprefix("whsec_"))) == 32
    assert signing_secrets(new, old, NOW + 1, NOW) == (new, old)
    assert signing_secrets(new, old, NOW, NOW) == signing_secrets(new, None, None, NOW) == (new,)
    assert len(signature((new, old), "msg", 1, b"").split(" ")) == 2
