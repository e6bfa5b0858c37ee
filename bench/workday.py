"""A workday for one store: who submits what and when, carried out on the real queue, with sleep in place of work."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

from darkroom.clock import utc_now
from darkroom.core.ids import new_id
from darkroom.core.machine import Policy, decide
from darkroom.core.task import Artifact, Operation, Task, Trigger
from darkroom.store import Store

ENGINE, MODEL = "bench", "bench-model"
LEASE = 60_000
RESULT = Artifact("bench/0", "image/png", 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Work:
    """One task: seconds from the start to its submit, whose it is, and seconds that it runs."""

    at: float
    account: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """What became of it: seconds until it was begun, and until it was done."""

    account: str
    begun: float
    done: float
    engine: str = ENGINE


def light(accounts: int, tasks: int, rate: float, seconds: float, seed: int = 1) -> list[Work]:
    """Accounts that submit now and then: `rate` tasks a second together."""
    chance = random.Random(seed)
    at, found = 0.0, []
    for number in range(tasks):
        at += chance.expovariate(rate)
        found.append(Work(at, f"light-{number % accounts}", seconds))
    return found


async def carried_out(url: str, works: Sequence[Work], slots: int, backlog: int = 0) -> list[Done]:
    """What became of each task; before them, one account has queued a backlog of tasks as long as the first."""
    store = await Store.open(url)
    try:
        for begin in range(0, backlog, 10_000):
            await store.submit_batch(tuple(task_of("heavy") for _ in range(min(10_000, backlog - begin))))
        lengths: dict[str, float] = {}
        submitted: dict[str, float] = {}
        found: list[Done] = []
        more, ended = asyncio.Event(), asyncio.Event()
        begun = time.perf_counter()

        async def submit(work: Work) -> None:
            await asyncio.sleep(max(0.0, work.at - (time.perf_counter() - begun)))
            task = task_of(work.account)
            lengths[task.id], submitted[task.id] = work.seconds, time.perf_counter()
            await store.submit((task,))
            more.set()

        async def run(task: Task) -> None:
            start = time.perf_counter()
            await asyncio.sleep(lengths.get(task.id, works[0].seconds))
            change = decide(task, Trigger.COMPLETE, now=utc_now(), policy=Policy(), artifacts=(RESULT,))
            assert change is not None
            assert await store.apply(change)
            if task.id in submitted:
                at = submitted[task.id]
                found.append(Done(task.account_id, start - at, time.perf_counter() - at))
                if len(found) == len(works):
                    ended.set()

        async def work(name: str) -> None:
            while True:
                more.clear()
                tasks = await store.claim(name, (ENGINE,), 1, utc_now(), LEASE)
                for task in tasks:
                    await run(task)
                if not tasks:
                    await more.wait()

        workers = [asyncio.create_task(work(f"slot {number}")) for number in range(slots)]
        callers = [asyncio.create_task(submit(each)) for each in works]
        waits = asyncio.create_task(ended.wait())
        try:
            await asyncio.wait([waits, *workers], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.gather(*callers)
        finally:
            for each in (*workers, waits):
                each.cancel()
            await asyncio.gather(*workers, waits, return_exceptions=True)
        return found
    finally:
        await store.close()


def task_of(account: str) -> Task:
    """A task without price, for the bench's engine."""
    now = utc_now()
    name = new_id(now)
    return Task(
        id=name,
        public_id=f"img_{name}",
        account_id=account,
        dialect="native",
        operation=Operation.IMAGE_GENERATE,
        model=MODEL,
        engine=ENGINE,
        run_at=now,
        created_at=now,
    )
