"""What a submit is to make: its model, its parameters, its inputs and its price are settled here."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from . import tracing
from .core.access import Caller, check_model
from .core.catalog import check_inputs, check_params
from .core.commands import Submit
from .core.errors import Code, TaskError
from .core.ids import new_id
from .core.pricing import price
from .core.task import Task

if TYPE_CHECKING:
    from .dialects import Dialect
    from .service import Service

HOUR, DAY = 3_600_000, 86_400_000  # milliseconds


async def plan(
    service: Service, account_id: str, command: Submit, dialect: Dialect, caller: Caller | None = None
) -> tuple[Task, ...]:
    """The rows that a submit makes: one task, or a parent and then its children."""
    model = service.catalog.resolve(command.operation, command.model)
    if command.refusal is not None:
        raise command.refusal
    if caller is not None:
        check_model(caller, model.name)
    params, warnings = check_params(model, command.params)
    if not 1 <= command.count <= model.max_count:
        raise TaskError(
            Code.INVALID_INPUT, f"Model '{model.name}' makes 1 to {model.max_count} results a task.", param="count"
        )
    groups = command.parts or (command.inputs,)
    for group in groups:
        check_inputs(model, len(group))
    if caller is not None:
        service.rates.take(f"tasks of {caller.key_id}", caller.rules.tasks, "tasks", len(groups))
    files = await service.inputs.resolve(account_id, groups)
    now = service.clock()
    start, deadline = times(service, command, now)
    task = Task(
        id=new_id(now),
        public_id=dialect.mint_id(),
        account_id=account_id,
        dialect=dialect.name,
        operation=command.operation,
        model=model.name,
        engine=model.engine,
        params=params,
        inputs=files[0],
        count=command.count,
        run_at=start,
        deadline=deadline,
        warnings=warnings,
        price=price(model.rate, params, command.count, files[0]),
        metadata=command.metadata,
        extra=tracing.kept(command.extra),
        callbacks=await service.subscriptions.callbacks(account_id, command),
        key_id=caller.key_id if caller else None,
        created_at=now,
    )
    if not command.parts:
        return (task,)
    parent = replace(task, inputs=(), price=0, parts=len(files))
    part = replace(task, parent_id=parent.id, metadata={}, callbacks=None)
    return parent, *(
        replace(
            part,
            id=new_id(now),
            public_id=dialect.mint_id(),
            inputs=inputs,
            price=price(model.rate, params, command.count, inputs),
        )
        for inputs in files
    )


def times(service: Service, command: Submit, now: int) -> tuple[int, int]:
    """When a task may start at the earliest, and when it fails unless it is done."""
    start = now if command.start_at is None else command.start_at
    if command.start_at is not None and not now < start <= now + service.schedule_ahead:
        days = service.schedule_ahead / DAY
        message = f"'start_at' must lie in the future, at most {days:g} days ahead. Leave it out to start at once."
        raise TaskError(Code.INVALID_INPUT, message, param="start_at")
    latest = start + service.task_lifetime
    if command.deadline is None:
        return start, latest
    if not start < command.deadline <= latest:
        hours = service.task_lifetime / HOUR
        message = f"'deadline' must lie after the start of the task, at most {hours:g} hours."
        raise TaskError(Code.INVALID_INPUT, message, param="deadline")
    return start, command.deadline
