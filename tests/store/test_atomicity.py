"""All or nothing: whichever statement of a script is the last before a fault, no other connection sees any of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from lives import POLICY, claimed, moved, submitted
from tables import contents, rows

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import decide
from darkroom.core.task import State, Task, Trigger
from darkroom.store import Store
from darkroom.store.database import connect
from darkroom.testing.databases import (
    ENGINE,
    LEASE,
    NOW,
    FaultyDatabase,
    InjectedError,
    check_sums,
    new_artifact,
    new_family,
    new_task,
)


@pytest.fixture
async def faulty(database_url):
    database = FaultyDatabase(await connect(database_url))
    yield database
    await database.close()


async def fails_everywhere(faulty: FaultyDatabase, url: str, action: Callable[[], Awaitable[object]]) -> None:
    """Run an action with a fault after each of its queries; then without, to see that it can work and how long it is.

    So the last fault is the one between the last query and the commit.
    """
    before = await contents(url)
    faulty.fail_after = 0
    while True:
        try:
            await action()
        except InjectedError:
            assert await contents(url) == before
            faulty.fail_after += 1
        else:
            break
    assert faulty.fail_after == faulty.queries + 1
    assert await contents(url) != before


async def test_a_submit_is_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    account = await store.add_account("caller", 10, NOW)
    family = new_family(account.id, parts=2, price=3)
    await fails_everywhere(faulty, database_url, lambda: store.submit(family, idempotency_key="key"))
    assert faulty.queries == 1 + 4 + 3 + 1 + 1 + 3  # key, turns of a new account, rows, hold, all entries, three events
    await check_sums(store)


@pytest.mark.parametrize("trigger", [Trigger.COMPLETE, Trigger.FAIL, Trigger.CANCEL])
async def test_the_end_of_a_paid_task_is_all_or_nothing(faulty, database_url, trigger):
    store = Store(faulty)
    account = await store.add_account("caller", 10, NOW)
    await submitted(store, account.id, price=4, count=2)
    (running,) = await claimed(store)
    change = decide(running, trigger, now=NOW, policy=POLICY, artifacts=(new_artifact(),))
    await fails_everywhere(faulty, database_url, lambda: store.apply(change))
    await check_sums(store)


async def test_the_end_of_a_parent_is_all_or_nothing_with_its_last_child(faulty, database_url):
    store = Store(faulty)
    account = await store.add_account("caller", 10, NOW)
    family = new_family(account.id, parts=2, price=3)
    await store.submit(family)
    first, last = await claimed(store, limit=2)
    await moved(store, first, Trigger.COMPLETE)
    change = decide(last, Trigger.COMPLETE, now=NOW, policy=POLICY, artifacts=(new_artifact(),))
    await fails_everywhere(faulty, database_url, lambda: store.apply(change))
    assert (await store.task(family[0].public_id)).state is State.SUCCEEDED
    await check_sums(store)


async def test_a_claim_is_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    await store.submit(new_family(parts=3))
    await fails_everywhere(faulty, database_url, lambda: store.claim("worker", (ENGINE,), 10, NOW, LEASE))


async def test_a_delete_is_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    parent = new_family(parts=2)
    await store.submit(parent)
    for task in await claimed(store, limit=2):
        await moved(store, task, Trigger.COMPLETE)
    family = await store.task(parent[0].public_id)
    await fails_everywhere(faulty, database_url, lambda: store.delete(family))
    assert await rows(database_url, "SELECT * FROM event") == []


async def test_a_new_account_and_a_grant_are_all_or_nothing(faulty, database_url):
    store = Store(faulty)
    await fails_everywhere(faulty, database_url, lambda: store.add_account("caller", 10, NOW))
    (account,) = await store.accounts()
    await fails_everywhere(faulty, database_url, lambda: store.grant(account.id, 5, NOW))
    await check_sums(store)


async def test_a_refused_submit_leaves_nothing_behind(store, database_url):
    account = await store.add_account("caller", 5, NOW)
    before = await contents(database_url)
    with pytest.raises(TaskError) as caught:
        await store.submit(new_family(account.id, parts=2, price=3), idempotency_key="key")
    assert caught.value.code is Code.NO_CREDITS
    assert await contents(database_url) == before


async def test_a_submit_whose_public_id_is_taken_leaves_nothing_behind(store, database_url):
    account = await store.add_account("caller", 100, NOW)
    taken = await submitted(store, account.id, price=1)
    parent, child, other = new_family(account.id, parts=2, price=3)
    before = await contents(database_url)
    for tasks in ((renamed(parent, taken), child, other), (parent, child, renamed(other, taken))):
        with pytest.raises(TaskError) as caught:
            await store.submit(tasks, idempotency_key="key")
        assert (caught.value.code, caught.value.retryable) == (Code.CONFLICT, True)
        assert await contents(database_url) == before


async def test_an_unknown_account_cannot_pay(store, database_url):
    before = await contents(database_url)
    with pytest.raises(TaskError) as caught:
        await store.submit((new_task("no such account", price=1),))
    assert caught.value.code is Code.NO_CREDITS
    assert not await store.grant("no such account", 5, NOW)
    assert await contents(database_url) == before


def renamed(task: Task, other: Task) -> Task:
    """A task with another's public id."""
    return new_task(task.account_id, public_id=other.public_id, price=task.price, parts=task.parts)
