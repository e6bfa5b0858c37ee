"""A server that runs nothing itself, and workers elsewhere, as the processes that they are."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from darkroom.testing.server import PATIENCE, Darkroom, module_path, until

FAKE = {"operation": "image.generate", "model": "fake"}
ENV = {"DARKROOM_LEASE_SECONDS": "60", "DARKROOM_RETRY_SECONDS": "0.05"}
# Where leases are to end; where the machine stands still for a while, they do so once more than was wanted.
SHORT_LEASES = {**ENV, "DARKROOM_LEASE_SECONDS": "2", "DARKROOM_MAX_FAILURES": "20"}
SERVES_NOTHING = ("--workers", "0")


class RemoteWorker:
    """`darkroom worker` in a folder of its own. Use as a context manager; `start` again after its end."""

    def __init__(
        self, folder: Path, server: str, token: str, *flags: str, engines: str = "fake", workers: int = 2
    ) -> None:
        self.folder = folder
        self._command = [sys.executable, "-m", "darkroom", "worker", "--server", server, "--data", str(folder / "data")]
        self._command += ["--engines", engines, "--workers", str(workers), *flags]
        self._env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "PYTHONPATH": module_path(),
            "DARKROOM_TOKEN": token,
        }
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(PATIENCE)
            self.process.kill()
            self.process.wait()

    def start(self, *, wait: bool = True) -> None:
        """Start the process and, unless told otherwise, return when it has reached its server."""
        self.folder.mkdir(parents=True, exist_ok=True)
        before = self.log.count("worker.started")
        with (self.folder / "log").open("ab") as log, (self.folder / "printed").open("ab") as printed:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=log,
                env=self._env,
                cwd=self.folder,
            )
        if wait:
            until(lambda: self.log.count("worker.started") > before)

    def send(self, number: int) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal that ends it; its exit status."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; its exit status."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    @property
    def log(self) -> str:
        """Everything that it has logged so far."""
        path = self.folder / "log"
        return path.read_text() if path.exists() else ""


def token_of(server: Darkroom, name: str = "worker") -> str:
    """A key for workers."""
    return server.command("key", "create", "--scope", "worker", "--name", name).splitlines()[-1]


def target_of(server: Darkroom) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(server.address)
    return parts.hostname or "", parts.port or 0


def submit(server: Darkroom, **params: Any) -> str:
    """The id of a new task of the fake engine."""
    made = server.client().post("/api/tasks", json={**FAKE, "params": params}).raise_for_status().json()
    return str(made["id"])


def told(server: Darkroom, task_id: str) -> dict[str, Any]:
    """The task, as the server tells it now."""
    found: dict[str, Any] = server.client().get(f"/api/tasks/{task_id}").raise_for_status().json()
    return found


def running(server: Darkroom, task_id: str) -> bool:
    """Whether the task runs."""
    return bool(told(server, task_id)["state"] == "running")


def final(server: Darkroom, task_id: str) -> dict[str, Any]:
    """The task, as soon as it is final."""

    def found() -> dict[str, Any] | None:
        task = told(server, task_id)
        return task if task["state"] in ("succeeded", "failed", "canceled") else None

    return until(found)


def run_again(server: Darkroom, task_id: str) -> dict[str, Any]:
    """The task, as soon as it has ended: with one result, once, and not in the attempt that was lost."""
    done = final(server, task_id)
    assert (done["state"], len(done["outputs"])) == ("succeeded", 1)
    assert done["attempt"] >= 2
    told = server.client().get(f"/api/tasks/{task_id}/events", params={"after": 0}).raise_for_status().text
    history = [json.loads(line[6:])["state"] for line in told.splitlines() if line.startswith("data: ")]
    assert history.count("succeeded") == 1
    assert history[-1] == "succeeded"
    return done
