"""The end of files: of tasks that were deleted, of results that were kept long enough, of inputs that nobody needs.

Guarantees: the row changes first, in one transaction with a note of what is to be removed; files follow, with their
thumbnails and whatever failed attempts left; a note goes when nothing is left. So nobody is promised a file that is
gone, and what a crash leaves behind is found by the next sweep.
"""

from __future__ import annotations

import asyncio

from .core.errors import TaskError
from .hub import Hub
from .log import Event, level_of, write
from .objects import Files
from .store import Store

AT_ONCE = 8  # tasks whose files are removed at the same time: a cloud answers late, but many
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


async def remove_files(store: Store, objects: Files, *noted: str) -> None:
    """Remove what is noted: every file of a task, by its id, or an input, by its key.

    What cannot be removed now is logged, and tried again by the next sweep.
    """
    for note in noted:
        try:
            await (objects.delete(note) if "/" in note else objects.delete_below(f"tasks/{note}/"))
            await store.end_removal(note)
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=level_of(error), task=note, reason=error.detail or error.message)


async def remove_noted(store: Store, objects: Files) -> None:
    """Remove everything that is noted."""
    noted = await store.removals(SWEEP)
    for start in range(0, len(noted), AT_ONCE):
        await asyncio.gather(*(remove_files(store, objects, note) for note in noted[start : start + AT_ONCE]))
