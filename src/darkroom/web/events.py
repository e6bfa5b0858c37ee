"""Server-sent events about tasks: what a follower is told, as it is told, with comments while nothing happens.

Guarantees: nothing is buffered on the way; a stream ends within seconds when its key does; a client that does not read
cannot make the server hold more than one message for it, and is let go after a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..core.commands import Following, Update
from ..core.errors import TaskError
from ..dialects import EVENT_STREAM
from ..follow import follow
from ..service import Service

QUIET = 15.0  # seconds without a byte that clients and proxies bear
UNREAD = 60.0  # seconds that a message may wait for its reader
COMMENT = b": nothing new\n\n"
RECONNECT = b"retry: 3000\n\n"  # milliseconds that a browser waits before it comes back
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


async def event_stream(
    service: Service,
    following: Following,
    say: Callable[[Update | TaskError], bytes],
    allowed: Callable[[], Awaitable[bool]],
) -> Response:
    """The answer to a follower; 204, which browsers do not ask again, where all was told before."""
    updates = follow(service, following)
    first = await anext(updates, None)
    if first is None and following.task is not None and following.task.state.final:
        await updates.aclose()
        return Response(status_code=204, headers=HEADERS)
    return EventStream(told(updates, first, say, allowed))


async def told(
    updates: AsyncGenerator[Update | None, None],
    first: Update | None,
    say: Callable[[Update | TaskError], bytes],
    allowed: Callable[[], Awaitable[bool]],
) -> AsyncGenerator[bytes, None]:
    """Updates as bytes, as long as the follower is allowed to have them."""
    async with aclosing(updates):
        yield RECONNECT if first is None else RECONNECT + say(first)
        spoke = time.monotonic()
        try:
            async for update in updates:
                if update is not None:
                    yield say(update)
                elif not await allowed():
                    return
                elif time.monotonic() - spoke < QUIET:
                    continue
                else:
                    yield COMMENT
                spoke = time.monotonic()
        except TaskError as error:  # deleted meanwhile, or the database is gone
            yield say(error)


class EventStream(Response):
    """Sends bytes as they come, until they end or the client is gone."""

    def __init__(self, chunks: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers=HEADERS, media_type=EVENT_STREAM)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        del scope
        sending = asyncio.ensure_future(self._send(send))
        gone = asyncio.ensure_future(hung_up(receive))
        try:
            await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            sending.cancel()
            gone.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._chunks):
            async for chunk in self._chunks:
                try:
                    async with asyncio.timeout(UNREAD):
                        await send({"type": "http.response.body", "body": chunk, "more_body": True})
                except TimeoutError:
                    return
        await send({"type": "http.response.body", "body": b""})


async def hung_up(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
