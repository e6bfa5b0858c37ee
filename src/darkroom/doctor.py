"""Proves that everything agrees: balances with the ledger, holds with tasks, files with rows, parents with their parts.

Works beside a running server: what is found is looked at again a moment later, and counts only if it is still there.
Repairs change only what can be computed anew from something else; each is logged, and written to the audit log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from .log import Event, write
from .objects import Objects
from .orphans import YOUNG, orphans
from .store import Store
from .store.credits import Audit

ACTOR = "doctor"


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must hold: what it is called, what breaks it, and how that is repaired, if it can be."""

    name: str
    meaning: str
    look: Callable[[], Awaitable[set[str]]]
    repair: Callable[[str], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found. `repaired` says that it was put right."""

    check: str
    meaning: str
    found: tuple[str, ...]
    repaired: bool


class Doctor:
    """Looks at one database with its object storage, or by itself.

    `pause` is in seconds, between the first look and the second.
    """

    def __init__(self, store: Store, objects: Objects | None, clock: Callable[[], int], pause: float = 1.0) -> None:
        self._store = store
        self._objects = objects
        self._clock = clock
        self._pause = pause

    def checks(self) -> tuple[Check, ...]:
        """Everything that is looked at, in the order of repairs."""
        return (*self._of_rows(), *(self._of_files(self._objects) if self._objects else ()))

    def _of_rows(self) -> tuple[Check, ...]:
        store = self._store
        return (
            Check("balances", "accounts whose balance is not the sum of their ledger", listed(store.wrong_balances),
                  self._balance),
            Check("entries", "ledger lines that do not add up, or that are nobody's", listed(store.unbalanced_entries)),
            Check("holds", "tasks that hold other credits than their price", listed(store.wrong_holds)),
            Check("costs", "finished tasks that cost other than the ledger says", listed(store.wrong_costs)),
            Check("leases", "tasks with an impossible lease or deadline",
                  listed(lambda: store.wrong_leases(self._clock()))),
            Check("stuck", "parents that go on although all their parts have ended", listed(store.stuck_parents),
                  self._parent),
            Check("families", "parents and parts that do not agree", listed(store.wrong_families)),
            Check("uses", "inputs whose count of unfinished tasks is wrong", self._wrong_uses, self._uses),
            Check("inputs", "unfinished tasks' inputs without a row", self._lost_inputs),
        )  # fmt: skip

    def _of_files(self, objects: Objects) -> tuple[Check, ...]:
        return (
            Check("files", "rows of inputs without their object", lambda: self._rows_without_objects(objects),
                  self._file),
            Check("results", "results without their object", lambda: self._results_without_objects(objects)),
            Check("orphans", "objects that belong to nothing", lambda: self._orphans(objects),
                  lambda key: self._orphan(objects, key)),
        )  # fmt: skip

    async def examine(self, *, repair: bool = False) -> list[Finding]:
        """Look at everything, and repair what can be. Findings of checks that found nothing are left out."""
        checks = self.checks()
        first = [await check.look() for check in checks]
        if not any(first):
            return []
        await asyncio.sleep(self._pause)
        findings = []
        for check, before in zip(checks, first, strict=True):
            found = before & await check.look() if before else set()
            if found:
                findings.append(await self._finding(check, tuple(sorted(found)), repair))
        return findings

    async def _finding(self, check: Check, found: tuple[str, ...], repair: bool) -> Finding:
        if not repair or check.repair is None:
            return Finding(check.name, check.meaning, found, repaired=False)
        for subject in found:
            await check.repair(subject)
            write(Event.REPAIRED, level=logging.WARNING, check=check.name, subject=subject)
        return Finding(check.name, check.meaning, found, repaired=not set(found) & await check.look())

    # ---- looks that need more than a query

    async def _wrong_uses(self) -> set[str]:
        uses = await self._store.file_uses()
        doubtful = [name for name, row in (await self._store.file_rows()).items() if row.uses != uses[name]]
        return {name for name in doubtful if await self._store.wrong_uses(name)}

    async def _lost_inputs(self) -> set[str]:
        return set(await self._store.file_uses()) - set(await self._store.file_rows())

    async def _rows_without_objects(self, objects: Objects) -> set[str]:
        old = self._clock() - YOUNG  # the row is there first, and a younger one's object may still come
        rows = await self._store.file_rows()
        stored = {stat.key async for stat in objects.list("files")}
        return {name for name, row in rows.items() if row.key not in stored and row.created_at < old}

    async def _results_without_objects(self, objects: Objects) -> set[str]:
        keys = await self._store.task_files()
        stored = {stat.key async for stat in objects.list("tasks")}
        return {key for key in keys if key not in stored}

    async def _orphans(self, objects: Objects) -> set[str]:
        return {key async for key in orphans(self._store, objects, self._clock())}

    # ---- repairs

    def _audit(self, action: str, subject: str) -> Audit:
        return Audit(ACTOR, f"repair.{action}", subject, self._clock(), {})

    async def _balance(self, account_id: str) -> None:
        await self._store.repair_balance(account_id, self._audit("balance", account_id))

    async def _parent(self, parent_id: str) -> None:
        await self._store.repair_parent(parent_id, self._audit("parent", parent_id))

    async def _uses(self, file_id: str) -> None:
        await self._store.repair_uses(file_id, self._audit("uses", file_id))

    async def _file(self, file_id: str) -> None:
        await self._store.repair_file(file_id, self._audit("file", file_id))

    async def _orphan(self, objects: Objects, key: str) -> None:
        await objects.delete(key)
        await self._store.note_repair(self._audit("orphan", key))


def listed(look: Callable[[], Awaitable[list[str]]]) -> Callable[[], Awaitable[set[str]]]:
    """A query as a look."""

    async def found() -> set[str]:
        return set(await look())

    return found
