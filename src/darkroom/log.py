"""The operator's log: one JSON line per event on standard error. Every event of the system is named here."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from contextvars import ContextVar
from enum import StrEnum

from .core.errors import TaskError
from .core.task import State, Task

logger = logging.getLogger("darkroom")
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
        # Not by `logger.log`, which looks for the line of code that calls it: a task has several of ours.
        raised = None if error is None else (type(error), error, error.__traceback__)
        record = logging.LogRecord(logger.name, level, "", 0, event.value, None, raised)
        record.fields = fields
        logger.handle(record)


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


class JsonLines(logging.Formatter):
    """A record as one line of JSON, the event first."""

    # ASCII, so that half a surrogate pair or an odd terminal cannot stop it.
    _encode = json.JSONEncoder(default=str).encode
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
        return self._encode(line)

    def _written(self, second: int) -> str:
        """A second of UTC, written once for all lines of it."""
        known, text = self._second
        if known != second:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, text
        return text


def configure(level: str) -> None:
    """Send everything from `level` up to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(level.upper())
