"""Wake-ups: who watches a topic hears of it, at once and without asking the database again and again."""

from __future__ import annotations

import asyncio
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from darkroom import service
from darkroom.core.commands import Get
from darkroom.core.task import State
from darkroom.desk import News, Outcome, StoreDesk
from darkroom.hub import CANCEL, WORK, Hub, news_of, woken
from darkroom.store.queue import Wish
from worker.workshop import PATIENCE, Workshop

LONG = 60.0  # seconds; nothing here takes so long


async def test_a_notification_wakes_everybody_who_watches_its_topic() -> None:
    hub = Hub()
    with hub.watch("a") as one, hub.watch("a", "b") as two, hub.watch("c") as other:
        hub.notify("a")
        assert await woken(one, LONG)
        assert await woken(two, LONG)
        assert not other.is_set()


async def test_one_notification_wakes_the_watchers_of_several_topics() -> None:
    hub = Hub()
    with hub.watch("a") as one, hub.watch("b") as two:
        hub.notify("a", "b", "nobody")
        assert one.is_set()
        assert two.is_set()


async def test_a_notification_between_watching_and_waiting_is_not_lost() -> None:
    hub = Hub()
    with hub.watch("a") as event:
        hub.notify("a")
        assert await woken(event, LONG)


async def test_a_notification_between_two_waits_is_not_lost() -> None:
    hub = Hub()
    with hub.watch("a") as event:
        hub.notify("a")
        assert await woken(event, LONG)
        hub.notify("a")  # while its watcher reads the row
        assert await woken(event, LONG)


async def test_a_wake_up_is_told_once() -> None:
    hub = Hub()
    with hub.watch("a") as event:
        hub.notify("a")
        hub.notify("a")
        assert await woken(event, LONG)
        assert not await woken(event, 0.01)


async def test_a_waiter_goes_on_when_nothing_happens() -> None:
    hub = Hub()
    with hub.watch("a") as event:
        assert not await woken(event, 0.01)


async def test_watchers_leave_nothing_behind() -> None:
    hub = Hub()
    with hub.watch("a", "b"), hub.watch("a"):
        assert set(hub._watching) == {"a", "b"}
    with pytest.raises(ZeroDivisionError), hub.watch("a"):
        raise ZeroDivisionError
    assert hub._watching == {}


async def test_a_topic_that_is_named_twice_is_watched_once() -> None:
    hub = Hub()
    with hub.watch("a", "a") as event:
        hub.notify("a")
        assert event.is_set()
    assert hub._watching == {}


async def test_a_canceled_waiter_leaves_nothing_behind() -> None:
    hub = Hub()

    async def wait() -> None:
        with hub.watch("a") as event:
            await woken(event, LONG)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    assert set(hub._watching) == {"a"}
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert hub._watching == {}


@pytest.fixture
def no_rereading(monkeypatch: pytest.MonkeyPatch) -> None:
    """A waiter that misses its wake-up waits much longer than the test."""
    monkeypatch.setattr(service, "REREAD", 1_000.0)


@pytest.mark.usefixtures("no_rereading")
async def test_a_waiting_caller_is_woken_by_the_end_of_the_task(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        waiting = asyncio.create_task(shop.service.get(shop.account_id, Get(task.public_id, wait=LONG)))
        await asyncio.sleep(0)
        assert set(shop.hub._watching) == {task.public_id}
        async with shop.working(), asyncio.timeout(PATIENCE):
            assert (await waiting).task.state is State.SUCCEEDED
        assert shop.hub._watching == {}


async def test_what_does_not_end_a_task_wakes_who_follows_it_and_not_who_waits_for_its_end(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        desk = StoreDesk("here", shop.store, shop.hub, shop.estimates, shop.policy, clock=shop.now)
        names = task.public_id, news_of(task.public_id), task.account_id
        with ExitStack() as watches:
            events = [watches.enter_context(shop.hub.watch(name)) for name in names]

            def heard() -> list[bool]:
                """Who was woken since the last time."""
                found = [event.is_set() for event in events]
                for event in events:
                    event.clear()
                return found

            [running] = await desk.claim(Wish((task.engine,), 1))
            assert heard() == [False, True, True]
            await desk.renew(running, News(progress=40, changed=True))
            assert heard() == [False, True, True]
            await desk.finish(running, Outcome())
            assert heard() == [True, False, True]


@pytest.mark.usefixtures("no_rereading")
async def test_a_caller_who_waits_for_parts_is_woken_by_the_last_of_them(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        parent = (await shop.submit_all(inputs=[await shop.upload()], parts=3)).task
        waiting = asyncio.create_task(shop.service.get(shop.account_id, Get(parent.public_id, wait=LONG)))
        async with shop.working(slots=1), asyncio.timeout(PATIENCE):
            assert (await waiting).task.state is State.SUCCEEDED


@pytest.mark.usefixtures("no_rereading")
async def test_a_hundred_callers_who_wait_while_tasks_end_miss_nothing(tmp_path: Path) -> None:
    """Some begin to wait before the end, some while it is written, some after it."""
    async with Workshop(tmp_path) as shop, shop.working(), asyncio.timeout(PATIENCE):

        async def one(number: int) -> State:
            task = await shop.submit()
            for _ in range(number % 40):
                await asyncio.sleep(0)
            return (await shop.service.get(shop.account_id, Get(task.public_id, wait=LONG))).task.state

        for _ in range(3):
            assert await asyncio.gather(*(one(number) for number in range(100))) == [State.SUCCEEDED] * 100
        assert set(shop.hub._watching) <= {WORK, CANCEL}


async def test_a_caller_waits_no_longer_than_asked_for(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        began = time.monotonic()
        found = (await shop.service.get(shop.account_id, Get(task.public_id, wait=0.2))).task
        assert found.state is State.QUEUED
        assert 0.2 <= time.monotonic() - began < PATIENCE
        assert shop.hub._watching == {}


async def test_a_lost_hint_costs_time_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "REREAD", 0.05)
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        waiting = asyncio.create_task(shop.service.get(shop.account_id, Get(task.public_id, wait=LONG)))
        await asyncio.sleep(0)
        monkeypatch.setattr(shop.hub, "notify", lambda *topics: None)
        async with shop.working() as worker, asyncio.timeout(PATIENCE):
            assert (await waiting).task.state is State.SUCCEEDED
            monkeypatch.undo()
            worker.stop()


async def test_a_hub_that_closes_wakes_everybody() -> None:
    hub = Hub()
    with hub.watch("a") as first, hub.watch("b", WORK) as second:
        assert not hub.closing()
        hub.close()
        assert hub.closing()
        assert first.is_set()
        assert second.is_set()
