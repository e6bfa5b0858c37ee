"""The store's part for who works."""

from __future__ import annotations

from ..core.fairness import Serves
from ..core.workers import WorkerInfo
from .database import Database, Row, Script
from .rows import decode_texts, dump


class Rosters:
    """Queries about workers, over a database."""

    _database: Database

    async def announce(self, worker: WorkerInfo) -> None:
        """Write down that a worker is there."""
        params = {
            "name": worker.name,
            "engines": dump(worker.engines),
            "models": dump(worker.serves.models),
            "labels": dump(worker.serves.labels),
            "slots": worker.slots,
            "version": worker.version,
            "now": worker.seen_at,
        }

        def script() -> Script[None]:
            yield "announce_worker", params

        await self._database.write(script)

    async def workers(self, since: int) -> list[WorkerInfo]:
        """The workers that were heard of since then (UTC milliseconds), by name."""
        return [worker_from(row) for row in await self._database.read("workers", since=since)]

    async def forget_worker(self, name: str) -> None:
        """A worker has gone."""

        def script() -> Script[None]:
            yield "forget_worker", {"name": name}

        await self._database.write(script)

    async def forget_workers(self, before: int) -> None:
        """Workers that were last heard of before then have gone without a word."""

        def script() -> Script[None]:
            yield "forget_workers", {"before": before}

        await self._database.write(script)


def worker_from(row: Row) -> WorkerInfo:
    """A row of the worker table."""
    return WorkerInfo(
        name=row["name"],
        engines=decode_texts(row["engines"]),
        slots=row["slots"],
        serves=Serves(decode_texts(row["models"]), decode_texts(row["labels"])),
        version=row["version"],
        seen_at=row["seen_at"],
    )
