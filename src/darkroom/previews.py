"""What there is to see of a task while it runs: one small picture of each attempt, replaced as the work goes on.

Nobody has looked at a preview, and nothing marks it. So a server whose results have to be looked at (moderation) or
carry a visible label shows none. It is gone when its attempt has ended; what a killed process leaves, the sweep of
orphans removes.
"""

from __future__ import annotations

import logging
from pathlib import Path

from .core.errors import TaskError
from .core.task import Task
from .log import Event, write
from .objects import Files

LARGEST = 1 << 20  # bytes
MEDIA_TYPE = "image/webp"


class Previews:
    """Stores previews for the worker; with `shown` false nothing is stored."""

    def __init__(self, objects: Files, *, shown: bool = True) -> None:
        self._objects = objects
        self._shown = shown

    async def keep(self, task: Task, picture: Path) -> bool:
        """Store a WebP picture in place of the one before; false if there is nothing new to see."""
        if not (self._shown and is_webp(picture)):
            return False
        try:
            await self._objects.put(preview_key(task), picture, MEDIA_TYPE)
        except TaskError as error:  # the work goes on without
            write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=error.detail or error.message)
            return False
        return True

    async def remove(self, task: Task) -> None:
        """Remove the preview of an attempt that has ended. What cannot be removed is logged and stays until a sweep."""
        try:
            await self._objects.delete(preview_key(task))
        except TaskError as error:
            write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=error.detail or error.message)


def preview_key(task: Task) -> str:
    """Where the preview of a task's attempt lies."""
    return f"tasks/{task.id}/{task.attempt}/preview"


def is_webp(picture: Path) -> bool:
    """Whether a file is a picture as previews are, and no larger than they are."""
    try:
        with picture.open("rb") as file:
            head = file.read(12)
        return head[:4] == b"RIFF" and head[8:] == b"WEBP" and picture.stat().st_size <= LARGEST
    except OSError:
        return False
