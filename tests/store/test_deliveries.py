"""The outbox: written with the event that it tells of, leased like tasks are, in order for each receiver of a task."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from lives import POLICY, claimed, moved
from tables import rows

from darkroom.core.machine import decide
from darkroom.core.task import Callback, Callbacks, State, Trigger
from darkroom.core.webhooks import ENDS, Kind, Next, Outcome, Status, Webhook
from darkroom.store import Store
from darkroom.store.database import connect
from darkroom.testing.databases import (
    ENGINE,
    LEASE,
    NOW,
    FaultyDatabase,
    InjectedError,
    new_artifact,
    new_family,
    new_task,
)

LANE = "nobody http://host.example:80"
EVERY = tuple(State)
SENT, LATER = Outcome(Kind.SENT, 200), Next(Status.SENT, NOW)


def owing(*events: State) -> Callbacks:
    """A URL of one request that is told of these."""
    return Callbacks("https://media.example/api", (Callback(events, None, "http://host.example/hook", LANE),))


async def webhook_of(store: Store, name: str = "webhook", events: tuple[State, ...] = ENDS) -> Webhook:
    webhook = Webhook(name, "nobody", f"http://host.example/{name}", LANE, events, "whsec_", created_at=NOW)
    await store.outbox.add(webhook)
    return webhook


async def owed(store: Store) -> list[tuple[str, Status]]:
    """Events and statuses, oldest first."""
    found = sorted(await store.outbox.deliveries("nobody", 100), key=lambda delivery: delivery.number)
    return [(delivery.event, delivery.status) for delivery in found]


async def count(url: str) -> int:
    return (await rows(url, "SELECT COUNT(*) FROM delivery"))[0][0]


@pytest.fixture
async def faulty(database_url):
    database = FaultyDatabase(await connect(database_url))
    yield database
    await database.close()


async def test_a_delivery_is_written_with_its_event_or_not_at_all(faulty, database_url):
    store = Store(faulty)
    task = new_task(callbacks=owing(*EVERY))

    async def fails_everywhere(action, state: str) -> None:
        faulty.fail_after = 0
        while True:
            before = await count(database_url)
            try:
                await action()
            except InjectedError:
                assert await count(database_url) == before
                faulty.fail_after += 1
            else:
                break
        assert await count(database_url) == before + 1
        states = await rows(database_url, "SELECT state FROM event ORDER BY n")
        events = await rows(database_url, "SELECT event FROM delivery ORDER BY n")
        assert [f"task.{name}" for (name,) in states] == [name for (name,) in events]
        assert states[-1] == (state,)
        faulty.fail_after = None

    await fails_everywhere(lambda: store.submit((task,)), "queued")
    await fails_everywhere(lambda: store.claim("worker", (ENGINE,), 1, NOW, LEASE), "running")
    running = await store.task(task.public_id)
    change = decide(running, Trigger.COMPLETE, now=NOW, policy=POLICY, artifacts=(new_artifact(),))
    await fails_everywhere(lambda: store.apply(change), "succeeded")


async def test_a_task_that_owes_nothing_writes_nothing_into_the_outbox(store, database_url):
    await webhook_of(store)
    await store.submit((new_task(),))
    (task,) = await claimed(store)
    await moved(store, task, Trigger.COMPLETE)
    assert await count(database_url) == 0


async def test_what_a_task_owes_is_read_back(store):
    task = new_task(callbacks=owing(State.RUNNING, State.FAILED))
    await store.submit((task,))
    assert (await store.task(task.public_id)).callbacks == task.callbacks
    assert (await store.task_of_id(task.id)).callbacks == task.callbacks


async def test_of_a_family_the_parent_owes(store):
    parent, *parts = new_family(parts=2)
    await store.submit((replace(parent, callbacks=owing(*EVERY)), *parts))
    first, last = await claimed(store, limit=2)
    await moved(store, first, Trigger.COMPLETE)
    assert [event for event, _ in await owed(store)] == ["task.queued", "task.running"]
    await moved(store, last, Trigger.FAIL)
    assert [event for event, _ in await owed(store)] == ["task.queued", "task.running", "task.succeeded"]


async def test_an_event_waits_for_the_one_before_it_for_each_receiver(store):
    webhook = await webhook_of(store, events=EVERY)
    both = replace(owing(*ENDS), to=(*owing(*ENDS).to, Callback(EVERY, webhook.id)))
    await store.submit((new_task(callbacks=both),))
    (task,) = await claimed(store)
    await moved(store, task, Trigger.COMPLETE)
    statuses = {(found.webhook_id, found.event): found.status for found in await store.outbox.deliveries("nobody", 9)}
    assert statuses == {
        (None, "task.succeeded"): Status.PENDING,
        ("webhook", "task.queued"): Status.PENDING,
        ("webhook", "task.running"): Status.WAITING,
        ("webhook", "task.succeeded"): Status.WAITING,
    }
    first = next(found for found in await store.outbox.claim({LANE: 9}, NOW + 5_000, LEASE) if found.webhook_id)
    assert (await store.outbox.end(first, SENT, LATER, NOW)).written
    (second,) = await store.outbox.claim({LANE: 9}, NOW + 5_000, LEASE)
    assert (first.event, second.event) == ("task.queued", "task.running")


async def test_the_log_of_a_task_is_in_the_order_of_its_events_even_where_a_nodes_clock_is_behind(store):
    task = new_task(callbacks=owing(*EVERY))
    await store.submit((task,))
    (running,) = await claimed(store, now=NOW)
    await moved(store, running, Trigger.COMPLETE, now=NOW - 5_000)
    newest_first = ["task.succeeded", "task.running", "task.queued"]
    log = await store.outbox.deliveries("nobody", 9, task_id=task.id)
    assert [delivery.event for delivery in log] == newest_first
    assert [delivery.event for delivery in await store.outbox.deliveries("nobody", 9)] != newest_first
    pages = [await store.outbox.deliveries("nobody", 1, before.id, task_id=task.id) for before in log]
    assert pages == [[log[1]], [log[2]], []]
    assert await store.outbox.deliveries("nobody", 9, "msg_0", task_id=task.id) == []


async def test_events_of_one_millisecond_are_listed_in_their_order(store):
    for _ in range(20):
        task = new_task(callbacks=owing(*EVERY))
        await store.submit((task,))
        (running,) = await claimed(store, now=NOW)
        await moved(store, running, Trigger.COMPLETE, now=NOW)
    log = await store.outbox.deliveries("nobody", 100)
    assert [delivery.event for delivery in log] == ["task.succeeded", "task.running", "task.queued"] * 20


async def test_nothing_waits_for_ever_when_an_event_and_the_end_of_a_delivery_meet(store, database_url):
    other = await Store.open(database_url)
    for _ in range(20):
        task = new_task(callbacks=owing(State.QUEUED, State.CANCELED))
        await store.submit((task,))
        (first,) = await store.outbox.claim({LANE: 9}, NOW, LEASE)
        change = decide(await store.task(task.public_id), Trigger.CANCEL, now=NOW, policy=POLICY)
        await asyncio.gather(store.apply(change), other.outbox.end(first, SENT, LATER, NOW))
        (second,) = await store.outbox.claim({LANE: 9}, NOW, LEASE)
        assert second.event == "task.canceled"
        await store.outbox.end(second, SENT, LATER, NOW)
    await other.close()


async def test_two_nodes_do_not_claim_the_same_delivery(store, database_url):
    other = await Store.open(database_url)
    for _ in range(30):
        await store.submit((new_task(callbacks=owing(*EVERY)),))
    found = await asyncio.gather(*(node.outbox.claim({LANE: 5}, NOW, LEASE) for node in (store, other) * 4))
    ids = [delivery.id for each in found for delivery in each]
    assert len(set(ids)) == len(ids)
    left = await store.outbox.claim({LANE: 100}, NOW, LEASE)
    assert len(ids) + len(left) == 30
    await other.close()


async def test_a_lease_that_ended_is_lost_and_another_try_is_made(store):
    await store.submit((new_task(callbacks=owing(*EVERY)),))
    (first,) = await store.outbox.claim({LANE: 1}, NOW, LEASE)
    assert await store.outbox.claim({LANE: 1}, NOW + LEASE - 1, LEASE) == []
    (second,) = await store.outbox.claim({LANE: 1}, NOW + LEASE, LEASE)
    assert (second.id, first.tries, second.tries) == (first.id, 1, 2)
    assert not (await store.outbox.end(first, SENT, LATER, NOW)).written
    assert (await store.outbox.end(second, SENT, LATER, NOW)).written
    assert not (await store.outbox.end(second, SENT, LATER, NOW)).written


async def test_a_try_that_did_not_take_place_is_given_back(store):
    await store.submit((new_task(callbacks=owing(*EVERY)),))
    (first,) = await store.outbox.claim({LANE: 1}, NOW, LEASE)
    await store.outbox.release(first, NOW)
    (again,) = await store.outbox.claim({LANE: 1}, NOW, LEASE)
    assert again.tries == first.tries
    await store.outbox.release_all(NOW)
    assert len(await store.outbox.claim({LANE: 1}, NOW, LEASE)) == 1


async def test_lanes_are_found_by_name_with_the_time_of_their_first_delivery(store):
    for number, lane in enumerate(("a http://x:80", "b http://x:80", "b http://y:80", "c http://x:80")):
        for late in (5, 0):
            callbacks = Callbacks("", (Callback(EVERY, None, "http://x/", lane),))
            await store.submit((new_task(callbacks=callbacks, created_at=NOW + 10 * number + late),))
    every = await store.outbox.lanes("", 10)
    assert every == [
        ("a http://x:80", NOW),
        ("b http://x:80", NOW + 10),
        ("b http://y:80", NOW + 20),
        ("c http://x:80", NOW + 30),
    ]
    assert await store.outbox.lanes("", 2) == every[:2]
    assert await store.outbox.lanes(every[1][0], 10) == every[2:]
    assert await store.outbox.lanes("d", 10) == []
    await store.outbox.claim({lane: 9 for lane, _ in every}, NOW + 100, LEASE)
    assert {due for _, due in await store.outbox.lanes("", 10)} == {NOW + 100 + LEASE}


async def test_a_deleted_task_leaves_no_deliveries(store, database_url):
    task = new_task(callbacks=owing(*EVERY))
    await store.submit((task,))
    done = await moved(store, await store.task(task.public_id), Trigger.CANCEL)
    assert await count(database_url) == 2
    assert await store.delete(done)
    assert await count(database_url) == 0


async def test_a_deleted_webhook_is_sent_nothing_more_and_its_log_stays(store):
    webhook = await webhook_of(store)
    for _ in range(2):
        task = new_task(callbacks=Callbacks("", (Callback(ENDS, webhook.id),)))
        await store.submit((task,))
        if await store.outbox.webhook(webhook.id):
            await moved(store, await store.task(task.public_id), Trigger.CANCEL)
            assert await store.outbox.delete(webhook.id, NOW)
        else:
            await moved(store, await store.task(task.public_id), Trigger.CANCEL)
    (left,) = await store.outbox.deliveries("nobody", 9)
    assert (left.status, left.error) == (Status.FAILED, "The webhook was deleted.")
    assert await store.outbox.claim({LANE: 9}, NOW + LEASE, LEASE) == []


async def test_a_success_forgets_the_failures_of_a_webhook(store):
    webhook = await webhook_of(store)
    for outcome, then, failures in (
        (Outcome(Kind.FAILED, 500), Next(Status.PENDING, NOW), 1),
        (Outcome(Kind.FAILED, 500), Next(Status.PENDING, NOW), 2),
        (SENT, LATER, 0),
    ):
        if not await store.outbox.deliveries("nobody", 1):
            task = new_task(callbacks=Callbacks("", (Callback(ENDS, webhook.id),)))
            await store.submit((task,))
            await moved(store, await store.task(task.public_id), Trigger.CANCEL, now=NOW)
        (delivery,) = await store.outbox.claim({LANE: 1}, NOW, LEASE)
        await store.outbox.end(delivery, outcome, then, NOW)
        found = await store.outbox.webhook(webhook.id)
        assert (found.failures, found.failing_since) == (failures, NOW if failures else None)


async def test_only_what_is_through_can_be_replayed(store):
    task = new_task(callbacks=owing(*EVERY))
    await store.submit((task,))
    (delivery,) = await store.outbox.claim({LANE: 1}, NOW, LEASE)
    assert not await store.outbox.replay(delivery.id, NOW)
    await store.outbox.end(delivery, Outcome(Kind.GONE, 410, "gone"), Next(Status.FAILED, NOW), NOW)
    assert await store.outbox.replay(delivery.id, NOW + 7)
    found = await store.outbox.delivery(delivery.id)
    assert (found.status, found.tries, found.begun_at, found.error) == (Status.PENDING, 0, NOW + 7, None)
    assert (found.task_id, found.internal_id) == (task.public_id, task.id)


async def test_a_secret_of_requests_is_made_once_whoever_asks_first(store, database_url):
    other = await Store.open(database_url)
    found = await asyncio.gather(*(node.outbox.request_secrets("nobody", NOW) for node in (store, other) * 4))
    assert len(set(found)) == 1
    await other.close()
