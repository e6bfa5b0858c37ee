"""Receivers of webhooks on loopback: real HTTP servers that remember what they were sent and answer as told."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Answer = int | bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Received:
    """One request; `headers` have lower-case names."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """Answers with `answers`, one after the other, and then with `usual`: a status, bytes, or what is done instead."""

    usual: Answer = 204
    answers: deque[Answer] = field(default_factory=deque)
    got: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    _happened: asyncio.Condition = field(default_factory=asyncio.Condition)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def url(self, path: str = "/hook", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def open(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen, at the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls, backlog=1000)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening, and cut every connection."""
        if self._server is not None:
            self._server.close()
            for writer in tuple(self._writers):
                writer.close()
            await self._server.wait_closed()
            self._server = None

    async def until(self, count: int, seconds: float = 60.0) -> list[Received]:
        """What was received, as soon as it is so many requests."""
        async with asyncio.timeout(seconds), self._happened:
            await self._happened.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                await self._one(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        answer = self.answers.popleft() if self.answers else self.usual
        async with self._happened:
            self.got.append(Received(method, path, headers, body))
            self._happened.notify_all()
        if isinstance(answer, int):
            writer.write(saying(answer))
        elif isinstance(answer, bytes):
            writer.write(answer)
        else:
            await answer(writer)
        await writer.drain()


def saying(status: int) -> bytes:
    """An answer without a body."""
    return f"HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n".encode()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    while not writer.is_closing():
        await asyncio.sleep(0.05)
    raise ConnectionError


async def cut(writer: asyncio.StreamWriter) -> None:
    """Hang up in the middle of the answer's first line."""
    writer.write(b"HTTP/1.1 2")
    await writer.drain()
    raise ConnectionError


@asynccontextmanager
async def receiving(**options: Any) -> AsyncIterator[Receiver]:
    """A receiver that listens; while it is closed, nobody else gets its port."""
    with socket.socket() as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        receiver = Receiver(port=place.getsockname()[1], **options)
        await receiver.open()
        try:
            yield receiver
        finally:
            await receiver.close()
