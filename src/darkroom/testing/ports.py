"""Ports on loopback for what has no port 0: chosen now, listened on later, and again after each restart."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

FIRST, EACH = 20_000, 1_000  # below those that systems give to clients, and to whoever asks for any
WORKERS = 10  # processes of pytest-xdist that have ports of their own

_given: set[int] = set()


def free_port() -> int:
    """A port that nobody uses now, that nobody is given by chance, and that is never told twice."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    while True:
        port = FIRST + EACH * worker + random.randrange(EACH)  # noqa: S311 - to be another one, not secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port


@contextmanager
def unused_port() -> Iterator[int]:
    """A port where nobody listens, and nobody can as long as the block lasts."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
