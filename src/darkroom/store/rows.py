"""Tasks as rows and back: the only place that knows the columns of the task table."""

from __future__ import annotations

from typing import Any

import msgspec

from ..core.errors import Code
from ..core.machine import Change
from ..core.task import Artifact, Callbacks, Failure, File, Gate, Operation, State, Task
from .database import Row

decode_files = msgspec.json.Decoder(tuple[File, ...]).decode
decode_artifacts = msgspec.json.Decoder(tuple[Artifact, ...]).decode
decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode
decode_callbacks = msgspec.json.Decoder(Callbacks).decode
decode_object = msgspec.json.Decoder(dict[str, Any]).decode


def dump(value: object) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def task_from(row: Row, children: tuple[Task, ...] = ()) -> Task:
    """A row of the task table as a task."""
    return Task(
        seq=row["seq"],
        id=row["id"],
        public_id=row["public_id"],
        account_id=row["account_id"],
        dialect=row["dialect"],
        operation=Operation(row["operation"]),
        model=row["model"],
        engine=row["engine"],
        params=decode_object(row["params"]),
        inputs=decode_files(row["inputs"]),
        count=row["count"],
        state=State(row["state"]),
        progress=row["progress"],
        stage=row["stage"],
        attempt=row["attempt"],
        failures=row["failures"],
        priority=row["priority"],
        run_at=row["run_at"],
        turn=row["turn"],
        gate=Gate(row["gate"]),
        deadline=row["deadline"],
        lease_until=row["lease_until"],
        cancel=bool(row["cancel"]),
        checkpoint=row["checkpoint"],
        previews=row["previews"],
        previews_of=row["previews_of"],
        failure=failure_from(row),
        warnings=decode_texts(row["warnings"]),
        artifacts=decode_artifacts(row["artifacts"]),
        price=row["price"],
        cost=row["cost"],
        parent_id=row["parent_id"],
        parts=row["parts"],
        children=children,
        metadata=decode_object(row["metadata"]),
        extra=decode_object(row["extra"]),
        callbacks=decode_callbacks(row["callbacks"]) if row["callbacks"] else None,
        key_id=row["key_id"],
        created_at=row["created_at"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        expires_at=row["expires_at"],
        expired_at=row["expired_at"],
        version=row["version"],
    )


def failure_from(row: Row) -> Failure | None:
    """The failure that a row records."""
    if row["error_code"] is None:
        return None
    return Failure(Code(row["error_code"]), row["error_message"] or "", row["error_param"], row["error_detail"])


def task_params(task: Task, idempotency_key: str | None, request_digest: str | None) -> dict[str, Any]:
    """A new task as parameters of `add_task`."""
    return {
        "id": task.id,
        "public_id": task.public_id,
        "account_id": task.account_id,
        "dialect": task.dialect,
        "operation": task.operation.value,
        "model": task.model,
        "engine": task.engine,
        "params": dump(task.params),
        "inputs": dump(task.inputs),
        "count": task.count,
        "priority": task.priority,
        "run_at": task.run_at,
        "deadline": task.deadline,
        "warnings": dump(task.warnings),
        "price": task.price,
        "parent_id": task.parent_id,
        "parts": task.parts,
        "metadata": dump(task.metadata),
        "extra": dump(task.extra),
        "callbacks": dump(task.callbacks) if task.callbacks else "",
        "key_id": task.key_id,
        "idempotency_key": idempotency_key,
        "request_digest": request_digest,
        "created_at": task.created_at,
        "turn": task.turn,
        "gate": task.gate.value,
    }


def change_params(change: Change) -> dict[str, Any]:
    """A change as parameters of `change_task`."""
    failure = change.failure
    return {
        "id": change.task_id,
        "account_id": change.account_id,
        "expect": change.expect.value,
        "attempt": change.attempt,
        "state": change.state.value,
        "failures": change.failures,
        "run_at": change.run_at,
        "progress": change.progress,
        "cost": change.cost,
        "error_code": failure.code.value if failure else None,
        "error_message": failure.message if failure else None,
        "error_param": failure.param if failure else None,
        "error_detail": failure.detail if failure else None,
        "artifacts": dump(change.artifacts),
        "expires_at": change.expires_at,
        "warnings": dump(change.warnings),
        "checkpoint": change.checkpoint,
        "finished_at": change.at if change.final else None,
        "now": change.at,
    }
