"""What every answer carries, and what is noted of every request.

An answer has an id for the logs of both sides (a request's own `X-Request-Id` is given back) and headers with which no
browser takes it for something else, shows it inside another page or tells others where it was. Time and status go to
the metrics; log lines that a request causes have its id. Answers that `protocol.py` sends before a request is parsed
have the headers and no id: nothing was done for them that a log could tell of.
"""

from __future__ import annotations

import logging
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import metrics, tracing
from ..core.ids import new_mark
from ..log import REQUEST_ID, Event, write

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
ADDED = tuple((name.lower().encode(), value.encode()) for name, value in SAFE.items())
DIALECT = "darkroom.dialect"  # where the pipeline leaves the name of the dialect that was spoken
GIVEN = frozenset({b"x-request-id", b"traceparent"})
FIT = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # for a log line


class Envelope:
    """ASGI middleware in front of everything."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 499  # what nobody waited for
        given = {name: value for name, value in scope["headers"] if name in GIVEN}
        own_id = request_id(given.get(b"x-request-id", b"").decode("latin-1"))
        parent = given.get(b"traceparent", b"").decode("latin-1")
        REQUEST_ID.set(own_id)  # each request is an asyncio task of its own
        added = (*ADDED, (b"x-request-id", own_id.encode()))

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                there = {name.lower() for name, _ in message["headers"]}
                headers = [*message["headers"], *(header for header in added if header[0] not in there)]
                message = {**message, "headers": headers}
            await send(message)

        try:
            with tracing.span("request", parent, method=scope["method"], path=scope["path"], request=own_id):
                await self._app(scope, receive, with_headers)
                tracing.note(status=status, dialect=scope.get(DIALECT, "none"))
        finally:
            seconds = time.perf_counter() - began
            metrics.answered(scope.get(DIALECT, "none"), status, seconds)
            write(
                Event.REQUEST_ANSWERED,
                level=logging.DEBUG,
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=round(seconds, 6),
            )


def request_id(given: str) -> str:
    """The caller's id, if it is fit for a log line, or a new one."""
    return given if FIT.fullmatch(given) else new_mark()
