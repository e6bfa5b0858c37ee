"""On PostgreSQL, polls of a final task without a look at its row: while nothing is heard of it, and not for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from darkroom.app import Server, running
from darkroom.config import Settings
from darkroom.hub import Hub
from darkroom.metrics import POLLS
from darkroom.serve import HttpServer, http_config, listening
from darkroom.store import Store
from darkroom.web import status
from darkroom.web.status import Remembered, Sure


@asynccontextmanager
async def node(data: Path, url: str) -> AsyncIterator[tuple[Server, int]]:
    """A server on a database, and its port."""
    listener = listening("127.0.0.1", 0)
    async with running(Settings(data=str(data), database=url, workers=1, engines=("fake",))) as server:
        http = HttpServer(http_config(server))
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        await http.ready.wait()
        yield server, listener.getsockname()[1]
        http.should_exit = True
        await serving


@asynccontextmanager
async def caller(port: int, key: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a key."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:
        yield client


async def finished(client: httpx.AsyncClient) -> str:
    """The path of a task that has succeeded, and was polled."""
    body = {"operation": "image.generate", "model": "fake", "params": {"results": 0}}
    made = (await client.post("/api/tasks?wait=30", json=body)).json()
    assert made["state"] == "succeeded"
    path = f"/api/tasks/{made['id']}"
    for _ in range(2):
        assert (await client.get(path)).json()["state"] == "succeeded"
    return path


async def test_a_final_task_is_answered_while_the_database_does_not_answer_until_something_is_heard(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SURE", 60.0)
    monkeypatch.setattr("darkroom.keys.FRESH", 60.0)
    async with (
        postgres.database() as url,
        node(tmp_path, url) as (server, port),
        caller(port, server.first_key) as client,
    ):
        path = await finished(client)
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE task")
            before = POLLS["bytes"].total
            for _ in range(3):
                assert (await client.get(path)).json()["state"] == "succeeded"
            assert POLLS["bytes"].total > before  # unparsed
            server.service.hub.hear(None)  # the connection between nodes was interrupted: anything may have happened
            asking = asyncio.create_task(client.get(path))
            while not await connection.fetch("SELECT 1 FROM pg_locks WHERE NOT granted"):
                await asyncio.sleep(0.01)
        assert (await asking).json()["state"] == "succeeded"
        await connection.close()
        assert (await client.delete(path)).status_code == 204
        assert (await client.get(path)).status_code == 404


async def test_a_final_task_that_another_node_deletes_is_gone_when_that_is_heard(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SURE", 60.0)
    async with (
        postgres.database() as url,
        node(tmp_path / "first", url) as (server, port),
        node(tmp_path / "second", url) as (_, other_port),
        caller(port, server.first_key) as client,
        caller(other_port, server.first_key) as other,
    ):
        path = await finished(client)
        assert (await other.get(path)).json()["state"] == "succeeded"
        assert (await client.delete(path)).status_code == 204
        while (answer := await other.get(path)).status_code == 200:
            await asyncio.sleep(0.01)
        assert answer.status_code == 404


async def test_what_happens_past_all_nodes_shows_when_a_look_is_too_old(
    tmp_path: Path, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "SURE", 0.2)
    async with (
        postgres.database() as url,
        node(tmp_path, url) as (server, port),
        caller(port, server.first_key) as client,
    ):
        path = await finished(client)
        store = await Store.open(url)
        task = await store.task(path.rpartition("/")[2])
        assert task is not None
        assert await store.delete(task)
        await store.close()
        while (answer := await client.get(path)).status_code == 200:
            await asyncio.sleep(0.01)
        assert answer.status_code == 404


def remembered(version: int) -> Remembered:
    """An answer of a task at some version."""
    nothing: dict[str, Any] = {"type": "nothing"}
    return Remembered("key", "task", ("account", version), 0.0, nothing, nothing, b"", True)


def test_a_look_counts_for_its_own_version_and_not_when_something_was_heard_since_it_began() -> None:
    sure, hub = Sure(), Hub()
    hub.listen(sure.hear)
    now = status.time.monotonic
    assert not sure.holds(remembered(3))
    began = now()
    sure.note("task", ("account", 3), began)
    assert sure.holds(remembered(3))
    assert not sure.holds(remembered(2))
    hub.notify("another-task", "work")
    assert sure.holds(remembered(3))
    hub.notify("task")
    assert not sure.holds(remembered(3))
    sure.note("task", ("account", 3), began)  # the look was answered late: what was heard may have been later
    assert not sure.holds(remembered(3))
    sure.note("task", ("account", 3), now())
    assert sure.holds(remembered(3))


def test_many_changes_do_not_fill_the_memory() -> None:
    sure = Sure()
    sure.note("task", ("account", 3), status.time.monotonic())
    for number in range(status.REMEMBERED + 5):
        sure.hear((f"task-{number}",))
    assert len(sure._changed) <= status.REMEMBERED
    assert not sure.holds(remembered(3))
