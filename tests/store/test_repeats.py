"""Requests without a key that are the same within a window, and batches: on both databases, also at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from lives import claimed, moved, submitted
from tables import contents, rows
from test_atomicity import fails_everywhere

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy, Retention, decide
from darkroom.core.task import State, Trigger
from darkroom.store import Store
from darkroom.store.database import connect
from darkroom.testing.databases import NOW, FaultyDatabase, check_sums, new_artifact, new_family, new_task

WINDOW = 10_000  # milliseconds


async def ask(store: Store, now: int, account: str = "caller") -> tuple[str, bool]:
    """The same request at some time: the id of its task, and whether that was there before."""
    task = new_task(account, created_at=now, run_at=now)
    made = await store.submit((task,), idempotency_key="same", request_digest="d", since=now - WINDOW)
    return made.public_id, made.replayed


async def test_the_window_begins_with_the_task_and_has_no_edge_on_the_clock(store):
    for start in (NOW, NOW + 3 * WINDOW + 9_999, NOW + 7 * WINDOW + 1):  # wherever in a period of the clock
        first, replayed = await ask(store, start)
        assert not replayed
        assert [await ask(store, start + later) for later in (1, 9_000, WINDOW)] == [(first, True)] * 3
        other, replayed = await ask(store, start + WINDOW + 1)
        assert (other != first, replayed) == (True, False)


@pytest.mark.parametrize("trigger", [Trigger.FAIL, Trigger.CANCEL])
async def test_a_task_without_success_makes_room_for_another_one(store, trigger):
    first, _ = await ask(store, NOW)
    (task,) = await claimed(store)
    await moved(store, task, trigger)
    second, replayed = await ask(store, NOW + 1)
    assert (second != first, replayed) == (True, False)


async def test_the_same_request_on_two_nodes_at_once_makes_one_task(database_url):
    nodes = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    for number in range(10):
        now = NOW + number * (WINDOW + 1)  # beside an older task whose time is just over
        made = await asyncio.gather(*(ask(node, now) for node in nodes * 4))
        assert len({public_id for public_id, _ in made}) == 1
        assert sorted(replayed for _, replayed in made) == [False] + [True] * 7
    await asyncio.gather(*(node.close() for node in nodes))


@pytest.fixture
async def faulty(database_url):
    database = FaultyDatabase(await connect(database_url))
    yield database
    await database.close()


async def test_a_batch_is_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    account = await store.add_account("caller", 10, NOW)
    tasks = tuple(new_task(account.id, price=2) for _ in range(4))
    await fails_everywhere(faulty, database_url, lambda: store.submit_batch(tasks, idempotency_key="key"))
    balance = await store.account(account.id)
    assert (balance.available, balance.held) == (2, 8)
    assert [task.public_id for task in await store.tasks(account.id, None, 10)] == [t.public_id for t in tasks[::-1]]
    await check_sums(store)


async def test_a_batch_with_an_id_that_is_taken_leaves_nothing_behind(store, database_url):
    taken = await submitted(store)
    before = await contents(database_url)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.submit_batch((new_task(), replace(new_task(), public_id=taken.public_id)))
    assert await contents(database_url) == before


async def test_a_batch_on_two_nodes_at_once_happens_once(database_url):
    nodes = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    account = await nodes[0].add_account("caller", 100, NOW)
    answers = await asyncio.gather(
        *(
            node.submit_batch(
                tuple(new_task(account.id, price=1) for _ in range(5)), idempotency_key="key", request_digest="a"
            )
            for node in nodes * 3
        )
    )
    assert len(set(answers)) == 1
    assert (await nodes[0].account(account.id)).held == 5
    with pytest.raises(TaskError) as caught:
        await nodes[0].submit_batch((new_task(account.id),), idempotency_key="key", request_digest="b")
    assert caught.value.code is Code.IDEMPOTENCY_MISMATCH
    await asyncio.gather(*(node.close() for node in nodes))


# ---- results that end


async def succeeded(store: Store, retention: Retention, *tasks) -> None:
    """Tasks that delivered a result each."""
    for task in await claimed(store, limit=10):
        change = decide(
            task, Trigger.COMPLETE, now=NOW, policy=Policy(retention=retention), artifacts=(new_artifact(),)
        )
        assert await store.apply(change)


async def test_results_of_a_family_expire_together_and_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    parent, *parts = new_family(parts=2)
    await store.submit((parent, *parts))
    await succeeded(store, Retention(default=100))
    assert await store.expiring(NOW + 99) == []
    (family,) = await store.expiring(NOW + 100)
    assert family.public_id == parent.public_id
    await fails_everywhere(faulty, database_url, lambda: store.expire(family, NOW + 100))
    found = await store.task(parent.public_id)
    assert (found.state, found.artifacts, found.expired_at) == (State.SUCCEEDED, (), NOW + 100)
    assert [child.expired_at for child in found.children] == [NOW + 100] * 2
    assert await store.removals() == sorted(task.id for task in (parent, *parts))
    assert await store.expiring(NOW + 10**9) == []
    assert not await store.expire(family, NOW + 200)  # somebody else was first


async def test_results_are_kept_by_account_then_by_model_then_by_default(store):
    retention = Retention(default=10, named={"example-model": 20, "rich": 0, "poor": 5})
    kept = [retention.expiry(task, NOW) for task in (new_task(model="other"), new_task(), new_task("poor"))]
    assert kept == [NOW + 10, NOW + 20, NOW + 5]
    assert retention.expiry(new_task("rich"), NOW) is None
    assert Retention().expiry(new_task(), NOW) is None


async def test_a_deleted_task_is_noted_until_its_files_are_gone(store, database_url):
    task = await submitted(store)
    (running,) = await claimed(store)
    done = await moved(store, running, Trigger.COMPLETE)
    assert await store.delete(done)
    assert await store.removals() == [task.id]
    await store.end_removal(task.id)
    assert await rows(database_url, "SELECT * FROM removal") == []
