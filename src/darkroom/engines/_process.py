"""The template for local engines: the work runs in child processes, which a crash may take down and a cancel kills.

It guarantees that

- whatever happens to a child, its caller gets a result or a `TaskError`, and the server lives on;
- canceling a call kills the child, and what that started, at once; it leaves no process, no zombie and no open file;
- no process uses more memory than it may, where a limit is given (on Linux): it fails, and the machine does not;
- a process is started by the first call that needs it, kept for the next one, and replaced when it has died;
- no process is told the server's settings or other secrets of its environment;
- progress that comes faster than it is taken does not pile up: only the latest is kept.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec

from ..core.catalog import Model
from ..core.errors import Code, TaskError
from . import Context, Job, Output, lies_in
from ._child import LENGTH, Answer, Call, Failed, Progress, Result, from_plain, pack, to_type

T = TypeVar("T")

OnProgress = Callable[[int, str], Awaitable[None]]
OnPicture = Callable[[Path], Awaitable[None]]

read_answer = msgspec.msgpack.Decoder(Answer, dec_hook=from_plain).decode

# One thread for each child: several slots fill the machine without fighting over its cores.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), "1")

SECRET = re.compile(r"^(DARKROOM|AWS|AZURE|GOOGLE|PG|OTEL)_|KEY|SECRET|TOKEN|PASSW|CREDENTIAL")  # variables, by name


class Child:
    """A seat for one child process that runs `target`, a "package.module:function".

    The process starts with the first call and after each death with the next one. Calls wait for one another.
    `memory_mib` is the most memory that it may use, in MiB; 0 for as much as there is.
    """

    def __init__(self, target: str, memory_mib: int = 0) -> None:
        self.target = target
        self._memory_mib = memory_mib
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """True while a process is there to be reused. Of one that was killed the closed pipe may tell first."""
        process = self._process
        return (
            process is not None
            and process.returncode is None
            and process.stdin is not None
            and not process.stdin.is_closing()
        )

    @property
    def pid(self) -> int | None:
        """The process id, for logs; `None` without a process."""
        return self._process.pid if self._process is not None and self.alive else None

    async def call(
        self,
        argument: Any,
        result_type: type[T],
        on_progress: OnProgress | None = None,
        on_picture: OnPicture | None = None,
    ) -> T:
        """Run the function; what it raises, or how it died, is a `TaskError`. Canceling this kills the process."""
        try:
            frame = pack(Call(argument))
        except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
            raise broken(f"the argument for {self.target} cannot be sent: {error}") from error
        async with self._turn:
            answer = await self._exchange(frame, on_progress, on_picture)
        match answer:
            case Failed():
                raise TaskError(
                    answer.code,
                    answer.message,
                    param=answer.param,
                    detail=answer.detail,
                    retryable=answer.retryable,
                    retry_after=answer.retry_after,
                )
            case Result():
                try:
                    converted: T = to_type(answer.value, result_type)
                except msgspec.ValidationError as error:
                    raise broken(f"{self.target} returned something else than {result_type}: {error}") from error
                return converted

    def kill(self) -> None:
        """Kill the process, and what it started, without waiting for its end."""
        if self._process is not None and self._process.returncode is None:
            kill(self._process)

    async def close(self) -> None:
        """Kill the process and wait until nothing is left of it; a call in progress fails. Make none afterwards."""
        self.kill()
        async with self._turn:
            await self._reap()

    async def _exchange(
        self, frame: bytes, on_progress: OnProgress | None, on_picture: OnPicture | None
    ) -> Result | Failed:
        try:
            if not self.alive:
                await self._end()
                self._process = await spawn(self.target, self._memory_mib)
            assert self._process is not None
            return await Exchange(self._process, on_progress, on_picture).run(frame)
        except (EOFError, ConnectionError, msgspec.MsgspecError):
            raise died(self.target, await self._end()) from None
        except BaseException:
            await self._end()
            raise

    async def _end(self) -> int | None:
        if self._process is not None:
            kill(self._process)  # even if it is gone: what it started may not be
        return await self._reap()

    async def _reap(self) -> int | None:
        process, self._process = self._process, None
        if process is None:
            return None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        # Reading to the end closes our side of the pipe, and a full buffer would hide the end from `wait`.
        code, _ = await asyncio.gather(process.wait(), process.stdout.read())
        with suppress(ConnectionError):
            await process.stdin.wait_closed()
        return code


class Exchange:
    """One call's messages with a process: the frame goes out, progress is passed on, the answer comes back."""

    def __init__(
        self, process: asyncio.subprocess.Process, on_progress: OnProgress | None, on_picture: OnPicture | None
    ) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout
        self._on_progress, self._on_picture = on_progress, on_picture
        self._shown: Path | None = None
        self._latest: Progress | None = None
        self._news = asyncio.Event()
        self._over = False

    async def run(self, frame: bytes) -> Result | Failed:
        """Send the frame and wait for its answer. Nothing is reported after this has ended."""
        if self._stdin.is_closing():  # uvloop raises another error then, as if it were a bug of ours
            raise BrokenPipeError
        self._stdin.write(frame)
        await self._stdin.drain()
        if self._on_progress is None:
            return await self._answer()
        answering, telling = asyncio.create_task(self._answer()), asyncio.create_task(self._tell(self._on_progress))
        try:
            await asyncio.wait({answering, telling}, return_when=asyncio.FIRST_EXCEPTION)
            if telling.done():
                telling.result()
            return answering.result()
        except BaseException:
            kill(self._process)  # before anything else is awaited
            raise
        finally:
            answering.cancel()
            telling.cancel()
            await asyncio.gather(answering, telling, return_exceptions=True)

    async def _answer(self) -> Result | Failed:
        while True:
            size = LENGTH.unpack(await self._stdout.readexactly(LENGTH.size))[0]
            message: Answer = read_answer(await self._stdout.readexactly(size))
            if not isinstance(message, Progress):
                self._over = True
                self._news.set()
                return message
            self._latest = message
            self._news.set()

    async def _tell(self, on_progress: OnProgress) -> None:
        while not self._over or self._latest is not None:
            await self._news.wait()
            self._news.clear()
            latest, self._latest = self._latest, None
            if latest is not None:
                await on_progress(latest.percent, latest.note)
                if latest.picture is not None and latest.picture != self._shown and self._on_picture is not None:
                    self._shown = latest.picture
                    await self._on_picture(latest.picture)


