"""What one transition of a task writes, decided without any I/O.

`decide` is pure and total: the same arguments give the same `Change`, and a trigger that means nothing in the task's
state gives `None`. `Store.apply` carries a change out in one transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import Code, TaskError
from .task import TRANSITIONS, Artifact, Failure, State, Task, Trigger
from .unchanged import unchanged


@dataclass(frozen=True, slots=True)
class Retention:
    """How long results are kept, in milliseconds: by account or by model, else `default`; 0 is for ever."""

    default: int = 0
    named: Mapping[str, int] = field(default_factory=dict)

    def expiry(self, task: Task, now: int) -> int | None:
        """When the results that a task delivers now expire."""
        kept = self.named.get(task.account_id, self.named.get(task.model, self.default))
        return now + kept if kept else None


@dataclass(frozen=True, slots=True)
class Policy:
    """How often and how soon a failed task is tried again, in milliseconds, and how long results are kept."""

    max_failures: int = 3
    backoff: int = 1_000
    backoff_limit: int = 300_000
    retention: Retention = Retention()


@unchanged(frozen=True, slots=True)
class Change:
    """Everything that one transition writes. `expect` and `attempt` guard it: compare and set.

    A final one ends the hold on `price`: `ledger.settle` says how much of it, at `cost`, goes where. `inputs` are the
    ids of the files that the task then needs no more.
    """

    task_id: str
    account_id: str
    expect: State
    attempt: int
    state: State
    at: int
    failures: int
    run_at: int
    progress: int
    price: int
    cost: int
    failure: Failure | None
    artifacts: tuple[Artifact, ...]
    expires_at: int | None
    warnings: tuple[str, ...]
    checkpoint: str | None
    inputs: tuple[str, ...]
    parent_id: str | None

    @property
    def final(self) -> bool:
        """True when the change ends the task."""
        return self.state.final


def decide(
    task: Task,
    trigger: Trigger,
    *,
    now: int,
    policy: Policy,
    error: TaskError | None = None,
    artifacts: tuple[Artifact, ...] = (),
    warnings: tuple[str, ...] = (),
) -> Change | None:
    """Say what `trigger` does to `task` at `now`, or `None` where it does nothing.

    Claims are not decided here: the store claims many tasks with one statement, by the same table.
    """
    state = TRANSITIONS.get((task.state, trigger))
    if state is None or trigger is Trigger.CLAIM:
        return None
    failures = task.failures + (trigger in (Trigger.FAIL, Trigger.RETRY) and task.state is State.RUNNING)
    delivered = artifacts if state is State.SUCCEEDED else ()
    cost = captured(task, len(delivered)) if state is State.SUCCEEDED else 0
    return Change(
        task_id=task.id,
        account_id=task.account_id,
        expect=task.state,
        attempt=task.attempt,
        state=state,
        at=now,
        failures=failures,
        run_at=now + backoff(failures, policy) if trigger is Trigger.RETRY else now,
        progress=100 if state.final else 0,
        price=task.price if state.final else 0,
        cost=cost,
        failure=failure(trigger, error),
        artifacts=delivered,
        expires_at=policy.retention.expiry(task, now) if delivered else None,
        warnings=(*task.warnings, *warnings),
        # An engine that failed does not go on where it failed, unless it says so; a released or lost one does.
        checkpoint=task.checkpoint if resumes(trigger, error) else None,
        inputs=tuple(file.id for file in task.inputs) if state.final else (),
        parent_id=task.parent_id,
    )


def after_failure(task: Task, error: TaskError, policy: Policy) -> Trigger:
    """Choose between another try and giving up."""
    tries_left = task.failures + 1 < policy.max_failures
    return Trigger.RETRY if error.retryable and tries_left else Trigger.FAIL


def captured(task: Task, delivered: int) -> int:
    """Credits for `delivered` of the `count` results that were asked for."""
    return task.price * min(delivered, task.count) // task.count


def backoff(failures: int, policy: Policy) -> int:
    """Milliseconds to wait before the next try: doubled with each failure, up to the limit."""
    return int(min(policy.backoff * 2 ** max(0, min(failures, 32) - 1), policy.backoff_limit))


def failure(trigger: Trigger, error: TaskError | None) -> Failure | None:
    """The reason to record. A retry keeps it too, so that a waiting task tells why it waits."""
    if error is not None:
        return Failure(error.code, error.message, error.param, error.detail)
    if trigger is Trigger.CANCEL:
        return Failure(Code.CANCELED, "The task was canceled.")
    return None


def resumes(trigger: Trigger, error: TaskError | None) -> bool:
    """Whether the next attempt may continue from the engine's checkpoint."""
    return trigger is Trigger.RELEASE or (error is not None and (error.resumes or error.code is Code.WORKER_LOST))
