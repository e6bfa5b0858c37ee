"""What keys may have and spend, and the two purses: exact, whatever happens at the same time."""

from __future__ import annotations

import asyncio

import pytest
from lives import claimed, moved, submitted

from darkroom.core.access import DAY, Caller, KeyInfo, Rules
from darkroom.core.errors import Code, TaskError
from darkroom.core.ledger import Entry, EntryKind, Purse, adjust, grant
from darkroom.core.task import File, Trigger
from darkroom.store import Store
from darkroom.store.credits import Audit
from darkroom.testing.databases import NOW, check_sums, new_artifact, new_family, new_task

TOMORROW = NOW - NOW % DAY + DAY


@pytest.fixture
async def nodes(database_url):
    stores = await asyncio.gather(Store.open(database_url), Store.open(database_url))
    yield stores
    await asyncio.gather(*(store.close() for store in stores))


async def caller_of(store: Store, available: int = 1_000, **rules: int) -> Caller:
    """A key with rules, of an account of its own."""
    account = await store.add_account("caller", available, NOW)
    key = KeyInfo(f"key of {account.id}", account.id, "sk-…", "caller", NOW, None, Rules(**rules))
    await store.add_key(key, f"digest of {account.id}")
    return Caller(account.id, key.id, key.rules)


def task_of(caller: Caller, **fields):
    return new_task(caller.account_id, key_id=caller.key_id, **fields)


async def all_at_once(nodes, caller: Caller, count: int, **fields) -> list[TaskError]:
    """Many submits on two nodes at the same moment; the refusals."""
    answers = await asyncio.gather(
        *(nodes[n % 2].submit((task_of(caller, **fields),), caller=caller) for n in range(count)),
        return_exceptions=True,
    )
    refused = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(error, TaskError) for error in refused), refused
    return refused


async def test_of_two_submits_for_the_last_credit_one_is_refused(nodes):
    for _ in range(10):
        caller = await caller_of(nodes[0], available=1)
        (error,) = await all_at_once(nodes, caller, 2, price=1)
        assert error.code is Code.NO_CREDITS
    await check_sums(nodes[0])


async def test_twenty_submits_at_once_keep_within_the_active_limit(nodes):
    caller = await caller_of(nodes[0], active=5)
    refused = await all_at_once(nodes, caller, 20, price=1)
    assert [error.code for error in refused] == [Code.RATE_LIMITED] * 15
    assert (await nodes[0].account(caller.account_id)).held == 5
    for task in await claimed(nodes[0], limit=2):
        await moved(nodes[0], task, Trigger.COMPLETE)
    assert len(await all_at_once(nodes, caller, 20)) == 18
    await check_sums(nodes[0])


async def test_twenty_submits_at_once_keep_within_the_spending_limit(nodes):
    caller = await caller_of(nodes[0], spend=10)
    refused = await all_at_once(nodes, caller, 20, price=3)
    assert [error.code for error in refused] == [Code.RATE_LIMITED] * 17
    await check_sums(nodes[0])


async def test_submits_and_ends_of_one_key_do_not_wait_for_each_other_for_ever(nodes):
    caller = await caller_of(nodes[0], available=10_000, spend=9_000, active=500)
    file = File("file-1", "files/file-1", "image/png", 1, 1, 1)
    await nodes[0].add_file(caller.account_id, file, NOW)

    async def end(store: Store) -> None:
        for _ in range(10):
            for task in await claimed(store, limit=3):
                await moved(store, task, Trigger.FAIL)

    submits = (nodes[n % 2].submit((task_of(caller, price=2, inputs=(file,)),), caller=caller) for n in range(60))
    await asyncio.gather(*submits, *(end(node) for node in nodes * 2))
    await check_sums(nodes[0])


