"""Where workers take tasks and hand in how each attempt ended: the seam between a worker and the queue.

A worker in the server's own process uses the database (`StoreDesk`); one elsewhere asks a server over HTTP
(`fleet.RemoteDesk`). Every word about a running task is fenced by its attempt, so neither can end what is not its own.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from . import metrics
from .clock import Clock, utc_now
from .core.errors import TaskError
from .core.fairness import BY_TURNS, Sharing
from .core.machine import Change, Policy, after_failure, decide
from .core.review import hold
from .core.task import Artifact, Gate, State, Task, Trigger
from .estimates import Estimates
from .hub import WORK, Hub
from .log import Event, write, write_outcome
from .store import Store, Verdict
from .store.queue import Wish

IDLE = 2.0  # seconds between looks at the queue without a wake-up
HEARTBEAT = 0.5  # seconds between renewals of a lease at most: so late is a cancel heard that another process was asked


@dataclass(frozen=True, slots=True)
class News:
    """What a heartbeat tells of an attempt. `previews` is the number of a new picture, or 0; `changed` says whether
    those who follow the task would see a difference."""

    progress: int = 0
    stage: str = ""
    checkpoint: str | None = None
    previews: int = 0
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: with results, or an error, or because it was stopped (`stop`: cancel or release).

    `held` is what a person has to look at first. `seconds` is how long it took.
    """

    artifacts: tuple[Artifact, ...] = ()
    warnings: tuple[str, ...] = ()
    error: TaskError | None = None
    stop: Trigger | None = None
    held: str | None = None
    seconds: float = 0.0

    def trigger(self, task: Task, policy: Policy) -> Trigger:
        """What it means for the task."""
        if self.error is not None:
            return after_failure(task, self.error, policy)
        if self.stop is not None:
            return self.stop
        return Trigger.COMPLETE if self.held is None else Trigger.RELEASE


class Desk(Protocol):
    """What a worker needs of the queue. All methods raise `unavailable` while it cannot be reached."""

    lease: int  # milliseconds
    idle: float  # seconds between looks at the queue without a wake-up
    heartbeat: float  # seconds between renewals of a lease

    async def claim(self, wish: Wish, holding: Collection[str] = ()) -> list[Task]:
        """Lease tasks, in the order in which they are to be run.

        First come those that an earlier claim leased although nobody heard that it did; `holding` are the ids of those
        that the worker knows.
        """

    async def next_due(self, wish: Wish) -> int | None:
        """When the earliest task that waits for its time may run, in UTC milliseconds."""

    async def renew(self, task: Task, news: News) -> Verdict:
        """Renew the lease of a running attempt, and tell what is new; say whether to go on."""

    async def finish(self, task: Task, outcome: Outcome, *, again: bool = False) -> bool:
        """Write down how an attempt ended; false if it was not the worker's to end any more.

        `again` says that an earlier try may have been written although nobody heard that it was.
        """


class StoreDesk:
    """The desk of the workers that use the database themselves. `lease` is in milliseconds."""

    idle = IDLE

    def __init__(
        self,
        worker: str,
        store: Store,
        hub: Hub,
        estimates: Estimates,
        policy: Policy,
        *,
        lease: int = 30_000,
        sharing: Sharing = BY_TURNS,
        clock: Clock = utc_now,
    ) -> None:
        self.lease = lease
        self.heartbeat = min(HEARTBEAT, lease / 3000)
        self._worker = worker
        self._store = store
        self._hub = hub
        self._estimates = estimates
        self._policy = policy
        self._sharing = sharing
        self._clock = clock
        self._unsure = False  # whether the last claim may have been written although nobody heard that it was

    async def claim(self, wish: Wish, holding: Collection[str] = ()) -> list[Task]:
        """Lease tasks."""
        tasks = await self.leased(holding) if self._unsure else []
        self._unsure = True
        if len(tasks) < wish.room:
            tasks += await self._store.claim(
                self._worker,
                wish.engines,
                wish.room - len(tasks),
                self._clock(),
                self.lease,
                warm=wish.warm,
                serves=wish.serves,
                sharing=self._sharing,
            )
        self._unsure = False
        for task in tasks:
            self._hub.went_on(task)
            write(
                Event.TASK_CLAIMED,
                level=logging.DEBUG,
                task=task.id,
                attempt=task.attempt,
                engine=task.engine,
                model=task.model,
            )
        return tasks

    async def leased(self, holding: Collection[str]) -> list[Task]:
        """What the worker was given and does not know of."""
        return [task for task in await self._store.leased_to(self._worker) if task.id not in holding]

    async def next_due(self, wish: Wish) -> int | None:
        """When the earliest task that waits for its time may run."""
        return await self._store.next_due(wish.engines)

    async def renew(self, task: Task, news: News) -> Verdict:
        """Renew the lease of a running attempt."""
        verdict = await self._store.heartbeat(
            task,
            self._clock(),
            self.lease,
            progress=news.progress,
            stage=news.stage,
            checkpoint=news.checkpoint,
            previews=news.previews,
        )
        if news.changed:
            self._hub.went_on(task)
        return verdict

    async def finish(self, task: Task, outcome: Outcome, *, again: bool = False) -> bool:
        """Write down how an attempt ended."""
        trigger, now = outcome.trigger(task, self._policy), self._clock()
        change = decide(
            task,
            trigger,
            now=now,
            policy=self._policy,
            error=outcome.error,
            artifacts=outcome.artifacts,
            warnings=outcome.warnings,
        )
        assert change is not None
        if outcome.held is not None and trigger is Trigger.RELEASE:
            change = hold(change, outcome.held)
        done = await self._store.apply(change)
        if done is None and again:  # a commit whose confirmation was lost looks like somebody else's
            found = await self._store.task(task.public_id)
            done = found if found and is_written(change, found) else None
        if done is None:
            return False
        if done.cancel and not done.state.final:
            # The caller asked for it too late for this attempt. Nobody would hear of it until the next one begins.
            cancel = decide(done, Trigger.CANCEL, now=now, policy=self._policy)
            assert cancel is not None
            done = await self._store.apply(cancel) or done
        self._tell(done, outcome)
        return True

    def _tell(self, done: Task, outcome: Outcome) -> None:
        if done.state is State.SUCCEEDED:
            self._estimates.observe(done.model, outcome.seconds)
        write_outcome(done, outcome.error, outcome.seconds)
        metrics.ended(done, outcome.error, outcome.seconds)
        self._hub.changed(done)
        if not done.state.final or done.gate is Gate.COUNTED or done.model in self._sharing.limits:
            self._hub.notify(WORK)  # it is due before the next look at the queue, or others may run now


def is_written(change: Change, task: Task) -> bool:
    """Whether a task is as a change would have left it."""
    return (task.state, task.attempt, task.artifacts) == (change.state, change.attempt, change.artifacts)
