"""Results end with their files, also where the storage or the server fails in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from workshop import Workshop

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy, Retention
from darkroom.core.task import State
from darkroom.objects import Objects

KEPT = 60_000  # milliseconds
POLICY = Policy(backoff=1, retention=Retention(KEPT))


class Broken(Objects):
    """Object storage that removes nothing."""

    async def delete(self, *keys: str) -> None:
        raise TaskError(Code.STORAGE_FAILED, "The file could not be deleted.", detail="as asked")


def break_storage(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the storage refuse to remove files from now on."""
    monkeypatch.setattr(Objects, "delete", Broken.delete)


async def test_a_sweep_ends_what_was_kept_long_enough_and_nothing_else(tmp_path: Path) -> None:
    async with Workshop(tmp_path, policy=POLICY) as shop:
        async with shop.working():
            old = await shop.final(await shop.submit(results=1))
            shop.offset = KEPT // 2
            young = await shop.final(await shop.submit(results=1))
        assert len(await shop.stored()) == 4
        shop.offset = KEPT + 1_000
        assert await shop.janitor.sweep_results() == 1
        assert (await shop.read(old)).expired_at
        assert (await shop.read(young)).expired_at is None
        assert {key.split("/")[1] for key in await shop.stored()} == {young.id}
        assert await shop.store.removals() == []


async def test_files_that_could_not_be_removed_are_removed_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Workshop(tmp_path, policy=POLICY) as shop:
        async with shop.working():
            expired = await shop.final(await shop.submit(results=1))
        shop.offset = KEPT + 1
        break_storage(shop, monkeypatch)
        assert await shop.janitor.sweep_results() == 1
        found = await shop.read(expired)
        assert (found.state, found.artifacts) == (State.SUCCEEDED, ())  # nobody is promised a file that may go
        assert len(await shop.stored()) == 2
        assert "storage.failed" in caplog.text
        monkeypatch.undo()
        await shop.janitor.sweep_results()
        assert await shop.stored() == []
        assert await shop.store.removals() == []
