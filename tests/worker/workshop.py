"""A server's inner parts without its outside: store, objects, engines, workers and janitor, in this process.

async with Workshop(tmp_path) as shop:
    task = await shop.submit(outcome="fail_once")
    async with shop.working():
        assert (await shop.final(task)).attempt == 2
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from darkroom.clock import utc_now
from darkroom.core.catalog import Catalog, Model, Param
from darkroom.core.commands import Cancel, Get, Submit, TaskResult, Upload
from darkroom.core.machine import Policy
from darkroom.core.task import Operation, State, Task
from darkroom.desk import StoreDesk
from darkroom.dialects import discover
from darkroom.engines import Context, Engine, EngineSettings, Job, Output, create
from darkroom.engines._process import Children
from darkroom.estimates import Estimates
from darkroom.fetch import Fetcher
from darkroom.hub import Hub, news_of, woken
from darkroom.inputs import Inputs
from darkroom.janitor import Janitor
from darkroom.keys import Keyring
from darkroom.media import Limits
from darkroom.objects import Objects
from darkroom.objects.signing import Signer, SigningKey
from darkroom.positions import Positions
from darkroom.previews import Previews
from darkroom.results import Results
from darkroom.service import Service
from darkroom.store import Store
from darkroom.store.database import Database
from darkroom.store.sqlite import SqliteDatabase
from darkroom.subscriptions import Subscriptions
from darkroom.testing.databases import check_sums
from darkroom.worker import Worker

NATIVE = next(dialect for dialect in discover() if dialect.name == "native")
PATIENCE = 60.0  # seconds until something that does not happen is a failure
HOUR = 3_600_000  # milliseconds

Play = Callable[[Job, Context], Awaitable[Sequence[Output]]]


class Played:
    """An engine whose one model does what a test's function does; `jobs` are those that it was given."""

    name = "played"

    def __init__(self, play: Play, *, slots: int = 4, timeout: int = 60) -> None:
        self.slots = slots
        self.jobs: list[Job] = []
        self._play = play
        self._model = Model(
            name="played",
            engine=self.name,
            operations=(Operation.IMAGE_EDIT,),
            description="For tests.",
            params=(Param("prompt", "string", "Anything."),),
            max_inputs=4,
            max_count=4,
            price=3,
            timeout=timeout,
        )

    def models(self) -> Sequence[Model]:
        return (self._model,)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        self.jobs.append(job)
        return await self._play(job, context)


