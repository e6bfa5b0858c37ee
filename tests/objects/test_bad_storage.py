"""A storage that refuses, is slow or lost: what was asked of it fails clearly and in time, and is never half-done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bad_line import Line
from darkroom.core.errors import Code, TaskError
from darkroom.objects import Objects
from darkroom.testing.objects import keys, read
from seaweed import Seaweed

SMALL, LARGE = os.urandom(2_000_000), os.urandom(6_000_000)  # bytes: one request, and two parts
FAILURES = {
    "refused": {"refusing": True},
    "busy": {"busy": True},
    "lost": {"cut_up": 1_000_000},
    "silent": {"stall_up": 1_000_000},
}
BY_SIZE = pytest.mark.parametrize(
    ("failure", "content"),
    [
        *((failure, SMALL) for failure in FAILURES.values()),
        *((FAILURES[name], LARGE) for name in ("lost", "silent")),
    ],
    ids=[*FAILURES, "lost in parts", "silent in parts"],
)


@pytest.fixture
def line(seaweed: Seaweed) -> Iterator[Line]:
    with Line(seaweed.port) as line:
        yield line


@pytest.fixture
async def objects(seaweed: Seaweed, line: Line) -> AsyncIterator[Objects]:
    """A store behind the line that has the key `old`; nothing that is done to it may take for ever."""
    objects = Objects.open(seaweed.place(), seaweed.cloud(endpoint=line.address, seconds=1.0))
    await objects.put("old", LARGE)
    async with asyncio.timeout(60):
        yield objects


def fail(line: Line, failure: dict[str, Any], times: int | None = None) -> None:
    for name, value in failure.items():
        setattr(line, name, value)
    line.left = times


async def errors(*asked: Awaitable[Any]) -> list[TaskError]:
    """How each of these fails, all at the same time."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in found] == [TaskError] * len(asked), found
    return [error for error in found if isinstance(error, TaskError)]


@BY_SIZE
async def test_a_put_that_fails_says_so_and_leaves_what_was_there(
    objects: Objects, line: Line, failure: dict[str, Any], content: bytes
) -> None:
    fail(line, failure)
    for error in await errors(objects.put("old", content), objects.put("new", content)):
        assert (error.code, error.retryable) == (Code.STORAGE_FAILED, True)
        assert "old" not in error.message
    line.restore()
    assert await keys(objects) == ["old"]
    assert await read(await objects.get("old")) == LARGE


@BY_SIZE
async def test_a_failure_that_passes_is_not_noticed_by_who_puts(
    objects: Objects, line: Line, failure: dict[str, Any], content: bytes
) -> None:
    fail(line, failure, times=1)
    await objects.put("new", content)
    assert line.failures == 1
    assert await read(await objects.get("new")) == content


@pytest.mark.parametrize("failure", [{"cut_down": 3_000_000}, {"stall_down": 3_000_000}], ids=["lost", "silent"])
async def test_reading_goes_on_where_the_connection_was_lost(
    objects: Objects, line: Line, failure: dict[str, Any], tmp_path: Path
) -> None:
    fail(line, failure, times=1)
    assert await read(await objects.get("old")) == LARGE
    line.left = 1
    await objects.download("old", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert line.failures == 2


@pytest.mark.parametrize("failure", [{"cut_down": 3_000_000}, {"stall_down": 3_000_000}], ids=["lost", "silent"])
async def test_reading_that_fails_again_and_again_says_so_and_leaves_no_half_file(
    objects: Objects, line: Line, failure: dict[str, Any], tmp_path: Path
) -> None:
    fail(line, failure)
    stream = await objects.get("old")
    line.refusing = True  # and there is nobody to go on with
    received: list[bytes] = []

    async def take() -> None:
        async for chunk in stream:
            received.append(chunk)  # noqa: PERF401 - what came before the failure is to be seen

    for error in await errors(take(), objects.download("old", tmp_path / "copy")):
        assert error.code is Code.STORAGE_FAILED
    assert LARGE.startswith(b"".join(received))
    assert not (tmp_path / "copy").exists()


async def test_whoever_reads_slowly_gets_everything(objects: Objects) -> None:
    received = 0
    async for chunk in await objects.get("old"):
        if received < 3 * len(chunk):
            await asyncio.sleep(1.2)  # longer than the storage may be silent
        received += len(chunk)
    assert received == len(LARGE)


@pytest.mark.parametrize("failure", [{"refusing": True}, {"busy": True}, {"stall_up": 0}], ids=str)
async def test_whatever_else_is_asked_fails_clearly_too(objects: Objects, line: Line, failure: dict[str, Any]) -> None:
    fail(line, failure)
    for error in await errors(objects.stat("old"), objects.delete("old"), objects.get("old"), keys(objects)):
        assert (error.code, error.retryable) == (Code.STORAGE_FAILED, True)
    with pytest.raises(ValueError, match=r"cannot be reached|could not be written"):
        await objects.check()
    line.restore()
    await objects.check()
    assert await keys(objects) == ["old"]


async def test_a_put_that_is_canceled_leaves_what_was_there(objects: Objects, line: Line) -> None:
    line.stall_up = 2_000_000
    putting = asyncio.create_task(objects.put("old", LARGE + SMALL))
    while not line.failures:
        await asyncio.sleep(0.01)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    line.restore()
    assert await keys(objects) == ["old"]
    assert await read(await objects.get("old")) == LARGE
