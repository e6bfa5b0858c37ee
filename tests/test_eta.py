"""When a task will be done: from the order in which tasks are claimed, and from the runs of each model."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom import positions
from darkroom.core.commands import TaskResult
from darkroom.core.task import Task
from worker import workshop
from worker.workshop import Workshop


async def told(shop: Workshop, task: Task) -> TaskResult:
    """What the owner of a task is told of it now."""
    return await shop.service.result(await shop.read(task))


@pytest.mark.parametrize("near", [100, 2])  # counted exactly; and from the look at the whole queue
async def test_a_task_waits_for_those_before_it_by_their_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, near: int
) -> None:
    monkeypatch.setattr(positions, "NEAR", near)
    async with Workshop(tmp_path, slots=1) as shop:
        shop.estimates.observe("fake", 2)
        shop.estimates.observe("fake-process", 60)
        quick, slow, last = await shop.submit(), await shop.submit("fake-process"), await shop.submit()
        found = [await told(shop, task) for task in (quick, slow, last)]
        assert [result.position for result in found] == [1, 2, 3]
        assert [result.eta for result in found] == [2, 2 + 60, 2 + 60 + 2]
        assert [result.retry_after for result in found] == [1, 30, 30]


async def test_a_task_with_parts_is_done_when_its_last_part_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workshop, "utc_now", lambda: 1_800_000_000_000)
    async with Workshop(tmp_path, slots=1) as shop:
        shop.estimates.observe("fake", 10)
        await shop.submit()
        parent = (await shop.submit_all(inputs=[await shop.upload()], parts=3)).task
        waiting = await told(shop, parent)
        assert (waiting.position, waiting.eta) == (2, 40)
        await shop.store.claim("worker", ("fake",), 2, shop.now(), 30_000)  # the first task, and the first part
        running = await told(shop, parent)
        assert running.position is None
        assert running.eta == 20
        assert running.retry_after == 16
        await shop.store.claim("worker", ("fake",), 2, shop.now(), 30_000)
        shop.offset = 4_000
        assert (await told(shop, parent)).eta == 6


async def test_nothing_is_foretold_for_parts_of_which_nothing_is_known(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        parent = (await shop.submit_all(inputs=[await shop.upload()], parts=2)).task
        result = await told(shop, parent)
        assert (result.position, result.eta, result.retry_after) == (1, None, 1)


async def test_a_start_knows_how_long_the_newest_tasks_took(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        async with shop.working():
            for _ in range(3):
                await shop.final(await shop.submit(step_ms=50))
        observed = await shop.store.observed(100)
        assert [model for model, _ in observed] == ["fake"] * 3
        assert all(0.05 <= seconds < 10 for _, seconds in observed)
