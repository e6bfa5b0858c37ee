"""Batches of every length are written as so many single submits would be, whole or not at all."""

from __future__ import annotations

import pytest
from lives import submitted
from tables import contents

from darkroom.core.task import Task
from darkroom.store.queries import statements
from darkroom.store.sqlite import TOGETHER
from darkroom.testing.databases import NOW, check_sums, new_task

ODD = "nul \x00, half a pair \ud800, 山 and é"


def tasks_of(account_id: str, count: int) -> tuple[Task, ...]:
    """Tasks that differ in all that a batch may mix."""
    return tuple(
        new_task(
            account_id,
            price=number % 3,
            metadata={"number": number},
            params={"prompt": "é" * number},
            model=ODD if number % 5 == 4 else f"model-{number % 2}",
        )
        for number in range(count)
    )


@pytest.mark.parametrize("count", [1, 7, 8, TOGETHER, TOGETHER + 1, 2 * TOGETHER, 3 * TOGETHER + 7])
async def test_a_batch_of_any_length_is_read_back_as_it_was_written(store, count):
    account = await store.add_account("caller", 1_000, NOW)
    tasks = tasks_of(account.id, count)
    assert await store.submit_batch(tasks) == tuple(task.public_id for task in tasks)
    found = (await store.tasks(account.id, None, 1_000))[::-1]
    kept = "nul \ufffd, half a pair ?, 山 and é"
    assert [(t.id, t.price, t.metadata, t.params, t.model) for t in found] == [
        (t.id, t.price, t.metadata, t.params, kept if t.model == ODD else t.model) for t in tasks
    ]
    assert [task.turn for task in found] == sorted({task.turn for task in found})
    assert [len(await store.events(task.id)) for task in found] == [1] * count
    assert (await store.account(account.id)).held == sum(task.price for task in tasks)
    await check_sums(store)


@pytest.mark.parametrize("place", [1, TOGETHER, 2 * TOGETHER, 2 * TOGETHER + 5])
async def test_an_id_that_is_taken_anywhere_in_a_batch_leaves_nothing_of_it(store, database_url, place):
    taken = await submitted(store)
    before = await contents(database_url)
    tasks = list(tasks_of("caller", 2 * TOGETHER + 9))
    tasks[place] = new_task(public_id=taken.public_id)
    with pytest.raises(Exception, match=r"(?i)unique"):
        await store.submit_batch(tuple(tasks))
    assert await contents(database_url) == before


def test_only_plain_inserts_are_made_of_several_rows():
    whole = statements()["add_event"].together(2)
    assert whole is not None
    assert whole.endswith("VALUES (?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?)")
    assert "CONFLICT" not in (statements()["add_task"].together(2) or "CONFLICT")
    for name in ("add_clock", "add_standing", "line_up", "use_file", "add_webhook_delivery"):
        assert statements()[name].together(2) is None
