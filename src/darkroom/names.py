"""Addresses of host names, as the system tells them.

A name server that never answers costs nobody else anything: each look-up has a thread of its own, which nothing waits
for when the server stops. No more than `AT_ONCE` run at a time, others wait for their turn; and whoever asks for a name
that is being looked up shares the answer.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress

AT_ONCE = 64  # look-ups

Names = Callable[[str, int], Awaitable[list[str]]]
"""Every address of a host, for a port. `OSError` or `UnicodeError` for a name that has none, `TimeoutError` for now."""


class SystemNames:
    """`getaddrinfo`, with the machine's hosts file and name servers."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[tuple[str, int], asyncio.Future[list[str]]] = {}

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each once. Whoever asks sets the time that this may take, by giving up."""
        name = host, port
        if name not in self._under_way:
            await self._places.acquire()
            if name in self._under_way:  # somebody else asked meanwhile
                self._places.release()
            else:
                self._under_way[name] = self._look_up(host, port)
        return await asyncio.shield(self._under_way[name])

    def _look_up(self, host: str, port: int) -> asyncio.Future[list[str]]:
        """Begin a look-up; its place is free when the system has answered, and not when nobody waits any more."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def tell(addresses: list[str], error: Exception | None) -> None:
            del self._under_way[host, port]
            self._places.release()
            if error is None:
                found.set_result(addresses)
            else:
                found.set_exception(error)
                found.exception()  # looked at, though perhaps nobody waits any more

        def ask() -> None:
            addresses: list[str] = []
            problem: Exception | None = None
            try:
                entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
            except (OSError, UnicodeError) as error:
                problem = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(tell, addresses, problem)

        threading.Thread(target=ask, name="look-up", daemon=True).start()
        return found