class Children:
    """At most `limit` processes for one target, started as calls need them; the last one used is the first reused.

    Each may use `memory_mib` MiB of memory; 0 for as much as there is.
    """

    def __init__(self, target: str, limit: int, memory_mib: int = 0) -> None:
        self._target = target
        self._memory_mib = memory_mib
        self._free = asyncio.Semaphore(limit)
        self._idle: list[Child] = []
        self._busy: set[Child] = set()

    async def call(
        self,
        argument: Any,
        result_type: type[T],
        on_progress: OnProgress | None = None,
        on_picture: OnPicture | None = None,
    ) -> T:
        """Like `Child.call`, on the next free process."""
        async with self._free:
            child = self._idle.pop() if self._idle else Child(self._target, self._memory_mib)
            self._busy.add(child)
            try:
                return await child.call(argument, result_type, on_progress, on_picture)
            finally:
                self._busy.remove(child)
                if child.alive:
                    self._idle.append(child)

    async def close(self) -> None:
        """Kill every process and wait for their ends."""
        idle, self._idle = self._idle, []
        await asyncio.gather(*(child.close() for child in (*idle, *self._busy)))


class ProcessEngine:
    """An engine whose jobs run as `target(job: Job, report: Report) -> list[Output]` in child processes.

    One whose target has to know more than the job overrides `argument`.
    """

    def __init__(self, name: str, models: Sequence[Model], target: str, slots: int, memory_mib: int = 0) -> None:
        self.name = name
        self.slots = slots
        self._models = tuple(models)
        self._children = Children(target, slots, memory_mib)

    def models(self) -> Sequence[Model]:
        """What the engine offers."""
        return self._models

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._children.close()

    def argument(self, job: Job) -> Any:
        """What the target is called with: the job, or plain data with the job and the engine's settings in it."""
        return job

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        """Do one job in a warm child, or in a new one."""

        async def show(picture: Path) -> None:
            if lies_in(job.workdir, picture):
                await context.preview(picture)

        outputs = await self._children.call(self.argument(job), list[Output], context.progress, show)
        for output in outputs:
            if not lies_in(job.workdir, output.path):
                raise broken(f"{self.name} delivered {output.path}, which is no file in {job.workdir}")
        return outputs


async def spawn(target: str, memory_mib: int = 0) -> asyncio.subprocess.Process:
    """Start a child process, as the leader of a process group so that one kill ends it with all its descendants."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-X", "faulthandler"),  # no modules from the current folder; a native crash tells where it happened
        *("-m", "darkroom.engines._child", target, str(memory_mib)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**unsecret(os.environ), **THREADS},
        start_new_session=True,
    )


def unsecret(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment without the server's settings and without what looks like a secret: a job needs none of it."""
    return {name: value for name, value in environment.items() if not SECRET.search(name.upper())}


def kill(process: asyncio.subprocess.Process) -> None:
    """Kill the process group that `spawn` made.

    Never `process.kill()`: it looks whether the process has ended, and thereby takes its exit status from asyncio.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def died(target: str, code: int | None) -> TaskError:
    """The error for a process that ended in the middle of a call; `code` is its return code."""
    how = f"signal {-code}" if code is not None and code < 0 else f"exit code {code}"
    return TaskError(
        Code.ENGINE_FAILED,
        f"The engine's process ended unexpectedly ({how}). Try again; if it stays, ask for something smaller.",
        detail=f"the process of {target} ended with {how}",
        retryable=True,
    )


def broken(detail: str) -> TaskError:
    """The error for an engine that does not keep to its contract."""
    message = "The engine failed because of an internal problem. Tell the operator of this server."
    return TaskError(Code.ENGINE_FAILED, message, detail=detail)
