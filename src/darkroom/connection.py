"""A connection over which a server is asked by HTTP/1.1, one request at a time.

Answers are parsed by httptools, as callers' requests are. Guarantees: of an answer no more is read than `LONGEST` bytes
and the piece in which they end; a connection on which anything else than one answer arrived is not used again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import httptools

LONGEST = 65_536  # bytes that are read of an answer, its head included
OK, SWITCHED = 200, 101  # answers with a status below the first are interim, and another one follows; not so the second


class BrokenError(Exception):
    """The connection ended within an answer, or this is no HTTP."""


class SilentError(BrokenError):
    """The connection ended before the answer began; if it had been used before, perhaps nobody has read the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What matters of an answer: its status, and what its header `Retry-After` says."""

    status: int
    retry_after: bytes


class Connection(asyncio.Protocol):
    """One connection; `usable` while it waits for another request."""

    def __init__(self) -> None:
        self.usable = False
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answered: asyncio.Future[Answer] | None = None
        self._read = 0  # bytes of the answer
        self._expect_head()

    async def ask(self, request: bytes) -> Answer:
        """What a request is answered, or `BrokenError`. A caller who gives up ends the connection."""
        assert self._transport is not None
        self.usable = False
        if self._transport.is_closing():  # it ended before anybody could use it
            raise SilentError
        self._answered = asyncio.get_running_loop().create_future()
        self._read = 0
        self._expect_head()
        self._transport.write(request)
        try:
            return await self._answered
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it at once."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def _expect_head(self) -> None:
        self._status = 0  # known when the head is complete
        self._retry_after = b""
        self._until_end = True  # of the connection: nothing else says how long the answer is

    @property
    def _waiting(self) -> asyncio.Future[Answer] | None:
        return None if self._answered is None or self._answered.done() else self._answered

    def _end(self, *, whole: bool) -> None:
        """Take what was read for the answer, or give up; either way nothing more is read."""
        if (waiting := self._waiting) is not None:
            if whole and self._status:
                waiting.set_result(Answer(self._status, self._retry_after))
            else:
                waiting.set_exception(BrokenError() if self._read else SilentError())
        self.close()

    # ---- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._end(whole=False)
        else:
            if self._read > LONGEST:
                self._end(whole=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._end(whole=self._until_end and exc is None)

    # ---- what httptools calls

    def on_message_begin(self) -> None:
        """An answer begins; perhaps to nothing."""
        if self._waiting is None:
            self.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        match name.lower():
            case b"retry-after":
                self._retry_after = value
            case b"content-length" | b"transfer-encoding":
                self._until_end = False

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._status = self._parser.get_status_code()

    def on_message_complete(self) -> None:
        """The answer is complete; if it is an interim one, the next one is awaited."""
        if (waiting := self._waiting) is None:
            return
        if self._status < OK and self._status != SWITCHED:
            self._expect_head()
            return
        assert self._transport is not None
        waiting.set_result(Answer(self._status, self._retry_after))
        self.usable = self._parser.should_keep_alive() and not self._transport.get_write_buffer_size()
        if not self.usable:
            self.close()
