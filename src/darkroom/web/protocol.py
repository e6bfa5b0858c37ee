"""uvicorn's HTTP protocol, with repeated status polls answered before they are even parsed.

A client that polls sends the same bytes again and again. To parse them and to make an ASGI call out of them costs more
than all the work of a poll. So bytes that `StatusPath` knows, and whose answer it can tell at once, are answered here;
everything else goes its usual way, untouched. Heads of requests are bounded.
"""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from . import REST, Application
from .status import BYTES, LONGEST, StatusPath

MAX_HEAD = 65_536  # bytes of a request's first line and headers


class PollProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._status: StatusPath = cast("Application", self.config.app).status
        self._between = True  # no request has been received in part
        self._whole: bytes | None = None  # what arrived at once while that was so
        self._begun = False  # a request began in what arrived
        self._head = 0

    def data_received(self, data: bytes) -> None:
        """Answer a known poll, or hand on what arrived."""
        if self._between and getattr(self.cycle, "response_complete", True):
            known = self._status.same_bytes(data)
            if known is not None:
                self._unset_keepalive_if_required()
                always = [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
                self.transport.write(b"".join((b"HTTP/1.1 200 OK\r\n", *always, known.tail)))
                self.on_response_complete()
                return
            self._whole = data
        self._begun = False
        super().data_received(data)
        self._whole = None

    def on_message_begin(self) -> None:
        """A request begins."""
        if self._begun:  # what arrived holds more than one
            self._whole = None
            cast("dict[str, Any]", self.scope).pop(BYTES, None)
        super().on_message_begin()
        self._begun, self._between = True, False
        self._head = 0

    def on_url(self, url: bytes) -> None:
        """A part of the first line."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_message_complete(self) -> None:
        """A request is complete; tell `StatusPath` by which bytes it may know the next one like it."""
        self._between = True
        if self._whole is not None and len(self._whole) <= LONGEST and self.parser.should_keep_alive():
            cast("dict[str, Any]", self.scope)[BYTES] = self._whole
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone. A request that it has sent to its end counts all the same."""
        if not getattr(self.cycle, "more_body", True) and self.cycle.body:
            cast("dict[str, Any]", self.cycle.scope)[REST] = bytes(self.cycle.body)
        super().connection_lost(exc)

    def _count(self, size: int) -> None:
        self._head += size
        if self._head > MAX_HEAD:
            raise ValueError("the head of the request is too large")  # answered 400, and the connection is closed
