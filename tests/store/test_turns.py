"""Who is next: accounts take turns, the shown place is the place, and no claim looks at a whole queue."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import Counter
from contextlib import closing

import asyncpg
import pytest
from lives import claimed, moved, submitted
from tables import rows

from darkroom.core.fairness import CREDIT, EVER, Sharing
from darkroom.core.task import Gate, State, Task, Trigger
from darkroom.positions import Positions
from darkroom.store import Store
from darkroom.store.queries import arguments, statements
from darkroom.testing.databases import ENGINE, LEASE, NOW, new_family, new_task

WHALE = 3_000


async def account(store: Store, name: str, weight: float = 1, limit: int | None = None) -> str:
    """An account with its share."""
    made = await store.add_account(name, 10**6, NOW)
    assert await store.set_share(made.id, weight, limit)
    return made.id


async def batch(store: Store, account_id: str, tasks: int, **fields: object) -> None:
    await store.submit_batch(tuple(new_task(account_id, **fields) for _ in range(tasks)))


async def order(store: Store, tasks: int, at_once: int = 1, **known: object) -> list[Task]:
    """The next tasks in the order of their claims."""
    found: list[Task] = []
    while len(found) < tasks and (more := await store.claim("worker", (ENGINE,), at_once, NOW, LEASE, **known)):
        found += more
    return found


async def test_a_whale_does_not_delay_those_who_come_after_it(store):
    whale, small = await account(store, "whale"), [await account(store, f"small {number}") for number in range(10)]
    await batch(store, whale, WHALE)
    assert len(await order(store, 60, at_once=20)) == 60
    for each in small:
        await batch(store, each, 5)
    shares = Counter(task.account_id for task in await order(store, 55))
    assert shares.pop(whale) in (4, 5, 6)
    assert all(count == 5 for count in shares.values())
    assert len(shares) == 10


async def test_weights_share_what_is_worked_off_and_prices_count(store):
    light, heavy = await account(store, "light"), await account(store, "heavy", weight=3)
    await batch(store, light, 100)
    await batch(store, heavy, 100)
    shares = Counter(task.account_id for task in await order(store, 80, at_once=4))
    assert abs(shares[heavy] - 3 * shares[light]) <= 4
    dear, cheap = await account(store, "dear"), await account(store, "cheap")
    await batch(store, dear, 20, engine="priced", price=5)
    await batch(store, cheap, 100, engine="priced", price=1)
    got = Counter(task.account_id for task in await store.claim("worker", ("priced",), 60, NOW, LEASE))
    assert abs(got[cheap] - 5 * got[dear]) <= 5


async def test_an_account_that_was_idle_for_long_neither_gains_nor_loses_by_it(store):
    old, new = await account(store, "old"), await account(store, "new")
    await batch(store, old, 50)
    assert len(await order(store, 100, at_once=25)) == 50
    await batch(store, new, 3)
    await batch(store, old, 3)  # behind the last of its tasks, which was just taken
    assert [task.account_id for task in await order(store, 6)] == [new, new, old, new, old, old]


async def test_engines_with_workers_of_their_own_have_clocks_of_their_own(store):
    busy, other = await account(store, "busy"), await account(store, "other")
    await batch(store, busy, 40)
    await batch(store, busy, 2, engine="rare")
    assert len(await store.claim("worker", (ENGINE,), 30, NOW, LEASE)) == 30
    await batch(store, other, 2, engine="rare")
    found = await store.claim("worker", ("rare",), 4, NOW, LEASE)
    assert [task.account_id for task in found] == [busy, other, busy, other]


async def test_an_engine_that_comes_anew_does_not_go_before_all_others(store):
    first, second = await account(store, "first"), await account(store, "second")
    await batch(store, first, 60)
    assert len(await order(store, 30)) == 30
    await batch(store, second, 30, engine="new", model="other-model")
    found = await store.claim("worker", (ENGINE, "new"), 20, NOW, LEASE)
    assert 9 <= Counter(task.engine for task in found)["new"] <= 11


async def test_a_higher_priority_goes_before_any_turn(store):
    await batch(store, await account(store, "many"), 5)
    urgent = await submitted(store, await account(store, "urgent"), priority=3, model="another-model")
    assert (await claimed(store))[0].id == urgent.id


async def test_parts_of_one_parent_take_turns_with_other_accounts(store):
    many, one = await account(store, "many"), await account(store, "one")
    await store.submit(new_family(many, parts=4))
    await submitted(store, one)
    assert [task.account_id for task in await order(store, 5)] == [many, one, many, many, many]


@pytest.mark.parametrize("near", [100, 3])  # counted exactly; and from the look at the whole queue
async def test_the_shown_place_is_the_order_of_claims(store, monkeypatch, near):
    monkeypatch.setattr("darkroom.positions.NEAR", near)
    accounts = [await account(store, f"account {number}", weight=number) for number in (1, 2, 4)]
    tasks = []
    for number in range(36):
        model = f"model-{number % 2}"
        priority = int(number % 12 == 0)
        tasks.append(await submitted(store, accounts[number % 3], model=model, price=number % 5, priority=priority))
    positions = Positions(store)
    shown = {task.id: sum((await positions.ahead(task)).values()) for task in tasks}
    claims = [task.id for task in await order(store, 99, at_once=5)]
    assert [shown[task_id] for task_id in claims] == list(range(36))


async def test_a_model_that_is_loaded_goes_first_within_the_window_alone(store):
    one, two = await account(store, "one"), await account(store, "two")
    await batch(store, one, 10, model="cold")
    await batch(store, two, 10, model="loaded")
    found = await order(store, 20, warm=("loaded",), sharing=Sharing(affinity=3))
    assert [task.model for task in found[:4]] == ["loaded"] * 4
    assert sorted(task.model for task in found) == ["cold"] * 10 + ["loaded"] * 10
    ahead = 0
    for task in found[:14]:
        ahead += 1 if task.model == "loaded" else -1
        assert -1 <= ahead <= 4


async def test_concurrent_claims_of_many_accounts_and_models_take_each_task_once(store, database_url):
    for number in range(6):
        await batch(store, await account(store, f"account {number}"), 50, model=f"model-{number % 3}")
    nodes = [await Store.open(database_url) for _ in range(8)]

    async def work(node: Store, number: int) -> list[str]:
        found: list[str] = []
        while tasks := await node.claim(f"worker {number}", (ENGINE,), 7, NOW, LEASE):
            found += [task.id for task in tasks]
        return found

    try:
        shares = await asyncio.gather(*(work(node, number) for number, node in enumerate(nodes)))
        taken = [task_id for share in shares for task_id in share]
        taken += [task.id for task in await order(store, 300, at_once=100)]  # skipped while others locked them
    finally:
        for node in nodes:
            await node.close()
    assert len(taken) == len(set(taken)) == 300


async def test_the_clock_is_the_largest_turn_that_was_taken_whoever_takes_at_once(store, database_url):
    for number in range(4):
        await batch(store, await account(store, f"account {number}"), 30)
    nodes = [await Store.open(database_url) for _ in range(4)]
    clock = 0
    try:
        for _ in range(6):
            await asyncio.gather(*(node.claim("worker", (ENGINE,), 3, NOW, LEASE) for node in nodes))
            ((now,),) = await rows(database_url, "SELECT turn FROM clock")
            assert now >= clock
            clock = now
    finally:
        for node in nodes:
            await node.close()
    ((largest,),) = await rows(database_url, "SELECT MAX(turn) FROM task WHERE state = 'running'")
    assert largest - 3 * CREDIT <= clock <= largest  # who raises it at the same moment stands for the others


# ---- what a claim looks at

PROBES = {
    "heads": {},
    "claim": {"engine": ENGINE, "model": "example-model", "priority": 0, "turn": EVER, "seq": EVER, "limit": 8,
              "worker": "w", "now": NOW, "due": NOW, "lease_until": NOW},
    "come_due": {"now": NOW, "limit": 100},
    "next_due": {"engines": f",{ENGINE},"},
    "running_of_model": {"model": "example-model"},
    "admitted": {"account_id": "nobody"},
    "admit": {"account_id": "nobody", "limit": 3},
    "queue": {"engine": ENGINE, "model": "example-model", "limit": 100},
    "waiting_before": {"engine": ENGINE, "model": "example-model", "priority": 0, "turn": 5, "seq": 5, "limit": 100},
}  # fmt: skip


async def plans(url: str) -> dict[str, str]:
    """How the database carries the queries of the queue out."""
    if url.startswith("sqlite:"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:"))) as connection:
            asked = [(name, statements()[name], params) for name, params in PROBES.items()]
            return {
                name: "\n".join(
                    row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {each.numbered}", arguments(each, params))
                )
                for name, each, params in asked
            }
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("ANALYZE task")
        found = {}
        for name, params in PROBES.items():
            values = [params[each] for each in statements()[name].names]
            told = await connection.fetch(f"EXPLAIN {statements()[name].positional}", *values)
            found[name] = "\n".join(row[0] for row in told)
        return found
    finally:
        await connection.close()


async def test_no_query_of_the_queue_sorts_it_or_reads_the_whole_table(store, database_url):
    for number in range(4):
        await batch(store, f"account {number}", 4_000, model="example-model" if number else "another-model")
    for task in await order(store, 120, at_once=60):
        await moved(store, task, Trigger.COMPLETE)
    for name, told in (await plans(database_url)).items():
        assert "task_" in told, (name, told)
        if database_url.startswith("sqlite:"):
            assert "TEMP B-TREE" not in told, (name, told)
            assert not re.search(r"SCAN (task|next)(?! USING)", told), (name, told)
        else:
            assert "Seq Scan on task" not in told, (name, told)
            assert "Sort" not in told, (name, told)


async def test_a_claim_takes_the_same_few_steps_however_long_the_queue_is(tmp_path):
    """Counted in SQLite's own instructions."""
    steps = []
    for tasks in (200, 6_000):
        store = await Store.open(f"sqlite:{tmp_path}/{tasks}.db")
        await batch(store, await account(store, "whale"), tasks)
        writer = store._database._writer
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        writer.set_progress_handler(tick, 10)
        await store.claim("worker", (ENGINE,), 1, NOW, LEASE)
        writer.set_progress_handler(None, 0)
        steps.append(count)
        await store.close()
    assert steps[1] <= 2 * steps[0] + 10


