"""Lists: a walk through the pages meets every task exactly once, whatever is added meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from lives import claimed, moved, submitted

from darkroom.core.task import Operation, State, Trigger
from darkroom.store import LAST, Store
from darkroom.testing.databases import new_task


async def test_pages_under_concurrent_submits_neither_repeat_nor_skip(database_url):
    reader, writer = await Store.open(database_url), await Store.open(database_url)
    old = [(await submitted(writer, "caller")).id for _ in range(40)]
    stop = asyncio.Event()

    async def keep_submitting() -> int:
        count = 0
        while not stop.is_set():
            await asyncio.gather(*(writer.submit((new_task("caller"),)) for _ in range(5)))
            count += 5
        return count

    submitting = asyncio.create_task(keep_submitting())
    walks = []
    for size in (1, 7, 40):
        seen, before = [], LAST
        while page := await reader.tasks("caller", None, size, before):
            seen += page
            before = page[-1].seq
            await asyncio.sleep(0)
        walks.append(seen)
    stop.set()
    assert await submitting > 0
    for seen in walks:
        assert [task.seq for task in seen] == sorted({task.seq for task in seen}, reverse=True)
        assert [task.id for task in seen if task.id in set(old)] == old[::-1]
    await asyncio.gather(reader.close(), writer.close())


async def test_a_page_holds_the_accounts_own_tasks_of_one_state(store):
    mine = [await submitted(store, "caller") for _ in range(3)]
    await submitted(store, "another caller")
    (running,) = await claimed(store)
    await moved(store, running, Trigger.COMPLETE)
    assert [task.id for task in await store.tasks("caller", State.SUCCEEDED, 10)] == [mine[0].id]
    assert [task.id for task in await store.tasks("caller", State.QUEUED, 10)] == [mine[2].id, mine[1].id]
    assert len(await store.tasks("caller", None, 2)) == 2
    assert await store.tasks("nobody", None, 10) == []


@pytest.mark.parametrize("before", [10**30, LAST, LAST + 1])
async def test_a_cursor_far_above_every_task_is_the_first_page(store, before):
    task = await submitted(store, "caller")
    assert [each.id for each in await store.tasks("caller", None, 10, before)] == [task.id]


@pytest.mark.parametrize("before", [0, -1, -(10**30)])
async def test_a_cursor_below_every_task_is_an_empty_page(store, before):
    await submitted(store, "caller")
    assert await store.tasks("caller", None, 10, before) == []


async def test_a_page_by_its_number_skips_the_pages_before(store):
    made = [(await submitted(store, "caller")).id for _ in range(5)]
    pages = [await store.tasks("caller", None, 2, skip=skip) for skip in (0, 2, 4, 6, 10**30)]
    assert [[task.id for task in page] for page in pages] == [made[:2:-1], made[2:0:-1], made[:1], [], []]


async def test_a_page_may_hold_tasks_of_some_kinds(store):
    await store.submit((new_task("caller"),))
    filtered = replace(new_task("caller"), operation=Operation.IMAGE_FILTER)
    video = replace(new_task("caller"), operation=Operation.VIDEO_FILTER)
    await store.submit((filtered,))
    await store.submit((video,))
    kinds = (Operation.IMAGE_FILTER, Operation.VIDEO_FILTER)
    assert [task.id for task in await store.tasks("caller", None, 9, operations=kinds)] == [video.id, filtered.id]
    assert [task.id for task in await store.tasks("caller", None, 9, operations=kinds[:1])] == [filtered.id]
