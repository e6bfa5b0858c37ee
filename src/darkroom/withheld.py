"""What a run made and a person has to look at first: stored, and told of by the held task's row alone."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from .core.errors import TaskError
from .core.review import made_before
from .core.task import Artifact, Task
from .log import Event, write
from .objects import Objects


class Made(msgspec.Struct):
    """What a run made that a person has to look at."""

    artifacts: tuple[Artifact, ...]
    warnings: tuple[str, ...]


class HeldForReviewError(Exception):
    """A run ended with results that a person has to look at first."""

    def __init__(self, artifacts: Sequence[Artifact], warnings: Sequence[str]) -> None:
        super().__init__("held for review")
        self.artifacts = tuple(artifacts)
        self.made = msgspec.json.encode(Made(tuple(artifacts), tuple(warnings))).decode()


def made(task: Task) -> Made | None:
    """What an earlier run made, once a person has let it through."""
    text = made_before(task)
    return None if text is None else msgspec.json.decode(text, type=Made)


def made_of(task: Task) -> tuple[Artifact, ...]:
    """What an earlier run made that a person has to look at."""
    found = made(task)
    return found.artifacts if found else ()


async def discard(objects: Objects, task: Task) -> None:
    """Remove what an ended task made and nobody will see. What cannot be removed is logged and stays until a sweep."""
    keys = [key for item in made_of(task) for key in (item.key, item.thumbnail_key) if key]
    try:
        await objects.delete(*keys)
    except TaskError as error:
        write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=error.detail or error.message)
