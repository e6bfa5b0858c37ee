"""uvicorn's HTTP protocol, with repeated status polls answered before they are even parsed.

A client that polls sends the same bytes again and again. To parse them and to make an ASGI call out of them costs more
than all the work of a poll. So bytes that `StatusPath` knows, and whose answer it can tell at once, are answered here;
everything else goes its usual way, untouched.

A client can hold neither memory nor a connection: heads are bounded in size and time, bodies must come at some speed,
answers must be taken, connections are counted, and what follows a chunked body is no header.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ..metrics import POLLS, TURNED_AWAY
from . import Application
from .bodies import REST
from .envelope import ADDED
from .status import BYTES, LONGEST, Remembered, StatusPath

MAX_HEAD = 65_536  # bytes of a request's first line and headers
HEAD_SECONDS = 10.0  # for a head, from the connection or from its first byte
BODY_SECONDS = 20.0  # that a body may stand still
SLOWEST = 500  # bytes a second of a body
UNREAD_SECONDS = 60.0  # that an answer may stand still because its client takes nothing


class PollProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._status: StatusPath = cast("Application", self.config.app).status
        self._between = True  # no request has been received in part
        self._whole: bytes | None = None  # what arrived at once while that was so
        self._begun = False  # a request began in what arrived
        self._head = 0  # bytes of the head that were parsed
        self._raw = 0  # bytes of it that arrived, but for its first and last piece
        self._in_head = False
        self._deadline: float | None = None  # of what is being received, on the loop's clock
        self._ended = False
        self._looking: asyncio.Task[None] | None = None  # for an answer that may be known
        self._stopping = False
        self._unread = 0, 0.0  # bytes that the client has not taken, and since when

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client connects."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._deadline = self.loop.time() + HEAD_SECONDS
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            self._end("connections", HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections. Try again later.")

    def data_received(self, data: bytes) -> None:
        """Answer a known poll, or hand on what arrived."""
        if self._ended:
            return
        if self._between and getattr(self.cycle, "response_complete", True) and not self.flow.write_paused:
            began = time.perf_counter()
            known = self._status.same_bytes(data)
            if known is not None:
                holds = self._status.holds(known)
                if holds is None:
                    self._look(known, data, began)
                    return
                if holds:
                    self._answer(known, began)
                    return
            self._whole = data
        self._parse(data)

    def _answer(self, known: Remembered, began: float) -> None:
        """Send what was sent before."""
        self._deadline = None
        self._unset_keepalive_if_required()
        always = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        self.transport.write(b"".join((b"HTTP/1.1 200 OK\r\n", *always, known.tail)))
        self.on_response_complete()
        POLLS["bytes"].add(time.perf_counter() - began)

    def _look(self, known: Remembered, data: bytes, began: float) -> None:
        """Answer when the database has said whether that is right; until then nothing more is read."""
        self._deadline = None
        self._unset_keepalive_if_required()
        self.flow.pause_reading()
        self._looking = self.loop.create_task(self._answer_after_a_look(known, data, began))

    async def _answer_after_a_look(self, known: Remembered, data: bytes, began: float) -> None:
        holds = False
        try:
            holds = await self._status.still_holds(known)
        finally:
            self._looking = None
            if not self.transport.is_closing():
                self.flow.resume_reading()
                if holds:
                    self._answer(known, began)
                else:
                    self._whole = data
                    self._parse(data)
                if self._stopping:
                    super().shutdown()

    def shutdown(self) -> None:
        """The server stops. Who was promised an answer gets it."""
        self._stopping = True
        if self._looking is None:
            super().shutdown()

    def _parse(self, data: bytes) -> None:
        """Hand on what arrived."""
        self._begun = False
        in_head = self._in_head
        super().data_received(data)
        self._whole = None
        if in_head and self._in_head:  # the parser keeps a header to itself until it is complete
            self._raw += len(data)
            if self._raw > MAX_HEAD:
                self._end("head", HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The head of the request is too large.")
        elif self._deadline is None and self.timeout_keep_alive_task is None and self._idle:
            self._deadline = self.loop.time() + HEAD_SECONDS  # empty lines: no request has begun

    @property
    def _idle(self) -> bool:
        return self._between and getattr(self.cycle, "response_complete", True)

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._begun:  # what arrived holds more than one
            self._whole = None
            cast("dict[str, Any]", self.scope).pop(BYTES, None)
        super().on_message_begin()
        self._begun, self._between, self._in_head = True, False, True
        self._head = self._raw = 0
        self._deadline = self.loop.time() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        """A part of the first line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value) + 32)  # what it costs to keep
        if self._in_head:  # and not behind a chunked body, whose request is being served already
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._in_head = False
        self._deadline = self.loop.time() + BODY_SECONDS
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body; it earns the time for the next ones."""
        now = self.loop.time()
        self._deadline = min(now + BODY_SECONDS, (self._deadline or now) + len(body) / SLOWEST)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request is complete; tell `StatusPath` by which bytes it may know the next one like it."""
        self._between = True
        self._deadline = None
        if self._whole is not None and len(self._whole) <= LONGEST and self.parser.should_keep_alive():
            cast("dict[str, Any]", self.scope)[BYTES] = self._whole
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. A request that it has sent to its end counts all the same."""
        if not getattr(self.cycle, "more_body", True) and self.cycle.body:
            cast("dict[str, Any]", self.cycle.scope)[REST] = bytes(self.cycle.body)
        super().connection_lost(exc)

    def sweep(self, now: float) -> None:
        """End what takes too long; called about once a second with the loop's time."""
        waiting = self.transport.get_write_buffer_size()
        if waiting != self._unread[0]:
            self._unread = waiting, now
        if self._ended:
            self.transport.abort()
        elif waiting and now - self._unread[1] > UNREAD_SECONDS:
            TURNED_AWAY.labels("unread").inc()
            self.transport.abort()
        elif self._deadline is not None and self._deadline < now:
            if self.flow.read_paused:  # we are slow, not the client
                self._deadline = now + BODY_SECONDS
                return
            limit = "body" if not self._in_head and not self._between else "slow head"
            self._end(limit, HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time.")

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._end("malformed", HTTPStatus.BAD_REQUEST, msg)

    def _end(self, limit: str, status: HTTPStatus, message: str) -> None:
        """Close the connection; say why, unless another answer is under way."""
        TURNED_AWAY.labels(limit).inc()
        self._ended = True
        if getattr(self.cycle, "response_complete", True) or not self.cycle.response_started:
            always = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *ADDED)]
            body = message.encode() + b"\n"
            head = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
                body
            )
            first = b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())
            self.transport.write(b"".join((first, *always, head, body)))
        self.transport.close()

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            raise ValueError("the head of the request is too large")  # answered 400, and the connection is closed
