"""Every query of the system by name, over a database. No other package writes SQL.

Guarantees: submit and every transition are one transaction each, with their credits and events; a transition that
somebody else made first writes nothing; a submit with an idempotency key and every transition are safe to repeat.
"""

from __future__ import annotations

import enum

from ..core.access import Caller
from ..core.fairness import ANYTHING, BY_TURNS, Serves, Sharing
from ..core.family import combine
from ..core.machine import Change
from ..core.review import HELD
from ..core.task import File, Operation, State, Task
from .accounts import LAST, Accounts
from .batches import Earlier, batch_script, earlier
from .checks import Checks
from .credits import Audit, audited
from .database import SECONDS, Database, Row, Tell, connect, silently
from .outbox import Outbox
from .places import Places
from .queue import Wish, listed
from .roster import Rosters
from .rows import task_from
from .scripts import (
    Submitted,
    apply_script,
    claim_script,
    delete_script,
    expire_script,
    one_query,
    remove_file_script,
    submit_script,
)

__all__ = ["LAST", "Store", "Submitted", "Verdict"]


class Verdict(enum.Enum):
    """What a worker learns from its heartbeat."""

    CONTINUE = enum.auto()
    CANCEL = enum.auto()
    LOST = enum.auto()


class Store(Accounts, Checks, Places, Rosters):
    """The store. Times are UTC milliseconds and always given by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.outbox = Outbox(database)

    @classmethod
    async def open(cls, url: str, seconds: float = SECONDS, tell: Tell = silently) -> Store:
        """Open a database by URL and bring its schema up to date; `connect` says what the rest is.

        `ValueError` for one that was moved away, or that is not all here yet: who works on it loses what he does.
        """
        database = await connect(url, seconds, tell)
        try:
            refuse_moved(await database.read("moves_in_the_way"))
        except BaseException:
            await database.close()
            raise
        return cls(database)

    async def time(self) -> int:
        """What time it is at the database, in UTC milliseconds."""
        return await self._database.time()

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()

    # ---- tasks: writing

    async def submit(
        self,
        tasks: tuple[Task, ...],
        *,
        idempotency_key: str | None = None,
        request_digest: str | None = None,
        since: int | None = None,
        caller: Caller | None = None,
    ) -> Submitted:
        """Store one task, or a parent and then its children, with the hold on their credits.

        Raises `no_credits`, `rate_limited` beyond the limits of the caller's key, and `idempotency_mismatch` when the
        idempotency key was used for another request. With `since` that counts only where a task of that time or later
        has it that did not fail.
        """
        return await self._database.write(lambda: submit_script(tasks, idempotency_key, request_digest, since, caller))

    async def submit_batch(
        self,
        tasks: tuple[Task, ...],
        *,
        idempotency_key: str | None = None,
        request_digest: str | None = None,
        since: int | None = None,
        caller: Caller | None = None,
    ) -> tuple[str, ...]:
        """Store tasks without parts, all or none; their public ids, or those of the batch that had this key before."""
        return await self._database.write(lambda: batch_script(tasks, idempotency_key, request_digest, since, caller))

    async def submitted(self, account_id: str, idempotency_key: str) -> Earlier | None:
        """What an idempotency key of an account made."""
        rows = await self._database.read(
            "task_by_idempotency_key", account_id=account_id, idempotency_key=idempotency_key
        )
        if not rows:
            return None
        batch = await self._database.read("batch", task_id=rows[0]["id"])
        return earlier(rows[0], batch)

    async def claim(
        self,
        worker: str,
        engines: tuple[str, ...],
        limit: int,
        now: int,
        lease: int,
        *,
        warm: tuple[str, ...] = (),
        serves: Serves = ANYTHING,
        sharing: Sharing = BY_TURNS,
    ) -> list[Task]:
        """Lease up to `limit` due tasks for `lease` milliseconds, in the order in which they are to be run.

        The worker has the models `warm` loaded.
        """
        wish = Wish(engines, limit, warm, serves)
        return await self._database.write(lambda: claim_script(wish, sharing, worker, now, now + lease))

    async def leased_to(self, worker: str) -> list[Task]:
        """The tasks that a worker runs."""
        return [task_from(row) for row in await self._database.read("leased_to", worker=worker)]

    async def heartbeat(
        self,
        task: Task,
        now: int,
        lease: int,
        *,
        progress: int = 0,
        stage: str = "",
        checkpoint: str | None = None,
        previews: int = 0,
    ) -> Verdict:
        """Renew the lease of a running attempt; say whether to go on. `previews` is the number of a new one, or 0."""
        params = {
            "id": task.id,
            "attempt": task.attempt,
            "lease_until": now + lease,
            "progress": progress,
            "stage": stage,
            "checkpoint": checkpoint,
            "previews": previews,
        }
        rows = await self._database.write(lambda: one_query("heartbeat", params))
        if not rows:
            return Verdict.LOST
        return Verdict.CANCEL if rows[0]["cancel"] else Verdict.CONTINUE

    async def apply(self, change: Change, audit: Audit | None = None) -> Task | None:
        """Carry out one transition, as who did it; `None` when somebody else was first and nothing was written."""
        if audit is not None:
            return await self._database.write(lambda: audited(apply_script(change), audit))
        return await self._database.write(lambda: apply_script(change))

    async def mark_cancel(self, task_id: str) -> bool:
        """Ask the worker of a running task to stop; false when it does not run or was asked before."""
        return bool(await self._database.write(lambda: one_query("mark_cancel", {"id": task_id})))

    async def delete(self, task: Task) -> bool:
        """Forget a final task and its children; false when it is not final or no longer there."""
        return await self._database.write(lambda: delete_script(task))

    # ---- tasks: reading

    async def task(self, public_id: str) -> Task | None:
        """A task by its public id, with its children."""
        rows = await self._database.read("task_by_public_id", public_id=public_id)
        return await self._family(rows[0]) if rows else None

    async def task_of_id(self, task_id: str) -> Task | None:
        """A task by its internal id, with its children."""
        rows = await self._database.read("task_by_id", id=task_id)
        return await self._family(rows[0]) if rows else None

    async def glance(self, public_id: str) -> tuple[str, int] | None:
        """Account and version of a task: one small indexed read for repeated polls."""
        rows = await self._database.read("glance", public_id=public_id)
        return (rows[0][0], rows[0][1]) if rows else None

    def glance_at_once(self, public_id: str) -> tuple[str, int] | None:
        """The same without waiting, or `None` where that cannot be told."""
        rows = self._database.read_at_once("glance", public_id=public_id)
        return (rows[0][0], rows[0][1]) if rows else None

    async def tasks(
        self,
        account_id: str,
        state: State | None,
        limit: int,
        before: int = LAST,
        skip: int = 0,
        operations: tuple[Operation, ...] = (),
    ) -> list[Task]:
        """A page of an account's tasks, newest first, below the sequence number `before`, after `skip` of them."""
        rows = await self._database.read(
            "tasks",
            account_id=account_id,
            state=state.value if state else None,
            before=max(0, min(before, LAST)),  # it came from a caller's cursor
            limit=limit,
            skip=max(0, min(skip, LAST)),
            operations=listed(operations) if operations else "",
        )
        return [await self._family(row) for row in rows]

    async def _family(self, row: Row) -> Task:
        task = task_from(row)
        if not task.parts:
            return task
        rows = await self._database.read("children", parent_id=task.id)
        return combine(task, tuple(task_from(child) for child in rows))

    async def observed(self, limit: int) -> list[tuple[str, float]]:
        """Models and seconds of the runs that succeeded among the newest tasks, in the order in which they ended."""
        return [(row["model"], row["took"] / 1000) for row in await self._database.read("observed", limit=limit)]

    async def open_tasks(self, account_id: str, after: int, limit: int = 100) -> list[Task]:
        """A page of an account's unfinished tasks, oldest first, above the sequence number `after`."""
        rows = await self._database.read("open_tasks", account_id=account_id, after=after, limit=limit)
        return [await self._family(row) for row in rows]

    async def expiring(self, now: int, limit: int = 100) -> list[Task]:
        """Tasks whose results have been kept long enough."""
        return [await self._family(row) for row in await self._database.read("expiring", now=now, limit=limit)]

    async def expire(self, task: Task, now: int) -> bool:
        """Let go of the results of a task and its parts; false when somebody else was first."""
        return await self._database.write(lambda: expire_script(task, now))

    async def removals(self, limit: int = 100) -> list[str]:
        """What is to be removed: internal ids of tasks, for all their files, and keys of inputs."""
        return [row["task_id"] for row in await self._database.read("removals", limit=limit)]

    async def end_removal(self, noted: str) -> None:
        """What was noted has been removed."""
        await self._database.write(lambda: one_query("end_removal", {"task_id": noted}))

    async def due(self, limit: int) -> int:
        """How many tasks wait for a worker, counted up to `limit`."""
        rows = await self._database.read("due", limit=limit)
        return int(rows[0]["tasks"])

    async def deliveries_due(self, now: int, limit: int) -> tuple[int, int]:
        """How many webhooks could be sent now, up to `limit`, and since when the oldest of them could."""
        row = (await self._database.read("deliveries_due", now=now, limit=limit))[0]
        return row["deliveries"], row["since"]

    async def held(self, limit: int = 1000, after: int = 0) -> list[Task]:
        """Tasks that wait for a person, oldest first, above the sequence number `after`."""
        return [task_from(row) for row in await self._database.read("held", limit=limit, held=HELD, after=after)]

    async def release_held(self, public_id: str, audit: Audit) -> bool:
        """Let a held task run; false when there is none of this id."""
        params = {"public_id": public_id, "now": audit.at, "held": HELD}
        return bool(await self._database.write(lambda: audited(one_query("release_held", params), audit)))

    async def waiting(self, now: int, limit: int) -> list[tuple[str, int, int]]:
        """Tasks that could run now, up to `limit` of them: (model, how many, since when the oldest one could)."""
        rows = await self._database.read("waiting", now=now, limit=limit)
        return [(row["model"], row["tasks"], row["since"]) for row in rows]

    async def at_work(self) -> list[tuple[str, int]]:
        """Running tasks: (model, how many)."""
        return [(row["model"], row["tasks"]) for row in await self._database.read("at_work")]

    async def expired(self, now: int, limit: int = 100) -> list[Task]:
        """Running tasks whose lease ended."""
        return [task_from(row) for row in await self._database.read("expired", now=now, limit=limit)]

    async def overdue(self, now: int, limit: int = 100) -> list[Task]:
        """Waiting tasks whose deadline passed."""
        return [task_from(row) for row in await self._database.read("overdue", now=now, limit=limit)]

    async def counts(self) -> dict[State, int]:
        """How many tasks are in each state."""
        return {State(row["state"]): row["tasks"] for row in await self._database.read("counts")}

    async def events(self, task_id: str) -> list[tuple[int, State, int, int]]:
        """A task's history: (number, state, attempt, time)."""
        rows = await self._database.read("events", task_id=task_id)
        return [(row["n"], State(row["state"]), row["attempt"], row["at"]) for row in rows]

    async def account_events(self, account_id: str, after: int, limit: int = 100) -> list[tuple[int, State, int, Task]]:
        """What happened to an account's tasks after an event: (number, state that began, attempt, task as it is)."""
        rows = await self._database.read("account_events", account_id=account_id, after=after, limit=limit)
        return [
            (row["event_seq"], State(row["event_state"]), row["event_attempt"], await self._family(row)) for row in rows
        ]

    async def last_event(self, account_id: str) -> int:
        """The number of the last event of an account; 0 when there is none."""
        rows = await self._database.read("last_event", account_id=account_id)
        number: int = rows[0]["seq"]
        return number

    async def ping(self) -> None:
        """Return when the database answers and takes writes."""
        await self._database.ping()

    # ---- files and signing keys

    async def add_file(self, account_id: str, file: File, now: int) -> None:
        """Remember an uploaded file."""
        params = {
            "id": file.id,
            "account_id": account_id,
            "object_key": file.key,
            "media_type": file.media_type,
            "size": file.size,
            "width": file.width,
            "height": file.height,
            "duration": file.duration,
            "now": now,
        }
        await self._database.write(lambda: one_query("add_file", params))

    async def file(self, file_id: str) -> tuple[File, str] | None:
        """An uploaded file and the account that owns it."""
        rows = await self._database.read("file", id=file_id)
        return (File(*rows[0][:7]), rows[0]["account_id"]) if rows else None

    async def unused_files(self, before: int, limit: int = 100) -> list[File]:
        """Files that no unfinished task needs, and that none has needed since `before`."""
        rows = await self._database.read("unused_files", before=before, limit=limit)
        return [File(*row) for row in rows]

    async def remove_unused_file(self, file_id: str, before: int) -> bool:
        """Forget a file, and note its object; false when a task needs it, or has needed it since `before`."""
        return await self._database.write(lambda: remove_file_script(file_id, before))

    async def signing_keys(self) -> list[tuple[str, str, int, int]]:
        """The keys that sign links, newest first: id, hex secret, when made, and how long their links live (ms)."""
        return [tuple(row) for row in await self._database.read("signing_keys")]

    async def note_link_lifetime(self, lifetime: int) -> None:
        """Links that are signed now may live so long, in milliseconds."""
        await self._database.write(lambda: one_query("note_link_lifetime", {"lifetime": lifetime}))

    async def delete_signing_key(self, key_id: str) -> None:
        """Forget a key; its links are refused from now on."""
        await self._database.write(lambda: one_query("delete_signing_key", {"id": key_id}))

    async def add_signing_key(self, key_id: str, secret: str, now: int) -> None:
        """Add a key; the newest signs, all verify."""
        await self._database.write(lambda: one_query("add_signing_key", {"id": key_id, "secret": secret, "now": now}))


def refuse_moved(rows: list[Row]) -> None:
    """Refuse a database by what it knows of moves."""
    for row in rows:
        if row["role"] == "departed":
            raise ValueError(f"everything was moved from here to {row['other']}: use that database")
        raise ValueError(f"the move from {row['other']} to here is not finished: run `darkroom migrate` again first")
