"""A person's decisions about held tasks: let them go on, or refuse them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from . import metrics
from .core.errors import Code, TaskError
from .core.machine import Policy, decide
from .core.review import held, made_before
from .core.task import Artifact, Task, Trigger
from .log import write_outcome
from .moderation import refusal
from .objects import Objects
from .store import Store


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


async def approve(store: Store, public_id: str, now: int) -> None:
    """Let a held task go on: with its run, or with the delivery of what it made."""
    if not await store.release_held(public_id, now):
        raise TaskError(Code.NOT_FOUND, f"There is no held task {public_id}; `darkroom review list` shows them.")


async def refuse(store: Store, objects: Objects, public_id: str, reason: str, now: int) -> None:
    """End a held task as refused; its credits come back, and what it made is removed."""
    task = await store.task(public_id)
    if task is None or not held(task):
        raise TaskError(Code.NOT_FOUND, f"There is no held task {public_id}; `darkroom review list` shows them.")
    error = TaskError(Code.CONTENT_REJECTED, refusal(reason))
    change = decide(task, Trigger.FAIL, now=now, policy=Policy(), error=error)
    ended = await store.apply(change) if change is not None else None
    if ended is None:
        raise TaskError(Code.CONFLICT, f"Task {public_id} has just changed; look again with `darkroom review list`.")
    write_outcome(ended, error)
    metrics.ended(ended, error)
    await discard(objects, task)


def looked_at(task: Task) -> list[str]:
    """What a person decides about: the prompt, and where inputs and results lie in object storage."""
    found = made(task)
    prompt = [f"prompt: {task.params['prompt']!r}"] if task.params.get("prompt") else []
    inputs = [f"input: {file.key} ({file.media_type})" for file in task.inputs]
    return prompt + inputs + [f"result: {item.key} ({item.media_type})" for item in (found.artifacts if found else ())]


async def discard(objects: Objects, task: Task) -> None:
    """Remove what an ended task made and nobody will see."""
    found = made(task)
    if found is not None:
        await objects.delete(*(key for item in found.artifacts for key in (item.key, item.thumbnail_key) if key))
