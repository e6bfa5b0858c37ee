"""Serves each dialect's description of itself: `openapi.json` for machines, `docs` for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route

from .. import __version__
from ..dialects import Dialect, WireRequest
from .openapi import document
from .reference import POLICY, page

ANYBODY = {"Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff"}  # it is the same for everybody


def described(dialects: Iterable[Dialect], wire_request: Callable[[str, HTTPConnection], WireRequest]) -> list[Route]:
    """The routes of all dialects' descriptions, each at its dialect's own mount."""
    return [route for dialect in dialects for route in routes(dialect, wire_request)]


def routes(dialect: Dialect, wire_request: Callable[[str, HTTPConnection], WireRequest]) -> tuple[Route, Route]:
    """The routes of one dialect's description."""

    async def openapi(request: Request) -> Response:
        found = document(dialect, wire_request(dialect.mount, request).base_url, __version__)
        return Response(msgspec.json.encode(found), headers=ANYBODY, media_type="application/json")

    async def docs(request: Request) -> Response:
        found = document(dialect, wire_request(dialect.mount, request).base_url, __version__)
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(page(found), headers=headers, media_type="text/html")

    return Route(f"{dialect.mount}/openapi.json", openapi), Route(f"{dialect.mount}/docs", docs)
