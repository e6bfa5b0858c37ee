"""Interference: how long a status poll takes while the same machine enlarges pictures on every core.

`darkroom serve` with two workers and a queue of upscales; a client sends 500 polls a second over eight connections.
Each poll's time counts from the moment when it was due, so that a late client or a full connection shows up as well.
The processes compete for the same cores; nothing is pinned.
"""

from __future__ import annotations

import asyncio
import time
from itertools import cycle
from pathlib import Path

import uvloop

import darkroom
import report
import servers
from darkroom.client import Client
from seed import Seeded, seed

TASKS = 200
PER_SECOND, CONNECTIONS = 500, 8
SECONDS = 8
UPSCALES = 60  # more than two workers can do meanwhile
PICTURE = Path(darkroom.__file__).parent / "samples" / "astronaut.png"


def measure() -> list[report.Row]:
    """Poll an idle server, then a busy one."""
    with servers.folder() as folder:
        seeded = seed(folder / "data", TASKS)
        with (
            servers.darkroom(seeded.data, workers=2, core=None) as running,
            Client(running.address, seeded.key) as client,
        ):
            uvloop.run(polls(running.port, seeded, 1))
            idle = uvloop.run(polls(running.port, seeded, SECONDS / 2))
            keep_busy(client)
            before = upscaled(client)
            busy = uvloop.run(polls(running.port, seeded, SECONDS))
            done = upscaled(client) - before
            waiting = len(list(client.list(state="queued", limit=100)))
    beside = (
        f"p50 {at(busy, 50):.2f} ms, {len(busy):,} polls, {done} upscales meanwhile; idle: p99 {at(idle, 99):.2f} ms"
    )
    row = report.at_most("busy: p99 of polls while two workers upscale", at(busy, 99), 50, "ms", beside)
    if not (done and waiting):
        raise SystemExit(f"the workers were not busy: {done} upscales were finished, {waiting} are waiting")
    return [row]


def keep_busy(client: Client) -> None:
    """Queue upscales, and return when two of them run and one has ended: then both child processes are warm."""
    picture = client.upload(PICTURE)["id"]
    for _ in range(UPSCALES):
        client.submit("image.upscale", model="upscale-v1", params={"scale": 4}, inputs=[{"file": picture}])
    give_up = time.monotonic() + 60
    while not (upscaled(client) and len(list(client.list(state="running"))) == 2):
        if time.monotonic() > give_up:
            raise SystemExit("the upscales do not run")
        time.sleep(0.05)


def upscaled(client: Client) -> int:
    """How many upscales have succeeded."""
    return sum(task["operation"] == "image.upscale" for task in client.list(state="succeeded", limit=100))


async def polls(port: int, seeded: Seeded, seconds: float) -> list[float]:
    """Poll at a steady rate; the milliseconds that each answer took, counted from when its poll was due."""
    ids = cycle(seeded.ids)
    begun = time.perf_counter() + 0.05
    due = iter([begun + number / PER_SECOND for number in range(int(seconds * PER_SECOND))])
    times: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for moment in due:
            await asyncio.sleep(moment - time.perf_counter())
            head = f"GET /v1/tasks/{next(ids)} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {seeded.key}"
            writer.write(f"{head}\r\n\r\n".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length))
            if not answer.startswith(b"HTTP/1.1 200") or b'"succeeded"' not in body:
                raise SystemExit(f"wrong answer: {answer + body!r}")
            times.append((time.perf_counter() - moment) * 1000)
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return times


def at(values: list[float], percent: int) -> float:
    """A percentile."""
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


if __name__ == "__main__":
    report.main(measure)
