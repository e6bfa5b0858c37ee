"""Objects that belong to nothing: what a process that was killed left between storing a file and writing who owns it.

Guarantees: nothing young, and nothing of an unfinished task, counts as one, for an attempt may still write down what it
stored, and a person may still look at it; whose an object is, is read after the object was seen. What is removed
unasked was certainly stored for a task of this database: a wrong database, an old one, or one that shares the storage
with another, must cost nobody a file.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

from .core.errors import TaskError
from .log import Event, level_of, write, write_failure
from .objects import Objects
from .store import Store

HOUR = 3600  # seconds
YOUNG = HOUR * 1000  # milliseconds: a younger object may belong to what goes on
FIRST, PERIOD = HOUR, 24 * HOUR  # seconds from the start to the first sweep, and between sweeps


async def orphans(store: Store, objects: Objects, now: int, *, ours: bool = False) -> AsyncIterator[str]:
    """The keys of objects that belong to nothing, at `now` in UTC milliseconds; or those that are certainly `ours`."""
    owner = ""
    kept: frozenset[str] | None = None
    async for stat in objects.list():
        if stat.last_modified >= now - YOUNG:
            continue
        match stat.key.split("/"):
            case ["files", file_id]:  # an input has its row before it is stored, until it is removed
                if not ours and await store.file(file_id) is None:
                    yield stat.key
            case ["tasks", task_id, _, *_]:
                if task_id != owner:  # the files of one task follow each other
                    owner, kept = task_id, await store.objects_of_task(task_id, known=ours)
                if kept is not None and stat.key not in kept:
                    yield stat.key
            case _:
                pass  # the storage may hold other things than this program's


async def remove_orphans(store: Store, objects: Objects, now: int) -> int:
    """Remove those that are ours, and what was never completely written; how many."""
    count = await objects.remove_abandoned(now)
    async for key in orphans(store, objects, now, ours=True):
        await objects.delete(key)
        count += 1
    if count:
        write(Event.ORPHANS_REMOVED, level=logging.WARNING, objects=count)
    return count


async def sweep_orphans(
    store: Store, objects: Objects, clock: Callable[[], int], *, first: float = FIRST, period: float = PERIOD
) -> None:
    """Remove them once a day, for ever. The first time is when what the last crash left is old enough."""
    pause = first
    while True:
        await asyncio.sleep(pause)
        try:
            await remove_orphans(store, objects, clock())
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=level_of(error), reason=error.detail or error.message)
        except Exception as error:  # noqa: BLE001 - the next sweep may succeed
            write_failure("orphans", error)
        pause = period
