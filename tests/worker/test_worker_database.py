"""A worker whose database is away for a while, loses a confirmation, or is broken."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from plays import Held, Upstream, logged
from workshop import NATIVE, Played, Workshop

from darkroom import worker as worker_module
from darkroom.core.commands import Inline, Submit
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation, State, Task
from darkroom.engines import Context, Job, Output
from darkroom.store import Submitted, sqlite
from darkroom.store.database import Database, Row, Script
from server.samples import png

T = TypeVar("T")


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """Nobody can write into the database."""
    other = sqlite3.connect(folder / "darkroom.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite does not wait for others, and the worker tries again soon."""
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0)
    monkeypatch.setattr(worker_module, "REWRITE", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("outcome", ["succeed", "fail"])
async def test_an_outcome_is_written_when_the_database_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, outcome: str
) -> None:
    go_on = asyncio.Event()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        await go_on.wait()
        if outcome == "fail":
            raise TaskError(Code.ENGINE_FAILED, "Out of film.")
        (job.workdir / "a.png").write_bytes(png(40, 30))
        return (Output(job.workdir / "a.png"),)

    async with Workshop(tmp_path, Played(play), funds=3) as shop, shop.working():
        task = await shop.running(await shop.submit("played"))
        with away(tmp_path):
            go_on.set()
            await logged(caplog, "storage.failed")
        done = await shop.final(task)
        assert (done.state, done.attempt) == (State.SUCCEEDED if outcome == "succeed" else State.FAILED, 1)
        assert len(done.artifacts) == (outcome == "succeed")
        assert len(await shop.stored()) == 2 * len(done.artifacts)


@pytest.mark.usefixtures("impatient")
async def test_a_worker_goes_on_claiming_when_the_database_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Workshop(tmp_path) as shop:
        task = await shop.submit()
        with away(tmp_path):
            async with shop.working() as worker:
                await logged(caplog, "loop.failed")
                worker.stop()
        async with shop.working():
            assert (await shop.final(task)).state is State.SUCCEEDED


@pytest.mark.usefixtures("impatient")
async def test_a_checkpoint_is_stored_before_its_engine_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ready, go_on = asyncio.Event(), asyncio.Event()
    upstream = Upstream()

    async def play(job: Job, context: Context) -> Sequence[Output]:
        ready.set()
        await go_on.wait()
        return await upstream.play(job, context)

    async with Workshop(tmp_path, Played(play)) as shop, shop.working():
        task = await shop.submit("played")
        await ready.wait()
        with away(tmp_path):
            go_on.set()
            await logged(caplog, "loop.failed")
            assert not upstream.ordered.is_set()
        await upstream.ordered.wait()
        assert (await shop.read(task)).checkpoint == "order-1"
        upstream.done.set()
        await shop.final(task)


class Unconfirmed:
    """A database that carries out a script and then loses the connection, each time that `lose` says so."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.lose: Callable[[Any], bool] = lambda _: False

    async def read(self, name: str, **params: Any) -> list[Row]:
        return await self.database.read(name, **params)

    def read_at_once(self, name: str, **params: Any) -> list[Row] | None:
        return self.database.read_at_once(name, **params)

    async def write(self, script: Callable[[], Script[T]]) -> T:
        result = await self.database.write(script)
        if self.lose(result):
            raise TaskError(Code.UNAVAILABLE, "The connection was lost.", retryable=True)
        return result

    async def ping(self) -> None:
        await self.database.ping()

    async def close(self) -> None:
        await self.database.close()


@pytest.mark.usefixtures("impatient")
async def test_a_result_survives_that_the_confirmation_of_its_commit_is_lost(tmp_path: Path) -> None:
    made: list[Unconfirmed] = []
    lost: list[Task] = []

    def unconfirmed(database: Database) -> Database:
        made.append(Unconfirmed(database))
        return made[0]

    def lose(result: Any) -> bool:
        if isinstance(result, Task) and result.state is State.SUCCEEDED and not lost:
            lost.append(result)
            return True
        return False

    async with Workshop(tmp_path, database=unconfirmed) as shop:
        made[0].lose = lose
        async with shop.working():
            task = await shop.final(await shop.submit(results=1))
        assert lost
        assert task.state is State.SUCCEEDED
        assert await shop.stored() == [f"tasks/{task.id}/1/0", f"tasks/{task.id}/1/0.thumbnail"]


@pytest.mark.usefixtures("impatient")
async def test_tasks_of_a_claim_whose_confirmation_is_lost_are_run_at_once(tmp_path: Path) -> None:
    """And not when their leases have ended; what the worker runs already is not begun again."""
    made: list[Unconfirmed] = []
    lost: list[Task] = []
    held = Held()

    def unconfirmed(database: Database) -> Database:
        made.append(Unconfirmed(database))
        return made[0]

    def lose(result: Any) -> bool:
        if isinstance(result, list) and result and isinstance(result[0], Task) and not lost:
            lost.extend(result)
            return True
        return False

    async with Workshop(tmp_path, Played(held.play), database=unconfirmed) as shop, shop.working(slots=3):
        first = await shop.submit("played")
        await held.begun.get()
        made[0].lose = lose
        second = await shop.submit("played")
        await held.begun.get()
        assert [task.id for task in lost] == [second.id]
        held.go_on.set()
        for task in (first, second):
            done = await shop.final(task)
            assert (done.state, done.attempt) == (State.SUCCEEDED, 1)
        assert held.begun.empty()


async def test_a_submit_that_was_stored_without_a_confirmation_keeps_its_input(tmp_path: Path) -> None:
    made: list[Unconfirmed] = []

    def unconfirmed(database: Database) -> Database:
        made.append(Unconfirmed(database))
        return made[0]

    async with Workshop(tmp_path, database=unconfirmed) as shop:
        picture = Inline(base64.b64encode(png(40, 30)).decode())
        command = Submit(operation=Operation.IMAGE_EDIT, model="fake", inputs=(picture,), idempotency_key="once")
        made[0].lose = lambda result: isinstance(result, Submitted)
        with pytest.raises(TaskError) as caught:
            await shop.service.submit(shop.account_id, command, NATIVE)
        assert caught.value.code is Code.UNAVAILABLE
        made[0].lose = lambda _: False
        task = await shop.service.submit(shop.account_id, command, NATIVE)
        assert len(await shop.store.tasks(shop.account_id, None, 10)) == 1
        async with shop.working():
            assert (await shop.final(task)).state is State.SUCCEEDED


async def test_a_worker_survives_what_nobody_thought_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "REWRITE", 0.05)
    async with Workshop(tmp_path, Played((held := Held()).play), lease=600) as shop:
        with closing(sqlite3.connect(tmp_path / "darkroom.db", isolation_level=None)) as other:
            other.execute("ALTER TABLE task RENAME COLUMN turn TO place")
            async with shop.working():
                await logged(caplog, "loop.failed")
                other.execute("ALTER TABLE task RENAME COLUMN place TO turn")
                task = await shop.submit("played")
                await held.begun.get()
                held.go_on.set()
                assert (await shop.final(task)).state is State.SUCCEEDED
