"""The store's part for the queue: where tasks stand in it, and how accounts share it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from functools import cached_property

from ..core.admin_commands import Share
from ..core.fairness import Place
from ..core.task import Gate, Task
from .credits import Audit, audited
from .database import Database, Row, Script
from .queue import listed, share_script


class Places:
    """Queries about the queue, over a database."""

    _database: Database

    @cached_property
    def waits(self) -> bool:
        """Whether a read has to be waited for, so that several are better made at once."""
        return self._database.read_at_once("ping") is None

    async def ahead(self, task: Task, limit: int) -> dict[str, int]:
        """How many tasks of which model will be claimed before this one, each model counted up to `limit`.

        For one that its account's limit keeps back, these are all that stand before it, and its account's own.
        """
        place = {"priority": task.priority, "turn": task.turn, "seq": task.seq, "limit": limit}
        found: Counter[str] = Counter()
        before = [
            head
            for head in await self._heads()
            if (-head["priority"], head["turn"], head["seq"]) < (-task.priority, task.turn, task.seq)
        ]

        def look(head: Row) -> Awaitable[list[Row]]:
            return self._database.read("waiting_before", engine=head["engine"], model=head["model"], **place)

        if len(before) > 1 and self.waits:
            together = await asyncio.gather(*map(look, before))
        else:
            together = [await look(head) for head in before]
        for head, rows in zip(before, together, strict=True):
            found[head["model"]] = min(limit, found[head["model"]] + sum(row["tasks"] for row in rows))
        if task.gate is Gate.LIMIT:
            for row in await self._database.read("kept_back_before", account_id=task.account_id, **place):
                found[row["model"]] += row["tasks"]
        return dict(found)

    async def queue(self, limit: int) -> dict[str, list[Place]]:
        """Where the first waiting tasks of each model stand, in the order in which they will be claimed."""
        found: dict[str, list[Place]] = {}
        for head in await self._heads():
            rows = await self._database.read("queue", engine=head["engine"], model=head["model"], limit=limit)
            found.setdefault(head["model"], []).extend(Place(*row) for row in rows)
        return {model: sorted(places) for model, places in found.items()}

    async def next_due(self, engines: tuple[str, ...]) -> int | None:
        """When the earliest task that waits for its time may run."""
        rows = await self._database.read("next_due", engines=listed(engines))
        return rows[0]["run_at"] if rows else None

    async def set_share(self, account_id: str, weight: float, limit: int | None, audit: Audit | None = None) -> bool:
        """Give an account another weight, and a limit of tasks that run at once; false without such an account."""

        def script() -> Script[bool]:
            changed = share_script(account_id, weight, limit)
            return changed if audit is None else audited(changed, audit)

        return await self._database.write(script)

    async def shares(self) -> list[Share]:
        """How each account counts, oldest first."""
        return [Share(*row) for row in await self._database.read("shares")]

    async def _heads(self) -> list[Row]:
        return await self._database.read("heads")
