"""How a caller wants its submit answered: now or when the task is done, and in which of the vendor's two shapes.

Any asynchronous switch in the query or the headers wins over the body; nothing forces a synchronous answer.
"""

from __future__ import annotations

import re

import msgspec

from .. import WireRequest

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"0", "false", "no", "off"})
APIMART = frozenset({"apimart", "apimartcompatible"})


class WaitFlag(msgspec.Struct):
    """What a generation says about when it wants its answer."""

    wait_for_result: bool | None = None


class StreamFlag(msgspec.Struct):
    """What a chat says about how it wants its answer."""

    stream: bool | None = None


def apimart(request: WireRequest) -> bool:
    """True when the caller asked for the answers of APIMart: another submit answer, and numbers as error codes."""
    query, headers = request.query, request.headers
    values = [query.get(name, "") for name in ("compat", "response_schema", "schema", "format")]
    values += [headers.get(name, "") for name in ("x-response-format", "x-api-format", "x-compat-mode")]
    return any(_bare(value) in APIMART for value in values) or _bare(query.get("apimart", "")) in APIMART | YES


def respond_async(request: WireRequest) -> bool:
    """True when the query or a header asks for an answer before the task is done."""
    query = request.query
    prefer = {token.strip().lower() for token in request.headers.get("prefer", "").split(",")}
    return (
        query.get("async", "").strip().lower() in YES
        or query.get("wait_for_result", "").strip().lower() in NO
        or "respond-async" in prefer
        or apimart(request)
    )


def asynchronous(request: WireRequest) -> bool:
    """True when a generation is answered before it is done."""
    return respond_async(request) or request.json(WaitFlag).wait_for_result is False


def streamed(request: WireRequest) -> bool:
    """True when a chat is answered as server-sent events."""
    return request.json(StreamFlag).stream is True


def _bare(value: str) -> str:
    return re.sub(r"[\s_-]", "", value).lower()
