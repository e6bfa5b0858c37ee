"""A worker whose results find no room."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from workshop import Played, Workshop

from darkroom.core.errors import Code
from darkroom.core.machine import Policy
from darkroom.core.task import State
from darkroom.engines import Context, Job, Output
from full_disk import FullDisk, full_disk


@pytest.fixture(params=["file system", "limit"])
def disk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FullDisk]:
    """Both kinds of a full disk where a file system can be mounted, otherwise the limit alone, twice."""
    if request.param == "limit":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)  # as somebody who may not mount
    with full_disk(tmp_path / "disk") as disk:
        yield disk


def photographer(picture: Path, before: Callable[[Job], None]) -> Played:
    """An engine that delivers a picture which exists already and takes no more room."""
    from PIL import Image

    Image.frombytes("RGB", (1000, 800), os.urandom(1000 * 800 * 3)).save(picture)

    async def play(job: Job, context: Context) -> Sequence[Output]:
        before(job)
        os.link(picture, job.workdir / "a.png")
        return (Output(job.workdir / "a.png"),)

    return Played(play)


async def test_a_result_that_finds_no_room_is_made_again_when_there_is_room(tmp_path: Path, disk: FullDisk) -> None:
    def before(job: Job) -> None:
        if job.attempt == 3:
            disk.free()

    engine = photographer(tmp_path / "a.png", before)
    async with Workshop(tmp_path, engine, funds=3, objects=disk.folder, policy=Policy(4, 1)) as shop, shop.working():
        disk.fill()
        task = await shop.final(await shop.submit("played"))
        assert (task.state, task.attempt, task.failures) == (State.SUCCEEDED, 3, 2)
        assert await shop.stored() == [f"tasks/{task.id}/3/0", f"tasks/{task.id}/3/0.thumbnail"]
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (0, 0)


async def test_a_result_that_never_finds_room_fails_its_task(tmp_path: Path, disk: FullDisk) -> None:
    engine = photographer(tmp_path / "a.png", lambda _: None)
    async with Workshop(tmp_path, engine, funds=3, objects=disk.folder, policy=Policy(2, 1)) as shop, shop.working():
        disk.fill()
        task = await shop.final(await shop.submit("played"))
        disk.free()
        assert task.failure
        assert (task.state, task.attempt, task.failure.code) == (State.FAILED, 2, Code.STORAGE_FAILED)
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (3, 0)
        assert await shop.stored() == []
        assert not list((disk.folder / ".incoming").iterdir())
        # And the next one finds room again.
        assert (await shop.final(await shop.submit("played"))).state is State.SUCCEEDED


async def test_an_engine_that_finds_no_room_to_work_is_not_blamed(tmp_path: Path) -> None:
    with full_disk(tmp_path / "work") as disk:

        async def play(job: Job, context: Context) -> Sequence[Output]:
            (job.workdir / "big").write_bytes(bytes(16 << 20))
            return ()

        async with Workshop(tmp_path, Played(play), policy=Policy(1)) as shop, shop.working():
            disk.fill()
            task = await shop.final(await shop.submit("played"))
            disk.free()
            assert task.failure
            assert (task.state, task.failure.code) == (State.FAILED, Code.STORAGE_FAILED)