# ---- limits of accounts


async def test_a_limited_account_never_runs_more_than_it_may_and_delays_nobody(store):
    capped, other = await account(store, "capped", limit=2), await account(store, "other")
    await batch(store, capped, 500)
    await batch(store, other, 20)
    found = await order(store, 99, at_once=30)
    assert Counter(task.account_id for task in found) == {capped: 2, other: 20}
    running = [task for task in found if task.account_id == capped]
    for _ in range(5):
        done = running.pop(0)
        assert await moved(store, done, Trigger.COMPLETE)
        running += await order(store, 99)
        assert len(running) == 2


async def test_what_is_kept_back_is_not_in_the_queue(store, database_url):
    capped = await account(store, "capped", limit=3)
    await batch(store, capped, 40)
    counted = await rows(database_url, "SELECT gate, COUNT(*) FROM task GROUP BY gate ORDER BY gate")
    assert [tuple(row) for row in counted] == [(Gate.COUNTED, 3), (Gate.LIMIT, 37)]


@pytest.mark.parametrize("trigger", [Trigger.COMPLETE, Trigger.CANCEL, Trigger.FAIL, Trigger.RETRY])
async def test_any_end_of_a_run_makes_room_for_the_next_task_of_the_account(store, trigger):
    capped = await account(store, "capped", limit=1)
    await batch(store, capped, 3)
    (first,) = await order(store, 9)
    await moved(store, first, trigger)
    (second,) = await order(store, 9)
    assert second.id != first.id


