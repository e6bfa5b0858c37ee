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

from . import tracing
from .attempts import REWRITE, Attempt, job_of
from .clock import Clock, utc_now
from .core.catalog import Catalog
from .core.errors import NO_ROOM, Code, TaskError, no_room
from .core.fairness import ANYTHING, Serves
from .core.task import STORING, Artifact, Task, Trigger
from .desk import Desk, News, Outcome
from .engines import Engine
from .folders import Folders
from .hub import CANCEL, WORK, Hub, woken
from .log import Event, level_of, write, write_failure
from .previews import Previews
from .results import Results
from .store import Verdict
from .store.queue import Wish
from .withheld import HeldForReviewError, made

PULSE = 0.25  # seconds between looks at the running attempts
STOP_WITHIN = 5.0  # seconds that an engine has to stop


class Worker:
    """Runs up to `slots` tasks at once, of those that it `serves`. What an engine ran last counts as loaded."""

    def __init__(
        self,
        desk: Desk,
        engines: Mapping[str, Engine],
        results: Results,
        catalog: Catalog,
        hub: Hub,
        previews: Previews,
        *,
        workdir: Path,
        slots: int,
        serves: Serves = ANYTHING,
        clock: Clock = utc_now,
    ) -> None:
        self._desk = desk
        self._engines = engines
        self._results = results
        self._catalog = catalog
        self._hub = hub
        self.previews = previews
        self._folders = Folders(workdir)
        self._slots = slots
        self._serves = serves
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
                wish = self._wish()
                tasks = await self._claim(wish) if wish.room else []
                for task in tasks:
                    self._start(task)
                if not wish.room:
                    await self._free.wait()
                    self._free.clear()
                elif len(tasks) < wish.room and not self._stopping:
                    await woken(work, await self._pause(wish))

    def _wish(self) -> Wish:
        """The engines with a free slot, and how many tasks fit whichever of these engines they are for.

        A task that had to wait for its engine would use up its time limit, and a slot that others could use.
        """
        # A finished engine's slot is free while its outcome is written down, so that one commit carries both.
        busy = Counter(attempt.task.engine for attempt in self._attempts if not attempt.ended)
        free = {name: engine.slots - busy[name] for name, engine in self._engines.items() if engine.slots > busy[name]}
        room = min([self._slots - busy.total(), *free.values()]) if free else 0
        return Wish(tuple(free), room, tuple(self._warm.values()), self._serves)

    async def _claim(self, wish: Wish) -> list[Task]:
        try:
            return await self._desk.claim(wish, {attempt.task.id for attempt in self._attempts})
        except Exception as error:  # noqa: BLE001 - the worker must outlive everything, or no task is run any more
            write_failure("claim", error)
            await asyncio.sleep(REWRITE)
            return []

    async def _pause(self, wish: Wish) -> float:
        """Seconds until the next waiting task is due, at most as many as the desk says."""
        idle = self._desk.idle
        try:
            due = await self._desk.next_due(wish)
        except Exception as error:  # noqa: BLE001 - as in `_claim`
            write_failure("claim", error)
            return idle
        return idle if due is None else min(idle, max(0.01, (due - self._clock()) / 1000))

    def _start(self, task: Task) -> None:
        attempt = Attempt(task, self)
        self._warm[task.engine] = task.model
        self._attempts.add(attempt)
        attempt.running = asyncio.create_task(self._attempt(attempt))
        attempt.running.add_done_callback(lambda _: self._attempts.remove(attempt))

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
            if not attempt.stopped and canceled():
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
        stop = attempt.stop if error is not None else None
        if error is not None and attempt.stopped:
            error = timed_out() if stop is None else None  # whatever an engine says when it is stopped
        seconds = time.monotonic() - attempt.began
        outcome = Outcome(artifacts, warnings, error, stop, attempt.held, seconds)
        if attempt.previews:
            await self.previews.remove(task)
        if attempt.lost or not await self._finish(attempt, outcome):
            write(Event.TASK_LOST, level=logging.WARNING, task=task.id, attempt=task.attempt)
            await self._results.discard(artifacts)

    async def _work(self, attempt: Attempt) -> tuple[tuple[Artifact, ...], tuple[str, ...]]:
        limit = asyncio.get_running_loop().call_later(self._limit(attempt.task), attempt.expire)
        try:
            with self._folders.one() as workdir:
                return await self._run_engine(attempt, workdir)
        finally:
            limit.cancel()

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

    async def _finish(self, attempt: Attempt, outcome: Outcome) -> bool:
        """Hand in the outcome, again and again while nobody takes it; whoever has the task by then is not disturbed.

        False when the attempt was not ours to end any more.
        """
        again = False
        while True:
            try:
                return await self._desk.finish(attempt.task, outcome, again=again)
            except TaskError as error:
                reason = error.detail or error.message
                write(Event.STORAGE_FAILED, level=level_of(error), task=attempt.task.id, reason=reason)
                if not error.retryable:
                    return True  # perhaps it was written: the results stay until the lease ends, then the janitor knows
                again = True
                await asyncio.sleep(REWRITE)

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
                    # The outcome of a short one says more, and so does that of one that has ended.
                    or (attempt.news and not attempt.ended and now - attempt.began > PULSE)
                    or now - attempt.renewed > self._desk.heartbeat
                ]
                await asyncio.gather(*(self.renew(attempt) for attempt in due))

    async def renew(self, attempt: Attempt, checkpoint: str | None = None) -> bool:
        """Send one heartbeat; stop an attempt that was canceled or whose lease is lost. False if it did not arrive."""
        percent, stage, previews = news = attempt.percent, attempt.stage, attempt.previews
        try:
            new = previews if previews > attempt.reported[2] else 0
            verdict = await self._desk.renew(
                attempt.task, News(percent, stage, checkpoint, new, changed=news != attempt.reported)
            )
        except Exception as error:  # noqa: BLE001 - the pulse must outlive everything, or every lease is lost
            write_failure("heartbeat", error)
            return False
        attempt.renewed = time.monotonic()
        if checkpoint is not None:
            attempt.task = replace(attempt.task, checkpoint=checkpoint)
        attempt.reported = news
        if verdict is Verdict.CANCEL:
            attempt.end(Trigger.CANCEL)
        elif verdict is Verdict.LOST:
            attempt.lost = True
            attempt.end(Trigger.RELEASE)
        return True


def canceled() -> bool:
    """Whether somebody canceled the current asyncio task; an engine may also raise `CancelledError` by itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def timed_out() -> TaskError:
    """The failure of an attempt that took longer than it may."""
    return TaskError(Code.TIMED_OUT, "The task took longer than it may.", retryable=True, resumes=True)


def broken(task: Task, bug: BaseException) -> TaskError:
    """The failure of an attempt whose engine raised what it must not."""
    if isinstance(bug, OSError) and bug.errno in NO_ROOM:
        return no_room(bug)
    if not isinstance(bug, asyncio.CancelledError):
        write(Event.ENGINE_FAILED, level=logging.ERROR, error=bug, task=task.id, attempt=task.attempt)
    message = "The engine failed because of an internal problem. Try again; if it stays, tell the operator."
    return TaskError(Code.ENGINE_FAILED, message, detail=repr(bug), retryable=True)
