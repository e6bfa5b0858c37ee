"""A storage that refuses, is slow or lost: what was asked of it fails clearly and in time, and is never half-done."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bad_line import Line
from darkroom.core.errors import Code, TaskError
from darkroom.objects import Objects
from darkroom.testing.objects import keys, read
from seaweed import Seaweed

T = TypeVar("T")

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
def place(seaweed: Seaweed) -> str:
    return seaweed.place()


@pytest.fixture
async def direct(seaweed: Seaweed, place: str) -> Objects:
    """A store that has the key `old`."""
    objects = Objects.open(place, seaweed.cloud())
    await objects.put("old", LARGE)
    return objects


@pytest.fixture
def patient(direct: Objects, seaweed: Seaweed, place: str, line: Line) -> Objects:
    """The same behind the line, for what must work: also where this machine stands still for a moment."""
    return Objects.open(place, seaweed.cloud(endpoint=line.address, seconds=5.0))


@pytest.fixture
def hasty(direct: Objects, seaweed: Seaweed, place: str, line: Line) -> Objects:
    """The same behind the line, for what must fail: soon."""
    return Objects.open(place, seaweed.cloud(endpoint=line.address, seconds=1.0))


def fail(line: Line, failure: dict[str, Any], times: int | None = None) -> None:
    for name, value in failure.items():
        setattr(line, name, value)
    line.left = times


async def one_of_three(ask: Callable[[], Awaitable[T]]) -> T:
    """What the hasty store answers, unless this machine stands still each time."""
    for _ in range(2):
        with suppress(TaskError, ValueError):
            return await ask()
    return await ask()


async def errors(*asked: Awaitable[Any]) -> list[TaskError]:
    """How each of these fails, all at the same time."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(error) for error in found] == [TaskError] * len(asked), found
    return [error for error in found if isinstance(error, TaskError)]


@BY_SIZE
async def test_a_put_that_fails_says_so_and_leaves_what_was_there(
    direct: Objects, hasty: Objects, line: Line, failure: dict[str, Any], content: bytes
) -> None:
    fail(line, failure)
    for error in await errors(hasty.put("old", content), hasty.put("new", content)):
        assert (error.code, error.retryable) == (Code.STORAGE_FAILED, True)
        assert "old" not in error.message
    line.restore()
    assert await keys(direct) == ["old"]
    assert await read(await direct.get("old")) == LARGE


@BY_SIZE
async def test_a_failure_that_passes_is_not_noticed_by_who_puts(
    direct: Objects, patient: Objects, line: Line, failure: dict[str, Any], content: bytes
) -> None:
    fail(line, failure, times=1)
    await patient.put("new", content)
    assert line.failures == 1
    assert await read(await direct.get("new")) == content


@pytest.mark.parametrize("failure", [{"cut_down": 3_000_000}, {"stall_down": 3_000_000}], ids=["lost", "silent"])
async def test_reading_goes_on_where_the_connection_was_lost(
    patient: Objects, line: Line, failure: dict[str, Any], tmp_path: Path
) -> None:
    fail(line, failure, times=1)
    assert await read(await patient.get("old")) == LARGE
    line.left = 1
    await patient.download("old", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert line.failures == 2


@pytest.mark.parametrize("failure", [{"cut_down": 3_000_000}, {"stall_down": 3_000_000}], ids=["lost", "silent"])
async def test_reading_that_fails_again_and_again_says_so_and_leaves_no_half_file(
    hasty: Objects, line: Line, failure: dict[str, Any], tmp_path: Path
) -> None:
    fail(line, failure)
    stream = await one_of_three(lambda: hasty.get("old"))
    line.refusing = True  # and there is nobody to go on with
    received: list[bytes] = []

    async def take() -> None:
        async for chunk in stream:
            received.append(chunk)  # noqa: PERF401 - what came before the failure is to be seen

    for error in await errors(take(), hasty.download("old", tmp_path / "copy")):
        assert error.code is Code.STORAGE_FAILED
    assert LARGE.startswith(b"".join(received))
    assert not (tmp_path / "copy").exists()


async def test_whoever_reads_slowly_gets_everything(hasty: Objects) -> None:
    async def received() -> int:
        count = 0
        async for chunk in await hasty.get("old"):
            if count < 3 * len(chunk):
                await asyncio.sleep(1.2)  # longer than the storage may be silent
            count += len(chunk)
        return count

    assert await one_of_three(received) == len(LARGE)


@pytest.mark.parametrize("failure", [{"refusing": True}, {"busy": True}, {"stall_up": 0}], ids=str)
async def test_whatever_else_is_asked_fails_clearly_too(
    direct: Objects, hasty: Objects, line: Line, failure: dict[str, Any]
) -> None:
    fail(line, failure)
    for error in await errors(hasty.stat("old"), hasty.delete("old"), hasty.get("old"), keys(hasty)):
        assert (error.code, error.retryable) == (Code.STORAGE_FAILED, True)
    with pytest.raises(ValueError, match=r"cannot be reached|could not be written"):
        await hasty.check()
    assert await keys(direct) == ["old"]
    line.restore()
    await one_of_three(hasty.check)


async def test_a_put_that_is_canceled_leaves_what_was_there(direct: Objects, patient: Objects, line: Line) -> None:
    line.stall_up = 2_000_000
    putting = asyncio.create_task(patient.put("old", LARGE + SMALL))
    while not line.failures:
        await asyncio.sleep(0.01)
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    line.restore()
    assert await keys(direct) == ["old"]
    assert await read(await direct.get("old")) == LARGE
