"""Answers with a stored file: whole, a range of it, or the news that the client has it already.

The bytes stream from object storage in small pieces and the stream is closed when the client hangs up. Browsers play
and seek (ranges), cache (entity tags), and never take a file for a page or run what is in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from ..core.commands import Content
from ..media import EXTENSIONS
from ..objects import Objects

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
CACHE = "private, max-age=1800"
CACHE_OF_CDN = "public, max-age=1800"  # a link is a secret, and the network in between is the operator's
RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")  # in a file name


class _ObjectResponse(StreamingResponse):
    """Streams an object and closes it, also when the client is gone half-way."""

    body_iterator: AsyncGenerator[bytes, None]

    async def stream_response(self, send: Send) -> None:
        async with aclosing(self.body_iterator):
            await super().stream_response(send)


async def file_response(
    content: Content,
    objects: Objects,
    method: str,
    headers: Mapping[str, str],
    *,
    save: bool = False,
    cache: str = CACHE,
) -> Response:
    """The answer to a GET or HEAD for this content.

    `headers` are the request's, with lower-case names; with `save` a browser saves the file and does not show it.
    Raises `not_found` or `storage_failed` before anything is sent.
    """
    etag = content.etag if content.etag.endswith('"') else f'"{content.etag}"'
    common = {**SAFE, "ETag": etag, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    if _matches(headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=common)
    start, end, status = 0, content.size, 200
    if method == "GET" and headers.get("if-range", etag) == etag:
        asked = _asked(headers.get("range", ""), content.size)
        if asked is not None:
            start, end = asked
            status = 206
            if start >= end:
                return Response(status_code=416, headers={**common, "Content-Range": f"bytes */{content.size}"})
            common["Content-Range"] = f"bytes {start}-{end - 1}/{content.size}"
    extension = EXTENSIONS.get(content.media_type, "bin")
    common |= {
        "Content-Type": content.media_type,
        "Content-Length": str(end - start),
        "Content-Disposition": disposition(content.name, extension, save),
    }
    if method == "HEAD" or start == end:
        return Response(status_code=status, headers=common)
    body = await objects.get(content.key, start, end)
    return _ObjectResponse(body, status_code=status, headers=common)


def disposition(name: str, extension: str, save: bool) -> str:
    """What a browser does with a file, and what it calls it."""
    return f'{"attachment" if save else "inline"}; filename="{UNSAFE.sub("_", name)}.{extension}"'


def _matches(condition: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in condition.split(",")]
    return "*" in tags or etag.removeprefix("W/") in tags


def _asked(value: str, size: int) -> tuple[int, int] | None:
    """The one range that is asked for, half-open and empty if the file has none of it; `None` asks for the whole file.

    Several ranges and malformed ones count as the whole file, as https://www.rfc-editor.org/rfc/rfc9110#section-14.2
    allows.
    """
    found = RANGE.fullmatch(value)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, size) if last else size
