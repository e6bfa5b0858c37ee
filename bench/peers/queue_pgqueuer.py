"""PgQueuer: a queue of no-op jobs on PostgreSQL, as its documentation shows it.

`python queue_pgqueuer.py URL JOBS CALLERS`
"""

from __future__ import annotations

import asyncio
import sys
import time

import asyncpg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries


async def main(url: str, jobs: int, callers: int) -> float:
    """Jobs a second, from the first enqueue to the last end."""
    pool = await asyncpg.create_pool(url, min_size=4, max_size=10)
    driver = AsyncpgPoolDriver(pool)
    queries = Queries(driver)
    await queries.install()
    queue = PgQueuer(driver)
    left, over = jobs, asyncio.Event()

    @queue.entrypoint("nothing")
    async def nothing(_: Job) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            over.set()

    async def enqueue(count: int) -> None:
        for _ in range(count):
            await queries.enqueue("nothing", b"", 0)

    begun = time.perf_counter()
    working = asyncio.create_task(queue.run(batch_size=32))
    await asyncio.gather(*(enqueue(jobs // callers) for _ in range(callers)))
    await over.wait()
    while await pool.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)"):  # an end counts when it is stored
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - begun
    queue.shutdown.set()
    await working
    await pool.close()
    return jobs / seconds


if __name__ == "__main__":
    print(uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
