"""What the HTTP server under Darkroom can do at all: granian with an application that sends everyone the same bytes."""

from __future__ import annotations

import sys
from typing import Any

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
BODY = {"type": "http.response.body", "body": b'"' + b"x" * 398 + b'"'}


async def app(_scope: dict[str, Any], _receive: Any, send: Any) -> None:
    """Answer."""
    await send(START)
    await send(BODY)


if __name__ == "__main__":
    server = Server(
        app, address="127.0.0.1", port=int(sys.argv[1]), interface=Interfaces.ASGINL, log_enabled=False, backlog=1024
    )
    uvloop.run(server.serve())
