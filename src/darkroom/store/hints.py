"""A line for hints through PostgreSQL: LISTEN and NOTIFY, on a connection of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from ..hints import ALIVE, Connect, Line
from .hosts import Hosts
from .outage import UNAVAILABLE, unavailable

CHANNEL = "darkroom"


@dataclass(frozen=True, slots=True)
class PostgresLine:
    """A connection that listens."""

    connection: asyncpg.Connection

    async def say(self, message: str) -> None:
        """Send a message."""
        await self.connection.execute("SELECT pg_notify($1, $2)", CHANNEL, message, timeout=ALIVE)

    async def alive(self) -> None:
        """Return if the connection works."""
        await self.connection.execute("SELECT 1", timeout=ALIVE)


def by_notify(url: str) -> Connect:
    """Lines through the PostgreSQL at a URL, wherever it is at the moment."""
    hosts = Hosts(url, ALIVE)

    @asynccontextmanager
    async def connect(heard: Callable[[str], None], ended: Callable[[], None]) -> AsyncIterator[Line]:
        try:
            connection = await hosts.connect()
            try:
                connection.add_termination_listener(lambda _: ended())
                await connection.add_listener(CHANNEL, lambda _, __, ___, message: heard(str(message)))
                yield PostgresLine(connection)
            finally:
                connection.terminate()
        except UNAVAILABLE as error:
            raise unavailable(error) from error

    return connect
