"""The watch over the ledger: blind to what goes on, and never to what is wrong."""

from __future__ import annotations

import asyncio

import pytest
from lives import claimed, moved, submitted
from tables import change

from darkroom.core.ledger import Purse, adjust, grant
from darkroom.core.task import Trigger
from darkroom.drift import SETTLED, Ledger
from darkroom.store import Store
from darkroom.testing.databases import NOW

LATER = NOW + SETTLED + 10_000


async def used(store: Store, tasks: int = 8) -> str:
    """An account whose tasks have ended in different ways, and one that holds credits."""
    account = await store.add_account("caller", 1_000, NOW)
    for number in range(tasks):
        await submitted(store, account.id, price=3, count=3)
        (task,) = await claimed(store)
        await moved(store, task, Trigger.COMPLETE if number % 2 else Trigger.FAIL)
    await submitted(store, account.id, price=3)
    return account.id


@pytest.mark.parametrize("page", [1, 4, 1_000])
async def test_a_ledger_that_is_right_does_not_drift(store, page):
    ledger = Ledger(store, page)
    assert await ledger.drift(NOW) == 0
    await used(store)
    for now in (NOW, LATER, LATER):
        assert await ledger.drift(now) == 0


@pytest.mark.parametrize("when", ["before the first look", "after the page was added up"])
async def test_a_changed_balance_is_seen(store, database_url, when):
    account_id = await used(store)
    ledger = Ledger(store, 4)
    if when == "after the page was added up":
        assert await ledger.drift(LATER) == 0
    await change(database_url, f"UPDATE account SET free = free + 7 WHERE id = '{account_id}'")
    assert await ledger.drift(LATER) == 7


async def test_a_line_that_is_gone_is_seen_by_whoever_begins_to_look(store, database_url):
    await used(store)
    await change(database_url, "DELETE FROM entry WHERE kind = 'hold' AND seq = (SELECT MAX(seq) FROM entry)")
    assert await Ledger(store, 4).drift(LATER) > 0


async def test_credits_that_move_meanwhile_are_no_drift(store):
    account_id = await used(store)
    ledger = Ledger(store, 2)

    async def move() -> None:
        for number in range(30):
            await store.enter(account_id, grant(5) if number % 2 else adjust(-1, Purse.FREE), LATER + number)

    moving = asyncio.create_task(move())
    while not moving.done():
        assert await ledger.drift(LATER) == 0
        await asyncio.sleep(0)
    await moving
    assert await ledger.drift(LATER + SETTLED * 2) == 0
