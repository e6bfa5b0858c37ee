"""Carries hints between nodes that share a database: what changed, so that whoever waits for it looks.

Hints are gathered for some milliseconds and sent together. Nothing hangs on them: after an interruption everybody who
waits looks once, and without any connection each waiter looks by itself now and then. What they travel by is a `Line`:
PostgreSQL's NOTIFY (`store.hints`), or NATS (`nats_hints`).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

GATHER = 0.02  # seconds in which hints are gathered: one message in that time, mostly
LARGEST = 7_900  # bytes of a message; PostgreSQL takes 8,000
MANY = 2_000  # hints in one go beyond which everybody is told to look
EVERYTHING = "*"
ALIVE = 10.0  # seconds between signs of life, so that a connection that is cut silently is noticed
AGAIN = 1.0  # seconds between tries to connect

Hear = Callable[[Sequence[str] | None], None]


class Line(Protocol):
    """A connection by which messages reach all nodes. Its methods raise when it is of no use any more."""

    async def say(self, message: str) -> None:
        """Send a message to everybody who listens."""

    async def alive(self) -> None:
        """Return if the connection works."""


# Opens a line. The first function is told what is said, the second that the line has ended.
Connect = Callable[[Callable[[str], None], Callable[[], None]], AbstractAsyncContextManager[Line]]


class Hints:
    """One node's hints. `hear` is told what others send, or `None` where anything may have happened.

    `failed` is told why there is no connection, once until there is one again.
    """

    def __init__(self, connect: Connect, hear: Hear, failed: Callable[[Exception], None]) -> None:
        self._connect = connect
        self._hear = hear
        self._failed = failed
        self._node = secrets.token_hex(4)
        self._waiting: set[str] = set()
        self._some = asyncio.Event()
        self._told = False  # of a failure, after which no connection has worked

    def send(self, hints: Iterable[str]) -> None:
        """Tell the others, soon."""
        self._waiting.update(hints)
        if len(self._waiting) > MANY:  # also while there is no connection: they must not fill the memory
            self._waiting = {EVERYTHING}
        self._some.set()

    async def run(self) -> None:
        """Carry hints, for ever."""
        while True:
            try:
                async with self._connect(self._heard, self._some.set) as line:
                    await self._carry(line)
            except Exception as error:  # noqa: BLE001 - it must outlive everything, or this node hears nothing any more
                if not self._told:  # the next tries fail as this one does
                    self._failed(error)
                self._told = True
                self.send((EVERYTHING,))  # what was being sent is lost
            await asyncio.sleep(AGAIN)

    async def _carry(self, line: Line) -> None:
        self._told = False
        self._hear(None)  # what was sent meanwhile is lost
        while True:
            try:
                async with asyncio.timeout(ALIVE):
                    await self._some.wait()
            except TimeoutError:
                await line.alive()
                continue
            await asyncio.sleep(GATHER)
            waiting, self._waiting = self._waiting, set()
            self._some.clear()
            if not waiting:
                await line.alive()  # it is said to have ended
            for message in messages(self._node, waiting):
                await line.say(message)

    def _heard(self, message: str) -> None:
        node, *hints = message.split("\n")
        if node != self._node:
            self._hear(None if hints == [EVERYTHING] else hints)


def messages(node: str, hints: set[str]) -> list[str]:
    """Hints as messages of a size that can be sent. A hint is one line."""
    if len(hints) > MANY or EVERYTHING in hints:
        return [f"{node}\n{EVERYTHING}"]
    found: list[str] = []
    part, size = [node], len(node)
    for hint in sorted(hints):
        length = len(hint.encode()) + 1
        if size + length > LARGEST:
            found.append("\n".join(part))
            part, size = [node], len(node)
        part.append(hint)
        size += length
    return [*found, "\n".join(part)] if hints else []
