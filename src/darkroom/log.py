"""The operator's log: one JSON line per event on standard error. Every event of the system is named here."""

from __future__ import annotations

import logging
import sys
import time
from enum import StrEnum

import msgspec

logger = logging.getLogger("darkroom")


class Event(StrEnum):
    """What can be read in the log."""

    SERVER_STARTED = "server.started"
    SERVER_STOPPING = "server.stopping"
    REQUEST_FAILED = "request.failed"
    TASK_SUBMITTED = "task.submitted"
    TASK_CLAIMED = "task.claimed"
    TASK_SUCCEEDED = "task.succeeded"
    TASK_FAILED = "task.failed"
    TASK_RETRIED = "task.retried"
    TASK_RELEASED = "task.released"
    TASK_CANCELED = "task.canceled"
    TASK_LOST = "task.lost"
    LEASE_EXPIRED = "lease.expired"
    STORAGE_FAILED = "storage.failed"
    LOOP_FAILED = "loop.failed"


def write(event: Event, *, level: int = logging.INFO, error: BaseException | None = None, **fields: object) -> None:
    """Log one event with what belongs to it. Fields must hold no secret."""
    if logger.isEnabledFor(level):
        logger.log(level, event.value, extra={"fields": fields}, exc_info=error)


class JsonLines(logging.Formatter):
    """A record as one line of JSON, the event first."""

    def format(self, record: logging.LogRecord) -> str:
        """Format one record."""
        line: dict[str, object] = {"event": record.getMessage(), "level": record.levelname.lower()}
        line["time"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        if record.name != logger.name:
            line["logger"] = record.name
        line |= {name: value for name, value in getattr(record, "fields", {}).items() if value is not None}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


def configure(level: str) -> None:
    """Send everything from `level` up to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logger.setLevel(level.upper())
