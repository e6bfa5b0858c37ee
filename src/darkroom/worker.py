"""Claims tasks, runs them on engines, and writes down how each attempt ended.

Guarantees: a lease is renewed as long as its attempt runs; a cancel, a lost lease and a time limit stop the engine; an
attempt ends with one transition that the store accepts, or none at all, and then leaves no file behind; a shutdown
gives running tasks back unharmed.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .core.catalog import Catalog
from .core.errors import Code, TaskError
from .core.machine import Policy, after_failure, decide
from .core.task import Artifact, State, Task, Trigger
from .engines import Engine, Job
from .estimates import Estimates
from .hub import WORK, Hub, woken
from .log import Event, write
from .results import Results
from .service import Clock, utc_now
from .store import Store, Verdict

IDLE = 2.0  # seconds between looks at the queue without a wake-up
PULSE = 0.25  # seconds between looks at the running attempts
REWRITE = 1.0  # seconds between tries to write down an outcome

EVENTS = {
    State.SUCCEEDED: Event.TASK_SUCCEEDED,
    State.FAILED: Event.TASK_FAILED,
    State.CANCELED: Event.TASK_CANCELED,
}


@dataclass(slots=True)
class Attempt:
    """One run of a task by this worker; what its engine may tell."""

    task: Task
    worker: Worker
    percent: int = 0
    reported: int = 0
    renewed: float = field(default_factory=time.monotonic)
    stop: Trigger | None = None
    lost: bool = False
    ended: bool = False
    running: asyncio.Task[None] | None = None

    async def progress(self, percent: int, note: str = "") -> None:  # noqa: ARG002 - notes are not stored yet
        """Remember progress; the next pulse reports it."""
        self.percent = max(self.percent, min(99, percent))

    async def checkpoint(self, value: str) -> None:
        """Save what a later attempt needs, at once."""
        await self.worker.renew(self, value)

    def end(self, trigger: Trigger) -> None:
        """Stop the engine, unless it has just ended by itself; `trigger` says why."""
        if self.stop is None and not self.ended and self.running is not None:
            self.stop = trigger
            self.running.cancel()


class Worker:
    """Runs up to `slots` tasks at once. `lease` is in milliseconds."""

    def __init__(
        self,
        name: str,
        store: Store,
        engines: Mapping[str, Engine],
        results: Results,
        catalog: Catalog,
        hub: Hub,
        estimates: Estimates,
        *,
        workdir: Path,
        slots: int,
        policy: Policy,
        lease: int = 30_000,
        clock: Clock = utc_now,
    ) -> None:
        self._name = name
        self._store = store
        self._engines = engines
        self._results = results
        self._catalog = catalog
        self._hub = hub
        self._estimates = estimates
        self._workdir = workdir
        self._slots = slots
        self._policy = policy
        self._lease = lease
        self._clock = clock
        self._attempts: dict[str, Attempt] = {}
        self._stopping = False
        self._free = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`, then give back what still runs."""
        pulse = asyncio.create_task(self._pulse())
        try:
            await self._claim_all()
        finally:
            for attempt in self._attempts.values():
                attempt.end(Trigger.RELEASE)
            await asyncio.gather(*(a.running for a in self._attempts.values() if a.running), return_exceptions=True)
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)

    def stop(self) -> None:
        """Claim nothing more; `run` returns when running tasks were given back."""
        self._stopping = True
        self._free.set()
        self._hub.notify(WORK)

    async def _claim_all(self) -> None:
        names = tuple(self._engines)
        with self._hub.watch(WORK) as work:
            while not self._stopping:
                room = self._slots - len(self._attempts)
                tasks = await self._claim(names, room) if room else []
                for task in tasks:
                    self._start(task)
                if len(self._attempts) >= self._slots:
                    self._free.clear()
                    await self._free.wait()
                elif len(tasks) < room and not self._stopping:
                    await woken(work, await self._pause(names))

    async def _claim(self, names: tuple[str, ...], room: int) -> list[Task]:
        try:
            return await self._store.claim(self._name, names, room, self._clock(), self._lease)
        except TaskError as error:
            write(Event.LOOP_FAILED, level=logging.WARNING, loop="claim", reason=error.detail or error.message)
            await asyncio.sleep(REWRITE)
            return []

    async def _pause(self, names: tuple[str, ...]) -> float:
        """Seconds until the next waiting task is due, at most `IDLE`."""
        try:
            due = await self._store.next_due(names)
        except TaskError:
            return IDLE
        return IDLE if due is None else min(IDLE, max(0.01, (due - self._clock()) / 1000))

    def _start(self, task: Task) -> None:
        attempt = Attempt(task, self)
        self._attempts[task.id] = attempt
        attempt.running = asyncio.create_task(self._attempt(attempt))
        attempt.running.add_done_callback(lambda _: self._ended(task.id))
        self._hub.notify(task.id, *parent_of(task))
        write(Event.TASK_CLAIMED, task=task.id, attempt=task.attempt, engine=task.engine, model=task.model)

    def _ended(self, task_id: str) -> None:
        del self._attempts[task_id]
        self._free.set()
        self._hub.notify(WORK)

    # ---- one attempt

    async def _attempt(self, attempt: Attempt) -> None:
        task = attempt.task
        artifacts: tuple[Artifact, ...] = ()
        warnings: tuple[str, ...] = ()
        error: TaskError | None = None
        trigger = Trigger.COMPLETE
        workdir = self._workdir / f"{task.id}-{task.attempt}"
        try:
            async with asyncio.timeout(self._limit(task)):
                artifacts, warnings = await self._work(attempt, workdir)
        except TaskError as raised:
            error = raised
        except TimeoutError:
            error = TaskError(Code.TIMED_OUT, "The task took longer than it may.", retryable=True)
        except asyncio.CancelledError:
            if attempt.stop is None:
                raise
            trigger = attempt.stop
        except Exception as bug:  # noqa: BLE001 - whatever an engine raises is a failed attempt
            write(Event.TASK_FAILED, level=logging.ERROR, error=bug, task=task.id)
            error = TaskError(Code.ENGINE_FAILED, "The engine failed.", detail=repr(bug), retryable=True)
        finally:
            if workdir.exists():
                shutil.rmtree(workdir, ignore_errors=True)
            attempt.ended = True
        if error is not None:
            trigger = after_failure(task, error, self._policy)
        if not attempt.lost and await self._finish(attempt, trigger, error, artifacts, warnings):
            return
        write(Event.TASK_LOST, level=logging.WARNING, task=task.id, attempt=task.attempt)
        await self._results.discard(artifacts)

    def _limit(self, task: Task) -> float:
        """Seconds that the attempt may take: the model's limit, or what is left until the task's deadline."""
        model = self._catalog.model(task.model)
        limit = float(model.timeout) if model else 600.0
        return limit if task.deadline is None else max(0.0, min(limit, (task.deadline - self._clock()) / 1000))

    async def _work(self, attempt: Attempt, workdir: Path) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        task = attempt.task
        if task.inputs:
            workdir.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - as quick as handing it to a thread
        inputs = await self._results.fetch_inputs(task, workdir) if task.inputs else ()
        job = Job(
            task_id=task.id,
            attempt=task.attempt,
            operation=task.operation,
            model=task.model,
            params=task.params,
            count=task.count,
            inputs=inputs,
            workdir=workdir,
            checkpoint=task.checkpoint,
        )
        outputs = await self._engines[task.engine].run(job, attempt)
        return await self._results.keep(task, outputs, workdir) if outputs else ((), ())

    async def _finish(
        self,
        attempt: Attempt,
        trigger: Trigger,
        error: TaskError | None,
        artifacts: tuple[Artifact, ...],
        warnings: tuple[str, ...],
    ) -> bool:
        """Write down the outcome; false when the attempt was not ours to end any more."""
        task = attempt.task
        change = decide(
            task, trigger, now=self._clock(), policy=self._policy, error=error, artifacts=artifacts, warnings=warnings
        )
        assert change is not None
        give_up = time.monotonic() + self._lease / 1000
        while True:
            try:
                done = await self._store.apply(change)
                break
            except TaskError as unavailable:
                write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=unavailable.detail)
                if time.monotonic() > give_up:
                    return False
                await asyncio.sleep(REWRITE)
        if done is None:
            return False
        self._note(task, done, error)
        self._hub.notify(task.id, *parent_of(task))
        return True

    def _note(self, task: Task, done: Task, error: TaskError | None) -> None:
        seconds = round((self._clock() - (task.started_at or 0)) / 1000, 3)
        if done.state is State.SUCCEEDED:
            self._estimates.observe(task.model, seconds)
        event = EVENTS.get(done.state, Event.TASK_RETRIED if error else Event.TASK_RELEASED)
        write(
            event,
            task=task.id,
            attempt=task.attempt,
            seconds=seconds,
            code=error.code.value if error else None,
            reason=error.message if error else None,
            detail=error.detail if error else None,
        )

    # ---- leases

    async def _pulse(self) -> None:
        """Renew leases, report progress, hear of cancels."""
        while True:
            await asyncio.sleep(PULSE)
            now = time.monotonic()
            due = [
                attempt
                for attempt in self._attempts.values()
                if attempt.percent != attempt.reported or now - attempt.renewed > min(1.0, self._lease / 3000)
            ]
            await asyncio.gather(*(self.renew(attempt) for attempt in due))

    async def renew(self, attempt: Attempt, checkpoint: str | None = None) -> None:
        """Send one heartbeat; stop an attempt that was canceled or whose lease is lost."""
        percent = attempt.percent
        try:
            verdict = await self._store.heartbeat(
                attempt.task, self._clock(), self._lease, progress=percent, checkpoint=checkpoint
            )
        except TaskError as error:
            write(Event.LOOP_FAILED, level=logging.WARNING, loop="heartbeat", reason=error.detail or error.message)
            return
        attempt.renewed = time.monotonic()
        if percent != attempt.reported:
            attempt.reported = percent
            self._hub.notify(attempt.task.id, *parent_of(attempt.task))
        if verdict is Verdict.CANCEL:
            attempt.end(Trigger.CANCEL)
        elif verdict is Verdict.LOST:
            attempt.lost = True
            attempt.end(Trigger.RELEASE)


def parent_of(task: Task) -> tuple[str, ...]:
    """The task's parent, as a topic to notify."""
    return (task.parent_id,) if task.parent_id else ()
