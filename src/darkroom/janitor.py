"""Puts right what nobody else will: lost workers, deadlines that passed, results and inputs kept long enough."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from . import metrics
from .clock import Clock, utc_now
from .core.errors import Code, TaskError
from .core.machine import Policy, after_failure, decide
from .core.task import Task, Trigger
from .hub import WORK, Hub
from .inputs import Inputs
from .log import Event, write, write_failure, write_outcome
from .results import Results
from .retention import expire, remove_noted
from .store import LAST, Store

LEASES = 0.5  # seconds between looks for leases that have ended, and for tasks that wait too long
AGAIN = 1.0  # seconds between looks whether the database is back


class Janitor:
    """Any number of janitors may run beside each other: each transition has one winner.

    `inputs` that no task needs are removed after `keep_inputs` milliseconds, and webhooks that are through from the log
    after `keep_deliveries`; 0 keeps them.
    """

    def __init__(
        self,
        store: Store,
        results: Results,
        hub: Hub,
        *,
        policy: Policy,
        inputs: Inputs | None = None,
        keep_inputs: int = 0,
        keep_deliveries: int = 0,
        period: float = 5.0,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._results = results
        self._hub = hub
        self._policy = policy
        self._inputs = inputs
        self._keep_inputs = keep_inputs
        self._keep_deliveries = keep_deliveries
        self._period = period
        self._clock = clock

    async def run(self) -> None:
        """Sweep for ever: often for tasks, whose callers wait, and now and then for the rest."""
        await asyncio.gather(self._repeat(self.sweep, LEASES), self._repeat(self._tidy, self._period))

    async def _repeat(self, work: Callable[[], Awaitable[object]], pause: float) -> None:
        """Do it again and again, with a pause of some seconds."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - the janitor must outlive everything, or tasks are stuck
                write_failure("janitor", error)
                await self._answered()
                await asyncio.sleep(self._period)  # in which leases are renewed that ended meanwhile
            await asyncio.sleep(pause)

    async def _tidy(self) -> None:
        await self.sweep_results()
        await self.remove_inputs()
        await self.remove_deliveries()
        await self._store.forget_workers(self._clock() - FORGOTTEN)

    async def _answered(self) -> None:
        """Return when the database answers."""
        while True:
            try:
                await self._store.ping()
            except Exception:  # noqa: BLE001 - as in `run`
                await asyncio.sleep(min(AGAIN, self._period))
            else:
                return

    async def sweep(self, *, all_leases: bool = False) -> int:
        """End expired leases and overdue tasks; return how many. With `all_leases`, every lease counts as expired.

        That is for a start on a database that no other server can be using.
        """
        now = self._clock()
        count = 0
        while lost := await self._store.expired(LAST if all_leases else now):
            ended = sum([await self._give_up_on_worker(task, now) for task in lost])
            count += ended
            if not ended:
                break
        while late := await self._store.overdue(now):
            ended = sum([await self._give_up_waiting(task, now) for task in late])
            count += ended
            if not ended:
                break
        return count

    async def sweep_results(self) -> int:
        """End results that were kept long enough, and remove what nobody may see any more; return of how many tasks."""
        ended = await expire(self._store, self._hub, self._clock())
        await remove_noted(self._store, self._results.objects)
        return ended

    async def remove_inputs(self) -> int:
        """Remove inputs that were not needed for so long; return how many."""
        if self._inputs is None or not self._keep_inputs:
            return 0
        return await self._inputs.remove_unused(self._clock() - self._keep_inputs)

    async def remove_deliveries(self) -> int:
        """Remove lines of the delivery log that were kept long enough; return how many."""
        removed = 0
        while self._keep_deliveries:
            gone = await self._store.outbox.remove_old(self._clock() - self._keep_deliveries)
            removed += gone
            if not gone:
                break
        return removed

    async def _give_up_on_worker(self, task: Task, now: int) -> bool:
        write(Event.LEASE_EXPIRED, level=logging.WARNING, task=task.id, attempt=task.attempt)
        trigger = Trigger.CANCEL if task.cancel else after_failure(task, WORKER_LOST, self._policy)
        ended = await self._end(task, trigger, None if task.cancel else WORKER_LOST, now)
        if ended:
            await self._results.discard_attempt(task)
        return ended

    async def _give_up_waiting(self, task: Task, now: int) -> bool:
        ended = await self._end(task, Trigger.FAIL, OVERDUE, now)
        if ended and task.attempt:  # a run may have made something that a person was to look at
            await self._results.discard_attempt(task)
        return ended

    async def _end(self, task: Task, trigger: Trigger, error: TaskError | None, now: int) -> bool:
        """Make one transition; false when somebody else was first, or when it failed: the others must not wait."""
        try:
            change = decide(task, trigger, now=now, policy=self._policy, error=error)
            done = await self._store.apply(change) if change is not None else None
        except Exception as bug:  # noqa: BLE001 - as in `run`
            write_failure("janitor", bug)
            return False
        if done is None:
            return False
        write_outcome(done, error)
        metrics.ended(done, error)
        self._hub.notify(WORK)
        self._hub.changed(task)
        return True


FORGOTTEN = 86_400_000  # milliseconds after which a worker that was not heard of is forgotten
WORKER_LOST = TaskError(Code.WORKER_LOST, "The worker that ran this task was lost.", retryable=True)
OVERDUE = TaskError(Code.TIMED_OUT, "The task waited longer than it may.")
