"""Sockets without a server between: what is sent, to whom, and how a connection ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.websockets import WebSocket

from darkroom.core.commands import Notice
from darkroom.core.errors import Code, TaskError
from darkroom.dialects import Socket, WireRequest
from darkroom.keys import create_key, login
from darkroom.service import Service
from darkroom.web import Pipeline, push
from darkroom.web.push import Push
from worker.workshop import PATIENCE, Workshop

SOCKET = Socket(
    path="/ws",
    credential=lambda request: request.query.get("token"),
    encode=lambda notice, _request: (f"{notice.state} {notice.task.public_id}",),
    beat="beat",
    replaced="replaced",
)
Message = dict[str, Any]


class Line:
    """A client's end of a connection. `received` are the server's messages; a deaf one takes none of them."""

    def __init__(self, token: str, *, deaf: bool = False) -> None:
        self.received: asyncio.Queue[Message] = asyncio.Queue()
        self._sent: asyncio.Queue[Message] = asyncio.Queue()
        self._deaf = deaf
        scope = {
            "type": "websocket",
            "path": "/ws",
            "query_string": f"token={token}".encode(),
            "headers": [],
            "server": ("localhost", 80),
            "scheme": "ws",
            "root_path": "",
            "subprotocols": [],
        }
        self.socket = WebSocket(scope, self._sent.get, self._take)
        self.send({"type": "websocket.connect"})

    async def _take(self, message: Message) -> None:
        if self._deaf and message["type"] == "websocket.send":
            await asyncio.Event().wait()
        await self.received.put(message)

    def send(self, message: Message) -> None:
        """Let the client send a message."""
        self._sent.put_nowait(message)

    def hang_up(self) -> None:
        """Let the client go."""
        self.send({"type": "websocket.disconnect", "code": 1001})

    async def next(self) -> str:
        """The next text that comes."""
        async with asyncio.timeout(PATIENCE):
            message = await self.received.get()
        assert message["type"] == "websocket.send", message
        text: str = message["text"]
        return text

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the close, which is the next that comes."""
        async with asyncio.timeout(PATIENCE):
            message = await self.received.get()
        assert message["type"] == "websocket.close", message
        return message["code"], message["reason"]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with Workshop(tmp_path) as shop:
        yield shop


@asynccontextmanager
async def connected(
    service: Service, token: str, socket: Socket = SOCKET, *, deaf: bool = False, accepted: bool = True
) -> AsyncIterator[tuple[Line, asyncio.Task[None]]]:
    """A connection and the server's side of it, which has ended when the block is left."""
    wire = Pipeline(service).wire_request
    line = Line(token, deaf=deaf)
    serving = asyncio.create_task(Push(service, wire).serve(socket, line.socket, wire("", line.socket)))
    if accepted:
        assert (await line.received.get())["type"] == "websocket.accept"
    try:
        yield line, serving
    finally:
        line.hang_up()
        async with asyncio.timeout(PATIENCE):
            await serving


async def key_of(shop: Workshop) -> str:
    """A key of the account that submits."""
    made = await login(shop.store, "device", "a" * 32, 100, shop.now())
    shop.account_id = made.account.id
    return made.key


async def test_a_client_is_told_what_happens_from_the_moment_on_in_which_it_was_accepted(shop: Workshop) -> None:
    key = await key_of(shop)
    async with connected(shop.service, key) as (line, _):
        task = await shop.submit()  # before the connection's first look
        assert {await line.next(), await line.next()} == {f"queued {task.public_id}", "beat"}
        async with shop.working():
            await shop.final(task)
        assert [await line.next() for _ in range(2)] == [f"running {task.public_id}", f"succeeded {task.public_id}"]


async def test_what_a_client_sends_is_read_and_dropped(shop: Workshop) -> None:
    key = await key_of(shop)
    async with connected(shop.service, key) as (line, _):
        line.send({"type": "websocket.receive", "text": '{"type":"pong"}'})
        line.send({"type": "websocket.receive", "bytes": b"\x00\xff"})
        assert await line.next() == "beat"


async def test_a_beat_comes_at_the_looks_that_are_as_far_apart_as_the_dialect_says(shop: Workshop) -> None:
    key = await key_of(shop)
    async with connected(shop.service, key, replace(SOCKET, every=0.0)) as (line, _):
        for _ in range(3):
            assert await line.next() == "beat"
            shop.hub.notify(shop.account_id)


@pytest.mark.parametrize(("token", "reason"), [("", "required"), ("nonsense", "unknown")])
async def test_without_a_key_nothing_is_told_but_why(shop: Workshop, token: str, reason: str) -> None:
    async with connected(shop.service, token) as (line, serving):
        code, said = await line.closed()
        assert (code, reason in said) == (push.POLICY_VIOLATION, True)
        await serving


async def test_the_reason_of_a_close_fits_into_its_frame() -> None:
    assert push.reason("é" * 100) == "é" * (push.REASON // 2)
    assert push.reason("Gone.") == "Gone."


async def test_a_newer_login_replaces_a_connection_before_anything_else_is_told(shop: Workshop) -> None:
    key = await key_of(shop)
    async with connected(shop.service, key) as (line, serving):
        assert await line.next() == "beat"
        await login(shop.store, "device", "b" * 32, 0, shop.now())
        await shop.submit()
        shop.hub.notify(shop.account_id)
        assert await line.next() == "replaced"
        assert (await line.closed())[0] == push.POLICY_VIOLATION
        await serving


async def test_a_connection_is_of_one_account(shop: Workshop) -> None:
    other = await create_key(shop.store, "another caller", 0, shop.now())
    async with connected(shop.service, other) as (line, _):
        assert await line.next() == "beat"
        await shop.submit()
        shop.hub.notify(shop.account_id)
        await shop.store.ping()
        assert line.received.empty()


async def test_a_connection_ends_when_the_client_goes(shop: Workshop) -> None:
    key = await key_of(shop)
    async with connected(shop.service, key) as (line, serving):
        assert await line.next() == "beat"
        line.hang_up()
        async with asyncio.timeout(PATIENCE):
            await serving


async def test_a_client_that_does_not_read_is_let_go(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push, "UNREAD", 0.01)
    key = await key_of(shop)
    async with connected(shop.service, key, deaf=True) as (_, serving), asyncio.timeout(PATIENCE):
        await serving


async def test_a_dialect_that_breaks_closes_the_connection_and_is_logged(
    shop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_notice: Notice, _request: WireRequest) -> tuple[str, ...]:
        raise ValueError("a bug")

    key = await key_of(shop)
    async with connected(shop.service, key, replace(SOCKET, encode=broken)) as (line, serving):
        assert await line.next() == "beat"
        await shop.submit()
        assert (await line.closed())[0] == push.INTERNAL_ERROR
        await serving
    assert [record.message for record in caplog.records] == ["request.failed"]


async def test_a_database_that_is_away_ends_the_connection_for_now(
    shop: Workshop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def away(*_: object) -> None:
        raise TaskError(Code.UNAVAILABLE, "The database is away. Try again later.", detail="gone", logged=True)

    key = await key_of(shop)
    async with connected(shop.service, key) as (line, serving):
        assert await line.next() == "beat"
        monkeypatch.setattr(shop.store, "account_events", away)
        await shop.submit()
        assert await line.closed() == (push.TRY_AGAIN_LATER, "The database is away. Try again later.")
        await serving
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []
