"""Web servers on loopback that answer as they are told, and downloads from them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from darkroom.core.errors import TaskError
from darkroom.fetch import Fetcher

PICTURE = bytes(range(256)) * 1000
LOOPBACK = ["127.0.0.0/8", "::1/128"]


@dataclass
class Site:
    """A server that answers each path as told, and remembers the requests."""

    pages: dict[str, bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(request)
            page = self.pages[request.split()[1]]
            if isinstance(page, bytes):
                writer.write(page)
                await writer.drain()
            else:
                await page(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Site]:
    """A site on loopback."""
    site = Site()
    server = await asyncio.start_server(site.answer, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


def page(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def redirect(location: str, *headers: str) -> bytes:
    return page(b"", f"Location: {location}", *headers, status="302 Found")


async def fetch(url: str, **options) -> bytes:
    to = io.BytesIO()
    await Fetcher(**{"allow": LOOPBACK, **options}).fetch(url, to)
    return to.getvalue()


async def refusal(url: str, **options) -> TaskError:
    with pytest.raises(TaskError) as caught:
        await fetch(url, **options)
    assert caught.value.param is None
    return caught.value
