"""Several stored files as one zip, made while it is sent: at no time is more than a piece of one file in memory.

Files are stored, not compressed: pictures and videos are compressed already. Sizes beyond 4 GiB are zip64.
"""

from __future__ import annotations

import zipfile
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse

from ..core.commands import Archive
from ..media import EXTENSIONS
from ..objects import Objects
from .files import SAFE, UNSAFE, disposition

LARGE = 0xFFFF_FFFF - (1 << 20)  # bytes from which on a file's sizes need more room
EPOCH = (1980, 1, 1, 0, 0, 0)  # zip has no earlier one: the same archive always has the same bytes


class Pieces:
    """Takes what `zipfile` writes; it cannot go back."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep some bytes until they are taken."""
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        """What was written since the last time."""
        found = b"".join(self._written)
        self._written.clear()
        return found


def archive_response(archive: Archive, objects: Objects) -> Response:
    """The answer with an archive. A file that cannot be read in the middle of it ends the connection."""
    headers = {**SAFE, "Cache-Control": "no-store", "Content-Disposition": disposition(archive.name, "zip", True)}
    return StreamingResponse(zipped(archive, objects), headers=headers, media_type="application/zip")


async def zipped(archive: Archive, objects: Objects) -> AsyncGenerator[bytes, None]:
    """The bytes of an archive."""
    pieces = Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as made:  # type: ignore[call-overload] # it needs no more
        for file in archive.files:
            entry = zipfile.ZipInfo(f"{UNSAFE.sub('_', file.name)}.{EXTENSIONS.get(file.media_type, 'bin')}", EPOCH)
            entry.external_attr = 0o644 << 16
            stream = await objects.get(file.key)
            async with aclosing(stream):
                with made.open(entry, "w", force_zip64=(file.size or 0) >= LARGE) as content:
                    async for chunk in stream:
                        content.write(chunk)
                        yield pieces.take()
            yield pieces.take()
    yield pieces.take()
