"""Tasks through the whole path in one process: submit, claim, run, finish, and the caller who waits for the end.

Real parts only (SQLite with an fsync for each commit, service, worker, the log as it is by default, into a file), no
HTTP, and the fake engine, which does nothing or sleeps. What is measured is what Darkroom adds to the work itself.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import uvloop

import report
import servers
from darkroom.app import Server, running
from darkroom.config import Settings
from darkroom.core.commands import Get, Submit, TaskResult
from darkroom.core.task import Operation, State
from darkroom.dialects.native import dialect
from darkroom.engines import Context, Job
from darkroom.engines.fake import FakeEngine
from darkroom.log import configure
from darkroom.serve import collect_rarely

ROUNDS = 3
CALLERS, TASKS = 128, 6_400
SLEEPERS, SLEEP = 10, 100  # tasks at once, milliseconds each
SLEEPING_TASKS = 500
LOOKS = 60


class Bench:
    """A running server without HTTP, and a caller's account."""

    def __init__(self, server: Server, account_id: str, database: str) -> None:
        self._server = server
        self.account_id = account_id
        self.database = database

    async def submit(self, **params: Any) -> str:
        """Submit a task without results; its public id."""
        command = Submit(operation=Operation.IMAGE_GENERATE, model="fake", params={"results": 0, **params})
        result = await self._server.service.handle(self.account_id, command, dialect)
        assert isinstance(result, TaskResult)
        return result.task.public_id

    async def finished(self, task_id: str) -> None:
        """Wait for the end of a task, as a long poll does; end the program unless it succeeded."""
        result = await self._server.service.handle(self.account_id, Get(task_id, 30), dialect)
        assert isinstance(result, TaskResult)
        if result.task.state is not State.SUCCEEDED:
            sys.exit(f"a task without work ended as {result.task.state}: {result.task.failure}")


@asynccontextmanager
async def bench(slots: int, folder: Path, account_id: str = "") -> AsyncIterator[Bench]:
    """A server with that many slots on a folder; its first caller's account unless another is given."""
    with (folder / "log").open("a") as log, redirect_stderr(log):
        settings = Settings(data=str(folder), workers=slots, engines=("fake",), initial_credits=10**9)
        configure(settings.log_level)
        async with running(settings) as server:
            collect_rarely()  # as `darkroom serve` does
            account_id = account_id or (await server.service.keyring.caller(server.first_key)).account_id
            yield Bench(server, account_id, str(folder / "darkroom.db"))


def measure() -> list[report.Row]:
    """Measure rate, overhead and latency."""
    rates = [uvloop.run(no_ops()) for _ in range(ROUNDS)]
    shares = [uvloop.run(sleepers()) for _ in range(ROUNDS)]
    latencies = uvloop.run(from_submit_to_start())
    return [
        report.at_least(
            "tasks: no-op tasks, submit to finish", statistics.median(rates), 2_500, "/s", spread(rates, "/s")
        ),
        report.at_least(
            f"tasks: {SLEEP} ms tasks, {SLEEPERS} at once, of the ideal",
            statistics.median(shares),
            97,
            "%",
            spread(shares, "%"),
        ),
        report.at_most(
            "tasks: submit to start of work, idle", statistics.median(latencies), 5, "ms", spread(latencies, "ms")
        ),
    ]


def spread(values: list[float], unit: str) -> str:
    """The least and the greatest value."""
    return (
        f"{min(values):,.3g} to {max(values):,.3g} {unit}"
        if max(values) < 1000
        else f"{min(values):,.0f} to {max(values):,.0f} {unit}"
    )


async def no_ops() -> float:
    """Tasks a second: callers who submit a task, wait for its end, and start again."""
    with servers.folder() as folder:
        async with bench(CALLERS, folder) as server:
            return await call(server)


async def call(server: Bench) -> float:
    """Tasks a second of all callers together."""

    async def caller(turns: int) -> None:
        for _ in range(turns):
            await server.finished(await server.submit())

    await asyncio.gather(*(caller(2) for _ in range(CALLERS)))
    begun = time.perf_counter()
    await asyncio.gather(*(caller(TASKS // CALLERS) for _ in range(CALLERS)))
    return TASKS / (time.perf_counter() - begun)


async def sleepers() -> float:
    """How much of the ideal rate is reached by a queue of short tasks, in percent: from first start to last finish.

    They are all queued before the worker starts, so that submits are no part of it; a caller waits for each.
    """
    with servers.folder() as folder:
        async with bench(0, folder) as server:
            ids = [await server.submit(steps=1, step_ms=SLEEP) for _ in range(SLEEPING_TASKS)]
            account_id = server.account_id
        async with bench(SLEEPERS, folder, account_id) as server:
            await asyncio.gather(*(server.finished(task_id) for task_id in ids))
        with sqlite3.connect(server.database) as connection:
            started, finished = connection.execute("SELECT MIN(started_at), MAX(finished_at) FROM task").fetchone()
        connection.close()
        return 100 * SLEEPING_TASKS / SLEEPERS * SLEEP / (finished - started)


async def from_submit_to_start() -> list[float]:
    """Milliseconds from a submit to the engine's first line, the worker being idle: two durable commits."""
    started: dict[str, float] = {}
    run: Callable[[FakeEngine, Job, Context], Awaitable[Any]] = FakeEngine.run

    async def noted(engine: FakeEngine, job: Job, context: Context) -> Any:
        started[job.model] = time.perf_counter()
        return await run(engine, job, context)

    FakeEngine.run = noted  # type: ignore[method-assign]
    try:
        with servers.folder() as folder:
            async with bench(1, folder) as server:
                found = []
                for _ in range(LOOKS):
                    begun = time.perf_counter()
                    await server.finished(await server.submit())
                    found.append((started["fake"] - begun) * 1000)
                    await asyncio.sleep(0.02)  # so that the worker is idle again
                return found
    finally:
        FakeEngine.run = run  # type: ignore[method-assign]


if __name__ == "__main__":
    report.main(measure)