async def test_a_family_counts_as_its_parts(store):
    caller = await caller_of(store, active=2)
    with pytest.raises(TaskError) as caught:
        await store.submit(new_family(caller.account_id, 3, key_id=caller.key_id), caller=caller)
    assert caught.value.code is Code.RATE_LIMITED
    assert await store.tasks(caller.account_id, None, 10) == []
    await store.submit(new_family(caller.account_id, 2, key_id=caller.key_id), caller=caller)


async def test_a_batch_is_within_the_limits_or_refused_as_a_whole(store):
    caller = await caller_of(store, available=9, active=3, spend=8)
    for count, price in ((4, 1), (3, 3)):
        with pytest.raises(TaskError) as caught:
            await store.submit_batch(tuple(task_of(caller, price=price) for _ in range(count)), caller=caller)
        assert caught.value.code is Code.RATE_LIMITED
    assert await store.tasks(caller.account_id, None, 10) == []
    ids = await store.submit_batch(tuple(task_of(caller, price=2) for _ in range(3)), caller=caller)
    assert {line.task_id for line in await store.ledger(caller.account_id, 3)} == set(ids)
    await check_sums(store)


async def test_what_a_task_did_not_cost_can_be_spent_again_on_the_same_day(store):
    caller = await caller_of(store, spend=4)
    await store.submit((task_of(caller, price=4, count=4),), caller=caller)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.COMPLETE, artifacts=(new_artifact(),))
    await store.submit((task_of(caller, price=3),), caller=caller)
    with pytest.raises(TaskError):
        await store.submit((task_of(caller, price=1),), caller=caller)


async def test_a_new_day_begins_at_nothing_and_yesterdays_tasks_do_not_add_to_it(store):
    caller = await caller_of(store, spend=4)
    await store.submit((task_of(caller, price=4),), caller=caller)
    await store.submit((task_of(caller, price=3, created_at=TOMORROW),), caller=caller)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.FAIL, TOMORROW + 1)
    with pytest.raises(TaskError) as caught:
        await store.submit((task_of(caller, price=2, created_at=TOMORROW),), caller=caller)
    assert caught.value.retry_after == DAY // 1000 + 1
    await store.submit((task_of(caller, price=1, created_at=TOMORROW),), caller=caller)


async def test_a_deleted_task_still_counts_as_spent(store):
    caller = await caller_of(store, spend=4)
    await store.submit((task_of(caller, price=4),), caller=caller)
    (running,) = await claimed(store)
    assert await store.delete(await moved(store, running, Trigger.COMPLETE))
    with pytest.raises(TaskError):
        await store.submit((task_of(caller, price=1),), caller=caller)


async def test_a_key_that_is_revoked_meanwhile_submits_nothing(store):
    caller = await caller_of(store, active=9)
    await store.revoke_key(caller.key_id, NOW)
    with pytest.raises(TaskError) as caught:
        await store.submit((task_of(caller),), caller=caller)
    assert caught.value.code is Code.INVALID_KEY


# ---- purses


async def test_holds_take_free_credits_first_and_releases_go_back_to_where_they_came_from(store):
    account = await store.add_account("caller", 3, NOW)
    await store.enter(account.id, grant(5, Purse.PAID), NOW)
    await submitted(store, account.id, price=4, count=2)
    balance = await store.account(account.id)
    assert (balance.free, balance.paid, balance.held) == (0, 4, 4)
    (running,) = await claimed(store)
    await moved(store, running, Trigger.COMPLETE, artifacts=(new_artifact(),))
    balance = await store.account(account.id)
    assert (balance.free, balance.paid, balance.held, balance.available) == (1, 5, 0, 6)
    assert [line.entry for line in await store.ledger(account.id, 2)] == [
        Entry(EntryKind.RELEASE, 1, 1, -2),
        Entry(EntryKind.CAPTURE, 0, 0, -2),
    ]
    await check_sums(store)


