"""Procrastinate: a queue of no-op jobs on PostgreSQL, as its documentation shows it.

`python queue_procrastinate.py URL JOBS CALLERS`
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time

import procrastinate


async def main(url: str, jobs: int, callers: int) -> float:
    """Jobs a second, from the first defer to the last end."""
    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url, min_size=4, max_size=10))
    left, over = jobs, asyncio.Event()

    @app.task(name="nothing")
    async def nothing() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            over.set()

    async def defer(count: int) -> None:
        for _ in range(count):
            await nothing.defer_async()

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        begun = time.perf_counter()
        working = asyncio.create_task(app.run_worker_async(concurrency=callers, install_signal_handlers=False))
        await asyncio.gather(*(defer(jobs // callers) for _ in range(callers)))
        await over.wait()
        seconds = time.perf_counter() - begun
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
    return jobs / seconds


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