async def test_a_canceled_task_of_the_queue_makes_room_too(store):
    capped = await account(store, "capped", limit=1)
    first, second = await submitted(store, capped), await submitted(store, capped)
    assert (first.gate, second.gate) == (Gate.COUNTED, Gate.LIMIT)
    assert await moved(store, first, Trigger.CANCEL)
    assert (await store.task(second.public_id)).gate is Gate.COUNTED


async def test_a_limit_can_be_set_raised_and_lifted_while_tasks_wait_and_run(store):
    later = await account(store, "later")
    await batch(store, later, 30)
    assert len(await order(store, 4, at_once=4)) == 4
    assert await store.set_share(later, 1, 2)
    assert await order(store, 9) == []
    assert await store.set_share(later, 1, 6)
    assert len(await order(store, 9)) == 2
    assert await store.set_share(later, 1, None)
    assert len(await order(store, 99)) == 24


async def test_two_nodes_at_once_let_in_no_more_than_the_limit(store, database_url):
    capped = await account(store, "capped", limit=3)
    nodes = [await Store.open(database_url) for _ in range(4)]
    try:
        await asyncio.gather(*(batch(node, capped, 10) for node in nodes))
        running = await order(store, 99)
        assert len(running) == 3
        await asyncio.gather(*(moved(node, task, Trigger.COMPLETE) for node, task in zip(nodes, running, strict=False)))
        assert len(await order(store, 99)) == 3
    finally:
        for node in nodes:
            await node.close()


