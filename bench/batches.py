"""Many tasks by one request: the time from sending 10,000 of them to the answer, with all of it on disk."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time

import report
import servers
from seed import Seeded, seed

TASKS = 10_000
ROUNDS = 5
BODY = {"operation": "image.generate", "model": "procedural-v1", "params": {"prompt": "a lighthouse at dusk"}}


def measure() -> list[report.Row]:
    """Submit some batches, one after the other."""
    with servers.folder() as folder:
        seeded = seed(folder / "data", 10)
        with servers.darkroom(seeded.data) as running:
            seconds = [batch(running, seeded) for _ in range(ROUNDS + 1)][1:]
    beside = f"{min(seconds):.2f} to {max(seconds):.2f} s"
    return [report.at_most(f"batches: {TASKS:,} tasks in one request", statistics.median(seconds), 1, "s", beside)]


def batch(running: servers.Running, seeded: Seeded) -> float:
    """The seconds that one batch takes; the program ends unless every task was stored."""
    content = json.dumps([{**BODY, "metadata": {"number": number}} for number in range(TASKS)])
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    begun = time.perf_counter()
    connection.request("POST", "/api/tasks/batch", content, {"Authorization": seeded.key})
    answer = connection.getresponse()
    ids = json.loads(answer.read()).get("ids", [])
    seconds = time.perf_counter() - begun
    connection.close()
    if answer.status != 201 or len(set(ids)) != TASKS:
        sys.exit(f"batches: answer {answer.status} with {len(ids)} ids")
    return seconds


if __name__ == "__main__":
    report.main(measure)
