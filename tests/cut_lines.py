"""A proxy between a program and its database that can cut connections, also in the middle of a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Proxy:
    """Passes bytes on to a server on loopback, but for the answer to whoever sends `word` next."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._writers: set[asyncio.StreamWriter] = set()
        self.word: bytes | None = None
        self.heard = False  # the word came, and its connection was cut

    @asynccontextmanager
    async def stands_for(self, url: str) -> AsyncIterator[str]:
        """The URL that leads here instead of to the server."""
        async with await asyncio.start_server(self._connected, "127.0.0.1") as listener:
            yield url.replace(f":{self._server}/", f":{listener.sockets[0].getsockname()[1]}/")
            self.cut()

    def cut(self) -> None:
        """Cut all connections."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, server = await asyncio.open_connection("127.0.0.1", self._server)
            self._writers |= {writer, server}
            await asyncio.gather(self._pass_on(reader, server, writer), self._pass_on(there, writer, None))

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asking: asyncio.StreamWriter | None
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
                if asking is not None and self.word is not None and self.word in data:
                    self.word, self.heard = None, True
                    asking.transport.abort()
        writer.close()
