"""Many tasks in one transaction, and what an idempotency key made before."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from ..core.access import Caller
from ..core.errors import Code, TaskError
from ..core.task import State, Task
from . import credits, queue  # noqa: A004 - the field's word
from .database import Row, Script
from .deliveries import owe
from .rows import dump, task_params
from .scripts import event_row, replay, use_files

decode_ids = msgspec.json.Decoder(tuple[str, ...]).decode


@dataclass(frozen=True, slots=True)
class Earlier:
    """The task that a key made at a time (UTC milliseconds), its state, and the ids of its batch, if it began one."""

    public_id: str
    request_digest: str | None
    state: State
    created_at: int
    batch: tuple[str, ...]


def earlier(row: Row, batch: list[Row]) -> Earlier:
    """Rows as what they tell."""
    ids = decode_ids(batch[0]["public_ids"]) if batch else ()
    return Earlier(row["public_id"], row["request_digest"], State(row["state"]), row["created_at"], ids)


def batch_script(
    tasks: tuple[Task, ...], key: str | None, digest: str | None, since: int | None, caller: Caller | None = None
) -> Script[tuple[str, ...]]:
    """The key goes to the first task, and the ids to a row of their own, so that a repeated batch gets the same ones.

    Ids are random and long enough that only the first one, with the key, can be taken.
    """
    first = tasks[0]
    if since is not None:
        yield "free_key", {"account_id": first.account_id, "idempotency_key": key, "since": since}
    places, standings = yield from queue.line_up(tasks)
    rows = [
        {**task_params(task, None, None), "turn": turn, "gate": gate.value}
        for task, (turn, gate) in zip(tasks, places, strict=True)
    ]
    added = yield "add_task", {**rows[0], "idempotency_key": key, "request_digest": digest}
    if not added and key is not None:
        found = yield "task_by_idempotency_key", {"account_id": first.account_id, "idempotency_key": key}
        if found:
            replay(found[0], digest)
            batch = yield "batch", {"task_id": found[0]["id"]}
            return decode_ids(batch[0]["public_ids"])
    if not added:
        raise TaskError(Code.CONFLICT, "A task's new id is taken. Send the request again.", retryable=True)
    yield "add_task", rows[1:]
    yield from use_files(tasks)
    if caller is not None and caller.limited:
        yield from credits.admit(tasks, caller)
    yield from credits.hold(tasks)
    yield from queue.admit_limited(standings)
    yield (
        "add_event",
        [event_row(task.account_id, task.id, 1, State.QUEUED, 0, task.created_at) for task in tasks],
    )
    for task in tasks:
        if task.callbacks:
            yield from owe(task.callbacks, task.account_id, task.id, 1, State.QUEUED, task.created_at)
    ids = tuple(task.public_id for task in tasks)
    if key is not None:
        yield "add_batch", {"task_id": first.id, "public_ids": dump(ids)}
    return ids
