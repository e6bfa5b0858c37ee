"""What is attacked: real server processes on one database, a disk that can be filled, and a receiver of webhooks.

On SQLite one server does everything. On PostgreSQL two do, with one object storage between them. Ports stay the same
over restarts, as they would behind a service manager.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.habits import Habit
from darkroom.testing.ports import free_port
from darkroom.testing.processes import alive, descendants
from darkroom.testing.server import OPERATIONS, Darkroom, until
from full_disk import FullDisk, full_disk
from processes import environment

TESTS = Path(__file__).parent.parent
ENGINES = "fake,procedural"
DEFAULTS = {**dict.fromkeys(OPERATIONS, "fake"), "image.generate": "fake-process"}
SETTINGS = {
    "DARKROOM_DEFAULTS": json.dumps(DEFAULTS).replace(":", " ="),
    "DARKROOM_MAX_FAILURES": "100",  # a task must not fail because we killed it
    "DARKROOM_RETRY_SECONDS": "0.05",
    "DARKROOM_LEASE_SECONDS": "3",
    "DARKROOM_REPEAT_SECONDS": "3600",  # for the clients that repeat without a key
    "DARKROOM_WEBHOOK_ALLOW": "127.0.0.0/8",
    "DARKROOM_WEBHOOK_SECONDS": "2",
    "DARKROOM_WEBHOOK_RETRIES": ",".join(["0.2", "0.5", *["1"] * 100]),
}
CREDITS = 1_000_000
PATIENCE = 60.0  # seconds


class Receiver:
    """The receiver's process; what it got is in `file`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.port = free_port()
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.receiver", str(self.port), str(self.file)],
            cwd=TESTS,
            env=environment({"PYTHONPATH": str(TESTS)}),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        """End it with -9."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def url(self, name: str) -> str:
        """Where the webhooks of one receiver go."""
        return f"http://127.0.0.1:{self.port}/{name}"


@dataclass(frozen=True)
class Site:
    """Everything together. `database` is a URL, `objects` the folder of its files."""

    servers: list[Darkroom]
    database: str
    objects: Path
    disk: FullDisk
    receiver: Receiver

    @property
    def addresses(self) -> list[str]:
        """Where the servers listen."""
        return [server.address for server in self.servers]

    def kill(self, server: Darkroom) -> None:
        """End a server with -9, and see that its children end by themselves."""
        children = descendants(server.pid)
        server.kill()
        until(lambda: not any(alive(pid) for pid in children), seconds=PATIENCE)

    def kill_child(self, index: int) -> bool:
        """End an engine's process, or one that looks at results, with -9; false when there is none now."""
        children = sorted(pid for server in self.servers for pid in descendants(server.pid))
        if not children:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(children[index % len(children)], signal.SIGKILL)
        return True

    def hire(self, habit: Habit, number: int) -> tuple[str, str, str]:
        """An account for a client: its key, the URL for its webhooks, and the secret that signs them."""
        server = self.servers[0]
        key = server.new_key(credits=CREDITS, name=habit.name)
        hook = self.receiver.url(str(number))
        with contextlib.closing(server.client(key)) as client:
            if habit.own_webhook:
                answer = client.get("/api/webhook-secret")
            else:
                events = ["task.running", "task.succeeded", "task.failed", "task.canceled"]
                answer = client.post("/api/webhooks", json={"url": hook, "events": events})
            secret: str = answer.raise_for_status().json()["secret"]
        return key, hook, secret

    def received(self) -> list[dict[str, Any]]:
        """Everything that the receiver got."""
        return [json.loads(line) for line in self.receiver.file.read_text().splitlines()]


@contextlib.contextmanager
def opened(folder: Path, postgres: str | None = None, *, room: int = 64 << 20) -> Iterator[Site]:
    """A site that runs: one server on SQLite, or two on the PostgreSQL database at a URL; `room` in bytes for files."""
    receiver = Receiver(folder / "received")
    with contextlib.ExitStack() as stack:
        if postgres is None:
            disk = stack.enter_context(full_disk(folder / "server" / "data", room=room))
            objects, database = disk.folder / "objects", f"sqlite:{disk.folder / 'darkroom.db'}"
            servers = [server_in(folder / "server")]
        else:
            disk = stack.enter_context(full_disk(folder / "objects", room=room))
            objects, database = disk.folder, postgres
            servers = [server_in(folder / name, postgres, objects) for name in ("one", "two")]
        for server in servers:
            stack.enter_context(server)
        receiver.start()
        stack.callback(receiver.kill)
        yield Site(servers, database, objects, disk, receiver)


def server_in(folder: Path, database: str | None = None, objects: Path | None = None) -> Darkroom:
    """A server that is not started yet, with a port that it keeps."""
    env = SETTINGS | ({"DARKROOM_OBJECTS": str(objects)} if objects else {})
    flags = ("--port", str(free_port()), "--workers", "3")
    return Darkroom(folder, engines=ENGINES, database=database, env=env, flags=flags)
