"""Fills a data folder as real use would: through the store, with a key, and tasks that succeeded with a result each."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from darkroom.clock import utc_now
from darkroom.core.ids import new_id
from darkroom.core.machine import Policy, decide
from darkroom.core.task import Artifact, Operation, Task, Trigger
from darkroom.dialects.dimilinks import dialect
from darkroom.keys import create_key
from darkroom.store import Store

CREDITS = 100_000_000


@dataclass(frozen=True, slots=True)
class Seeded:
    """A data folder's key and the public ids of its tasks, the finished ones first."""

    data: Path
    key: str
    ids: tuple[str, ...]

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.data / "darkroom.db"

    def copy(self, data: Path) -> Seeded:
        """The same in another folder, for a server that writes."""
        with sqlite3.connect(self.database) as connection:  # what is in the log goes to the file
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        data.mkdir()
        shutil.copy(self.database, data)
        return Seeded(data, self.key, self.ids)


def seed(data: Path, tasks: int, database: str = "", finished: int | None = None) -> Seeded:
    """A data folder with that many tasks, all or so many of them finished; SQLite unless a database is given."""
    data.mkdir(exist_ok=True)
    return asyncio.run(filled(data, tasks, database, tasks if finished is None else finished))


async def filled(data: Path, tasks: int, database: str, finished: int) -> Seeded:
    """The work of `seed`."""
    store = await Store.open(database or f"sqlite:{data / 'darkroom.db'}")
    try:
        key = await create_key(store, "bench", CREDITS, utc_now())
        account_id = (await store.keys())[0].account_id
        ids = await asyncio.gather(*(add_task(store, account_id) for _ in range(tasks)))
        for task in await store.claim("bench", ("procedural",), finished, utc_now(), 60_000):
            result = Artifact(f"{task.id}/1/0.png", "image/png", 1_234_567, 1024, 1024, f"{task.id}/1/0.webp")
            change = decide(task, Trigger.COMPLETE, now=utc_now(), policy=Policy(), artifacts=(result,))
            assert change is not None
            await store.apply(change)
        return Seeded(data, key, tuple(ids))
    finally:
        await store.close()


async def add_task(store: Store, account_id: str) -> str:
    """Submit one task; its public id."""
    now = utc_now()
    task = Task(
        id=new_id(now),
        public_id=dialect.mint_id(),
        account_id=account_id,
        dialect=dialect.name,
        operation=Operation.IMAGE_GENERATE,
        model="procedural-v1",
        engine="procedural",
        params={"prompt": "a lighthouse at dusk", "size": "1024x1024"},
        run_at=now,
        deadline=now + 86_400_000,
        price=1,
        created_at=now,
    )
    await store.submit((task,))
    return task.public_id


def fsync_ms(folder: Path) -> float:
    """What a small append with an fsync takes in this folder: the median of 100, in milliseconds."""
    times = []
    with (folder / "fsync").open("ab", buffering=0) as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            begun = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - begun)
    return sorted(times)[50] * 1000
