"""Short cuts through a task's life, for tests of the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from darkroom.core.errors import Code, TaskError
from darkroom.core.machine import Policy, decide
from darkroom.core.task import Task, Trigger
from darkroom.store import Store
from darkroom.testing.databases import ENGINE, LEASE, NOW, new_artifact, new_task

T = TypeVar("T")

POLICY = Policy()
PATIENCE = 60.0  # seconds


async def at_last(ask: Callable[[], Awaitable[T]]) -> T:
    """What a database answers that is to work, and may for now be too late, or on its way back."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await ask()
            except ConnectionError:
                pass
            except TaskError as error:
                if error.code is not Code.UNAVAILABLE:
                    raise
            await asyncio.sleep(0.05)


async def submitted(store: Store, account_id: str = "nobody", **fields: Any) -> Task:
    """A task that waits."""
    made = await store.submit((new_task(account_id, **fields),))
    task = await store.task(made.public_id)
    assert task is not None
    return task


async def claimed(store: Store, limit: int = 1, now: int = NOW, worker: str = "worker") -> list[Task]:
    """What a worker gets."""
    return await store.claim(worker, (ENGINE,), limit, now, LEASE)


async def moved(store: Store, task: Task, trigger: Trigger, now: int = NOW + 1_000, **known: Any) -> Task | None:
    """The task after one transition; a success delivers one result unless told otherwise."""
    if trigger is Trigger.COMPLETE:
        known.setdefault("artifacts", (new_artifact(),))
    change = decide(task, trigger, now=now, policy=POLICY, **known)
    assert change is not None
    return await store.apply(change)
