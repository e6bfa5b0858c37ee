"""Files that were handed in end when no task needs them any more, and no sooner."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from workshop import NATIVE, Workshop

from darkroom.core.commands import Inline, Submit, Upload
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import File, Operation
from darkroom.janitor import Janitor
from server.samples import png

HOUR = 3_600_000


def janitor(shop: Workshop, keep: int) -> Janitor:
    return Janitor(
        shop.store,
        shop.results,
        shop.hub,
        policy=shop.policy,
        inputs=shop.service.inputs,
        keep_inputs=keep,
        clock=shop.now,
    )


async def uploaded(shop: Workshop) -> File:
    return await shop.service.inputs.keep(shop.account_id, BytesIO(png(40, 30)))


async def test_an_input_outlives_its_task_by_its_time_and_is_then_removed_with_its_row(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        file = await uploaded(shop)
        task = await shop.submit(inputs=(file.id,))
        shop.offset += 2 * HOUR
        assert await janitor(shop, HOUR).remove_inputs() == 0  # the task waits
        async with shop.working():
            await shop.final(task)
        assert await janitor(shop, HOUR).remove_inputs() == 0  # it was needed a moment ago
        shop.offset += HOUR + 1
        assert await janitor(shop, 0).remove_inputs() == 0  # kept for ever
        assert await janitor(shop, HOUR).remove_inputs() == 1
        assert await shop.store.file(file.id) is None
        assert await shop.objects.stat(file.key) is None


async def test_a_task_that_names_a_removed_input_is_told_to_upload_it_again(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop:
        file = await uploaded(shop)
        shop.offset += HOUR + 1
        assert await janitor(shop, HOUR).remove_inputs() == 1
        command = Submit(operation=Operation.IMAGE_EDIT, model="fake", inputs=(Upload(file.id),))
        with pytest.raises(TaskError) as caught:
            await shop.service.submit(shop.account_id, command, NATIVE)
        assert caught.value.code is Code.NOT_FOUND


class Crash(BaseException):
    """The process ends here."""


def crash(*_: object) -> Any:
    raise Crash


def unavailable(*_: object) -> Any:
    raise TaskError(Code.UNAVAILABLE, "The database is away.", retryable=True)


async def test_a_file_whose_row_cannot_be_written_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Workshop(tmp_path) as shop:
        monkeypatch.setattr(shop.store, "add_file", unavailable)
        with pytest.raises(TaskError) as caught:
            await uploaded(shop)
        assert caught.value.code is Code.UNAVAILABLE
        assert [stat.key async for stat in shop.objects.list()] == []


async def test_a_file_that_cannot_be_stored_has_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Workshop(tmp_path) as shop:
        monkeypatch.setattr(shop.objects, "put", unavailable)
        with pytest.raises(TaskError):
            await uploaded(shop)
        assert await shop.store.file_rows() == {}


async def test_what_a_crash_leaves_of_an_input_is_removed_like_one_that_nobody_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between row and object there is a row, between the end of the row and that of the object there is a note."""
    async with Workshop(tmp_path) as shop:
        with monkeypatch.context() as patched:
            patched.setattr(shop.objects, "put", crash)
            patched.setattr(shop.store, "remove_unused_file", crash)
            with pytest.raises(Crash):
                await uploaded(shop)
        assert len(await shop.store.file_rows()) == 1
        whole = await uploaded(shop)
        shop.offset += HOUR + 1
        with monkeypatch.context() as patched:
            patched.setattr(shop.objects, "delete", crash)
            with pytest.raises(Crash):
                await janitor(shop, HOUR).remove_inputs()
        assert await janitor(shop, HOUR).remove_inputs() + len(await shop.store.removals()) == 2
        await janitor(shop, HOUR).sweep_results()
        assert await shop.store.file_rows() == {}
        assert await shop.store.removals() == []
        assert await shop.objects.stat(whole.key) is None


async def test_a_refusal_is_the_same_although_its_inputs_cannot_be_removed_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with Workshop(tmp_path, funds=0) as shop:
        data = base64.b64encode(png(40, 30)).decode()
        command = Submit(operation=Operation.IMAGE_EDIT, model="fake", inputs=(Inline(data),))
        monkeypatch.setattr(shop.store, "remove_unused_file", unavailable)
        with pytest.raises(TaskError) as caught:
            await shop.service.submit(shop.account_id, command, NATIVE)
        assert caught.value.code is Code.NO_CREDITS
        assert "storage.failed" in [record.getMessage() for record in caplog.records]
        monkeypatch.undo()
        shop.offset += HOUR + 1
        assert await janitor(shop, HOUR).remove_inputs() == 1
