"""A follower is told states in their order, also when the task moves on between the two reads of one look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from workshop import PATIENCE, Workshop

from darkroom.core.commands import Following
from darkroom.core.machine import decide
from darkroom.core.task import State, Task, Trigger
from darkroom.follow import follow


async def claim(shop: Workshop) -> Task:
    (task,) = await shop.store.claim("worker", ("fake",), 1, shop.now(), shop.lease)
    return task


async def move(shop: Workshop, task: Task, trigger: Trigger) -> None:
    change = decide(task, trigger, now=shop.now(), policy=shop.policy)
    assert change is not None
    assert await shop.store.apply(change)


async def finish(shop: Workshop) -> None:
    await move(shop, await claim(shop), Trigger.COMPLETE)


async def lose_and_claim(shop: Workshop) -> None:
    await move(shop, await claim(shop), Trigger.RELEASE)
    await claim(shop)


@pytest.mark.parametrize(
    ("meanwhile", "states"),
    [(finish, ["queued", "running", "succeeded"]), (lose_and_claim, ["queued", "running", "queued", "running"])],
)
@pytest.mark.parametrize("look", [1, 2])
async def test_what_happens_between_two_reads_is_told_in_its_order(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[Workshop], Awaitable[None]],
    states: list[str],
    look: int,
) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        read, looks = shop.store.events, 0

        async def events(task_id: str) -> list[Any]:
            nonlocal looks
            found = await read(task_id)
            looks += 1
            if looks == look:
                await meanwhile(shop)
                shop.hub.changed(task)
            return found

        monkeypatch.setattr(shop.store, "events", events)
        updates = follow(shop.service, Following(shop.account_id, task, None))
        told = []
        async with asyncio.timeout(PATIENCE):
            async for update in updates:
                if looks == 1 < look:
                    shop.hub.changed(task)  # so that it looks again
                if update is not None and update.state is not None:
                    told.append((update.number, str(update.state)))
                if len(told) >= len(states):
                    break
        await updates.aclose()
        assert told == [*enumerate(states, start=1)]
        found = await shop.read(task)
        if found.state is State.RUNNING:
            await move(shop, found, Trigger.FAIL)
