"""The use-cases: one method for each command. Every dialect ends here.

Guarantees: a task is stored before anything else happens with it; what belongs to somebody else is not found; every
refusal is a `TaskError`.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from . import metrics
from .administration import administer, cursor, entries
from .admission import Admission
from .batches import submit_batch
from .clock import Clock, utc_now
from .core import commands
from .core.access import Caller
from .core.admin_commands import ReviewCommand
from .core.catalog import Catalog
from .core.commands import (
    Account,
    Command,
    Deleted,
    Following,
    Health,
    OwnCommand,
    Result,
    Session,
    Signature,
    Submit,
    TaskPage,
    TaskResult,
    Upload,
)
from .core.errors import Code, TaskError
from .core.family import as_family
from .core.machine import Policy, decide
from .core.task import File, Gate, State, Task, Trigger
from .core.webhook_commands import WebhookCommand
from .dialects import Dialect
from .downloads import archive, download, download_file, download_preview, read_result
from .estimates import Estimates, retry_after
from .hub import CANCEL, WEBHOOK, WORK, Hub, woken
from .inputs import Inputs
from .keys import Keyring, login
from .log import Event, write
from .objects import Objects
from .objects.signing import Signer
from .planning import plan
from .positions import Positions
from .rates import Rates
from .readiness import Readiness
from .repeats import repeat_of, seen
from .retention import remove_files
from .reviews import decide_on, download_held
from .roster import Roster
from .store import Store
from .subscriptions import Subscriptions
from .withheld import discard

REREAD = 5.0  # seconds after which a waiter looks at the row without having been woken
STOP_WITHIN = 5.0  # seconds that a cancel waits for the worker


@dataclass(frozen=True, slots=True)
class Service:
    """What callers can do. Built once, by the composition root."""

    store: Store
    objects: Objects
    catalog: Catalog
    hub: Hub
    keyring: Keyring
    inputs: Inputs
    signer: Signer
    positions: Positions
    subscriptions: Subscriptions
    estimates: Estimates
    policy: Policy
    task_lifetime: int  # milliseconds that a task may wait and run
    schedule_ahead: int = 0  # milliseconds that a task's start may lie ahead
    repeat_window: int = 0  # milliseconds in which the same request is no new one
    device_credits: int = -1  # of a device that logs in for the first time; below 0 none may
    admission: Admission | None = None
    clock: Clock = utc_now
    roster: Roster | None = None
    readiness: Readiness = field(default_factory=Readiness)
    rates: Rates = field(default_factory=Rates)

    async def handle(
        self, account_id: str | None, command: Command, dialect: Dialect, caller: Caller | None = None
    ) -> Result:
        """Carry out a command for an account; `None` is one without a key. `caller` is who gives it, by which key."""
        match command:
            case commands.Download():
                return await download(self, command)
            case commands.DownloadFile():
                return await download_file(self, command)
            case commands.DownloadPreview():
                return await download_preview(self, command)
            case commands.DownloadHeld():
                return await download_held(self, command)
            case commands.ReadAll():
                return await archive(self, account_id, command)
            case commands.Follow():
                return await self.follow(account_id, command)
            case commands.ListModels():
                return (*self.catalog.named(command.names), *self.catalog.models)
            case commands.CheckHealth():
                return await self.health(command)
            case commands.Login():
                return await self.login(command, dialect)
            case _ if account_id is None:
                raise TaskError(Code.MISSING_KEY, "An API key is required.")
            case _:
                return await self.handle_own(account_id, command, dialect, caller)

    async def handle_own(
        self, account_id: str, command: OwnCommand, dialect: Dialect, caller: Caller | None = None
    ) -> Result:
        """Carry out a command that only an account can give."""
        match command:
            case commands.Submit():
                task = await self.submit(account_id, command, dialect, caller)
                return await self.outcome(account_id, task, command)
            case commands.SubmitBatch():
                return await submit_batch(self, account_id, command, dialect, caller)
            case commands.Get():
                return await self.get(account_id, command)
            case commands.List():
                return await self.list_tasks(account_id, command)
            case commands.Cancel():
                return await self.cancel(account_id, command)
            case commands.Delete():
                return await self.delete(account_id, command)
            case commands.KeepFile():
                return await self.inputs.own(account_id, command.file_id)
            case commands.GetAccount():
                return await self.account(account_id)
            case commands.ReadResult():
                return await read_result(self, account_id, command)
            case commands.ListEntries():
                return await entries(self.store, account_id, command)
            case WebhookCommand():
                return await self.subscriptions.handle(account_id, command)
            case _:
                return await self.operate(account_id, command, caller)

    async def operate(self, account_id: str, command: commands.OperatorCommand, caller: Caller | None) -> Result:
        """Carry out what only who runs the server may want; the audit log says who did."""
        actor = f"key {caller.key_id}" if caller else f"account {account_id}"
        if isinstance(command, ReviewCommand):
            return await decide_on(self, actor, command)
        return await administer(self.store, actor, command, self.clock())

    async def health(self, command: commands.CheckHealth) -> Health:
        """Answer, with `ready` only when more requests are welcome; otherwise `unavailable`."""
        if command.ready:
            await self.readiness.check(self.store)
        return Health()

    async def login(self, command: commands.Login, dialect: Dialect) -> Session:
        """Give a device a key."""
        if self.device_credits < 0:
            raise TaskError(
                Code.FORBIDDEN,
                "Devices cannot log in to this server. Send an API key; or the operator sets device_credits.",
            )
        session = await login(self.store, command.device, dialect.mint_key(), self.device_credits, self.clock())
        self.hub.notify(session.account.id)  # whoever is connected with an earlier key
        return session

    # ---- submit

    async def submit(self, account_id: str, command: Submit, dialect: Dialect, caller: Caller | None = None) -> Task:
        """Store a task, or a parent with its parts."""
        repeat = None
        if command.refusal is None:
            repeat = await repeat_of(self.inputs, [command], command.idempotency_key, self.repeat_window, self.clock())
        if repeat is not None and (before := await seen(self.store, account_id, repeat)):
            return await self.own_task(account_id, before.public_id)
        tasks = await plan(self, account_id, command, dialect, caller)
        try:
            tasks = await self.admission.admit(tasks) if self.admission else tasks
            made = await self.store.submit(
                tasks,
                idempotency_key=repeat.key if repeat else None,
                request_digest=repeat.digest if repeat else None,
                since=repeat.since if repeat else None,
                caller=caller,
            )
        except TaskError:
            await self.inputs.discard(fetched(command, tasks))
            raise
        if made.replayed:
            await self.inputs.discard(fetched(command, tasks))
            return await self.own_task(account_id, made.public_id)
        write(Event.TASK_SUBMITTED, task=tasks[0].id, dialect=dialect.name, model=tasks[0].model)
        metrics.series(metrics.SUBMITTED, dialect.name, tasks[0].model).inc(len(tasks) - bool(tasks[1:]))
        self.hub.notify(WORK, account_id, *((WEBHOOK,) if tasks[0].callbacks else ()))
        return as_family(made.tasks)

    async def outcome(self, account_id: str, task: Task, command: Submit) -> TaskResult:
        """What the caller of a submit is told, when he wants it. He learns the task's id, whatever happens here."""
        try:
            if command.wait:
                task = await self.until_final(account_id, task.public_id, command.wait)
            result = await self.result(task)
            return await self.with_contents(result) if command.embed else result
        except TaskError:
            return TaskResult(task)

    async def with_contents(self, result: TaskResult) -> TaskResult:
        """A task with the contents of its results, if it has succeeded."""
        streams = [await self.objects.get(artifact.key) for artifact in result.task.artifacts]
        return replace(result, embedded=tuple([b"".join([chunk async for chunk in stream]) for stream in streams]))

    # ---- read

    async def get(self, account_id: str, command: commands.Get) -> TaskResult:
        """A task now, or as soon as it is final within `wait` seconds."""
        if not command.wait:
            return await self.result(await self.own_task(account_id, command.task_id))
        return await self.result(await self.until_final(account_id, command.task_id, command.wait))

    async def until_final(self, account_id: str, public_id: str, seconds: float) -> Task:
        """Wait for the end of a task, woken by the hub."""
        deadline = time.monotonic() + seconds
        with ExitStack() as watches:
            changed = watches.enter_context(self.hub.watch(public_id))
            task = await self.own_task(account_id, public_id)
            if task.parts:
                changed = watches.enter_context(self.hub.watch(task.id))
                task = await self.own_task(account_id, public_id)
            while not (task.state.final or self.hub.closing()) and (left := deadline - time.monotonic()) > 0:
                await woken(changed, min(left, REREAD))
                task = await self.own_task(account_id, public_id)
            return task

    async def result(self, task: Task) -> TaskResult:
        """A task with its place in the queue."""
        if task.state.final:
            return TaskResult(task)
        now, parts = self.clock(), task.children or (task,)
        waiting = [part for part in parts if part.state is State.QUEUED]
        etas = [self.estimates.eta(part, {}, now) for part in parts if part.state is State.RUNNING]
        position = None
        if waiting:  # parts are claimed in their order, so the last one ends the task
            later = waiting[-1].gate is Gate.TIME
            ahead = {} if later else await self.positions.ahead(waiting[-1])
            etas.append(self.estimates.eta(waiting[-1], ahead, now))
            if task.state is State.QUEUED and not later:
                position = max(1, sum(ahead.values()) + 2 - len(waiting))
        known = [eta for eta in etas if eta is not None]
        eta = max(known) if known and len(known) == len(etas) else None
        possible = not waiting or self.roster is None or await self.roster.possible(waiting[-1])
        return TaskResult(task, position, eta if possible else None, retry_after(eta), possible=possible)

    async def own_task(self, account_id: str, public_id: str) -> Task:
        """A task of this account; anybody else's is not found."""
        task = await self.store.task(public_id)
        if task is None or task.account_id != account_id:
            raise not_found()
        return task

    async def linked_task(self, account_id: str | None, public_id: str, signature: Signature | None) -> Task:
        """A task, for its owner or for who holds a signed link."""
        if signature is not None:
            self.signer.verify(signature, self.clock())
            task = await self.store.task(public_id)
            if task is None:
                raise not_found()
            return task
        if account_id is None:
            raise TaskError(Code.MISSING_KEY, "An API key is required.")
        return await self.own_task(account_id, public_id)

    async def follow(self, account_id: str | None, command: commands.Follow) -> Following:
        """Leave to be told what happens."""
        if command.task_id is not None:
            task = await self.linked_task(account_id, command.task_id, command.signature)
            return Following(task.account_id, task, command.after)
        if command.signature is not None:
            self.signer.verify(command.signature, self.clock())
            account_id = command.account_id
        if account_id is None:
            raise TaskError(Code.MISSING_KEY, "An API key is required.")
        return Following(account_id, None, command.after)

    async def list_tasks(self, account_id: str, command: commands.List) -> TaskPage:
        """A page of tasks; the cursor is the sequence number of the last one."""
        before = cursor(command.cursor)
        tasks = await self.store.tasks(
            account_id, command.state, command.limit + 1, before, command.skip, command.operations
        )
        page = tuple(tasks[: command.limit])
        return TaskPage(page, str(page[-1].seq) if len(tasks) > command.limit else None)

    async def account(self, account_id: str) -> Account:
        """The caller's account."""
        account = await self.store.account(account_id)
        if account is None:
            raise TaskError(Code.INTERNAL, "The account does not exist any more.", detail=account_id)
        return account

    # ---- cancel, delete

    async def cancel(self, account_id: str, command: commands.Cancel) -> TaskResult:
        """Stop a task; answer when it has stopped, or after `STOP_WITHIN` seconds."""
        task = await self.own_task(account_id, command.task_id)
        if task.state in (State.SUCCEEDED, State.FAILED):
            raise TaskError(Code.CONFLICT, f"The task has already {task.state}.")
        for part in task.children or (task,):
            await self.stop(part)
        return await self.result(await self.until_final(account_id, task.public_id, STOP_WITHIN))

    async def stop(self, task: Task) -> None:
        """Cancel a waiting task at once; ask the worker of a running one. Whatever happens to it meanwhile."""
        current: Task | None = task
        while current is not None and not current.state.final:
            if current.state is State.RUNNING:
                done = current.cancel or await self.store.mark_cancel(current.id)
                self.hub.notify(CANCEL)
            else:
                done = await self.cancel_at_once(current)
                if done:
                    write(Event.TASK_CANCELED, task=current.id)
            if done:
                self.hub.changed(current)
                return
            current = await self.store.task(current.public_id)

    async def cancel_at_once(self, task: Task) -> bool:
        """Cancel a task without its worker; false when somebody else was first."""
        change = decide(task, Trigger.CANCEL, now=self.clock(), policy=self.policy)
        ended = await self.store.apply(change) if change is not None else None
        if ended is not None:
            if task.gate is Gate.COUNTED:
                self.hub.notify(WORK)  # another task of its account may run
            metrics.ended(ended)
            await discard(self.objects, task)
        return ended is not None

    async def delete(self, account_id: str, command: commands.Delete) -> Deleted:
        """Forget tasks with their results. Unknown ids among known ones are passed over."""
        found = [await self.store.task(public_id) for public_id in command.task_ids]
        tasks = [task for task in found if task is not None and task.account_id == account_id]
        if not tasks:
            raise not_found()
        for task in tasks:
            for part in task.children or (task,):
                await self.end(part)
            await self.store.delete(task)
            await remove_files(self.store, self.objects, task.id, *(part.id for part in task.children))
            self.hub.changed(task)
        return Deleted(len(tasks))

    async def end(self, task: Task) -> None:
        """Make a task final without waiting for its worker, which learns from its next heartbeat that it lost."""
        current: Task | None = task
        while current is not None and not current.state.final:
            if await self.cancel_at_once(current):
                break
            current = await self.store.task(task.public_id)
        self.hub.changed(task)


def fetched(command: Submit, tasks: tuple[Task, ...]) -> tuple[File, ...]:
    """The inputs that were stored for this command alone, not handed in as uploads."""
    groups = command.parts or (command.inputs,)
    uploads = {source.file_id for group in groups for source in group if isinstance(source, Upload)}
    return tuple({file.id: file for task in tasks for file in task.inputs if file.id not in uploads}.values())


def not_found() -> TaskError:
    """The answer for a task that does not exist, or that is somebody else's."""
    return TaskError(Code.NOT_FOUND, "There is no such task.")
