"""The end of results: of tasks that were deleted, and of those whose results were kept long enough.

Guarantees: the row changes first, in one transaction with a note of what is to be removed; files follow, with their
thumbnails and whatever failed attempts left; a note goes when nothing is left. So nobody is promised a file that is
gone, and what a crash leaves behind is found by the next sweep.
"""

from __future__ import annotations

import logging

from .core.errors import TaskError
from .hub import Hub
from .log import Event, write
from .objects import Objects
from .store import Store

SWEEP = 1_000  # tasks whose results one sweep ends


async def expire(store: Store, hub: Hub, now: int) -> int:
    """End the results of tasks whose time is over; say of how many."""
    count = 0
    while count < SWEEP and (tasks := await store.expiring(now)):
        ended = [task for task in tasks if await store.expire(task, now)]
        for task in ended:
            hub.changed(task)
        count += len(ended)
        if not ended:
            break
    return count


async def remove_files(store: Store, objects: Objects, *task_ids: str) -> None:
    """Remove every file of tasks; what cannot be removed now is logged, and tried again by the next sweep."""
    for task_id in task_ids:
        try:
            found = [stat.key async for stat in objects.list(f"tasks/{task_id}/")]
            await objects.delete(*found)
            await store.end_removal(task_id)
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=logging.WARNING, task=task_id, reason=error.detail or error.message)


async def remove_noted(store: Store, objects: Objects) -> None:
    """Remove the files of all tasks that are noted."""
    await remove_files(store, objects, *await store.removals(SWEEP))
