"""The template for vendors: submit, look until it is done, fetch the results.

It guarantees that

- the vendor's handle is checkpointed as soon as there is one, and the next attempt of a stopped, lost or timed-out one
  goes on from there: nothing is paid twice because a worker died, a connection broke or a server was restarted;
- a submit is repeated only where the vendor did not take it, or honours `Idempotency-Key`;
- looks keep to the pause that the vendor asks for, and otherwise slow down; a vendor that does not answer is waited for
  within bounds;
- a cancel is told to the vendor, where it has a word for that, within 5 s; a shutdown is not, for the task goes on;
- callers are told what to do, the operator what the vendor said, and nobody the key.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from ...core.catalog import Model
from ...core.errors import Code, TaskError
from .. import Context, Job, Output
from .calls import LONGEST_PAUSE, Answer, Calls
from .downloads import Downloads
from .options import Options
from .troubles import Trouble

SUBMITS = 4  # tries, as long as the vendor did not take it
FETCHES = 3  # tries for the results, each with fresh links
OUTAGE = 300.0  # seconds that a vendor may leave looks unanswered before the attempt is given up
UNKNOWN = 3  # looks in a row at which the vendor does not know the task: some need a moment after a submit
SLOWER, SLOWEST = 1.4, 10.0  # each pause is so many times the one before, up to so many seconds
GRACE = 2.2  # seconds for a request that is under way, and for a cancel, when an attempt is stopped


@dataclass(frozen=True, slots=True)
class Ticket:
    """A task that the vendor took. `warnings` name what was asked for and could not be passed on."""

    handle: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Working:
    """It is not done; `percent` as far as the vendor tells, and the pause that it asks for, in seconds."""

    percent: int
    note: str = ""
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Links to the results. `with_key` says that they are read with the vendor's key."""

    links: tuple[str, ...]
    with_key: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """It will never be done."""

    error: TaskError


@dataclass(frozen=True, slots=True)
class Unknown:
    """The vendor does not know the task."""

    words: str


__all__ = ["Answer", "Done", "Failed", "Look", "RemoteEngine", "Ticket", "Unknown", "Working", "contents"]

Look = Working | Done | Failed | Unknown


class Saved(msgspec.Struct, frozen=True):
    """What a later attempt needs. `failed` counts tasks that failed at the vendor, which are not looked at again."""

    handle: str | None = None
    warnings: tuple[str, ...] = ()
    failed: int = 0


