"""A TCP proxy of the tests' own that does to a connection what bad networks and overloaded servers do.

    with Line(port) as line:
        line.cut_up = 1_000_000      # every connection ends when it has sent so many bytes
        line.restore()               # and now all is well again

What is set counts for what passes from then on, on open connections too.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

PIECE = 16_384  # bytes
BUSY = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: 49\r\nConnection: close\r\n\r\n"
    b"<Error><Code>SlowDown</Code><Message/></Error>   "
)


class Line:
    """A proxy in front of a port of this machine. Use as a context manager; it listens at `address`.

    `cut_up` and `cut_down` end each connection after so many bytes to and from the server, `stall_up` and `stall_down`
    pass nothing on after so many; with `refusing` there are no connections, with `busy` every request gets a 503.
    `left` is how often the failure happens before it ends by itself.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.connections = 0
        self.failures = 0
        self._open: set[asyncio.Task[None] | None] = set()
        self.restore()

    def restore(self) -> None:
        """Pass everything on."""
        self.refusing = self.busy = False
        self.cut_up: int | None = None
        self.cut_down: int | None = None
        self.stall_up: int | None = None
        self.stall_down: int | None = None
        self.left: int | None = None

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stopped.wait()
        server.close()

    @property
    def address(self) -> str:
        """Where it listens, as a URL."""
        return f"http://127.0.0.1:{self.port}"

    def _fails(self) -> bool:
        """Whether the failure that is set happens once more."""
        if self.left == 0:
            return False
        if self.left is not None:
            self.left -= 1
        self.failures += 1
        return True

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(asyncio.current_task())  # who waits for ever is otherwise taken for garbage
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._port)
            with contextlib.closing(server_writer):
                ways = [
                    asyncio.ensure_future(self._up(reader, server_writer, writer)),
                    asyncio.ensure_future(self._down(server_reader, writer)),
                ]
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)

    async def _up(self, client: asyncio.StreamReader, server: asyncio.StreamWriter, back: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await client.read(PIECE):
            passed += len(piece)
            if (self.refusing or exceeded(passed, self.cut_up)) and self._fails():
                return
            if self.busy and self._fails():
                back.write(BUSY)
                await back.drain()
                return
            if exceeded(passed, self.stall_up) and self._fails():
                await asyncio.Event().wait()
            server.write(piece)
            await server.drain()

    async def _down(self, server: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        passed = 0
        while piece := await server.read(PIECE):
            passed += len(piece)
            if exceeded(passed, self.cut_down) and self._fails():
                return
            if exceeded(passed, self.stall_down) and self._fails():
                await asyncio.Event().wait()
            client.write(piece)
            await client.drain()


def exceeded(passed: int, most: int | None) -> bool:
    """Whether more bytes passed than may."""
    return most is not None and passed > most
