"""Addresses of host names, as the system tells them.

A name server that never answers costs nobody else anything: each look-up has a thread of its own, which nothing waits
for when the server stops, and no more than `AT_ONCE` run at a time.
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
        self._running = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host, each once; `TimeoutError` when too many others are looked up."""
        if self._running >= AT_ONCE:
            raise TimeoutError("too many host names are being looked up")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[str]] = loop.create_future()

        def tell(addresses: list[str], error: Exception | None) -> None:
            self._running -= 1
            if found.done():
                return  # nobody waits any more
            if error is not None:
                found.set_exception(error)
            else:
                found.set_result(addresses)

        def look_up() -> None:
            addresses: list[str] = []
            problem: Exception | None = None
            try:
                entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
            except (OSError, UnicodeError) as error:
                problem = error
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(tell, addresses, problem)

        self._running += 1
        threading.Thread(target=look_up, name="look-up", daemon=True).start()
        return await found