class RemoteEngine(ABC):
    """An engine whose jobs are tasks of a vendor.

    A vendor's engine overrides `submit` and `look`; `headers` and `withdraw` where the vendor has its own ways.
    """

    def __init__(self, name: str, models: Sequence[Model], options: Options, slots: int) -> None:
        self.name = name
        self.slots = slots
        self.options = options
        self._models = tuple(models)
        self._calls: Calls | None = None
        self._downloads: Downloads | None = None

    # ---- what a vendor's engine says

    def headers(self, key: str) -> Mapping[str, str]:
        """The headers that carry the key."""
        return {"Authorization": f"Bearer {key}"}

    @abstractmethod
    async def submit(self, job: Job, once: str) -> Ticket:
        """Send the job with one `ask(…, once=once)`. A `retryable` error says that the vendor did not take it."""

    @abstractmethod
    async def look(self, handle: str, job: Job) -> Look:
        """Ask how far it is. An error that is `retryable` says that there was no answer."""

    async def withdraw(self, handle: str, job: Job) -> None:  # noqa: B027 - most vendors have no word for it
        """Cancel it, if the vendor can; else it goes on there."""

    # ---- what it can use for that

    async def ask(self, method: str, path: str, *, once: str | None = None, **content: object) -> Answer:
        """Send a request to the vendor; see `Calls.ask`. Answers that say "later" are raised as `Trouble.BUSY`."""
        answer = await self._calling.ask(method, path, once=once, **content)
        if answer.status == 429 or (answer.status >= 500 and not isinstance(answer.body, dict)):
            raise self.trouble(Trouble.BUSY, answer)
        return answer

    def trouble(self, kind: Trouble, what: Answer | str) -> TaskError:
        """The error for a kind of trouble; what the vendor said is for the operator, and told without the key."""
        if isinstance(what, str):
            return self._calling.trouble(kind, f"{self.name} says {what}")
        return self._calling.trouble(kind, f"{self.name} answers {what.words}", what.retry_after)

    # ---- the engine

    def models(self) -> Sequence[Model]:
        """What the engine offers."""
        return self._models

    async def __aenter__(self) -> Self:
        for option, what in (("base_url", "address"), ("key", "key")):
            if not getattr(self.options, option):
                raise ValueError(
                    f'the engine {self.name} needs the vendor\'s {what}: {option} = "…" in [engine.{self.name}]'
                )
        headers = self.headers(self.options.key)
        self._calls = calls = Calls(self.options, headers)
        self._downloads = Downloads(self.options, headers, calls.trouble)
        return self

    async def __aexit__(self, *exc: object) -> None:
        calls, downloads, self._calls, self._downloads = self._calls, self._downloads, None, None
        if calls is not None and downloads is not None:
            await asyncio.gather(calls.close(), downloads.close())

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        """Do one job at the vendor, or go on with one that an earlier attempt began."""
        saved = read(job.checkpoint)
        if saved.handle is None:
            saved = await self._begin(job, saved, context)
        assert saved.handle is not None
        try:
            return await self._results(job, saved, context)
        except asyncio.CancelledError:
            if context.canceled:
                await self._give_up(saved.handle, job)
            raise

    async def _begin(self, job: Job, saved: Saved, context: Context) -> Saved:
        """Submit until the vendor takes it, and save its handle."""
        pause = self.options.poll_seconds
        for tries_left in reversed(range(SUBMITS)):
            try:
                return await self._begin_once(job, saved, context)
            except TaskError as error:
                if not (error.retryable and tries_left):
                    raise
                await asyncio.sleep(max(pause, min(error.retry_after or 0, LONGEST_PAUSE)))
                pause *= 2
        raise AssertionError("unreachable: the last try returns or raises")

    async def _begin_once(self, job: Job, saved: Saved, context: Context) -> Saved:
        """One submit. It is not stopped half way: whether it was taken, and as what, would be unknown."""
        submitting = asyncio.create_task(self._submit_and_save(job, saved, context))
        try:
            return await asyncio.shield(submitting)
        except asyncio.CancelledError:
            await asyncio.wait({submitting}, timeout=GRACE)
            submitting.cancel()
            [begun] = await asyncio.gather(submitting, return_exceptions=True)
            if isinstance(begun, Saved) and begun.handle is not None and context.canceled:
                await self._give_up(begun.handle, job)
            raise

    async def _submit_and_save(self, job: Job, saved: Saved, context: Context) -> Saved:
        ticket = await self.submit(job, once_key(job, saved))
        begun = Saved(ticket.handle, ticket.warnings, saved.failed)
        await context.checkpoint(msgspec.json.encode(begun).decode())
        return begun

    async def _results(self, job: Job, saved: Saved, context: Context) -> Sequence[Output]:
        """Wait for the end and fetch what there is, with fresh links where the first ones did not do."""
        for tries_left in reversed(range(FETCHES)):
            done = await self._wait(job, saved, context)
            try:
                return await self._fetch(job, done, saved.warnings)
            except TaskError as error:
                error.resumes = True
                if not (error.retryable and tries_left):
                    raise
                await asyncio.sleep(self.options.poll_seconds)
        raise AssertionError("unreachable: the last try returns or raises")

    async def _wait(self, job: Job, saved: Saved, context: Context) -> Done:
        """Look until it is done."""
        assert saved.handle is not None
        pause, unknown, answered = self.options.poll_seconds, 0, time.monotonic()
        best = 0
        while True:
            wanted: int | None = None
            try:
                look = await self.look(saved.handle, job)
            except TaskError as error:
                error.resumes = error.retryable
                if not error.retryable or time.monotonic() - answered > OUTAGE:
                    raise
                wanted = error.retry_after
            else:
                answered = time.monotonic()
                match look:
                    case Done():
                        return look
                    case Failed():
                        raise await self._failed(look.error, saved, context)
                    case Unknown():
                        unknown += 1
                        if unknown >= UNKNOWN:
                            raise self.trouble(Trouble.GONE, look.words)
                    case Working():
                        unknown, wanted = 0, look.retry_after
                        best = max(best, min(99, look.percent))
                        await context.progress(best, look.note)
            await asyncio.sleep(max(pause, min(wanted or 0, LONGEST_PAUSE)))
            pause = min(pause * SLOWER, max(SLOWEST, self.options.poll_seconds))

    async def _failed(self, error: TaskError, saved: Saved, context: Context) -> TaskError:
        """The failure of a task at the vendor; another attempt has to begin a new one."""
        if error.retryable:
            await context.checkpoint(msgspec.json.encode(Saved(failed=saved.failed + 1)).decode())
            error.resumes = True
        return error

    async def _fetch(self, job: Job, done: Done, warnings: tuple[str, ...]) -> Sequence[Output]:
        assert self._downloads is not None
        wanted = job.count + bool(job.params.get("last_frame"))
        links = done.links[:wanted]
        if not links:
            raise self.trouble(Trouble.RESULT, "that it is done, and hands out no result")
        paths = [job.workdir / f"result-{number}" for number in range(len(links))]
        for link, path in zip(links, paths, strict=True):
            await self._downloads.save(link, path, with_key=done.with_key)
        if len(links) < wanted:
            warnings = (*warnings, f"{len(links)} of {wanted} results were delivered.")
        return [Output(path, () if number else warnings) for number, path in enumerate(paths)]

    async def _give_up(self, handle: str, job: Job) -> None:
        """Tell the vendor, briefly; whatever it says, the job is over here."""
        try:
            async with asyncio.timeout(GRACE):
                await self.withdraw(handle, job)
        except (TimeoutError, TaskError):
            return

    @property
    def _calling(self) -> Calls:
        assert self._calls is not None, f"the engine {self.name} is not entered"
        return self._calls


def read(checkpoint: str | None) -> Saved:
    """What an earlier attempt saved."""
    if not checkpoint:
        return Saved()
    try:
        return msgspec.json.decode(checkpoint, type=Saved)
    except msgspec.DecodeError as error:
        message = "The task cannot be gone on with. Submit it again."
        raise TaskError(Code.ENGINE_FAILED, message, detail=f"checkpoint {checkpoint[:200]!r}: {error}") from None


def once_key(job: Job, saved: Saved) -> str:
    """The idempotency key: the same for each attempt, until the task that it stands for has failed at the vendor."""
    return hashlib.sha256(f"{job.task_id}/{saved.failed}".encode()).hexdigest()[:32]


async def contents(paths: Sequence[Path]) -> list[bytes]:
    """What input files hold."""
    return [await asyncio.to_thread(path.read_bytes) for path in paths]
