"""A line for hints through NATS, for very many nodes: commits that notify take turns in PostgreSQL, messages here not.

https://docs.nats.io/nats-concepts/core-nats
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .core.errors import Code, TaskError
from .hints import ALIVE, Connect, Line

if TYPE_CHECKING:
    from nats.aio.client import Client

SUBJECT = "darkroom"
MISSING = "hints through NATS need the extra: pip install 'darkroom-server[nats]'"


@dataclass(frozen=True, slots=True)
class NatsLine:
    """A connection that listens to a subject."""

    client: Client
    subject: str

    async def say(self, message: str) -> None:
        """Send a message, and wait until the server has it."""
        await self.client.publish(self.subject, message.encode())
        await self.alive()

    async def alive(self) -> None:
        """Return if the connection works."""
        await self.client.flush(int(ALIVE))


def by_nats(url: str) -> Connect:
    """Lines through the NATS at `nats://HOST:PORT[,HOST:PORT][/SUBJECT]`; `ValueError` without the extra."""
    try:
        import nats
        from nats.errors import Error
    except ImportError:
        raise ValueError(MISSING) from None
    parts = urlsplit(url)
    user, at, hosts = parts.netloc.rpartition("@")
    servers = [f"{parts.scheme}://{user}{at}{host}" for host in hosts.split(",")]
    subject = parts.path.strip("/") or SUBJECT

    @asynccontextmanager
    async def connect(heard: Callable[[str], None], ended: Callable[[], None]) -> AsyncIterator[Line]:
        async def listen(message: Any) -> None:
            heard(message.data.decode())

        async def closed() -> None:
            ended()

        async def quiet(_: Exception) -> None:
            """Whoever uses the connection is told of it."""

        try:
            client = await nats.connect(
                servers,
                allow_reconnect=False,  # `Hints` does that, and has everybody look afterwards
                max_reconnect_attempts=1,
                connect_timeout=int(ALIVE),
                closed_cb=closed,
                disconnected_cb=closed,
                error_cb=quiet,
            )
            try:
                await client.subscribe(subject, cb=listen)
                await client.flush(int(ALIVE))
                yield NatsLine(client, subject)
            finally:
                with suppress(Error, OSError):
                    await client.close()
        except (Error, OSError) as error:
            message = "The server's NATS is not available at the moment."
            raise TaskError(Code.UNAVAILABLE, message, detail=f"NATS: {error!r}", retryable=True) from error

    return connect
