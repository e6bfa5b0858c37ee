"""Whether this server wants more requests: what a load balancer asks."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from .core.errors import Code, TaskError
from .store import Store

SOON = 2.0  # seconds in which the database has to answer: whoever asks goes elsewhere otherwise


@dataclass(slots=True)
class Readiness:
    """`most` is the longest queue with which the server is ready, 0 for any; `draining` says that it stops."""

    most: int = 0
    draining: bool = False

    async def check(self, store: Store) -> None:
        """Return when requests are welcome and the database takes them; otherwise raise `unavailable`."""
        if self.draining:
            raise TaskError(Code.UNAVAILABLE, "The server is stopping. Use another one.", retry_after=5)
        try:
            async with asyncio.timeout(SOON):
                await store.ping()
                full = self.most and await store.due(self.most + 1) > self.most
        except TimeoutError:
            message = "The server's database does not answer. Try again later."
            raise TaskError(Code.UNAVAILABLE, message, retry_after=5) from None
        if full:
            raise TaskError(Code.UNAVAILABLE, "The queue of the server is full. Try again later.", retry_after=30)
