"""Many tasks by one request: all of them are stored, in one transaction, or none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from . import planning
from .core.access import Caller
from .core.commands import Batch, SubmitBatch, Upload
from .core.errors import Code, TaskError
from .core.task import Task
from .hub import WEBHOOK, WORK
from .log import Event, write
from .repeats import repeat_of, seen

if TYPE_CHECKING:
    from .dialects import Dialect
    from .service import Service

LARGEST = 10_000  # tasks
AT_ONCE = 100  # tasks that are checked before others get their turn


async def submit_batch(
    service: Service, account_id: str, command: SubmitBatch, dialect: Dialect, caller: Caller | None = None
) -> Batch:
    """Store all tasks of a batch. A refusal names the task at fault by its number, from 0."""
    if not 1 <= len(command.tasks) <= LARGEST:
        raise TaskError(Code.INVALID_INPUT, f"A batch has 1 to {LARGEST:,} tasks.")
    now = service.clock()
    repeat = await repeat_of(service.inputs, command.tasks, command.idempotency_key, service.repeat_window, now)
    if repeat is not None and (before := await seen(service.store, account_id, repeat)):
        return Batch(before.batch)
    tasks = await plan(service, account_id, command, dialect, caller)
    ids = await service.store.submit_batch(
        tasks,
        idempotency_key=repeat.key if repeat else None,
        request_digest=repeat.digest if repeat else None,
        since=repeat.since if repeat else None,
        caller=caller,
    )
    write(Event.TASK_SUBMITTED, level=logging.DEBUG, task=tasks[0].id, dialect=dialect.name, model=tasks[0].model)
    service.hub.notify(WORK, account_id, *((WEBHOOK,) if any(task.callbacks for task in tasks) else ()))
    return Batch(ids)


async def plan(
    service: Service, account_id: str, command: SubmitBatch, dialect: Dialect, caller: Caller | None
) -> tuple[Task, ...]:
    """The rows of a batch."""
    tasks: list[Task] = []
    for number, one in enumerate(command.tasks):
        if number % AT_ONCE == 0:
            await asyncio.sleep(0)  # other requests go on meanwhile
        try:
            if not all(isinstance(source, Upload) for source in one.inputs):
                message = "Inputs of a batch are uploaded files: upload it first, and send {'file': id}."
                raise TaskError(Code.UNSUPPORTED, message, param="inputs")
            planned = await planning.plan(service, account_id, one, dialect, caller)
            tasks += await service.admission.admit(planned) if service.admission else planned
        except TaskError as error:
            error.message = f"Task {number} of the batch: {error.message}"
            error.param = f"[{number}].{error.param}" if error.param else f"[{number}]"
            raise
    return tuple(tasks)
