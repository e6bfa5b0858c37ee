"""Answers that begin before the task is done, and answers whose caller goes while they wait: on a whole server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from darkroom.app import Server, running
from darkroom.config import load
from darkroom.core.commands import Cancel, Delete, Submit, TaskResult
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation, State, Task
from darkroom.dialects import EVENT_STREAM
from darkroom.dialects.dimilinks import dialect
from darkroom.web import streams
from darkroom.web.streams import COMMENT, streamed

PATIENCE = 60  # seconds


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A server without workers, whose streams are quiet for a moment only."""
    monkeypatch.setattr(streams, "QUIET", 0.01)
    async with running(load({"data": str(tmp_path), "engines": "fake", "workers": 0}, {}, None)) as server:
        yield server


@pytest.fixture
async def account(server: Server) -> str:
    return (await server.service.keyring.caller(server.first_key)).account_id


@pytest.fixture
async def task(server: Server, account: str) -> Task:
    return await server.service.submit(account, Submit(operation=Operation.IMAGE_GENERATE, model="fake"), dialect)


def say(end: TaskResult | TaskError) -> bytes:
    return (end.task.state if isinstance(end, TaskResult) else end.code).encode()


async def test_a_stream_has_its_opening_comments_and_its_end(server: Server, account: str, task: Task) -> None:
    answer = streamed(server.service, task, b"opening", say)
    assert answer.media_type == EVENT_STREAM
    events = aiter(answer.body_iterator)
    assert [await anext(events), await anext(events), await anext(events)] == [b"opening", COMMENT, COMMENT]
    await server.service.handle(account, Cancel(task.public_id), dialect)
    rest = [event async for event in events]
    assert rest[-1] == State.CANCELED.encode()
    assert set(rest[:-1]) <= {COMMENT}


async def test_a_stream_whose_task_is_deleted_ends_with_the_reason(server: Server, account: str, task: Task) -> None:
    events = aiter(streamed(server.service, task, b"opening", say).body_iterator)
    assert [await anext(events), await anext(events)] == [b"opening", COMMENT]
    await server.service.handle(account, Delete((task.public_id,)), dialect)
    assert [event async for event in events] == [Code.NOT_FOUND.encode()]


async def test_a_stream_ends_when_the_server_stops(server: Server, task: Task) -> None:
    events = aiter(streamed(server.service, task, b"opening", say).body_iterator)
    assert [await anext(events), await anext(events)] == [b"opening", COMMENT]
    server.service.hub.close()
    rest = [event async for event in events]
    assert rest[-1] == Code.UNAVAILABLE.encode()
    assert rest[:-1] in ([], [COMMENT])


# Callers that go


@dataclass
class Caller:
    """A connection to the application: sends one request, and goes when told."""

    server: Server
    path: str
    method: str
    body: bytes = b""

    def __post_init__(self) -> None:
        self.gone = asyncio.Event()
        self.sent: list[Any] = []
        self.unread = [{"type": "http.request", "body": self.body, "more_body": False}]

    async def receive(self) -> Any:
        if self.unread:
            return self.unread.pop()
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def call(self) -> None:
        path, _, query = self.path.partition("?")
        headers = [(b"authorization", (self.server.first_key or "").encode())]
        headers.append((b"content-length", str(len(self.body)).encode()))
        scope = {"type": "http", "method": self.method, "path": path, "query_string": query.encode()}
        scope |= {"headers": headers, "scheme": "http", "server": ("test", 80), "root_path": "", "raw_path": b""}
        await self.server.application(scope, self.receive, self.send)


async def until_waiting(server: Server, caller: Caller) -> asyncio.Task[None]:
    """The call, once it waits for its task."""
    calling = asyncio.create_task(caller.call())
    account = (await server.service.keyring.caller(server.first_key)).account_id
    async with asyncio.timeout(PATIENCE):
        while not await server.service.store.tasks(account, None, 1):
            await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)
    assert not calling.done()
    return calling


async def test_nobody_waits_for_a_caller_of_a_submit_who_has_gone(server: Server, account: str) -> None:
    body = json.dumps({"prompt": "a lake", "model": "fake"}).encode()
    caller = Caller(server, "/v1/images/generations", "POST", body)
    calling = await until_waiting(server, caller)
    caller.gone.set()
    await asyncio.wait_for(calling, PATIENCE)
    (task,) = await server.service.store.tasks(account, None, 10)
    assert task.state is State.QUEUED


async def test_nobody_waits_for_a_caller_of_a_query_who_has_gone(server: Server, task: Task) -> None:
    caller = Caller(server, f"/v1/tasks/{task.public_id}?wait=50", "GET")
    calling = await until_waiting(server, caller)
    caller.gone.set()
    await asyncio.wait_for(calling, PATIENCE)


async def test_a_caller_who_stays_has_the_answer(server: Server, account: str) -> None:
    caller = Caller(server, "/v1/images/generations", "POST", b'{"prompt": "a lake", "model": "fake"}')
    calling = await until_waiting(server, caller)
    (task,) = await server.service.store.tasks(account, None, 1)
    await server.service.handle(account, Cancel(task.public_id), dialect)
    await asyncio.wait_for(calling, PATIENCE)
    assert [message.get("status") for message in caller.sent] == [502, None]
    assert json.loads(caller.sent[1]["body"])["error"]["code"] == "interrupted"
