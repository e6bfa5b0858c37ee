"""Money: an account's balance is the sum of its ledger, whatever happens at the same time."""

from __future__ import annotations

import asyncio
import random

import pytest
from lives import POLICY, claimed, moved, submitted
from tables import contents

from darkroom.core.errors import Code, TaskError
from darkroom.core.ledger import Entry, EntryKind
from darkroom.core.machine import decide
from darkroom.core.task import State, Trigger
from darkroom.store import Store
from darkroom.testing.databases import ENGINE, LEASE, NOW, check_sums, new_artifact, new_family, new_task


async def test_the_ledger_tells_a_tasks_whole_story(store):
    account = await store.add_account("caller", 10, NOW)
    task = await submitted(store, account.id, price=4, count=2, created_at=NOW + 1)
    balance = await store.account(account.id)
    assert (balance.available, balance.held) == (6, 4)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.COMPLETE, NOW + 2, artifacts=(new_artifact(),))
    balance = await store.account(account.id)
    assert (balance.available, balance.held) == (8, 0)
    granted, held, *settled = await store.entries(account.id)
    assert granted == (Entry(EntryKind.GRANT, 10, 0, 0), None)
    assert held == (Entry(EntryKind.HOLD, -4, 0, 4), task.id)
    assert settled == [
        (Entry(EntryKind.CAPTURE, 0, 0, -2), task.id),
        (Entry(EntryKind.RELEASE, 2, 0, -2), task.id),
    ]


async def test_the_same_key_and_request_is_the_same_task(store, database_url):
    account = await store.add_account("caller", 10, NOW)
    first = new_task(account.id, price=10)
    made = await store.submit((first,), idempotency_key="key", request_digest="a")
    before = await contents(database_url)
    again = await store.submit((new_task(account.id, price=10),), idempotency_key="key", request_digest="a")
    assert (made.public_id, made.replayed) == (first.public_id, False)
    assert (again.public_id, again.replayed) == (first.public_id, True)
    assert await contents(database_url) == before


async def test_the_same_key_for_another_request_is_a_conflict(store, database_url):
    await store.submit((new_task(),), idempotency_key="key", request_digest="a")
    before = await contents(database_url)
    with pytest.raises(TaskError) as caught:
        await store.submit((new_task(),), idempotency_key="key", request_digest="b")
    assert (caught.value.code, caught.value.retryable) == (Code.IDEMPOTENCY_MISMATCH, False)
    assert await contents(database_url) == before


async def test_a_family_is_replayed_as_a_whole(store, database_url):
    family = new_family(parts=3)
    await store.submit(family, idempotency_key="key", request_digest="a")
    before = await contents(database_url)
    again = await store.submit(new_family(parts=3), idempotency_key="key", request_digest="a")
    assert (again.public_id, again.replayed) == (family[0].public_id, True)
    assert await contents(database_url) == before


async def test_two_accounts_may_use_the_same_key(store):
    first = await store.submit((new_task("one"),), idempotency_key="key", request_digest="a")
    second = await store.submit((new_task("two"),), idempotency_key="key", request_digest="b")
    assert first.public_id != second.public_id
    assert not second.replayed


async def test_requests_without_a_key_are_all_their_own(store):
    made = [await store.submit((new_task(),)) for _ in range(3)]
    assert len({each.public_id for each in made}) == 3


@pytest.mark.parametrize("available", [3, 100])
async def test_one_key_sent_to_two_nodes_at_once_makes_one_task_and_one_hold(database_url, available):
    nodes = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    for _ in range(10):
        account = await nodes[0].add_account("caller", available, NOW)
        made = await asyncio.gather(
            *(
                node.submit((new_task(account.id, price=3),), idempotency_key="key", request_digest="a")
                for node in nodes * 4
            )
        )
        assert len({each.public_id for each in made}) == 1
        assert sorted(each.replayed for each in made) == [False] + [True] * 7
        assert (await nodes[0].account(account.id)).held == 3
        await check_sums(nodes[0])
    await asyncio.gather(*(node.close() for node in nodes))


async def test_concurrent_submits_never_overdraw_an_account(database_url):
    nodes = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    account = await nodes[0].add_account("caller", 20, NOW)
    answers = await asyncio.gather(
        *(node.submit((new_task(account.id, price=3),)) for node in nodes * 20), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, TaskError)]
    assert len(answers) - len(refused) == 6
    assert {error.code for error in refused} == {Code.NO_CREDITS}
    balance = await nodes[1].account(account.id)
    assert (balance.available, balance.held) == (2, 18)
    await check_sums(nodes[0])
    await asyncio.gather(*(node.close() for node in nodes))


async def test_balances_and_ledgers_agree_after_a_random_workload(database_url):
    nodes = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    accounts = [await nodes[0].add_account(f"caller {index}", 60, NOW) for index in range(3)]

    async def live(seed: int) -> None:
        chosen, store = random.Random(seed), nodes[seed % 2]
        for step in range(25):
            account = chosen.choice(accounts)
            match chosen.randrange(5):
                case 0 | 1:
                    parts = chosen.choice((0, 0, 2, 3))
                    price = chosen.randint(0, 9)
                    tasks = (
                        new_family(account.id, parts, price=price) if parts else (new_task(account.id, price=price),)
                    )
                    key = chosen.choice((None, f"key {chosen.randrange(9)}"))
                    try:
                        await store.submit(tasks, idempotency_key=key, request_digest=key)
                    except TaskError as error:
                        assert error.code is Code.NO_CREDITS  # noqa: PT017 - either answer will do
                case 2:
                    await store.grant(account.id, chosen.randint(1, 5), NOW)
                case 3:
                    queued = await store.tasks(account.id, State.QUEUED, 5)
                    for task in [part for each in queued for part in each.children or (each,)][:2]:
                        change = decide(task, Trigger.CANCEL, now=NOW, policy=POLICY)
                        if change is not None:
                            await store.apply(change)
                case 4:
                    for task in await store.claim(f"worker {seed}", (ENGINE,), 3, NOW + 10**6 * step, LEASE):
                        trigger = chosen.choice((Trigger.COMPLETE, Trigger.FAIL, Trigger.RELEASE, Trigger.RETRY))
                        artifacts = (new_artifact(),) * chosen.randint(0, 1)
                        for _ in range(2):  # and once more, as after a lost answer
                            await moved(store, task, trigger, artifacts=artifacts)

    await asyncio.gather(*map(live, range(4)))
    counts = await nodes[0].counts()
    assert {State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELED} <= counts.keys()
    await check_sums(nodes[1])
    await asyncio.gather(*(node.close() for node in nodes))
