"""Webhooks: deliveries a second to receivers that answer, while a hundred others hang; all on loopback.

The server runs here with its real parts (SQLite with an fsync for each commit, HTTP); the receivers are a process of
their own. What is measured begins when every dead receiver hangs on to its requests: from the ends of tasks to the
receivers.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from pathlib import Path

import uvloop

import report
import servers
from darkroom.app import Server, running
from darkroom.config import Settings
from darkroom.core.commands import Cancel, Submit, TaskResult
from darkroom.core.task import Operation
from darkroom.dialects.native import dialect

ROUNDS = 3
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


async def new_task(server: Server, account_id: str, port: str) -> str:
    """A task that owes a delivery when it ends; its id."""
    url = f"http://127.0.0.1:{port}/hook"
    command = Submit(operation=Operation.IMAGE_GENERATE, model="fake", webhook=url, base_url="http://127.0.0.1/api")
    result = await server.service.handle(account_id, command, dialect)
    assert isinstance(result, TaskResult)
    return result.task.public_id


async def ended_tasks(server: Server, account_id: str, ids: list[str]) -> None:
    """The ends of some tasks, two hundred at a time."""
    for start in range(0, len(ids), 200):
        batch = ids[start : start + 200]
        await asyncio.gather(*(server.service.handle(account_id, Cancel(task_id), dialect) for task_id in batch))


async def one_round(folder: Path) -> tuple[float, float]:
    """Deliveries a second to healthy receivers, and processor time of each in milliseconds."""
    settings = Settings(
        data=str(folder), workers=0, engines=("fake",), initial_credits=10**9, webhook_allow=("127.0.0.0/8",)
    )
    receivers = Receivers()
    try:
        async with running(settings) as server:
            account_id = (await server.service.keyring.caller(server.first_key)).account_id
            dead = await asyncio.gather(
                *(new_task(server, account_id, port) for port in receivers.dead for _ in range(5))
            )
            healthy = [
                await new_task(server, account_id, receivers.healthy[number % HEALTHY]) for number in range(DELIVERIES)
            ]
            await ended_tasks(server, account_id, dead)
            give_up = time.monotonic() + PATIENCE
            while receivers.counts()[1] < DEAD and time.monotonic() < give_up:
                await asyncio.sleep(0.05)
            begun, used = time.perf_counter(), time.process_time()
            await ended_tasks(server, account_id, healthy)
            while receivers.counts()[0] < DELIVERIES and time.monotonic() < give_up:
                await asyncio.sleep(0.02)
            seconds, cpu = time.perf_counter() - begun, time.process_time() - used
            answered, hanging = receivers.counts()
            if answered < DELIVERIES:
                sys.exit(f"only {answered} of {DELIVERIES} arrived within {PATIENCE:g} s, {hanging} hang")
            return answered / seconds, 1000 * cpu / answered
    finally:
        receivers.close()


def measure() -> list[report.Row]:
    """Measure the rate, with the transitions and commits: each delivery is that of a task of its own."""
    found = []
    for _ in range(ROUNDS):
        with servers.folder() as folder:
            found.append(uvloop.run(one_round(folder)))
    rates, costs = zip(*found, strict=True)
    details = f"{min(rates):,.0f} to {max(rates):,.0f} /s; {statistics.median(costs):.2f} ms of processor time each"
    return [
        report.at_least(
            f"webhooks: ends of tasks told to {HEALTHY} receivers, while {DEAD} hang",
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
