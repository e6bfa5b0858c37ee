"""One account with many thousands of tasks in the queue, and fifty with a few: how long the fifty wait.

The real store on both databases, eight slots that sleep in place of work; beside it the same with an empty queue.
Claims a second are those of one worker that takes tasks one by one from the long queue, each durably.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import postgres  # the tests' server
import report
import servers
import workday
from darkroom.clock import utc_now
from darkroom.store import Store

BACKLOG, ACCOUNTS, TASKS = 20_000, 50, 200
SLOTS, SECONDS, RATE = 8, 0.25, 12.0  # of 32 tasks a second that fit at best
CLAIMS = 200


def measure() -> list[report.Row]:
    """Measure both databases."""
    rows: list[report.Row] = []
    with servers.folder() as folder:
        urls = [f"sqlite:{folder}/{name}.db" for name in ("empty", "long")]
        rows += asyncio.run(measured("SQLite", *urls))
    if (install := postgres.installed()) is not None:
        with postgres.Postgres(install) as server:
            rows += asyncio.run(on_postgres(server))
    return rows


async def on_postgres(server: postgres.Postgres) -> list[report.Row]:
    """The same on PostgreSQL."""
    async with server.database() as empty, server.database() as long:
        return await measured("PostgreSQL", empty, long)


async def measured(name: str, empty: str, long: str) -> list[report.Row]:
    """Waits of the light accounts without and with the heavy one, and claims."""
    works = workday.light(ACCOUNTS, TASKS, RATE, SECONDS)
    alone = await workday.carried_out(empty, works, SLOTS)
    beside = await workday.carried_out(long, works, SLOTS, BACKLOG)
    told = []
    for what in ("done", "begun"):
        medians = [statistics.median(getattr(each, what) for each in found) for found in (alone, beside)]
        told.append((medians[1] / medians[0], f"{medians[0] * 1000:,.0f} ms alone, {medians[1] * 1000:,.0f} ms beside"))
    rate = await claims(long)
    return [
        report.at_most(f"fairness, {name}: light accounts' median wait for a result", told[0][0], 2, "x", told[0][1]),
        report.Row(f"fairness, {name}: until the work begins", f"{told[1][0]:,.1f} x", told[1][1]),
        report.Row(f"fairness, {name}: claims of one task, {BACKLOG:,} queued", f"{rate:,.0f} /s"),
    ]


async def claims(url: str) -> float:
    """Claims a second, one after the other."""
    store = await Store.open(url)
    try:
        begun = time.perf_counter()
        for _ in range(CLAIMS):
            assert await store.claim("bench", (workday.ENGINE,), 1, utc_now(), workday.LEASE)
        return CLAIMS / (time.perf_counter() - begun)
    finally:
        await store.close()


if __name__ == "__main__":
    report.main(measure)
