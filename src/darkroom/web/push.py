"""WebSockets of dialects: messages about an account's tasks as things happen.

Guarantees: nothing is sent to who holds no key; a socket is closed within seconds when its key ends; whatever happens
after a client was accepted, it is told; a client that does not read cannot make the server hold more than one message
for it, and is let go after a minute.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import HTTPConnection
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from ..callers import Callers
from ..core.commands import List
from ..core.errors import Code, TaskError
from ..core.scopes import check_scope
from ..dialects import Socket, WireRequest, without_expired
from ..log import Event, level_of, write
from ..notices import Notices
from ..service import Service
from .headers import address_of

# Close codes of RFC 6455 and its registry.
POLICY_VIOLATION, INTERNAL_ERROR, RESTART, TRY_AGAIN_LATER = 1008, 1011, 1012, 1013
REASON = 123  # bytes that the reason of a close may have
UNREAD = 60.0  # seconds that a message may wait for its reader


class Push:
    """Serves the sockets of all dialects."""

    def __init__(
        self,
        service: Service,
        wire_request: Callable[[str, HTTPConnection], WireRequest],
        callers: Callers | None = None,
    ) -> None:
        self._service = service
        self._wire_request = wire_request
        self._callers = callers or Callers(service.keyring, service.rates)
        self._notices = Notices(service.store, service.hub)

    def route(self, socket: Socket, prefix: str) -> WebSocketRoute:
        """The route of one socket."""

        async def endpoint(connection: WebSocket) -> None:
            await self.serve(socket, connection, self._wire_request(prefix, connection))

        return WebSocketRoute(prefix + socket.path, endpoint)

    async def serve(self, socket: Socket, connection: WebSocket, wire: WireRequest) -> None:
        """One connection, until either side ends it."""
        key = socket.credential(wire) or ""
        try:
            caller = await self._callers.caller(key, address_of(connection, self._callers))
            check_scope(caller, List())
            after = await self._service.store.last_event(caller.account_id)
        except TaskError as error:
            refused = error.code in (Code.MISSING_KEY, Code.INVALID_KEY, Code.FORBIDDEN)
            await connection.accept()
            await connection.close(POLICY_VIOLATION if refused else TRY_AGAIN_LATER, reason(error.message))
            return
        await connection.accept()
        telling = asyncio.create_task(self._tell(socket, connection, wire, caller.account_id, after, key))
        hearing = asyncio.create_task(drain(connection))
        stopping = asyncio.create_task(self._service.hub.closed())
        await asyncio.wait({telling, hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stops = stopping.done()
        for task in (telling, hearing, stopping):
            task.cancel()
        ended, _, _ = await asyncio.gather(telling, hearing, stopping, return_exceptions=True)
        if stops:
            await connection.close(RESTART, "The server stops. Connect again.")
        elif isinstance(ended, TaskError):  # the database is away: who connects again goes on
            write(Event.REQUEST_FAILED, level=level_of(ended), path=wire.path, reason=ended.detail or ended.message)
            await connection.close(TRY_AGAIN_LATER, reason(ended.message))
        elif isinstance(ended, Exception) and not isinstance(ended, WebSocketDisconnect):
            write(Event.REQUEST_FAILED, level=logging.ERROR, error=ended, path=wire.path)
            await connection.close(INTERNAL_ERROR)

    async def _tell(
        self, socket: Socket, connection: WebSocket, wire: WireRequest, account_id: str, after: int, key: str
    ) -> None:
        beaten = time.monotonic() - socket.every  # the first beat says that the connection stands
        async for notices in self._notices.follow(account_id, after):
            if not await self._still_good(key):
                await send(connection, socket.replaced)
                await connection.close(POLICY_VIOLATION)
                return
            for notice in notices:
                notice = replace(notice, task=without_expired(notice.task))
                for message in socket.encode(notice, wire):
                    await send(connection, message)
            if time.monotonic() - beaten >= socket.every:
                beaten = time.monotonic()
                await send(connection, socket.beat)

    async def _still_good(self, key: str) -> bool:
        """Whether the key has neither been revoked nor expired."""
        try:
            await self._service.keyring.caller_now(key)
        except TaskError as error:
            if error.code is Code.INVALID_KEY:
                return False
            raise
        return True


async def send(connection: WebSocket, message: str) -> None:
    """Send a message to a client that reads; end the connection of one that does not."""
    try:
        async with asyncio.timeout(UNREAD):
            await connection.send_text(message)
    except TimeoutError:
        raise WebSocketDisconnect(POLICY_VIOLATION) from None


async def drain(connection: WebSocket) -> None:
    """Read what the client sends until it goes."""
    while (await connection.receive())["type"] != "websocket.disconnect":
        pass


def reason(message: str) -> str:
    """A message as the reason of a close."""
    return message.encode()[:REASON].decode(errors="ignore")
