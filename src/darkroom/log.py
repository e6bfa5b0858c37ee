"""The operator's log: one JSON line per event on standard error. Every event of the system is named here."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from enum import StrEnum
from functools import lru_cache
from typing import TextIO

import msgspec

from .core.errors import TaskError
from .core.task import State, Task

logger = logging.getLogger("darkroom")
PLAIN = {str, int, float, bool}
ANYTHING = json.JSONEncoder(default=str, separators=(",", ":"))
LEVELS = {level: logging.getLevelName(level).lower() for level in range(10, 51, 10)}
AT_MOST = 100  # lines that are written together
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)  # of the request that is being served


class Event(StrEnum):
    """What can be read in the log."""

    SERVER_STARTED = "server.started"
    WORKER_STARTED = "worker.started"
    SERVER_STOPPING = "server.stopping"
    REQUEST_ANSWERED = "request.answered"
    REQUEST_FAILED = "request.failed"
    TASK_SUBMITTED = "task.submitted"
    TASK_CLAIMED = "task.claimed"
    TASK_SUCCEEDED = "task.succeeded"
    TASK_FAILED = "task.failed"
    TASK_RETRIED = "task.retried"
    TASK_RELEASED = "task.released"
    TASK_CANCELED = "task.canceled"
    TASK_LOST = "task.lost"
    ENGINE_FAILED = "engine.failed"
    LEASE_EXPIRED = "lease.expired"
    STORAGE_FAILED = "storage.failed"
    MODERATION_FAILED = "moderation.failed"
    SIGNING_FAILED = "signing.failed"
    WEBHOOK_FAILED = "webhook.failed"
    WEBHOOK_DISABLED = "webhook.disabled"
    CLOCK_WRONG = "clock.wrong"
    LEDGER_DRIFT = "ledger.drift"
    LOOP_FAILED = "loop.failed"
    DATABASE_FAILED = "database.failed"
    DATABASE_BACK = "database.back"
    REPAIRED = "doctor.repaired"
    ORPHANS_REMOVED = "orphans.removed"


counts: Counter[Event] = Counter()  # of this process, whatever the level


def write(event: Event, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """Log one event with what belongs to it. Fields must hold no secret.

    A server's lines go straight to where `configure` sends them: a task has several, of which `logging` would be most.
    Without `configure` they are records of the logger `darkroom`, for whoever listens to it.
    """
    counts[event] += 1
    if not logger.isEnabledFor(level):
        return
    if Output.lines is None:
        raised = None if error is None else (type(error), error, error.__traceback__)
        record = logging.LogRecord(logger.name, level, "", 0, event.value, None, raised)
        record.fields = fields
        logger.handle(record)
    else:
        if error is not None:
            fields["trace"] = trace(error)
        Output.lines.add(composed(event.value, level, time.time(), fields), at_once=level >= logging.WARNING)


OUTCOMES = {
    State.SUCCEEDED: Event.TASK_SUCCEEDED,
    State.FAILED: Event.TASK_FAILED,
    State.CANCELED: Event.TASK_CANCELED,
}


def write_outcome(task: Task, error: TaskError | None, seconds: float | None = None) -> None:
    """Log how an attempt ended, by the state that its task is in now, after how many seconds."""
    write(
        OUTCOMES.get(task.state, Event.TASK_RETRIED if error else Event.TASK_RELEASED),
        task=task.id,
        attempt=task.attempt,
        seconds=None if seconds is None else round(seconds, 3),
        code=error.code.value if error else None,
        reason=error.message if error else None,
        detail=error.detail if error else None,
    )


def write_failure(loop: str, error: Exception) -> None:
    """Log that one turn of a loop failed; anything else than a `TaskError` is a bug and logged with its trace."""
    if isinstance(error, TaskError):
        write(Event.LOOP_FAILED, level=level_of(error), loop=loop, reason=error.detail or error.message)
    else:
        write(Event.LOOP_FAILED, level=logging.ERROR, error=error, loop=loop, reason=repr(error))


def write_outage(reason: str | None, seconds: float) -> None:
    """Log that the database is away, or with `None` that it is back after so many seconds."""
    if reason is not None:
        write(Event.DATABASE_FAILED, level=logging.ERROR, reason=reason)
    else:
        write(Event.DATABASE_BACK, level=logging.WARNING, seconds=round(seconds, 1))


def level_of(error: TaskError) -> int:
    """The level of a line about a failure: low where another line gives the reason of all that fails with it."""
    return logging.DEBUG if error.logged else logging.WARNING


# ---- lines


class Lines:
    """Writes the lines of one turn of the event loop together, which costs a fraction of a write for each.

    Nothing waits for that without a loop, before what is to be written at once, or among `AT_MOST` lines.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._waiting: list[str] = []
        self._lock = threading.Lock()

    def add(self, line: str, *, at_once: bool) -> None:
        """Take one line."""
        with self._lock:
            self._waiting.append(line)
            count = len(self._waiting)
        if at_once or count >= AT_MOST:
            self.flush()
        elif count == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self._lock, suppress(OSError, ValueError):  # there is nowhere else to tell of it
            lines, self._waiting = self._waiting, []
            self._stream.write("".join(lines))
            self._stream.flush()


class Output:
    """Where the lines of this process go, once that is configured."""

    lines: Lines | None = None


class Others(logging.Handler):
    """Takes what libraries log by `logging`."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            fields: dict[str, object] = {"logger": record.name}
            if record.exc_info and record.exc_info[1]:
                fields["trace"] = trace(record.exc_info[1])
            line = composed(record.getMessage(), record.levelno, record.created, fields)
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)
        else:
            self._lines.add(line, at_once=True)

    def flush(self) -> None:
        """Write what waits; called when the process ends."""
        self._lines.flush()


def composed(event: str, level: int, at: float, fields: Mapping[str, object]) -> str:
    """One line: the event first, then its level, its time and the request that it belongs to."""
    line: dict[str, object] = {"event": event, "level": LEVELS.get(level) or logging.getLevelName(level).lower()}
    line["time"] = f"{second(int(at))}.{int(at % 1 * 1000):03d}Z"
    if request := REQUEST_ID.get():
        line["request"] = request
    line |= {name: value for name, value in fields.items() if value is not None}
    return encoded(line)


def encoded(line: dict[str, object]) -> str:
    """A line as JSON. ASCII, so that half a surrogate pair or an odd terminal cannot stop it."""
    if PLAIN.issuperset(map(type, line.values())):
        with suppress(UnicodeEncodeError, OverflowError):
            text = msgspec.json.encode(line)  # in a fifth of the time, where both write the same
            if text.isascii():
                return f"{text.decode()}\n"
    return f"{ANYTHING.encode(line)}\n"


def trace(error: BaseException) -> str:
    """Where an error was raised."""
    return "".join(traceback.format_exception(error)).rstrip()


@lru_cache(maxsize=4)
def second(at: int) -> str:
    """A second of UTC, written once for all lines of it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def configure(level: str) -> None:
    """Send everything from `level` up to standard error."""
    Output.lines = Lines(sys.stderr)
    logging.basicConfig(level=logging.WARNING, handlers=[Others(Output.lines)], force=True)
    logger.setLevel(level.upper())
