"""How soon the task of a worker that was killed runs again, beyond its lease.

A server that runs nothing, and `darkroom worker` processes: the one that has a task is killed as by the system when
memory runs out, and another one is idle. What counts is the time from the death to the next attempt, less the lease;
the lease was renewed some time before the death, so that it may be negative.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import httpx

import report
import servers

ROUNDS = 7
LEASE = 3.0  # seconds
MOST = 1.0  # seconds beyond the lease
SETTINGS = {"DARKROOM_LEASE_SECONDS": str(LEASE), "DARKROOM_RETRY_SECONDS": "0", "DARKROOM_MAX_FAILURES": "100"}
HANG = {"operation": "image.generate", "model": "fake", "params": {"outcome": "hang"}}
KEY = re.compile(r"sk-[\w-]+")
DARKROOM = str(Path(sys.executable).with_name("darkroom"))


def measure() -> list[report.Row]:
    """Kill workers, one after the other."""
    with (
        mock.patch.dict(os.environ, SETTINGS),
        servers.folder() as folder,
        servers.darkroom(folder, engines="fake", core=None) as server,
        ExitStack() as stack,
    ):
        waits = [wait - LEASE for wait in kill_workers(folder, server, stack)]
    beside = f"the worst of {ROUNDS}; median {statistics.median(waits):.2f} s; lease {LEASE:g} s"
    return [report.at_most("a killed worker's task runs again, beyond its lease", max(waits), MOST, "s", beside)]


def kill_workers(folder: Path, server: servers.Running, stack: ExitStack) -> list[float]:
    """Seconds from the death of each worker that has the task until another one has it."""
    key = KEY.search((folder / "server.log").read_text())
    create = [DARKROOM, "key", "create", "--scope", "worker", "--data", str(folder)]
    token = subprocess.run(create, check=True, capture_output=True, text=True).stdout.split()[-1]
    headers = {"Authorization": f"Bearer {key[0] if key else ''}"}
    client = stack.enter_context(httpx.Client(base_url=server.address, headers=headers, trust_env=False, timeout=60))
    waits = []
    alive = worker(folder / "worker-0", server, token, stack)
    task = client.post("/api/tasks", json=HANG).raise_for_status().json()["id"]
    for attempt in range(1, ROUNDS + 1):
        runs(client, task, attempt)
        idle = worker(folder / f"worker-{attempt}", server, token, stack)
        time.sleep(attempt / ROUNDS)  # after its last renewal, sooner or later
        alive.kill()
        died = time.monotonic()
        runs(client, task, attempt + 1)
        waits.append(time.monotonic() - died)
        alive = idle
    return waits


def worker(folder: Path, server: servers.Running, token: str, stack: ExitStack) -> subprocess.Popen[str]:
    """A worker that has reached the server."""
    command = [DARKROOM, "worker", "--server", server.address, "--data", str(folder), "--engines", "fake"]
    process = subprocess.Popen(
        [*command, "--workers", "1"],
        env={**os.environ, "DARKROOM_TOKEN": token},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def runs(client: httpx.Client, task: str, attempt: int) -> None:
    """Wait until an attempt at the task runs."""
    while True:
        found = client.get(f"/api/tasks/{task}").raise_for_status().json()
        if (found["attempt"], found["state"]) == (attempt, "running"):
            return
        time.sleep(0.01)


if __name__ == "__main__":
    report.main(measure)
