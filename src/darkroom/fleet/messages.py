"""What workers and servers say to each other, as JSON."""

from __future__ import annotations

import msgspec

from ..core.errors import Code, TaskError
from ..core.task import Artifact, Task, Trigger
from ..core.workers import WorkerInfo
from ..desk import News, Outcome
from ..store.queue import Wish

PROTOCOL = 1  # what this release speaks; another number is another language
PREFIX = "/workers"


class Hello(msgspec.Struct):
    """A worker's sign of life."""

    protocol: int
    worker: WorkerInfo


class Welcome(msgspec.Struct):
    """The server's answer: its time (UTC milliseconds), and how long its leases are (milliseconds)."""

    now: int
    lease: int


class Claim(msgspec.Struct):
    """What a worker wants. `again` says that an answer was lost, `holding` are the ids of tasks that it knows."""

    worker: str
    wish: Wish
    again: bool = False
    holding: tuple[str, ...] = ()


class Claimed(msgspec.Struct):
    """What it gets, and when the next task that waits for its time is due (UTC milliseconds)."""

    tasks: list[Task]
    due: int | None


class Renewal(msgspec.Struct):
    """A heartbeat of one attempt."""

    task: str
    attempt: int
    news: News


class Problem(msgspec.Struct, omit_defaults=True):
    """A `TaskError`."""

    code: Code
    message: str
    param: str | None = None
    detail: str | None = None
    retryable: bool = False
    retry_after: int | None = None
    resumes: bool = False

    @classmethod
    def of(cls, error: TaskError) -> Problem:
        """As it is said."""
        return cls(
            error.code, error.message, error.param, error.detail, error.retryable, error.retry_after, error.resumes
        )

    def error(self) -> TaskError:
        """As it is raised."""
        return TaskError(
            self.code,
            self.message,
            param=self.param,
            detail=self.detail,
            retryable=self.retryable,
            retry_after=self.retry_after,
            resumes=self.resumes,
        )


class Ended(msgspec.Struct):
    """How an attempt ended; `again` if that was said before and nobody answered."""

    task: str
    attempt: int
    artifacts: tuple[Artifact, ...] = ()
    warnings: tuple[str, ...] = ()
    error: Problem | None = None
    stop: Trigger | None = None
    held: str | None = None
    seconds: float = 0.0
    again: bool = False

    @classmethod
    def of(cls, task: Task, outcome: Outcome, *, again: bool) -> Ended:
        """As it is said."""
        error = Problem.of(outcome.error) if outcome.error else None
        told = outcome.artifacts, outcome.warnings, error, outcome.stop, outcome.held, outcome.seconds
        return cls(task.id, task.attempt, *told, again)

    def outcome(self) -> Outcome:
        """As the desk takes it."""
        error = self.error.error() if self.error else None
        return Outcome(self.artifacts, self.warnings, error, self.stop, self.held, self.seconds)


class Done(msgspec.Struct):
    """Whether the attempt was the worker's to end."""

    done: bool


class Place(msgspec.Struct):
    """Where the storage itself has an input, or takes a result; nowhere if files pass through the server."""

    url: str | None


class Hints(msgspec.Struct):
    """What to look at now."""

    topics: list[str]
