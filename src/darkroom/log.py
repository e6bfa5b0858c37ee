"""The operator's log: one JSON line per event on standard error. Every event of the system is named here."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from collections import Counter
from contextlib import nullcontext, suppress
from contextvars import ContextVar
from enum import StrEnum
from typing import TextIO

import msgspec

from .core.errors import TaskError
from .core.task import State, Task

logger = logging.getLogger("darkroom")
PLAIN = {str, int, float, bool}
ANYTHING = json.JSONEncoder(default=str)
BLANK = vars(logging.makeLogRecord({"name": logger.name}))
BLANK |= dict.fromkeys(("thread", "threadName", "process", "processName"))
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
    """Log one event with what belongs to it. Fields must hold no secret."""
    counts[event] += 1
    if logger.isEnabledFor(level):
        logger.handle(Record(event, level, error, fields))


class Record(logging.LogRecord):
    """An event, of no thread, process and line of code: to find these costs as much as all else of it."""

    def __init__(self, event: Event, level: int, error: BaseException | None, fields: dict[str, object]) -> None:
        now = time.time()
        self.__dict__.update(
            BLANK,
            msg=event.value,
            levelno=level,
            levelname=logging.getLevelName(level),
            created=now,
            msecs=now % 1 * 1000,
            exc_info=None if error is None else (type(error), error, error.__traceback__),
            fields=fields,
        )


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


def encode(line: dict[str, object]) -> str:
    """A line as JSON. ASCII, so that half a surrogate pair or an odd terminal cannot stop it."""
    if PLAIN.issuperset(map(type, line.values())):
        with suppress(UnicodeEncodeError, OverflowError):
            text = msgspec.json.encode(line)  # in a fifth of the time, of what both write alike
            if text.isascii():
                return text.decode()
    return ANYTHING.encode(line)


class JsonLines(logging.Formatter):
    """A record as one line of JSON, the event first."""

    _second = 0, ""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line: dict[str, object] = {"event": record.getMessage(), "level": record.levelname.lower()}
        line["time"] = f"{self._written(int(record.created))}.{int(record.msecs):03d}Z"
        if record.name != logger.name:
            line["logger"] = record.name
        if request := REQUEST_ID.get():
            line["request"] = request
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if value is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return encode(line)

    def _written(self, second: int) -> str:
        """A second of UTC, written once for all lines of it."""
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
        return text


class Lines(logging.Handler):
    """Writes what one turn of the event loop logs at once, which costs a fraction of a write for each line.

    Nothing waits for that without a loop, behind a warning or an error, or among `AT_MOST` lines.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Take one record."""
        try:
            self._waiting.append(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler does
            self.handleError(record)
        if record.levelno >= logging.WARNING or len(self._waiting) >= AT_MOST:
            self.flush()
        elif len(self._waiting) == 1:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:
                self.flush()

    def flush(self) -> None:
        """Write what waits."""
        with self.lock or nullcontext(), suppress(OSError, ValueError):  # there is nowhere else to tell of it
            lines, self._waiting = self._waiting, []
            self._stream.write("".join(lines))
            self._stream.flush()


def configure(level: str) -> None:
    """Send everything from `level` up to standard error."""
    handler = Lines(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(level.upper())