class Workshop:
    """Everything on `folder`. `engines` are added to the fake one; `database` stands between the store and SQLite."""

    def __init__(
        self,
        folder: Path,
        *engines: Engine,
        slots: int = 4,
        lease: int = 30_000,
        policy: Policy | None = None,
        funds: int = 10_000,
        database: Callable[[Database], Database] = lambda database: database,
        objects: Objects | Path | None = None,
    ) -> None:
        self.folder = folder
        self.hub = Hub()
        self.estimates = Estimates(slots)
        self.policy = policy or Policy(backoff=1)
        self.objects = objects if isinstance(objects, Objects) else Objects.open(str(objects or folder / "objects"))
        self.lease = lease
        self.slots = slots
        self.offset = 0  # milliseconds that the workshop's clock is ahead
        self._engines: tuple[Engine, ...] = (create("fake", EngineSettings(slots)), *engines)
        self._funds = funds
        self._database = database
        self._numbers = itertools.count(1)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        database = self._database(SqliteDatabase(str(self.folder / "darkroom.db")))
        self.store = Store(database)
        self._stack.push_async_callback(self.store.close)
        finishers = Children("darkroom.finish:finish", self.slots)
        self._stack.push_async_callback(finishers.close)
        self.results = Results(self.objects, finishers)
        for engine in self._engines:
            await self._stack.enter_async_context(engine)
        models = [model for engine in self._engines for model in engine.models()]
        self.catalog = Catalog(models)
        self.account_id = (await self.store.add_account("caller", self._funds, utc_now())).id
        limits = Limits(bytes=1 << 20, pixels=1 << 20)
        self.service = Service(
            store=self.store,
            objects=self.objects,
            catalog=self.catalog,
            hub=self.hub,
            keyring=Keyring(self.store),
            inputs=Inputs(self.store, self.objects, Fetcher(), limits, self.now),
            signer=Signer([SigningKey("1", secrets.token_bytes(32))]),
            positions=Positions(self.store),
            subscriptions=Subscriptions(self.store, self.hub, self.now),
            estimates=self.estimates,
            policy=self.policy,
            task_lifetime=HOUR,
            clock=self.now,
        )
        return self

    async def __aexit__(self, *error: object) -> None:
        if error[0] is None:
            await check_sums(self.store)
        await self._stack.aclose()

    def now(self) -> int:
        """The time, as this workshop has it."""
        return utc_now() + self.offset

    # ---- who works here

    def worker(self, **changed: Any) -> Worker:
        """A worker with a folder of its own."""
        name = f"worker-{next(self._numbers)}"
        lease = changed.pop("lease", self.lease)
        desk = StoreDesk(name, self.store, self.hub, self.estimates, self.policy, lease=lease, clock=self.now)
        return Worker(
            desk,
            {engine.name: engine for engine in self._engines},
            self.results,
            self.catalog,
            self.hub,
            Previews(self.results.objects),
            workdir=self.folder / "work" / name,
            clock=self.now,
            **{"slots": self.slots, **changed},
        )

    @asynccontextmanager
    async def working(self, **changed: Any) -> AsyncIterator[Worker]:
        """A worker that works."""
        worker = self.worker(**changed)
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            async with asyncio.timeout(PATIENCE):
                await running

    @property
    def janitor(self) -> Janitor:
        """A janitor on the workshop's clock."""
        return Janitor(self.store, self.results, self.hub, policy=self.policy, clock=self.now)

    async def lose_leases(self) -> int:
        """Let so much time pass that every lease ends, and the janitor come by; how many tasks it moved."""
        self.offset += self.lease + 1
        return await self.janitor.sweep()

    # ---- what callers do

    async def submit(self, model: str = "fake", *, inputs: Sequence[str] = (), **params: Any) -> Task:
        """A new task; the fake engine delivers nothing unless `results` says so."""
        return (await self.submit_all(model, inputs=inputs, **params)).task

    async def submit_all(
        self,
        model: str = "fake",
        *,
        inputs: Sequence[str] = (),
        parts: int = 0,
        count: int = 1,
        **params: Any,
    ) -> TaskResult:
        """A new task, or one with parts that have one input each."""
        if model != "played":
            params = {"results": 0} | params
        files = tuple(Upload(file_id) for file_id in inputs)
        command = Submit(
            operation=Operation.IMAGE_EDIT,
            model=model,
            params=params,
            inputs=() if parts else files,
            parts=tuple((files[0],) for _ in range(parts)),
            count=count,
        )
        return TaskResult(await self.service.submit(self.account_id, command, NATIVE))

    async def upload(self, colour: str = "red") -> str:
        """The id of a stored picture."""
        from PIL import Image

        file = BytesIO()
        Image.new("RGB", (8, 8), colour).save(file, "PNG")
        return (await self.service.inputs.keep(self.account_id, file)).id

    async def cancel(self, task: Task) -> Task:
        """Ask for a task's end."""
        return (await self.service.cancel(self.account_id, Cancel(task.public_id))).task

    async def read(self, task: Task) -> Task:
        """The task now."""
        return (await self.service.get(self.account_id, Get(task.public_id))).task

    async def until(self, task: Task, seen: Callable[[Task], bool]) -> Task:
        """The task as soon as it is so; woken by the hub, as every waiter is."""
        async with asyncio.timeout(PATIENCE):
            with self.hub.watch(task.public_id, task.id, news_of(task.public_id), news_of(task.id)) as changed:
                while not seen(found := await self.read(task)):
                    await woken(changed, 0.2)
                return found

    async def final(self, task: Task) -> Task:
        """The task when it has ended."""
        return await self.until(task, lambda found: found.state.final)

    async def running(self, task: Task) -> Task:
        """The task when it runs."""
        return await self.until(task, lambda found: found.state is State.RUNNING)

    async def stored(self) -> list[str]:
        """Every stored result."""
        return sorted([stat.key async for stat in self.objects.list("tasks")])

    async def states(self, task: Task) -> list[str]:
        """The task's history."""
        return [str(state) for _, state, _, _ in await self.store.events(task.id)]