async def test_a_family_takes_from_the_purses_part_by_part(store):
    account = await store.add_account("caller", 3, NOW)
    await store.enter(account.id, grant(5, Purse.PAID), NOW)
    family = new_family(account.id, 3, price=2)
    await store.submit(family)
    lines = await store.ledger(account.id, 10, public_id=family[0].public_id)
    assert [(line.entry.free, line.entry.paid) for line in lines] == [(0, -2), (-1, -1), (-2, 0)]
    for task in await claimed(store, limit=3):
        await moved(store, task, Trigger.FAIL)
    balance = await store.account(account.id)
    assert (balance.free, balance.paid, balance.held) == (3, 5, 0)
    assert len(await store.ledger(account.id, 10, public_id=family[0].public_id)) == 6
    await check_sums(store)


async def test_lines_of_the_same_millisecond_stand_in_the_order_in_which_they_were_written(store):
    account = await store.add_account("caller", 1, NOW)
    for amount in range(2, 40):
        await store.grant(account.id, amount, NOW)
    assert [entry.free for entry, _ in await store.entries(account.id)] == [*range(1, 40)]
    first = await store.ledger(account.id, 30)
    rest = await store.ledger(account.id, 30, first[-1].number)
    assert [line.entry.free for line in (*first, *rest)] == [*range(39, 0, -1)]


async def test_a_correction_takes_no_more_than_there_is(store):
    account = await store.add_account("caller", 5, NOW)
    assert not await store.enter(account.id, adjust(-6, Purse.FREE), NOW)
    assert not await store.enter(account.id, adjust(-1, Purse.PAID), NOW)
    assert await store.enter(account.id, adjust(-5, Purse.FREE), NOW)
    assert not await store.enter("nobody", grant(1), NOW)
    await check_sums(store)


async def test_an_audit_line_is_written_with_what_it_is_about_or_not_at_all(store):
    account = await store.add_account("caller", 5, NOW)
    audit = Audit("a test", "credits.adjusted", account.id, NOW, {"amount": -9})
    assert not await store.enter(account.id, adjust(-9, Purse.FREE), NOW, audit)
    assert await store.audit(10) == []
    assert await store.enter(account.id, adjust(-1, Purse.FREE), NOW, audit)
    (line,) = await store.audit(10)
    assert (line.actor, line.action, line.subject, line.detail) == (
        *("a test", "credits.adjusted", account.id),
        {"amount": -9},
    )


# ---- files that tasks need


async def test_a_file_is_removed_only_when_no_unfinished_task_needs_it(store):
    file = File("file-1", "files/file-1", "image/png", 1, 1, 1)
    await store.add_file("caller", file, NOW)
    assert await store.unused_files(NOW) == []  # too young
    family = new_family("caller", 2, inputs=(file, file))
    await store.submit((family[0], family[1], family[2]))
    assert await store.unused_files(NOW + DAY) == []
    first, second = await claimed(store, limit=2)
    await moved(store, first, Trigger.COMPLETE)
    assert not await store.remove_unused_file(file.id, NOW + DAY)
    await moved(store, second, Trigger.FAIL)
    assert await store.unused_files(NOW + DAY) == [file]
    assert await store.remove_unused_file(file.id, NOW + DAY)
    assert await store.file(file.id) is None


async def test_a_submit_and_a_removal_of_its_input_have_exactly_one_winner(nodes):
    for turn in range(20):
        file = File(f"file-{turn}", f"files/file-{turn}", "image/png", 1, 1, 1)
        await nodes[0].add_file("caller", file, NOW - DAY)
        calls = [
            nodes[0].submit((new_task("caller", inputs=(file,)),)),
            nodes[1].remove_unused_file(file.id, NOW - 1),
        ]
        submit, removed = (
            await asyncio.gather(*calls, return_exceptions=True)
            if turn % 2
            else (await asyncio.gather(*calls[::-1], return_exceptions=True))[::-1]
        )
        assert removed is isinstance(submit, TaskError)
        assert (await nodes[0].file(file.id) is None) is removed
        if removed:
            assert submit.code is Code.NOT_FOUND
