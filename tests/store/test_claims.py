"""Who gets which task, and in which order."""

from __future__ import annotations

import asyncio
import random

from lives import claimed, moved, submitted
from tables import rows

from darkroom.core.task import State, Trigger
from darkroom.store import Store
from darkroom.testing.databases import ENGINE, LEASE, NOW, new_family, new_task

WORKERS = 8


async def test_urgent_tasks_come_first_and_then_the_oldest(store):
    chosen = random.Random(7)
    priorities = [chosen.randint(-2, 2) for _ in range(40)]
    tasks = [await submitted(store, priority=priority) for priority in priorities]
    wanted = sorted(tasks, key=lambda task: (-task.priority, task.seq))
    got = [task.id for size in (1, 25, 3, 50) for task in await claimed(store, limit=size)]
    assert got == [task.id for task in wanted]


async def test_rows_that_the_database_returns_in_another_order_are_sorted(store, database_url):
    tasks = [await submitted(store, priority=index % 3) for index in range(12)]
    for task in sorted(await claimed(store, limit=12), key=lambda task: -task.seq):
        await moved(store, task, Trigger.RELEASE, NOW)  # moves the row: now the table's order is another
    if database_url.startswith("postgresql"):
        stored = [seq for (seq,) in await rows(database_url, "SELECT seq FROM task")]
        assert stored != sorted(stored)
    got = await claimed(store, limit=12)
    assert [task.seq for task in got] == [
        task.seq for task in sorted(tasks, key=lambda task: (-task.priority, task.seq))
    ]


async def test_a_task_of_the_future_is_not_claimed(store):
    later = await submitted(store, run_at=NOW + 1)
    assert await claimed(store, now=NOW) == []
    assert [task.id for task in await claimed(store, now=NOW + 1)] == [later.id]


async def test_a_claim_that_waited_for_its_turn_takes_what_was_submitted_meanwhile(store):
    made = [await submitted(store, created_at=NOW + late, run_at=NOW + late) for late in (0, 30, 5_000)]
    tasks = await claimed(store, limit=4, now=NOW)
    assert [task.id for task in tasks] == [task.id for task in made]
    assert [task.started_at - NOW for task in tasks] == [0, 30, 5_000]  # nothing begins before it was made


async def test_a_claim_that_waited_puts_nothing_off_that_became_due_meanwhile(store):
    task = await submitted(store)
    (running,) = await claimed(store, now=NOW)
    await moved(store, running, Trigger.RELEASE, NOW + 200)
    (again,) = await claimed(store, now=NOW + 100)
    assert (again.id, again.attempt) == (task.id, 2)


async def test_a_worker_gets_no_more_than_it_asked_for(store):
    for _ in range(5):
        await submitted(store)
    assert [len(await claimed(store, limit=limit)) for limit in (0, 2, 2, 2, 2)] == [0, 2, 2, 1, 0]


async def test_a_worker_gets_tasks_of_its_engines_alone(store):
    names = ("draw", "drawn", "raw", "Draw", "d_aw", "%", "dra\\w")
    for name in names:
        await submitted(store, engine=name)
    for name in names:
        tasks = await store.claim("worker", (name,), 10, NOW, LEASE)
        assert [task.engine for task in tasks] == [name]


async def test_a_worker_of_several_engines_gets_the_tasks_of_all(store):
    for name in ("first", "second", "third"):
        await submitted(store, engine=name)
    tasks = await store.claim("worker", ("third", "first"), 10, NOW, LEASE)
    assert [task.engine for task in tasks] == ["first", "third"]
    assert await store.claim("worker", (), 10, NOW, LEASE) == []


async def test_eight_workers_share_two_thousand_tasks_without_a_double(database_url):
    stores = await asyncio.gather(*(Store.open(database_url) for _ in range(WORKERS)))
    families = [new_family(parts=200) for _ in range(10)]
    await asyncio.gather(*(stores[0].submit(family) for family in families))

    async def work(index: int) -> list[tuple[str, int]]:
        own = []
        while tasks := await stores[index].claim(f"worker {index}", (ENGINE,), 25, NOW, LEASE):
            own += [(task.id, task.attempt) for task in tasks]
        return own

    shares = await asyncio.gather(*map(work, range(WORKERS)))
    claims = [claim for share in shares for claim in share]
    while missed := await stores[0].claim("last worker", (ENGINE,), 500, NOW, LEASE):  # skipped while others locked
        claims += [(task.id, task.attempt) for task in missed]
    assert sorted(claims) == sorted((part.id, 1) for family in families for part in family[1:])
    workers = dict(await rows(database_url, "SELECT id, worker FROM task WHERE parts = 0"))
    assert all(workers[task] == f"worker {index}" for index, share in enumerate(shares) for task, _ in share)
    starts = await rows(database_url, "SELECT task_id, COUNT(*) FROM event WHERE state = 'running' GROUP BY task_id")
    assert len(starts) == 2_010
    assert {count for _, count in starts} == {1}
    await asyncio.gather(*(store.close() for store in stores))


async def test_claims_beside_submits_miss_nothing(database_url):
    first, second = await Store.open(database_url), await Store.open(database_url)
    got: set[str] = set()

    async def submit_all() -> None:
        await asyncio.gather(*(first.submit((new_task(),)) for _ in range(100)))

    async def claim_all() -> None:
        while len(got) < 100:
            tasks = await second.claim("worker", (ENGINE,), 10, NOW, LEASE)
            assert not got & {task.id for task in tasks}
            got.update(task.id for task in tasks)

    await asyncio.gather(submit_all(), claim_all())
    assert await first.counts() == {State.RUNNING: 100}
    await asyncio.gather(first.close(), second.close())
