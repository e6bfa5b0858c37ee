"""A worker whose object storage in the cloud refuses, or is lost in the middle of an upload."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from workshop import Played, Workshop

from bad_line import Line
from darkroom.core.errors import Code
from darkroom.core.machine import Policy
from darkroom.core.task import State
from darkroom.engines import Context, Job, Output
from darkroom.objects import Objects
from darkroom.testing.objects import keys
from seaweed import Seaweed

EACH_FAILURE = pytest.mark.parametrize(
    "failure", [{"busy": True}, {"cut_up": 500_000}, {"stall_up": 500_000}], ids=["busy", "lost", "silent"]
)


@pytest.fixture
def line(seaweed: Seaweed) -> Iterator[Line]:
    with Line(seaweed.port) as line:
        yield line


@pytest.fixture
def place(seaweed: Seaweed) -> str:
    return seaweed.place()


@pytest.fixture
def direct(seaweed: Seaweed, place: str) -> Objects:
    return Objects.open(place, seaweed.cloud())


@pytest.fixture
def objects(seaweed: Seaweed, place: str, line: Line) -> Objects:
    """The same behind the line."""
    return Objects.open(place, seaweed.cloud(endpoint=line.address, seconds=1.0))


def fail(line: Line, failure: dict[str, Any]) -> None:
    for name, value in failure.items():
        setattr(line, name, value)


def photographer(folder: Path, before: Callable[[Job], None]) -> Played:
    """An engine that delivers a picture of a megabyte."""
    from PIL import Image

    Image.frombytes("RGB", (800, 500), os.urandom(800 * 500 * 3)).save(folder / "a.png")

    async def play(job: Job, context: Context) -> Sequence[Output]:
        before(job)
        os.link(folder / "a.png", job.workdir / "a.png")
        return (Output(job.workdir / "a.png"),)

    return Played(play)


@EACH_FAILURE
async def test_a_result_that_cannot_be_stored_is_made_again(
    tmp_path: Path, line: Line, direct: Objects, objects: Objects, failure: dict[str, Any]
) -> None:
    def before(job: Job) -> None:
        if job.attempt == 1:
            fail(line, failure)
        else:
            line.restore()

    engine = photographer(tmp_path, before)
    async with Workshop(tmp_path, engine, funds=3, objects=objects, policy=Policy(9, 1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert (task.state, task.attempt) == (State.SUCCEEDED, task.failures + 1)
        assert task.failures >= 1  # and more where this machine stands still
        result = f"tasks/{task.id}/{task.attempt}/0"
        assert await keys(direct) == [result, f"{result}.thumbnail"]


async def test_a_result_that_can_never_be_stored_fails_its_task_and_costs_nothing(
    tmp_path: Path, line: Line, direct: Objects, objects: Objects
) -> None:
    engine = photographer(tmp_path, lambda _: fail(line, {"cut_up": 500_000}))
    async with Workshop(tmp_path, engine, funds=3, objects=objects, policy=Policy(2, 1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert (task.state, task.attempt, task.failure.code) == (State.FAILED, 2, Code.STORAGE_FAILED)
        account = await shop.store.account(shop.account_id)
        assert account
        assert (account.available, account.held) == (3, 0)
        assert await keys(direct) == []


async def test_an_input_that_cannot_be_read_is_read_again(
    tmp_path: Path, line: Line, direct: Objects, objects: Objects
) -> None:
    async with Workshop(tmp_path, objects=objects, policy=Policy(9, 1)) as shop:
        shop.service = replace(shop.service, inputs=replace(shop.service.inputs, objects=direct))
        picture = await shop.upload()
        line.busy = True
        task = await shop.submit(inputs=(picture,))
        async with shop.working():
            await shop.until(task, lambda found: found.failures > 0)
            line.restore()
            assert (await shop.final(task)).state is State.SUCCEEDED


async def test_wrong_keys_fail_a_task_clearly(tmp_path: Path, seaweed: Seaweed) -> None:
    refused = Objects.open(seaweed.place(), seaweed.cloud(secret="wrong", seconds=1.0))
    engine = photographer(tmp_path, lambda _: None)
    async with Workshop(tmp_path, engine, objects=refused, policy=Policy(1, 1)) as shop, shop.working():
        task = await shop.final(await shop.submit("played"))
        assert task.failure
        assert task.failure.code is Code.STORAGE_FAILED
        assert "SignatureDoesNotMatch" not in task.failure.message
