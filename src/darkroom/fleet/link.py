"""The connection of a worker to its server: requests that are answered, refused in a sentence, or did not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from ..core.errors import Code, TaskError
from .messages import PREFIX, Problem

T = TypeVar("T")

CONNECT = 10.0  # seconds until a server that does not answer the door is away
ANSWER = 60.0  # seconds until one that says nothing is
# There is nothing to wait for.
REFUSED = frozenset({Code.MISSING_KEY, Code.INVALID_KEY, Code.FORBIDDEN, Code.UNSUPPORTED})


class Link:
    """Talks to a server as a worker with a key. Use as a context manager."""

    def __init__(self, server: str, token: str) -> None:
        self.server = server
        self._http = httpx.AsyncClient(
            base_url=server.rstrip("/") + PREFIX,
            headers={"Authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(ANSWER, connect=CONNECT),
        )
        self._outside = httpx.AsyncClient(timeout=httpx.Timeout(ANSWER, connect=CONNECT))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._http.aclose()
        await self._outside.aclose()

    async def ask(self, path: str, message: object, kind: type[T], seconds: float = ANSWER) -> T:
        """What the server answers to a message, within some seconds."""
        try:
            async with asyncio.timeout(seconds):
                async with self.open("POST", path, content=msgspec.json.encode(message)) as answer:
                    return understood(await answer.aread(), kind)
        except TimeoutError as error:
            raise away(self.server, f"no answer within {seconds:g} s") from error

    async def read(self, path: str, kind: type[T]) -> T:
        """What the server has to say."""
        async with self.open("GET", path) as answer:
            return understood(await answer.aread(), kind)

    @asynccontextmanager
    async def open(
        self, method: str, path: str, *, content: Any = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is still to be read. Raises what the server refuses with, or `unavailable`."""
        try:
            async with self._http.stream(method, path, content=content, headers=headers) as answer:
                if answer.status_code >= 300:
                    raise refusal(answer.status_code, await answer.aread())
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise away(self.server, repr(error)) from error

    @asynccontextmanager
    async def outside(
        self, method: str, url: str, *, content: Any = None, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """An answer of somebody else, who is not shown the key. Raises `unavailable` for everything that fails."""
        host = urlsplit(url).netloc
        try:
            async with self._outside.stream(method, url, content=content, headers=headers) as answer:
                if answer.status_code >= 300:
                    raise away(host, f"HTTP status {answer.status_code}")
                yield answer
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise away(host, repr(error)) from error


def refusal(status: int, body: bytes) -> TaskError:
    """Why a server, or a proxy before it, did not do what it was asked for."""
    try:
        return msgspec.json.decode(body, type=Problem).error()
    except (msgspec.DecodeError, UnicodeDecodeError):
        if status in (401, 403, 404, 405):
            message = "This is no Darkroom server that takes workers: check the address, and its release."
            return TaskError(Code.UNSUPPORTED, message, detail=f"HTTP status {status}")
        return away("the server", f"HTTP status {status}")


def understood(body: bytes, kind: type[T]) -> T:
    """A message of a kind."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TaskError(Code.UNSUPPORTED, f"The server's answer cannot be understood: {error}.") from None


def away(server: str, reason: str) -> TaskError:
    """What a request that did not arrive, or was not answered, is to the worker."""
    return TaskError(Code.UNAVAILABLE, f"{server} cannot be reached.", detail=reason, retryable=True, retry_after=5)
