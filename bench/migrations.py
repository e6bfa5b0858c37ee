"""How long anybody waits while the schema of a PostgreSQL with a million tasks is brought up to date beside him.

A database as the first schema file makes it is filled with generated rows; then all later files are applied, while
others go on: tasks are submitted, renewed and read, deliveries are changed, and somebody reads everything for some
seconds again and again, as dumps do.

    python bench/migrations.py [TASKS [WAITING]]
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncpg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import postgres  # the tests' server
import report
from darkroom.store.database import migrations
from darkroom.store.postgres_schema import migrate

TASKS, WAITING = 1_000_000, 250_000
DELIVERIES = 2  # tasks for each
DUMP, GAP = 2.0, 0.5  # seconds that somebody reads everything, and seconds until the next time
FILL = """
INSERT INTO task (id, public_id, account_id, dialect, operation, model, engine, params, inputs, count, state, progress,
    attempt, failures, priority, run_at, cancel, stage, warnings, artifacts, price, cost, parts, metadata, extra,
    callbacks, created_at, finished_at, version)
SELECT 'task' || n, 'public' || n, 'account' || n % 1000, 'native', 'image.generate', 'model' || n % 5, 'engine',
    '{"prompt": "a mountain lake at sunset"}', '[]', 1, CASE WHEN n > $1 - $2 THEN 'queued' ELSE 'succeeded' END,
    0, 0, 0, n % 3, CASE WHEN n % 10 = 0 THEN 4102444800000 ELSE 0 END, 0, '', '[]', '[]', n % 7, 0, 0, '{}', '{}', '',
    n, CASE WHEN n > $1 - $2 THEN NULL ELSE n END, 1
FROM generate_series(1, $1::bigint) AS n
"""
FILL_DELIVERIES = """
INSERT INTO delivery (id, account_id, task_id, n, event, url, lane, status, tries, due_at, begun_at, created_at,
    finished_at)
SELECT 'delivery' || n, 'account' || n % 1000, 'task' || n, 1, 'task.succeeded', 'https://example.com', 'lane',
    'sent', 1, n, n, n, n
FROM generate_series(1, $1::bigint) AS n
"""
SUBMIT = """
INSERT INTO task (id, public_id, account_id, dialect, operation, model, engine, params, inputs, count, state, progress,
    attempt, failures, priority, run_at, cancel, stage, warnings, artifacts, price, cost, parts, metadata, extra,
    callbacks, created_at, version)
VALUES ($1, $1, 'account1', 'native', 'image.generate', 'model1', 'engine', '{}', '[]', 1, 'queued', 0, 0, 0, 0, 0, 0,
    '', '[]', '[]', 1, 0, 0, '{}', '{}', '', 0, 1)
"""
RENEW = "UPDATE task SET stage = 'bench', version = version + 1 WHERE id = $1"
READ = "SELECT account_id, version FROM task WHERE public_id = $1"
DELIVER = "UPDATE delivery SET tries = tries + 1 WHERE id = $1"


class Waits:
    """The longest wait of each kind, and how many there were."""

    def __init__(self) -> None:
        self.longest: dict[str, float] = {}
        self.count = 0

    async def timed(self, kind: str, work: Awaitable[object]) -> None:
        """Wait for one statement."""
        begun = time.perf_counter()
        await work
        self.longest[kind] = max(self.longest.get(kind, 0.0), time.perf_counter() - begun)
        self.count += 1


def measure() -> list[report.Row]:
    """Measure, where there is a PostgreSQL."""
    install = postgres.installed()
    if install is None:
        return []
    numbers = [int(each) for each in sys.argv[1:3] if each.isdigit()]
    tasks = numbers[0] if numbers else TASKS
    waiting = numbers[1] if len(numbers) > 1 else min(WAITING, tasks)
    with postgres.Postgres(install) as server:
        return asyncio.run(measured(server, tasks, waiting))


async def measured(server: postgres.Postgres, tasks: int, waiting: int) -> list[report.Row]:
    """Fill a database, and bring it up to date beside others."""
    async with server.database() as url:
        await fill(url, tasks, waiting)
        waits = Waits()
        stop = asyncio.Event()
        others = [
            asyncio.create_task(beside(url, stop, waits, work(tasks, waiting)))
            for work in (of_tasks, of_readers, of_deliveries)
        ]
        others.append(asyncio.create_task(dumped(url, stop)))
        begun = time.perf_counter()
        connection = await asyncpg.connect(url)
        await migrate(connection)
        took = time.perf_counter() - begun
        await connection.close()
        stop.set()
        await asyncio.gather(*others)
    what = f"schema of {tasks:,} tasks, {waiting:,} of them waiting, and {tasks // DELIVERIES:,} deliveries: "
    return [
        report.at_most(what + "longest wait beside its upgrade", max(waits.longest.values()), 1, "s",
                       ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in waits.longest.items())),
        report.Row(what + "the upgrade itself", f"{took:,.1f} s", f"{waits.count:,} statements meanwhile"),
    ]  # fmt: skip


async def fill(url: str, tasks: int, waiting: int) -> None:
    """A database as the first file makes it, with rows."""
    (version, _, text), *_ = migrations("postgres")
    connection = await asyncpg.connect(url)
    await connection.execute(text)
    await connection.execute("CREATE TABLE migration (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)")
    await connection.execute("INSERT INTO migration VALUES ($1, 0)", version)
    await connection.execute(FILL, tasks, waiting)
    await connection.execute(FILL_DELIVERIES, tasks // DELIVERIES)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


Work = Callable[[asyncpg.Connection, Waits, int], Awaitable[None]]


def of_tasks(tasks: int, waiting: int) -> Work:
    """Submits, and changes of tasks that wait."""

    async def work(connection: asyncpg.Connection, waits: Waits, number: int) -> None:
        await waits.timed("submit", connection.execute(SUBMIT, f"new{number}"))
        await waits.timed("renew", connection.execute(RENEW, f"task{random.randint(tasks - waiting + 1, tasks)}"))

    return work


def of_readers(tasks: int, _: int) -> Work:
    """Polls."""

    async def work(connection: asyncpg.Connection, waits: Waits, _: int) -> None:
        await waits.timed("poll", connection.fetch(READ, f"public{random.randint(1, tasks)}"))

    return work


def of_deliveries(tasks: int, _: int) -> Work:
    """Changes of deliveries."""

    async def work(connection: asyncpg.Connection, waits: Waits, _: int) -> None:
        await waits.timed("delivery", connection.execute(DELIVER, f"delivery{random.randint(1, tasks // DELIVERIES)}"))

    return work


async def beside(url: str, stop: asyncio.Event, waits: Waits, work: Work) -> None:
    """Work over one connection, some hundred times a second, until told to stop."""
    connection = await asyncpg.connect(url)
    number = 0
    while not stop.is_set():
        number += 1
        await work(connection, waits, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.005)
    await connection.close()


async def dumped(url: str, stop: asyncio.Event) -> None:
    """Hold a transaction that has read every table that changes, again and again."""
    connection = await asyncpg.connect(url)
    while not stop.is_set():
        async with connection.transaction():
            await connection.fetch("SELECT 1 FROM task, account, delivery LIMIT 1")
            await asyncio.sleep(DUMP)
        await asyncio.sleep(GAP)
    await connection.close()


if __name__ == "__main__":
    report.main(measure)
