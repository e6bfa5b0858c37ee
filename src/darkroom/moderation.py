"""Asks others whether content may be made and delivered: Python functions and a service, before the work and after it.

Guarantees: what is refused is not made, or not delivered and not kept; what cannot be decided in time is refused or let
through as the settings say, and logged; a moderator sees the files themselves and never a key or a link.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx
import msgspec

from . import metrics
from .core.errors import Code, TaskError
from .core.task import Task
from .log import Event, write
from .plugins import entry_points

LONGEST_REASON = 300  # characters


class Stage(StrEnum):
    """When a moderator is asked."""

    SUBMIT = "submit"
    RESULT = "result"


class Verdict(StrEnum):
    """What it says. `review` holds the task until a person decides."""

    ALLOW = "allow"
    REVIEW = "review"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Media:
    """An input or a result as a file, which is there until the moderator has answered."""

    path: Path
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a moderator is asked. `files` are the task's inputs or its results."""

    stage: Stage
    task: str
    account: str
    operation: str
    model: str
    params: Mapping[str, Any]
    files: tuple[Media, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What it answers; a caller is shown the `reason` of a refusal."""

    verdict: Verdict
    reason: str = ""


Moderator = Callable[[Question], Awaitable[Answer]]


class Moderation:
    """Every moderator of a server. With `closed`, one that fails or takes `seconds` counts as a refusal for now."""

    def __init__(self, moderators: Sequence[Moderator], *, seconds: float = 10.0, closed: bool = True) -> None:
        self._moderators = tuple(moderators)
        self._seconds = seconds
        self._closed = closed

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self._moderators)

    async def decide(self, stage: Stage, task: Task, files: Sequence[Media]) -> Verdict:
        """`allow` or `review`; a refusal is raised as `content_rejected`."""
        if not self._moderators:
            return Verdict.ALLOW
        question = Question(
            stage=stage,
            task=task.public_id,
            account=task.account_id,
            operation=task.operation,
            model=task.model,
            params=task.params,
            files=tuple(files),
        )
        answers = await asyncio.gather(*(self._ask(moderator, question) for moderator in self._moderators))
        worst = max(answers, key=lambda answer: list(Verdict).index(answer.verdict))
        metrics.MODERATED.labels(stage.value, worst.verdict.value).inc()
        if worst.verdict is Verdict.REFUSE:
            raise TaskError(Code.CONTENT_REJECTED, refusal(worst.reason))
        return worst.verdict

    async def _ask(self, moderator: Moderator, question: Question) -> Answer:
        try:
            async with asyncio.timeout(self._seconds):
                return await moderator(question)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the settings say what counts
            write(
                Event.MODERATION_FAILED,
                level=logging.WARNING,
                task=question.task,
                stage=question.stage.value,
                reason=described(error),
            )
            metrics.MODERATED.labels(question.stage.value, "failed").inc()
            if not self._closed:
                return Answer(Verdict.ALLOW)
            raise TaskError(
                Code.UNAVAILABLE if question.stage is Stage.SUBMIT else Code.ENGINE_FAILED,
                "The content cannot be checked at the moment. Try again later.",
                retryable=True,
                retry_after=10,
            ) from None


class ServiceAnswer(msgspec.Struct):
    """What a service answers."""

    verdict: Verdict
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ModerationService:
    """Asks over HTTP: a multipart POST with the field `question` (JSON) and the files as `files`."""

    url: str
    key: str
    seconds: float

    async def __call__(self, question: Question) -> Answer:
        """Ask once; anything but a clear answer is an error."""
        told = {name: getattr(question, name) for name in ("stage", "task", "account", "operation", "model", "params")}
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with ExitStack() as opened:
            files = [
                ("files", (media.path.name, opened.enter_context(media.path.open("rb")), media.media_type))
                for media in question.files
            ]
            form: Any = [("question", (None, msgspec.json.encode(told), "application/json")), *files]
            async with httpx.AsyncClient(trust_env=False, timeout=self.seconds) as client:
                response = await client.post(self.url, files=form, headers=headers)
        response.raise_for_status()
        answer = msgspec.json.decode(response.content, type=ServiceAnswer)
        return Answer(answer.verdict, answer.reason)


def moderators(names: Sequence[str], url: str, key: str, seconds: float) -> list[Moderator]:
    """The functions that installed packages offer under these names, and the service; `ValueError` for unknown ones."""
    offered = {entry.name: entry for entry in entry_points("darkroom.moderators")}
    if unknown := [name for name in names if name not in offered]:
        raise ValueError(f"there is no moderator {unknown[0]!r}; there are: {', '.join(sorted(offered)) or 'none'}")
    found: list[Moderator] = [offered[name].load() for name in names]
    return [*found, ModerationService(url, key, seconds)] if url else found


def described(error: Exception) -> str:
    """A failure for the log, without the service's address, which may hold a key."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the service answered with status {error.response.status_code}"
    return type(error).__name__ if isinstance(error, httpx.HTTPError) else repr(error)


def refusal(reason: str) -> str:
    """What a caller is told."""
    reason = " ".join(reason.split())[:LONGEST_REASON].rstrip(".")
    return f"The content was refused: {reason}." if reason else "The content was refused: the rules of this server."
