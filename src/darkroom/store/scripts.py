"""What the store writes: each script is one transaction, all or nothing.

The rules are in `core`; a script only carries them out, compare and set.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from ..core.access import Caller
from ..core.errors import Code, TaskError
from ..core.fairness import Sharing
from ..core.family import combine
from ..core.machine import Change
from ..core.task import Gate, State, Task
from . import credits, queue  # noqa: A004 - the field's word
from .database import Row, Script
from .deliveries import owe
from .queue import Wish
from .rows import change_params, decode_callbacks, task_from, task_params


@dataclass(frozen=True, slots=True)
class Submitted:
    """What a submit made: the first task's public id, and all tasks as a reader would find them.

    `replayed` is true when the idempotency key had made it before; then there are no tasks.
    """

    public_id: str
    tasks: tuple[Task, ...] = ()
    replayed: bool = False


def one_query(name: str, params: dict[str, Any]) -> Script[list[Row]]:
    """A transaction of one query."""
    return (yield name, params)


def submit_script(
    tasks: tuple[Task, ...],
    key: str | None,
    digest: str | None,
    since: int | None = None,
    caller: Caller | None = None,
) -> Script[Submitted]:
    """Idempotency key, limits, hold on credits, rows and events. With `since` the key counts for newer tasks alone."""
    first = tasks[0]
    if since is not None:
        yield "free_key", {"account_id": first.account_id, "idempotency_key": key, "since": since}
    if key is not None:  # a repeated request takes no turn
        found = yield "task_by_idempotency_key", {"account_id": first.account_id, "idempotency_key": key}
        if found:
            return replay(found[0], digest)
    places, standings = yield from queue.line_up(tasks)
    made: list[Task] = []
    for task, (turn, gate) in zip(tasks, places, strict=True):
        own = task is first
        row = task_params(task, key if own else None, digest if own else None)
        added = yield "add_task", {**row, "turn": turn, "gate": gate.value}
        if not added and own and key is not None:
            # PostgreSQL waited for whoever was storing this key: nothing is written yet, and theirs can be seen.
            found = yield "task_by_idempotency_key", {"account_id": first.account_id, "idempotency_key": key}
            if found:
                return replay(found[0], digest)
        if not added:
            raise TaskError(Code.CONFLICT, "The task's new id is taken. Send the request again.", retryable=True)
        made.append(replace(task, seq=added[0]["seq"], turn=turn, gate=gate, version=1))
    # Rows before credits, so that a repeated request is answered with its task even when the account is now empty.
    # Standings, files, key and account, always in this order: so no two transactions wait for each other.
    yield from use_files(tasks)
    if caller is not None and caller.limited:
        yield from credits.admit(tasks, caller)
    yield from credits.hold(tasks)
    admitted = yield from queue.admit_limited(standings)
    for task in tasks:
        yield from add_event(task.account_id, task.id, 1, State.QUEUED, 0, task.created_at)
        yield from owe(task.callbacks, task.account_id, task.id, 1, State.QUEUED, task.created_at)
    seen = [replace(task, gate=Gate.COUNTED, version=2) if task.id in admitted else task for task in made]
    return Submitted(first.public_id, tuple(seen))


def use_files(tasks: tuple[Task, ...]) -> Script[None]:
    """Count the tasks as users of their inputs, which nobody removes from now on."""
    uses = Counter(file_id for task in tasks for file_id in {file.id for file in task.inputs})
    for file_id in sorted(uses):
        found = yield "use_file", {"id": file_id, "tasks": uses[file_id], "now": tasks[0].created_at}
        if not found:
            raise TaskError(Code.NOT_FOUND, f"There is no file '{file_id}' any more. Upload it again.", param="inputs")


def replay(row: Row, digest: str | None) -> Submitted:
    """The task that an idempotency key made before."""
    if row["request_digest"] != digest:
        raise TaskError(
            Code.IDEMPOTENCY_MISMATCH,
            "This Idempotency-Key was used for a different request. Use a new key.",
            param="Idempotency-Key",
        )
    return Submitted(row["public_id"], replayed=True)


def claim_script(wish: Wish, sharing: Sharing, worker: str, now: int, until: int) -> Script[list[Task]]:
    """Leases and their events."""
    tasks = [task_from(row) for row in (yield from queue.take(wish, sharing, worker, now, until))]
    if not tasks:
        return []
    yield (
        "add_event",
        [event_row(task.account_id, task.id, task.version, State.RUNNING, task.attempt, now) for task in tasks],
    )
    for task in tasks:
        yield from owe(task.callbacks, task.account_id, task.id, task.version, State.RUNNING, now)
    for parent_id, account_id in sorted({(task.parent_id, task.account_id) for task in tasks if task.parent_id}):
        started = yield "start_parent", {"id": parent_id, "now": now}
        if started:
            yield from add_event(account_id, parent_id, started[0]["version"], State.RUNNING, 0, now)
            yield from owe_row(started[0], account_id, parent_id, State.RUNNING, now)
    return tasks


def apply_script(change: Change) -> Script[Task | None]:
    """The guarded row, then its credits, its event, and its parent."""
    changed = yield "change_task", change_params(change)
    if not changed:
        return None
    for file_id in sorted(set(change.inputs)):
        yield "leave_file", {"id": file_id, "now": change.at}
    if change.price:
        yield from credits.settle(change, changed[0])
    yield from add_event(  # behind the credits, as in a submit: so that PostgreSQL takes those of both at once
        change.account_id, change.task_id, changed[0]["version"], change.state, change.attempt, change.at
    )
    if changed[0]["running_limit"] is not None and (change.final or changed[0]["gate"] == Gate.TIME):
        yield from queue.admit(change.account_id)
    yield from owe_row(changed[0], change.account_id, change.task_id, change.state, change.at)
    if change.parent_id and change.final:
        yield from finish_parent(change.parent_id, change.at)
    return task_from(changed[0])


def finish_parent(parent_id: str, now: int) -> Script[None]:
    """End a parent when its last child ends. Its row is locked first, so that two last children cannot miss it."""
    parents = yield "lock_parent", {"id": parent_id}
    rows = yield "children", {"parent_id": parent_id}
    parent = combine(task_from(parents[0]), tuple(task_from(row) for row in rows))
    if not parent.state.final:
        return
    failure = parent.failure
    finished = yield (
        "finish_parent",
        {
            "id": parent_id,
            "state": parent.state.value,
            "error_code": failure.code.value if failure else None,
            "error_message": failure.message if failure else None,
            "expires_at": last_expiry(parent),
            "now": now,
        },
    )
    if finished:
        yield from add_event(parent.account_id, parent_id, finished[0]["version"], parent.state, 0, now)
        yield from owe_row(finished[0], parent.account_id, parent_id, parent.state, now)


def last_expiry(parent: Task) -> int | None:
    """When the results of all parts have expired; never, where some are kept for ever."""
    times = [part.expires_at for part in parent.children if part.artifacts]
    known = [time for time in times if time is not None]
    return max(known) if known and len(known) == len(times) else None


def expire_script(task: Task, now: int) -> Script[bool]:
    """The results of a task and its parts are gone, and their files are noted, to be removed."""
    rows = yield "expire_task", {"id": task.id, "now": now}
    for row in rows:
        yield "add_removal", {"task_id": row["id"]}
    return bool(rows)


def delete_script(task: Task) -> Script[bool]:
    """The task's rows and those of its children; ledger entries stay. Their files are noted, to be removed."""
    for part in (task, *task.children):
        gone = yield "delete_task", {"id": part.id}
        if not gone and part is task:
            return False
        yield "delete_events", {"id": part.id}
        if part.callbacks:
            yield "delete_deliveries", {"task_id": part.id}
        yield "add_removal", {"task_id": part.id}
    yield "delete_batch", {"task_id": task.id}
    return True


def remove_file_script(file_id: str, before: int) -> Script[bool]:
    """The row of an input that nobody needs is gone, and its object is noted, to be removed."""
    gone = yield "remove_unused_file", {"id": file_id, "before": before}
    for row in gone:
        yield "add_removal", {"task_id": row["object_key"]}
    return bool(gone)


def add_event(account_id: str, task_id: str, n: int, state: State, attempt: int, now: int) -> Script[None]:
    """One line of a task's history."""
    yield "add_event", event_row(account_id, task_id, n, state, attempt, now)


def event_row(account_id: str, task_id: str, n: int, state: State, attempt: int, now: int) -> dict[str, Any]:
    """A line of a task's history as parameters of `add_event`."""
    return {"account_id": account_id, "task_id": task_id, "n": n, "state": state.value, "attempt": attempt, "now": now}


def owe_row(row: Row, account_id: str, task_id: str, state: State, now: int) -> Script[None]:
    """The deliveries that a task's new state makes, by the task's row."""
    if row["callbacks"]:
        yield from owe(decode_callbacks(row["callbacks"]), account_id, task_id, row["version"], state, now)
