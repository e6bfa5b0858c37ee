"""The desk of a worker elsewhere: the same as the one in a server, spoken to over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator

from ..core.errors import TaskError
from ..core.task import Task
from ..core.workers import WorkerInfo
from ..desk import News, Outcome
from ..hub import CANCEL, WORK, Hub
from ..log import write_failure
from ..store import Verdict
from ..store.queue import Wish
from .files import RemoteFiles
from .link import REFUSED, Link
from .messages import PROTOCOL, Claim, Claimed, Done, Ended, Hello, Hints, Renewal, Welcome

IDLE = 5.0  # seconds between looks at the queue without a hint
HEARTBEAT = 5.0  # seconds between renewals of a lease at most; cancels are hinted at
SHORTEST = 1.0  # seconds that a renewal has at least; the next one may find a connection that works
PAUSE = 1.0  # seconds between tries to hear hints


class RemoteDesk:
    """What a worker needs of the queue, from a server. `refused` is set when the server wants this worker no more."""

    idle = IDLE

    def __init__(self, link: Link, files: RemoteFiles, worker: WorkerInfo) -> None:
        self.lease = 30_000
        self.heartbeat = HEARTBEAT
        self.refused: asyncio.Future[TaskError] = asyncio.get_running_loop().create_future()
        self._link = link
        self._files = files
        self._worker = worker
        self._due: int | None = None
        self._unsure = False  # whether the answer to the last claim was lost
        self._renewals: list[tuple[Renewal, asyncio.Future[str]]] = []
        self._sending: asyncio.Task[None] | None = None

    async def time(self) -> int:
        """The server's time (UTC milliseconds); tells it that this worker is there."""
        with self._noting():
            welcome = await self._link.ask("/hello", Hello(PROTOCOL, self._worker), Welcome)
        self.lease = welcome.lease
        self.heartbeat = min(HEARTBEAT, welcome.lease / 3000)
        return welcome.now

    async def claim(self, wish: Wish, holding: Collection[str] = ()) -> list[Task]:
        """Lease tasks. After a lost answer, what it told of comes again."""
        claim = Claim(self._worker.name, wish, self._unsure, tuple(holding) if self._unsure else ())
        self._unsure = True
        with self._noting():
            claimed = await self._link.ask("/claim", claim, Claimed)
        self._unsure, self._due = False, claimed.due
        for task in claimed.tasks:
            self._files.learn(task)
        return claimed.tasks

    async def next_due(self, wish: Wish) -> int | None:  # noqa: ARG002 - the last claim's answer told it
        """When the earliest task that waits for its time may run."""
        return self._due

    async def renew(self, task: Task, news: News) -> Verdict:
        """Renew a lease; all that are renewed at the same moment go in one request."""
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._renewals.append((Renewal(task.id, task.attempt, news), future))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return Verdict[await future]

    async def _send(self) -> None:
        await asyncio.sleep(0)  # others of this moment
        renewals, self._renewals, self._sending = self._renewals, [], None
        try:
            with self._noting():
                told = [renewal for renewal, _ in renewals]
                verdicts = await self._link.ask("/renew", told, list[str], max(SHORTEST, self.lease / 3000))
        except TaskError as error:
            for _, future in renewals:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), verdict in zip(renewals, verdicts, strict=True):
            if not future.done():
                future.set_result(verdict)

    async def finish(self, task: Task, outcome: Outcome, *, again: bool = False) -> bool:
        """Hand in how an attempt ended."""
        with self._noting():
            done = (await self._link.ask("/finish", Ended.of(task, outcome, again=again), Done)).done
        self._files.forget(task)
        return done

    async def follow(self, hub: Hub) -> None:
        """Pass on the server's hints, for ever."""
        away = False
        while True:
            try:
                hub.wake(*(await self._link.read("/hints", Hints)).topics)
                if away:
                    hub.wake(WORK, CANCEL)  # whatever was hinted at meanwhile
                away = False
            except TaskError as error:
                if not away:
                    write_failure("hints", error)
                away = True
                await asyncio.sleep(PAUSE)

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        """Note when the server refuses this worker for good."""
        try:
            yield
        except TaskError as error:
            if error.code in REFUSED and not self.refused.done():
                self.refused.set_result(error)
            raise
