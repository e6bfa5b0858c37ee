"""Answers with a stored file: whole, a range of it, where else to get it, or the news that the client has it already.

The bytes stream from object storage in small pieces and the stream is closed when the client hangs up. Browsers play
and seek (ranges), cache (entity tags), and never take a file for a page or run what is in it. Who holds a signed link
is sent to a storage in the cloud itself; who came with a key is not, for many clients would show the key there.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from ..clock import Clock, utc_now
from ..core.commands import Content
from ..core.errors import Code, TaskError
from ..media import EXTENSIONS
from ..objects import Objects

SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
REMEMBERED = 1800  # seconds that a browser may go without asking again
CACHE = f"private, max-age={REMEMBERED}"
CACHE_OF_CDN = f"public, max-age={REMEMBERED}"  # a link is a secret, and the network in between is the operator's
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
    clock: Clock = utc_now,
) -> Response:
    """The answer to a GET or HEAD for this content.

    `headers` are the request's, with lower-case names; with `save` a browser saves the file and does not show it.
    Raises `not_found` or `storage_failed` before anything is sent.
    """
    etag = content.etag if content.etag.endswith('"') else f'"{content.etag}"'
    common = {**SAFE, "ETag": etag, "Cache-Control": cache, "Accept-Ranges": "bytes"}
    if _matches(headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=common)
    told = disposition(content.name, EXTENSIONS.get(content.media_type, "bin"), save)
    if (elsewhere := await redirect(content, objects, method, told, clock())) is not None:
        return elsewhere
    size = content.size if content.size is not None else await _size(content.key, objects)
    start, end, status = 0, size, 200
    if method == "GET" and headers.get("if-range", etag) == etag:
        asked = _asked(headers.get("range", ""), size)
        if asked is not None:
            start, end = asked
            status = 206
            if start >= end:
                return Response(status_code=416, headers={**common, "Content-Range": f"bytes */{size}"})
            common["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    common |= {
        "Content-Type": content.media_type,
        "Content-Length": str(end - start),
        "Content-Disposition": told,
    }
    if method == "HEAD" or start == end:
        return Response(status_code=status, headers=common)
    body = await objects.get(content.key, start, end)
    return _ObjectResponse(body, status_code=status, headers=common)


async def redirect(content: Content, objects: Objects, method: str, told: str, now: int) -> Response | None:
    """The way to the storage itself, for as long as the link that was asked for works; `None` if there is none.

    A browser may remember it for half of that time, so that what it goes to then still works.
    """
    if content.expires is None:
        return None
    url = await objects.link(
        method, content.key, until=content.expires, now=now, media_type=content.media_type, disposition=told
    )
    if url is None:
        return None
    seconds = min(REMEMBERED, (content.expires - now) // 2000)
    headers = {**SAFE, "Location": url, "Cache-Control": f"private, max-age={seconds}"}
    return Response(status_code=302, headers=headers)


async def _size(key: str, objects: Objects) -> int:
    stat = await objects.stat(key)
    if stat is None:
        raise TaskError(Code.NOT_FOUND, "The file does not exist any more. Submit the task again.", detail=key)
    return stat.size


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
