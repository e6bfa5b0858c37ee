"""Who works: signs of life in the database, and what they say of a model."""

from __future__ import annotations

from dataclasses import replace

from lives import NOW, submitted

from darkroom.core.fairness import Serves
from darkroom.core.workers import WorkerInfo
from darkroom.roster import Roster
from darkroom.store import Store

ONE = WorkerInfo("one", ("fake",), 2, Serves(("fast",), ("gpu=h200",)), "1.0", NOW)


async def test_a_worker_is_as_it_last_said(store: Store) -> None:
    await store.announce(ONE)
    later = replace(ONE, slots=3, serves=Serves(), seen_at=NOW + 5)
    await store.announce(later)
    assert await store.workers(NOW) == [later]
    assert await store.workers(NOW + 6) == []


async def test_workers_leave_or_are_forgotten(store: Store) -> None:
    for name in ("one", "two", "three"):
        await store.announce(replace(ONE, name=name, seen_at=NOW + len(name)))
    await store.forget_worker("two")
    await store.forget_workers(NOW + 4)
    assert [worker.name for worker in await store.workers(0)] == ["three"]


async def test_a_task_is_possible_if_a_worker_has_its_engine_and_serves_its_model(store: Store) -> None:
    account = await store.add_account("caller", 100, NOW)
    task = await submitted(store, account.id)

    async def possible(worker: WorkerInfo, **needs: tuple[str, ...]) -> bool:
        for known in await store.workers(0):
            await store.forget_worker(known.name)
        await store.announce(replace(worker, seen_at=NOW))
        return await Roster(store, needs, lambda: NOW).possible(task)

    fit = WorkerInfo("fit", (task.engine,), 1)
    assert await possible(fit)
    assert not await possible(replace(fit, engines=("another",)))
    assert not await possible(replace(fit, serves=Serves(("another",))))
    assert await possible(replace(fit, serves=Serves((task.model, "another"))))
    assert not await possible(fit, **{task.model: ("gpu",)})
    assert await possible(replace(fit, serves=Serves((), ("gpu", "more"))), **{task.model: ("gpu",)})
    assert not await Roster(store, {}, lambda: NOW + 60_000).possible(task)  # not heard of for a minute