async def test_the_place_of_a_task_that_is_kept_back_counts_its_accounts_own(store):
    capped, other = await account(store, "capped", limit=1), await account(store, "other")
    mine = [await submitted(store, capped) for _ in range(3)]
    await submitted(store, other)
    assert sum((await store.ahead(mine[2], 100)).values()) == 3


# ---- limits of models


async def test_a_model_runs_no_more_than_it_may_on_all_workers_together(store, database_url):
    sharing = Sharing({"example-model": 3})
    await batch(store, await account(store, "many"), 40)
    await batch(store, await account(store, "other"), 5, model="free-model")
    nodes = [await Store.open(database_url) for _ in range(6)]
    try:
        found = await asyncio.gather(
            *(node.claim(f"w{n}", (ENGINE,), 2, NOW, LEASE, sharing=sharing) for n, node in enumerate(nodes))
        )
    finally:
        for node in nodes:
            await node.close()
    taken = [task for share in found for task in share] + await order(store, 99, sharing=sharing)
    assert Counter(task.model for task in taken) == {"example-model": 3, "free-model": 5}
    ended = next(task for task in taken if task.model == "example-model")
    await moved(store, ended, Trigger.COMPLETE)
    assert [task.model for task in await order(store, 99, sharing=sharing)] == ["example-model"]


# ---- tasks that start later


async def test_a_task_starts_at_its_time_and_lines_up_then(store):
    early = await account(store, "early")
    for _ in range(5):
        await submitted(store, early, run_at=NOW + 1_000)
    assert await order(store, 9) == []
    assert await store.next_due((ENGINE,)) == NOW + 1_000
    other = await account(store, "other")
    await batch(store, other, 20)
    assert len(await order(store, 10)) == 10
    found = await store.claim("worker", (ENGINE,), 10, NOW + 1_000, LEASE)
    assert Counter(task.account_id for task in found) == {early: 5, other: 5}


async def test_many_that_come_due_at_once_do_not_go_before_everybody(store):
    planner, other = await account(store, "planner"), await account(store, "other")
    await batch(store, planner, 90, run_at=NOW + 50)
    await batch(store, other, 10)
    found = await store.claim("worker", (ENGINE,), 20, NOW + 50, LEASE)
    assert Counter(task.account_id for task in found) == {planner: 10, other: 10}


async def test_a_retry_keeps_its_turn(store):
    many, other = await account(store, "many"), await account(store, "other")
    await batch(store, many, 10)
    await batch(store, other, 10)
    (first,) = await order(store, 1)
    await moved(store, first, Trigger.RETRY, now=NOW)
    assert len(await order(store, 4)) == 4
    (again,) = await store.claim("worker", (ENGINE,), 1, NOW + 60_000, LEASE)
    assert (again.id, again.attempt) == (first.id, 2)


async def test_a_limited_accounts_tasks_come_due_within_its_limit(store):
    capped = await account(store, "capped", limit=2)
    await batch(store, capped, 6, run_at=NOW + 50)
    found = await store.claim("worker", (ENGINE,), 9, NOW + 50, LEASE)
    assert len(found) == 2
    assert (await store.counts())[State.QUEUED] == 4
