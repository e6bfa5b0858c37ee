"""Webhooks: deliveries a second to receivers that answer, while a hundred others hang; all on loopback.

The server runs here with its real parts (SQLite with an fsync for each commit, HTTP); the receivers are a process of
their own. Tasks have ended before the server starts, so that their own cost is not measured, but only what follows: the
claim, the body and its signature, the request, and the record of what came of it. The clock begins when every dead
receiver hangs on to its requests.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

import report
import servers
from darkroom.app import running
from darkroom.clock import utc_now
from darkroom.config import Settings
from darkroom.core.machine import Policy, decide
from darkroom.core.task import Callback, Callbacks, Trigger
from darkroom.core.webhooks import ENDS
from darkroom.lanes import lane_name
from darkroom.sending import receiver
from darkroom.serve import collect_rarely
from darkroom.store import Store
from darkroom.testing.databases import new_task

ROUNDS = 3
ACCOUNT = "account"
DEAD, HEALTHY = 100, 20  # receivers
DELIVERIES = 3_000  # to healthy ones
PATIENCE = 60.0  # seconds for one round
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


class Receiver(asyncio.Protocol):
    """Answers each request, or none."""

    counts: dict[str, int] = {"answered": 0, "hanging": 0}  # noqa: RUF012 - shared by all connections

    def __init__(self, dead: bool) -> None:
        self._dead = dead
        self._bytes = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to answer."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self._bytes += data
        while (end := self._bytes.find(b"\r\n\r\n")) >= 0:
            length = int(self._bytes[:end].lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._bytes) < end + 4 + length:
                return
            self._bytes = self._bytes[end + 4 + length :]
            self.counts["hanging" if self._dead else "answered"] += 1
            if not self._dead:
                self._transport.write(ANSWER)


async def receive() -> None:
    """The receivers' process: prints their ports, and for each line that it reads, how many requests there were."""
    loop = asyncio.get_running_loop()
    kinds = [True] * DEAD + [False] * HEALTHY
    listening = [await loop.create_server(lambda dead=dead: Receiver(dead), "127.0.0.1", 0) for dead in kinds]
    print(*(server.sockets[0].getsockname()[1] for server in listening), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(Receiver.counts["answered"], Receiver.counts["hanging"], flush=True)


class Receivers:
    """The receivers, seen from here."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__)), "receive"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ports = self._line().split()
        self.dead, self.healthy = ports[:DEAD], ports[DEAD:]

    def _line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def counts(self) -> tuple[int, int]:
        """Requests that were answered, and that hang."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answered, hanging = self._line().split()
        return int(answered), int(hanging)

    def close(self) -> None:
        """End them."""
        self._process.communicate()


async def end_tasks(settings: Settings, ports: Sequence[str]) -> None:
    """Leave behind tasks that have ended, each of which owes a delivery to one of some ports."""

    async def end_task(port: str) -> None:
        url, origin = receiver(f"http://127.0.0.1:{port}/hook", "webhook")
        owed = Callback(ENDS, None, url, lane_name(ACCOUNT, origin))
        now = utc_now()
        callbacks = Callbacks("http://127.0.0.1/api", (owed,))
        task = new_task(ACCOUNT, dialect="native", created_at=now, run_at=now, callbacks=callbacks)
        (stored,) = (await store.submit((task,))).tasks
        change = decide(stored, Trigger.CANCEL, now=utc_now(), policy=Policy())
        assert change is not None
        await store.apply(change)

    store = await Store.open(settings.database_url)
    for start in range(0, len(ports), 200):
        await asyncio.gather(*map(end_task, ports[start : start + 200]))
    await store.close()


async def one_round(folder: Path) -> tuple[float, float]:
    """Deliveries a second to healthy receivers, and processor time of each in milliseconds."""
    settings = Settings(data=str(folder), workers=0, engines=("fake",), webhook_allow=("127.0.0.0/8",))
    receivers = Receivers()
    try:
        await end_tasks(settings, receivers.dead * 5 + receivers.healthy * (DELIVERIES // HEALTHY))
        async with running(settings):
            collect_rarely()  # as `darkroom serve` does
            give_up = time.monotonic() + PATIENCE
            while (before := receivers.counts())[1] < DEAD and time.monotonic() < give_up:
                await asyncio.sleep(0.01)
            begun, used = time.perf_counter(), time.process_time()
            while (now := receivers.counts())[0] < DELIVERIES and time.monotonic() < give_up:
                await asyncio.sleep(0.02)
            seconds, cpu = time.perf_counter() - begun, time.process_time() - used
            if now[0] < DELIVERIES:
                sys.exit(f"only {now[0]} of {DELIVERIES} arrived within {PATIENCE:g} s, {now[1]} hang")
            sent = now[0] - before[0]
            return sent / seconds, 1000 * cpu / sent
    finally:
        receivers.close()


def measure() -> list[report.Row]:
    """Measure the rate, with all commits: each delivery is that of a task of its own."""
    found = []
    for _ in range(ROUNDS):
        with servers.folder() as folder:
            found.append(uvloop.run(one_round(folder)))
    rates, costs = zip(*found, strict=True)
    details = f"{min(rates):,.0f} to {max(rates):,.0f} /s; {statistics.median(costs):.2f} ms of processor time each"
    return [
        report.at_least(
            f"webhooks: deliveries to {HEALTHY} receivers, while {DEAD} hang",
            statistics.median(rates),
            500,
            "/s",
            details,
        )
    ]


if __name__ == "__main__":
    if sys.argv[1:] == ["receive"]:
        asyncio.run(receive())
    else:
        report.main(measure)
