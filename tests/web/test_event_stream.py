"""Streams of events: comments while nothing happens, and the end of those that nobody may follow any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from darkroom import follow as following
from darkroom.core.commands import Follow, Update
from darkroom.core.errors import TaskError
from darkroom.web import events
from worker.workshop import PATIENCE, Workshop


def say(news: Update | TaskError) -> bytes:
    return b"news\n\n"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers look, and streams speak, every few milliseconds."""
    monkeypatch.setattr(following, "LOOK", 0.01)
    monkeypatch.setattr(events, "QUIET", 0.03)


@pytest.mark.parametrize("whole_account", [False, True])
async def test_a_silent_stream_is_kept_alive_and_ends_when_its_key_does(tmp_path: Path, whole_account: bool) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        leave = await shop.service.follow(shop.account_id, Follow(None if whole_account else task.public_id))
        valid = True

        async def allowed() -> bool:
            return valid

        updates = following.follow(shop.service, leave)
        chunks = events.told(updates, await anext(updates), say, allowed)
        async with asyncio.timeout(PATIENCE):
            assert await anext(chunks) == events.RECONNECT + b"news\n\n"
            while await anext(chunks) != events.COMMENT:
                pass
            assert await anext(chunks) == events.COMMENT
            valid = False
            assert [chunk async for chunk in chunks if chunk != events.COMMENT] == []
        assert shop.hub._watching == {}
        assert shop.hub._collecting == {}


async def test_a_lost_hint_costs_time_and_no_event(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        updates = following.follow(shop.service, await shop.service.follow(shop.account_id, Follow(task.public_id)))
        assert await anext(updates)
        monkeypatch.setattr(shop.hub, "notify", lambda *topics: None)
        async with shop.working() as worker, asyncio.timeout(PATIENCE):
            told = [update async for update in updates if update is not None]
            assert [str(update.state) for update in told if update.number is not None] == ["running", "succeeded"]
            monkeypatch.undo()
            worker.stop()


async def test_a_follower_who_comes_back_at_any_moment_misses_nothing(tmp_path: Path) -> None:
    """It breaks off after each event and goes on from its number, while the task goes on too."""
    async with Workshop(tmp_path) as shop, shop.working(), asyncio.timeout(PATIENCE):
        for _ in range(10):
            task = await shop.submit(outcome="fail_once")
            seen: list[str] = ["queued"]
            after = 1
            while seen[-1] != "succeeded":
                leave = await shop.service.follow(shop.account_id, Follow(task.public_id, after))
                updates = following.follow(shop.service, leave)
                async for update in updates:
                    if update is not None and update.number is not None:
                        after = update.number
                        seen.append(str(update.state))
                        break
                await updates.aclose()
            assert seen == await shop.states(task) == ["queued", "running", "queued", "running", "succeeded"]
