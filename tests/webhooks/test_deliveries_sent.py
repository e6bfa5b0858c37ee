"""What receivers get, and what becomes of a delivery, with real receivers on loopback and on either database."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlsplit

import openai
import pytest
import replicate.webhook
import standardwebhooks
from outgoing import ACCOUNT, BASE, Office, at, to
from receivers import Receiver, cut, hang, receiving, saying
from replicate.webhook import WebhookSigningSecret

from darkroom.clock import utc_now
from darkroom.core.task import State, Trigger
from darkroom.core.webhook_commands import NewWebhook, RequestSecret
from darkroom.core.webhooks import Kind, Next, Outcome, Status, Webhook
from darkroom.hub import WEBHOOK
from darkroom.store import Store

EVERY = tuple(State)


async def test_the_end_of_a_task_is_told_once_with_the_task_as_the_api_shows_it(
    office: Office, receiver: Receiver
) -> None:
    webhook = await office.subscribe(receiver.url())
    await office.submit(to(webhook))
    (task,) = await office.claimed()
    async with office.sending():
        await office.moved(task)
        (got,) = await receiver.until(1)
        (log,) = await office.until(Status.SENT)
    assert (got.method, got.path, got.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert got.headers["darkroom-event"] == got.json["type"] == "task.succeeded"
    assert got.json["timestamp"].endswith("Z")
    data = got.json["data"]
    assert (data["id"], data["state"], data["progress"]) == (task.public_id, "succeeded", 100)
    link = urlsplit(data["outputs"][0]["url"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{BASE}/tasks/{task.public_id}/outputs/0"
    assert "sig=" in link.query
    assert (log.id, log.tries, log.http_status, log.error) == (got.id, 1, 204, None)


async def test_everybodys_verifiers_accept_the_signature(office: Office, receiver: Receiver) -> None:
    webhook = await office.subscribe(receiver.url())
    await office.canceled(to(webhook))
    async with office.sending():
        (got,) = await receiver.until(1)
    text = got.body.decode()
    assert standardwebhooks.Webhook(webhook.secret).verify(text, got.headers) == got.json
    client = openai.OpenAI(api_key="sk-none", webhook_secret=webhook.secret)
    client.webhooks.verify_signature(text, got.headers)
    replicate.webhook.Webhooks.validate(body=text, headers=got.headers, secret=WebhookSigningSecret(key=webhook.secret))
    other = await office.subscribe(receiver.url("/other"))
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(other.secret).verify(text, got.headers)
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(webhook.secret).verify(text.replace("canceled", "succeeded"), got.headers)


async def test_a_url_of_one_request_is_signed_with_the_accounts_secret(office: Office, receiver: Receiver) -> None:
    await office.canceled(at(receiver.url("/mine?token=1")))
    async with office.sending():
        (got,) = await receiver.until(1)
    assert got.path == "/mine?token=1"
    (secret,) = await office.store.outbox.request_secrets(ACCOUNT, utc_now())
    assert standardwebhooks.Webhook(secret).verify(got.body.decode(), got.headers)


async def test_only_the_events_that_were_asked_for_are_told_and_those_in_their_order(
    office: Office, receiver: Receiver
) -> None:
    async with office.sending(), receiving() as every:
        await office.submit(
            at(receiver.url(), (State.RUNNING, State.FAILED)), to(await office.subscribe(every.url(), EVERY))
        )
        (task,) = await office.claimed()
        await office.moved(task)
        await every.until(3)
        await office.until(*[Status.SENT] * 4)
    assert [got.json["type"] for got in receiver.got] == ["task.running"]
    assert [got.json["type"] for got in every.got] == ["task.queued", "task.running", "task.succeeded"]
    assert len({got.id for got in every.got}) == 3


async def test_a_later_event_waits_until_the_earlier_one_is_through(office: Office, receiver: Receiver) -> None:
    receiver.answers.extend([500, 500])
    await office.submit(at(receiver.url(), EVERY))
    (task,) = await office.claimed()
    await office.moved(task)
    assert [log.status for log in await office.log()] == [Status.PENDING, Status.WAITING, Status.WAITING]
    async with office.sending():
        await receiver.until(5)
        await office.until(*[Status.SENT] * 3)
    assert [got.headers["darkroom-event"] for got in receiver.got] == [
        *["task.queued"] * 3,
        "task.running",
        "task.succeeded",
    ]


async def test_an_event_that_is_given_up_does_not_hold_back_the_next(office: Office, receiver: Receiver) -> None:
    receiver.answers.extend([500] * len(office.schedule))
    await office.submit(at(receiver.url(), EVERY))
    async with office.sending():
        await office.until(Status.FAILED)
        (task,) = await office.claimed()
        await office.moved(task, Trigger.FAIL)
        await office.until(Status.FAILED, Status.SENT, Status.SENT)
    assert [got.headers["darkroom-event"] for got in receiver.got][-2:] == ["task.running", "task.failed"]


async def test_a_parent_is_told_and_its_parts_are_not(office: Office, receiver: Receiver) -> None:
    parent, *_ = await office.submit_family(at(receiver.url(), EVERY))
    async with office.sending():
        for part in await office.claimed(2):
            await office.moved(part)
        await office.until(*[Status.SENT] * 3)
    assert [got.json["type"] for got in receiver.got] == ["task.queued", "task.running", "task.succeeded"]
    assert {got.json["data"]["id"] for got in receiver.got} == {parent.public_id}
    assert len(receiver.got[-1].json["data"]["children"]) == 2


async def test_a_task_of_another_dialect_is_told_as_that_dialect_answers_its_status_query(
    office: Office, receiver: Receiver
) -> None:
    await office.submit(at(receiver.url()), dialect="tensorslab", base_url="https://media.example")
    (task,) = await office.claimed()
    async with office.sending():
        await office.moved(task)
        (got,) = await receiver.until(1)
    assert (got.json["code"], got.json["data"]["taskid"], got.json["data"]["image_status"]) == (1000, task.public_id, 3)
    assert got.json["data"]["url"][0].startswith("https://media.example/")


# ---- failures


async def test_a_receiver_that_was_down_gets_its_delivery_when_it_is_up(office: Office, receiver: Receiver) -> None:
    await receiver.close()
    await office.canceled(at(receiver.url()))
    office.schedule = (0, *[30] * 100)
    async with office.sending():
        while (await office.log())[0].tries < 2:
            await asyncio.sleep(0.01)
        await receiver.open()
        (got,) = await receiver.until(1)
        (log,) = await office.until(Status.SENT)
    assert (log.id, log.tries >= 2) == (got.id, True)


@pytest.mark.parametrize(
    ("answer", "http_status", "words"),
    [
        (500, 500, "status 500"),
        (404, 404, "status 404"),
        (429, 429, "status 429"),
        (b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", 302, "redirects are not followed"),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, "redirects are not followed"),
        (b"220 mail.example ESMTP\r\n\r\n", None, "does not speak HTTP"),
        (cut, None, "broke off"),
    ],
    ids=["500", "404", "429", "302", "304", "mail", "cut"],
)
async def test_whatever_is_no_success_is_tried_again_under_the_same_id_and_can_be_seen(
    office: Office, receiver: Receiver, answer, http_status, words
) -> None:
    receiver.answers.append(answer)
    await office.canceled(at(receiver.url()))
    office.schedule = (0, 300, 0)
    async with office.sending():
        await receiver.until(1)
        while (log := (await office.log())[0]).error is None:
            await asyncio.sleep(0.01)
        assert (log.status, log.tries, log.http_status, words in log.error) == (Status.PENDING, 1, http_status, True)
        first, second = await receiver.until(2)
        await office.until(Status.SENT)
    assert first.id == second.id
    assert {got.path for got in receiver.got} == {"/hook"}


async def test_a_receiver_that_does_not_answer_in_time_has_failed(office: Office, receiver: Receiver) -> None:
    receiver.answers.append(hang)
    office.timeout = 0.2
    await office.canceled(at(receiver.url()))
    async with office.sending():
        first, second = await receiver.until(2)
        await office.until(Status.SENT)
    assert first.id == second.id


async def test_an_answer_without_an_end_is_not_read_to_its_end(office: Office, receiver: Receiver) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    receiver.usual = endless
    await office.canceled(at(receiver.url()))
    async with office.sending():
        (log,) = await office.until(Status.SENT)
    assert log.http_status == 200


async def test_a_delivery_is_given_up_after_its_last_try_and_its_webhook_is_disabled_with_a_notice(
    office: Office, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    async def late(writer: asyncio.StreamWriter) -> None:
        """Fail so late that the first failure is in the first half, however busy the machine."""
        await asyncio.sleep(time.monotonic() - begun)
        writer.write(saying(500))

    receiver.answers.extend([*[500] * (len(office.schedule) - 1), late])
    begun = time.monotonic()
    webhook = await office.subscribe(receiver.url("/hook?token=hidden"))
    await office.canceled(to(webhook))
    caplog.set_level("INFO", "darkroom")
    async with office.sending():
        (log,) = await office.until(Status.FAILED)
    assert (log.tries, len(receiver.got)) == (len(office.schedule), len(office.schedule))
    assert {got.id for got in receiver.got} == {log.id}
    found = await office.store.outbox.webhook(webhook.id)
    assert found.failures == len(office.schedule)
    assert found.disabled_at is not None
    assert "status 500" in found.disabled_reason
    assert [record.message for record in caplog.records] == ["webhook.failed"] * 4 + ["webhook.disabled"]
    shown = str([record.__dict__ for record in caplog.records])
    assert "hidden" not in shown
    assert webhook.secret not in shown


async def test_a_webhook_where_something_succeeds_is_not_disabled_by_what_is_given_up(
    office: Office, receiver: Receiver
) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        """Fail each try of the first delivery, the last one when the other delivery was sent."""
        ids = [got.id for got in receiver.got]
        fails = ids[-1] == ids[0]
        if fails and ids.count(ids[0]) == len(office.schedule):
            await sent.wait()
        writer.write(saying(500 if fails else 204))

    webhook = await office.subscribe(receiver.url())
    office.schedule = (0, 100, 100)
    receiver.usual, sent = answer, asyncio.Event()
    await office.canceled(to(webhook))
    async with office.sending():
        await receiver.until(2)
        await office.canceled(to(webhook))
        await office.until(Status.SENT, Status.PENDING)
        sent.set()
        await office.until(Status.SENT, Status.FAILED)
    assert len(receiver.got) == 4
    assert (await office.store.outbox.webhook(webhook.id)).disabled_at is None


async def test_gone_disables_a_webhook_at_once_and_drops_what_waits_for_it(office: Office, receiver: Receiver) -> None:
    receiver.usual = 410
    webhook = await office.subscribe(receiver.url(), EVERY)
    await office.submit(to(webhook))
    await office.claimed()
    async with office.sending():
        sent, dropped = await office.until(Status.FAILED, Status.FAILED)
    assert (sent.http_status, dropped.tries, dropped.error) == (410, 0, "The webhook is disabled.")
    assert "410" in (await office.store.outbox.webhook(webhook.id)).disabled_reason
    assert len(receiver.got) == 1


async def test_gone_ends_a_delivery_to_a_url_of_one_request(office: Office, receiver: Receiver) -> None:
    receiver.usual = 410
    await office.canceled(at(receiver.url()))
    async with office.sending():
        (log,) = await office.until(Status.FAILED)
    assert log.tries == 1


async def test_what_ends_while_a_webhook_is_disabled_is_logged_and_can_be_replayed_later(
    office: Office, receiver: Receiver
) -> None:
    webhook = await office.subscribe(receiver.url())
    task = await office.submit(to(webhook))
    await office.store.outbox.change(webhook, True, utc_now())
    await office.moved(task, Trigger.CANCEL)
    async with office.sending():
        (log,) = await office.log()
        assert (log.status, log.error) == (Status.FAILED, "The webhook is disabled.")
        await office.store.outbox.change(webhook, False, utc_now())
        assert await office.store.outbox.replay(log.id, utc_now())
        office.hub.notify(WEBHOOK)
        (got,) = await receiver.until(1)
    assert got.id == log.id


async def test_a_body_that_is_too_large_is_not_sent_and_is_no_failure_of_the_webhook(
    office: Office, receiver: Receiver
) -> None:
    webhook = await office.subscribe(receiver.url())
    await office.canceled(to(webhook), metadata={"note": "x" * (1 << 20)})
    async with office.sending():
        (log,) = await office.until(Status.FAILED)
    assert "bytes" in log.error
    assert receiver.got == []
    assert (await office.store.outbox.webhook(webhook.id)).failures == 0


async def test_what_is_owed_to_a_changed_webhook_goes_to_its_new_url(office: Office, receiver: Receiver) -> None:
    async with receiving(usual=500) as old:
        webhook = await office.subscribe(old.url())
        await office.canceled(to(webhook))
        office.schedule = (0, 100, 0, 0)
        async with office.sending():
            await old.until(1)
            place = at(receiver.url("/new"))
            await office.store.outbox.change(replace(webhook, url=place.url, lane=place.lane), None, utc_now())
            (got,) = await receiver.until(1)
    assert (got.path, got.id) == ("/new", old.got[0].id)


# ---- at least once, and by one process at a time


async def test_a_request_under_way_is_given_back_when_the_server_stops(office: Office, receiver: Receiver) -> None:
    receiver.answers.append(hang)
    await office.canceled(at(receiver.url()))
    async with office.sending():
        await receiver.until(1)
    (log,) = await office.log()
    assert (log.status, log.tries) == (Status.PENDING, 0)
    async with office.sending():
        first, second = await receiver.until(2)
    assert first.id == second.id


async def test_what_a_dead_process_had_claimed_is_sent_when_its_lease_ends(office: Office, receiver: Receiver) -> None:
    task = await office.canceled(at(receiver.url()))
    lane = at(receiver.url()).lane
    (dead,) = await office.store.outbox.claim({lane: 5}, utc_now(), 300)
    async with office.sending():
        (got,) = await receiver.until(1)
        (log,) = await office.until(Status.SENT)
    assert (got.id, got.json["data"]["id"], log.tries) == (dead.id, task.public_id, 2)
    late = await office.store.outbox.end(dead, Outcome(Kind.FAILED), Next(Status.FAILED, 0), 0)
    assert not late.written


async def test_two_servers_on_one_database_send_each_delivery_once(
    office: Office, receiver: Receiver, database_url: str
) -> None:
    other = Office(await Store.open(database_url), hub=office.hub)
    try:
        async with office.sending(), other.sending():
            for _ in range(40):
                await office.canceled(at(receiver.url()))
            await office.until(*[Status.SENT] * 40)
    finally:
        await other.store.close()
    assert len({got.id for got in receiver.got}) == len(receiver.got) == 40


# ---- nobody slows anybody else


async def test_a_hundred_receivers_that_hang_do_not_hold_up_a_healthy_one(office: Office, receiver: Receiver) -> None:
    office.timeout = 30.0
    async with AsyncExitStack() as stack:
        dead = [await stack.enter_async_context(receiving(usual=hang)) for _ in range(100)]
        for each in dead:
            for _ in range(3):
                await office.canceled(at(each.url()))
        async with office.sending():
            await asyncio.gather(*(each.until(1, 30) for each in dead))
            for _ in range(100):
                await office.canceled(at(receiver.url()))
            await receiver.until(100, 25)
            assert all(len(each.got) <= 2 for each in dead)  # so many are risked on a receiver that is not known
    assert len({got.id for got in receiver.got}) == 100


async def test_connections_are_kept_and_used_again(
    office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darkroom.sending.KEEP", 60.0)
    async with office.sending():
        for number in range(1, 6):
            await office.canceled(at(receiver.url()))
            await receiver.until(number)
            await office.until(*[Status.SENT] * number)
    assert receiver.connections == 1


def test_secrets_are_in_no_repr() -> None:
    webhook = Webhook("w", ACCOUNT, "https://example.com", "lane", EVERY, "whsec_hidden", "whsec_hidden")
    assert "hidden" not in repr(webhook) + repr(NewWebhook(webhook)) + repr(RequestSecret("whsec_hidden"))
