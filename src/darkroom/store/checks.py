"""The store's part for the doctor: looks at what must agree, and repairs of what can be computed anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .credits import Audit, audited
from .database import Database, Script
from .rows import decode_artifacts, decode_files
from .scripts import finish_parent

PAGE = 1_000
LONGEST_LEASE = 2 * 3_600_000  # milliseconds; settings allow an hour


@dataclass(frozen=True, slots=True)
class Sums:
    """What ledger lines moved in accounts."""

    available: int = 0
    held: int = 0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.available + other.available, self.held + other.held)


@dataclass(frozen=True, slots=True)
class Lines:
    """Some ledger lines: how many, the last one's number, when the newest was written, and what they add up to."""

    count: int
    last: int
    newest: int
    sums: Sums


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file that was handed in: its object's key, how many tasks are said to need it, when it came (UTC ms)."""

    key: str
    uses: int
    created_at: int


class Checks:
    """Queries of the doctor, over a database. Everything is named by ids that an operator can look up."""

    _database: Database

    async def wrong_balances(self) -> list[str]:
        """Accounts whose balance is not the sum of their ledger."""
        return [row["id"] for row in await self._database.read("wrong_balances")]

    async def page_of_lines(self, after: int, limit: int) -> Lines:
        """What so many ledger lines behind a number add up to."""
        (row,) = await self._database.read("page_of_lines", after=after, limit=limit)
        return Lines(row["lines"], row["last"], row["newest"], Sums(row["available"], row["held"]))

    async def behind_lines(self, after: int) -> Sums:
        """What the accounts have beyond the lines behind a number."""
        (row,) = await self._database.read("behind_lines", after=after)
        return Sums(row["available"], row["held"])

    async def unbalanced_entries(self) -> list[str]:
        """Numbers of ledger lines that do not come to nothing, or whose account is not there."""
        return [row["id"] for row in await self._database.read("unbalanced_entries")]

    async def wrong_holds(self) -> list[str]:
        """Tasks that hold another amount than they should, and tasks that are gone and hold some."""
        rows = [*await self._database.read("wrong_holds"), *await self._database.read("lost_holds")]
        return [row["id"] for row in rows]

    async def wrong_costs(self) -> list[str]:
        """Finished tasks that cost another amount than their ledger lines say."""
        return [row["id"] for row in await self._database.read("wrong_costs")]

    async def wrong_leases(self, now: int) -> list[str]:
        """Tasks whose lease or deadline cannot be."""
        return [row["id"] for row in await self._database.read("wrong_leases", latest=now + LONGEST_LEASE)]

    async def stuck_parents(self) -> list[str]:
        """Internal ids of parents that go on although all their parts have ended."""
        return [row["id"] for row in await self._database.read("stuck_parents")]

    async def wrong_families(self) -> list[str]:
        """Parents and parts that do not agree."""
        return [row["id"] for row in await self._database.read("wrong_families")]

    async def file_rows(self) -> dict[str, FileRow]:
        """Every file that was handed in, by id."""
        found: dict[str, FileRow] = {}
        after = ""
        while rows := await self._database.read("stored_files", after=after, limit=PAGE):
            found |= {row["id"]: FileRow(row["object_key"], row["uses"], row["created_at"]) for row in rows}
            after = rows[-1]["id"]
        return found

    async def file_uses(self) -> Counter[str]:
        """How many unfinished tasks need each file."""
        found: Counter[str] = Counter()
        after = 0
        while rows := await self._database.read("needed_inputs", after=after, limit=PAGE):
            for row in rows:
                found.update({file.id for file in decode_files(row["inputs"])})
            after = rows[-1]["seq"]
        return found

    async def wrong_uses(self, file_id: str) -> bool:
        """Whether another number of unfinished tasks needs a file than it says."""
        return bool(await self._database.read("wrong_uses", id=file_id, quoted=f'"{file_id}"'))

    async def task_files(self) -> set[str]:
        """Object keys of all results."""
        keys: set[str] = set()
        after = 0
        while rows := await self._database.read("task_files", after=after, limit=PAGE):
            for row in rows:
                keys |= keys_of(row["artifacts"])
            after = rows[-1]["seq"]
        return keys

    async def objects_of_task(self, task_id: str, *, known: bool = False) -> frozenset[str] | None:
        """Object keys of a finished task's results, none of one that is gone; `None` for one that may still store.

        With `known` also for one that nothing here has ever heard of; of a task that is gone the ledger has.
        """
        rows = await self._database.read("objects_of_task", id=task_id)
        if rows:
            return None if rows[0]["finished_at"] is None else keys_of(rows[0]["artifacts"])
        return frozenset() if not known or await self._database.read("paid_for", id=task_id) else None

    async def repair_balance(self, account_id: str, audit: Audit) -> None:
        """Make an account's balance the sum of its ledger."""
        await self._repaired(lambda: locked("lock_purses", "sum_balance", {"id": account_id}), audit)

    async def repair_uses(self, file_id: str, audit: Audit) -> None:
        """Count anew which tasks need a file."""
        params = {"id": file_id, "quoted": f'"{file_id}"'}
        await self._repaired(lambda: locked("lock_file", "count_uses", params), audit)

    async def repair_parent(self, parent_id: str, audit: Audit) -> None:
        """End a parent whose parts have ended."""
        await self._repaired(lambda: finished(parent_id, audit.at), audit)

    async def repair_file(self, file_id: str, audit: Audit) -> None:
        """Forget a file that is not stored and that nobody needs."""
        params = {"id": file_id, "before": audit.at}
        await self._repaired(lambda: removed(params), audit)

    async def note_repair(self, audit: Audit) -> None:
        """Write down a repair that was none of the database."""
        await self._repaired(nothing, audit)

    async def _repaired(self, script: Callable[[], Script[Any]], audit: Audit) -> None:
        await self._database.write(lambda: audited(script(), audit))


def keys_of(artifacts: str) -> frozenset[str]:
    """Object keys of results with their thumbnails."""
    return frozenset(key for item in decode_artifacts(artifacts) for key in (item.key, item.thumbnail_key) if key)


def locked(lock: str, query: str, params: dict[str, Any]) -> Script[bool]:
    """A query behind a lock, so that it sees everything that was written before."""
    yield lock, {"id": params["id"]}
    return bool((yield query, params))


def finished(parent_id: str, now: int) -> Script[bool]:
    """End a parent."""
    yield from finish_parent(parent_id, now)
    return True


def removed(params: dict[str, Any]) -> Script[bool]:
    """Forget a file that nobody needs."""
    return bool((yield "remove_unused_file", params))


def nothing() -> Script[bool]:
    """A transaction that reads nothing of note."""
    yield "ping", {}
    return True
