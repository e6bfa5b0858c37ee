"""Callers who wait: thousands of long-polls and event streams at one process, and how soon each hears of its task.

Each waits for a task of its own. A task is canceled, which is a durable write, and its caller is timed from the moment
at which the cancel is sent to the arrival of the answer or the event. Everything else goes on waiting meanwhile.
"""

from __future__ import annotations

import asyncio
import resource
import statistics
import sys
import time

import httpx
import uvloop

import report
import servers
from seed import Seeded, seed

POLLS, STREAMS = 5_000, 2_000
WOKEN = 200  # callers of each kind that are timed
AT_ONCE = 64  # connections that are opened at the same time
BATCH = 1_000
BODY = {"operation": "image.generate", "model": "procedural-v1", "params": {"prompt": "a lighthouse at dusk"}}


class Caller(asyncio.Protocol):
    """One connection that waits for news. `told` is set with the time at which it heard that its task was canceled."""

    def __init__(self, request: bytes, beginning: bytes) -> None:
        loop = asyncio.get_running_loop()
        self.begun: asyncio.Future[None] = loop.create_future()
        self.told: asyncio.Future[float] = loop.create_future()
        self._request, self._beginning, self._seen = request, beginning, b""
        if not beginning:
            self.begun.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        self._seen += data
        if b'"canceled"' in self._seen and not self.told.done():
            self.told.set_result(now)
        if not self.begun.done() and self._beginning in self._seen:
            self.begun.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.told.done():
            self.told.set_exception(ConnectionError(f"the server hung up: {self._seen[:300]!r}"))
            self.told.exception()


def measure() -> list[report.Row]:
    """Measure one server."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = POLLS + STREAMS + 1_000
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, hard), hard))
    with servers.folder() as folder:
        seeded = seed(folder / "data", 10)
        with servers.darkroom(seeded.data) as running:
            return uvloop.run(waiting(running, seeded))


async def waiting(running: servers.Running, seeded: Seeded) -> list[report.Row]:
    """Open all connections, look at the memory, then wake some callers one after the other."""
    async with httpx.AsyncClient(base_url=running.address, headers={"Authorization": seeded.key}, timeout=60) as client:
        ids: list[str] = []
        while len(ids) < POLLS + STREAMS:
            ids += (await client.post("/api/tasks/batch", json=[BODY] * BATCH)).json()["ids"]
        before = memory(running)
        begun = time.perf_counter()
        streams = await opened(running, seeded.key, [f"/api/tasks/{name}/events" for name in ids[:STREAMS]], b"\n\nid:")
        polls = await opened(running, seeded.key, [f"/api/tasks/{name}?wait=55" for name in ids[STREAMS:]], b"")
        seconds = time.perf_counter() - begun
        await client.get("/api/account")  # behind the last connection in the server's queue
        after = memory(running)
        of_streams = await wake(client, ids[:STREAMS], streams)
        of_polls = await wake(client, ids[STREAMS:], polls)
        for caller in (*polls, *streams):
            caller.transport.close()
    note = f"{before:.0f} MB before; {POLLS:,} long-polls and {STREAMS:,} streams opened in {seconds:.1f} s"
    return [
        report.at_most("waiting: memory of the server", after, 400, "MB", note),
        median("waiting: cancel to answer, long-polls", of_polls),
        median("waiting: cancel to event, streams", of_streams),
    ]


async def opened(running: servers.Running, key: str, paths: list[str], beginning: bytes) -> list[Caller]:
    """Callers that have asked; those of streams have been told how things stand."""
    gate = asyncio.Semaphore(AT_ONCE)
    loop = asyncio.get_running_loop()

    async def one(path: str) -> Caller:
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\n\r\n".encode()
        async with gate:
            _, caller = await loop.create_connection(lambda: Caller(request, beginning), "127.0.0.1", running.port)
            await caller.begun
        return caller

    return await asyncio.gather(*(one(path) for path in paths))


async def wake(client: httpx.AsyncClient, ids: list[str], callers: list[Caller]) -> list[float]:
    """Milliseconds from a cancel to its caller's news, for callers from all over the list."""
    step = len(ids) // WOKEN
    found = []
    for name, caller in list(zip(ids, callers, strict=True))[::step][:WOKEN]:
        if caller.told.done():
            sys.exit("waiting: a caller was told something before anything happened")
        begun = time.perf_counter()
        answer = await client.post(f"/api/tasks/{name}/cancel")
        if answer.status_code != 200 or answer.json()["state"] != "canceled":
            sys.exit(f"waiting: the task was not canceled: {answer.status_code} {answer.text}")
        found.append(1000 * (await asyncio.wait_for(caller.told, 30) - begun))
    return found


def median(what: str, times: list[float]) -> report.Row:
    """The median, with the slow ones beside it."""
    slow = sorted(times)[int(len(times) * 0.95)]
    return report.at_most(what, statistics.median(times), 20, "ms", f"p95 {slow:.1f} ms, {len(times)} callers")


def memory(running: servers.Running) -> float:
    """Resident memory of the server in MB."""
    with open(f"/proc/{running.process.pid}/status") as lines:  # noqa: PTH123 - a file of the kernel
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) * 1024 / 1e6


if __name__ == "__main__":
    report.main(measure)
