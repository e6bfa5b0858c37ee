"""Bodies of requests, read within limits: what is too large or cannot be meant is refused as soon as that is known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from starlette.datastructures import FormData
from starlette.formparsers import FormParser, MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from ..core.errors import Code, TaskError

READ = "darkroom.read"  # whether a body was read to its end, in the scope of its request
LITTLE = 8 << 20  # bytes of a body that is read although its request is refused
PATIENCE = 10.0  # seconds for that
REST = "darkroom.rest"  # where the protocol leaves the end of a body whose sender is gone


async def parsed(parser: FormParser | MultiPartParser) -> FormData:
    """The form that a body holds, or `invalid_input`."""
    try:
        return await parser.parse()
    except (MultiPartException, KeyError, UnicodeDecodeError) as error:
        reason = error.message.rstrip(".") if isinstance(error, MultiPartException) else "it has no boundary"
        kind = "multipart body" if isinstance(parser, MultiPartParser) else "form"
        raise TaskError(Code.INVALID_INPUT, f"The {kind} cannot be read: {reason}.") from None


def texts(form: FormData) -> tuple[tuple[str, str], ...]:
    """The text fields of a form, in order."""
    return tuple((name, value) for name, value in form.multi_items() if isinstance(value, str))


async def limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    """A request's body, refused as soon as it is known to be larger than `limit` bytes.

    It ends with its last byte, not with the word that this was the last one: a client that has sent all may be gone.
    """
    error = TaskError(Code.TOO_LARGE, f"The request is larger than {limit >> 20} MiB.")
    declared = request.headers.get("content-length")
    length = int(declared[:19]) if declared and declared.isdigit() else None
    if (declared and length is None) or (length or 0) > limit:
        raise error
    size, more = 0, True
    while more and size != length:
        message = await request.receive()
        chunk, more = message.get("body", b""), message.get("more_body", False)
        if message["type"] == "http.disconnect":
            if REST not in request.scope:
                raise ClientDisconnect
            chunk = request.scope[REST]
        size += len(chunk)
        if size > limit:
            raise error
        request.scope[READ] = not more or size == length
        yield chunk
    request.scope[READ] = True


async def read_away(request: Request) -> None:
    """Take the rest of a little body that nobody wants, so that its sender reads the answer, and not a cut connection.

    A large one, or one that its sender keeps until he is asked for it, is left where it is.
    """
    declared = request.headers.get("content-length", "")
    if request.scope.get(READ) or "expect" in request.headers or not declared.isdigit() or int(declared[:19]) > LITTLE:
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            while (message := await request.receive())["type"] == "http.request" and message.get("more_body"):
                pass
            request.scope[READ] = message["type"] == "http.request"


async def json_only(stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The body as it comes, refused by its first byte where it cannot be JSON as dialects take it."""
    begun = False
    async for chunk in stream:
        start = chunk.lstrip()[:1]
        if not begun and start and start not in b"{[":
            raise TaskError(Code.INVALID_INPUT, "The request body is not valid JSON: it must be an object.")
        begun = begun or bool(start)
        yield chunk
