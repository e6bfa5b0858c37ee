"""Claims tasks, runs them on engines, and writes down how each attempt ended.

Guarantees: a lease is renewed as long as its attempt runs; a cancel, a lost lease and a time limit stop the engine; an
attempt ends with one transition that the store accepts, or none at all, and then leaves no file behind; a shutdown
gives running tasks back unharmed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from . import metrics, tracing
from .attempts import REWRITE, Attempt, job_of
from .clock import Clock, utc_now
from .core.catalog import Catalog
from .core.errors import NO_ROOM, Code, TaskError, no_room
from .core.fairness import BY_TURNS, Sharing
from .core.machine import Change, Policy, after_failure, decide
from .core.review import hold
from .core.task import STORING, Artifact, Gate, State, Task, Trigger
from .engines import Engine
from .estimates import Estimates
from .folders import Folders
from .hub import CANCEL, WORK, Hub, woken
from .log import Event, write, write_failure, write_outcome
from .previews import Previews
from .results import Results
from .store import Store, Verdict
from .withheld import HeldForReviewError, made

IDLE = 2.0  # seconds between looks at the queue without a wake-up
PULSE = 0.25  # seconds between looks at the running attempts
HEARTBEAT = 0.5  # seconds between renewals of a lease at most: so late is a cancel heard that another process was asked
STOP_WITHIN = 5.0  # seconds that an engine has to stop


class Worker:
    """Runs up to `slots` tasks at once. `lease` is in milliseconds. What an engine ran last counts as loaded."""

    def __init__(
        self,
        name: str,
        store: Store,
        engines: Mapping[str, Engine],
        results: Results,
        catalog: Catalog,
        hub: Hub,
        estimates: Estimates,
        previews: Previews,
        *,
        workdir: Path,
        slots: int,
        policy: Policy,
        lease: int = 30_000,
        sharing: Sharing = BY_TURNS,
        clock: Clock = utc_now,
    ) -> None:
        self._name = name
        self._store = store
        self._engines = engines
        self._results = results
        self._catalog = catalog
        self._hub = hub
        self._estimates = estimates
        self.previews = previews
        self._folders = Folders(workdir)
        self._slots = slots
        self._policy = policy
        self._lease = lease
        self._sharing = sharing
        self._warm: dict[str, str] = {}  # the model that each engine ran last
        self._clock = clock
        self._attempts: set[Attempt] = set()  # two of one task, while one that lost its lease still stops
        self._stopping = False
        self._free = asyncio.Event()

    async def run(self) -> None:
        """Work until `stop`, then give back what still runs."""
        pulse = asyncio.create_task(self._pulse())
        try:
            await self._claim_all()
        finally:
            await asyncio.sleep(0)  # an attempt that had not begun could not write down that it is given back
            for attempt in self._attempts:
                attempt.end(Trigger.RELEASE)
            if self._attempts:
                await asyncio.wait([a.running for a in self._attempts if a.running], timeout=STOP_WITHIN)
            pulse.cancel()
            await asyncio.gather(pulse, return_exceptions=True)

    def stop(self) -> None:
        """Claim nothing more; `run` returns when running tasks were given back."""
        self._stopping = True
        self._free.set()
        self._hub.wake(WORK)

    async def _claim_all(self) -> None:
        with self._hub.watch(WORK) as work:
            while not self._stopping:
                work.clear()  # what woke it until now, this claim will see
                names, room = self._room()
                tasks = await self._claim(names, room) if room else []
                for task in tasks:
                    self._start(task)
                if not room:
                    await self._free.wait()
                    self._free.clear()
                elif len(tasks) < room and not self._stopping:
                    await woken(work, await self._pause(names))

    def _room(self) -> tuple[tuple[str, ...], int]:
        """The engines with a free slot, and how many tasks fit whichever of these engines they are for.

        A task that had to wait for its engine would use up its time limit, and a slot that others could use.
        """
        # A finished engine's slot is free while its outcome is written down, so that one commit carries both.
        busy = Counter(attempt.task.engine for attempt in self._attempts if not attempt.ended)
        free = {name: engine.slots - busy[name] for name, engine in self._engines.items() if engine.slots > busy[name]}
        return tuple(free), min([self._slots - busy.total(), *free.values()]) if free else 0

    async def _claim(self, names: tuple[str, ...], room: int) -> list[Task]:
        try:
            warm = tuple(self._warm.values())
            now = self._clock()
            return await self._store.claim(self._name, names, room, now, self._lease, warm=warm, sharing=self._sharing)
        except Exception as error:  # noqa: BLE001 - the worker must outlive everything, or no task is run any more
            write_failure("claim", error)
            await asyncio.sleep(REWRITE)
            return []

    async def _pause(self, names: tuple[str, ...]) -> float:
        """Seconds until the next waiting task is due, at most `IDLE`."""
        try:
            due = await self._store.next_due(names)
        except Exception as error:  # noqa: BLE001 - as in `_claim`
            write_failure("claim", error)
            return IDLE
        return IDLE if due is None else min(IDLE, max(0.01, (due - self._clock()) / 1000))

    def _start(self, task: Task) -> None:
        attempt = Attempt(task, self)
        self._warm[task.engine] = task.model
        self._attempts.add(attempt)
        attempt.running = asyncio.create_task(self._attempt(attempt))
        attempt.running.add_done_callback(lambda _: self._attempts.remove(attempt))
        self._hub.changed(task)
        write(
            Event.TASK_CLAIMED,
            level=logging.DEBUG,
            task=task.id,
            attempt=task.attempt,
            engine=task.engine,
            model=task.model,
        )

    # ---- one attempt

    async def _attempt(self, attempt: Attempt) -> None:
        task = attempt.task
        artifacts: tuple[Artifact, ...] = ()
        warnings: tuple[str, ...] = ()
        error: TaskError | None = None
        try:
            parent = task.extra.get(tracing.PARENT)
            with tracing.span("attempt", parent, task=task.public_id, attempt=task.attempt, model=task.model):
                artifacts, warnings = await self._work(attempt)
        except asyncio.CancelledError as raised:
            if attempt.stop is None and canceled():
                raise  # the whole process stops, and not by `stop`
            error = broken(task, raised)
        except HeldForReviewError as raised:
            artifacts, attempt.held = raised.artifacts, raised.made
        except (Exception, SystemExit) as raised:  # noqa: BLE001 - whatever an engine raises is a failed attempt
            error = raised if isinstance(raised, TaskError) else broken(task, raised)
        finally:
            attempt.ended = True
            self._free.set()
            self._hub.wake(WORK)
        await asyncio.sleep(0)  # the claim for the free slot is written first: an engine waits for it
        trigger = Trigger.COMPLETE if attempt.held is None else Trigger.RELEASE
        if error is not None and attempt.stop is not None:
            trigger, error = attempt.stop, None  # whatever an engine says when it is stopped
        elif error is not None:
            trigger = after_failure(task, error, self._policy)
        if attempt.previews:
            await self.previews.remove(task)
        if attempt.lost or not await self._finish(attempt, trigger, error, artifacts, warnings):
            write(Event.TASK_LOST, level=logging.WARNING, task=task.id, attempt=task.attempt)
            await self._results.discard(artifacts)

    async def _work(self, attempt: Attempt) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        limit = asyncio.timeout(self._limit(attempt.task))
        try:
            async with limit:
                with self._folders.one() as workdir:
                    return await self._run_engine(attempt, workdir)
        except TimeoutError:
            if not limit.expired():
                raise  # the engine's own
            message = "The task took longer than it may."
            raise TaskError(Code.TIMED_OUT, message, retryable=True, resumes=True) from None

    async def _run_engine(self, attempt: Attempt, workdir: Path) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        task = attempt.task
        if (approved := made(task)) is not None:
            return approved.artifacts, approved.warnings
        inputs = await self._results.fetch_inputs(task, workdir) if task.inputs else ()
        with tracing.span("engine", engine=task.engine):
            outputs = await self._engines[task.engine].run(job_of(task, inputs, workdir), attempt)
        attempt.stage = STORING
        if not outputs:
            return (), ()
        model = self._catalog.model(task.model)
        with tracing.span("storage", results=len(outputs)):
            return await self._results.keep(task, outputs, workdir, generative=model is None or model.generative)

    def _limit(self, task: Task) -> float:
        """Seconds that the attempt may take: the model's limit, or what is left until the task's deadline."""
        model = self._catalog.model(task.model)
        limit = float(model.timeout) if model else 600.0
        return limit if task.deadline is None else max(0.0, min(limit, (task.deadline - self._clock()) / 1000))

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
        if attempt.held is not None and trigger is Trigger.RELEASE:
            change = hold(change, attempt.held)
        try:
            done = await self._apply(task, change)
        except TaskError:
            return True  # perhaps it was written: the results stay until the lease ends, then the janitor knows
        if done is None:
            return False
        if done.cancel and not done.state.final:
            # The caller asked for it too late for this attempt. Nobody would hear of it until the next one begins.
            cancel = decide(done, Trigger.CANCEL, now=self._clock(), policy=self._policy)
            assert cancel is not None
            done = await self._store.apply(cancel) or done
        seconds = time.monotonic() - attempt.began
        if done.state is State.SUCCEEDED:
            self._estimates.observe(task.model, seconds)
        write_outcome(done, error, seconds)
        metrics.ended(done, error, seconds)
        self._hub.changed(task)
        if not done.state.final or done.gate is Gate.COUNTED or task.model in self._sharing.limits:
            self._hub.notify(WORK)  # it is due before the next look at the queue, or others may run now
        return True

    async def _apply(self, task: Task, change: Change) -> Task | None:
        """Write a change, again and again while the database is not available and for as long as a lease."""
        give_up = time.monotonic() + self._lease / 1000
        unsure = False
        while True:
            try:
                done = await self._store.apply(change)
                if done is None and unsure:  # a commit whose confirmation was lost looks like somebody else's
                    found = await self._store.task(task.public_id)
                    done = found if found and is_written(change, found) else None
            except TaskError as error:
                write(Event.STORAGE_FAILED, level=logging.WARNING, task=task.id, reason=error.detail or error.message)
                if time.monotonic() > give_up:
                    raise
                unsure = True
                await asyncio.sleep(REWRITE)
            else:
                return done

    # ---- leases

    async def _pulse(self) -> None:
        """Renew leases, report progress, hear of cancels."""
        with self._hub.watch(CANCEL) as asked:
            while True:
                at_once = await woken(asked, PULSE)
                now = time.monotonic()
                due = [
                    attempt
                    for attempt in self._attempts
                    if at_once
                    or (attempt.percent, attempt.stage, attempt.previews) != attempt.reported
                    or now - attempt.renewed > min(HEARTBEAT, self._lease / 3000)
                ]
                await asyncio.gather(*(self.renew(attempt) for attempt in due))

    async def renew(self, attempt: Attempt, checkpoint: str | None = None) -> bool:
        """Send one heartbeat; stop an attempt that was canceled or whose lease is lost. False if it did not arrive."""
        percent, stage, previews = news = attempt.percent, attempt.stage, attempt.previews
        try:
            verdict = await self._store.heartbeat(
                attempt.task,
                self._clock(),
                self._lease,
                progress=percent,
                stage=stage,
                checkpoint=checkpoint,
                previews=previews if previews > attempt.reported[2] else 0,
            )
        except Exception as error:  # noqa: BLE001 - the pulse must outlive everything, or every lease is lost
            write_failure("heartbeat", error)
            return False
        attempt.renewed = time.monotonic()
        if checkpoint is not None:
            attempt.task = replace(attempt.task, checkpoint=checkpoint)
        if news != attempt.reported:
            attempt.reported = news
            self._hub.changed(attempt.task)
        if verdict is Verdict.CANCEL:
            attempt.end(Trigger.CANCEL)
        elif verdict is Verdict.LOST:
            attempt.lost = True
            attempt.end(Trigger.RELEASE)
        return True


def is_written(change: Change, task: Task) -> bool:
    """Whether a task is as a change would have left it."""
    return (task.state, task.attempt, task.artifacts) == (change.state, change.attempt, change.artifacts)


def canceled() -> bool:
    """Whether somebody canceled the current asyncio task; an engine may also raise `CancelledError` by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def broken(task: Task, bug: BaseException) -> TaskError:
    """The failure of an attempt whose engine raised what it must not."""
    if isinstance(bug, OSError) and bug.errno in NO_ROOM:
        return no_room(bug)
    if not isinstance(bug, asyncio.CancelledError):
        write(Event.ENGINE_FAILED, level=logging.ERROR, error=bug, task=task.id, attempt=task.attempt)
    message = "The engine failed because of an internal problem. Try again; if it stays, tell the operator."
    return TaskError(Code.ENGINE_FAILED, message, detail=repr(bug), retryable=True)
