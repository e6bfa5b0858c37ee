"""Everything that can go wrong for a caller, as one exception with a closed list of codes.

A `TaskError` is shown to the caller in the words of its dialect. Any other exception is a bug: it is logged and
answered as `internal`.
"""

from __future__ import annotations

import errno
from enum import StrEnum

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})  # of an `OSError`: no file can be written


class Code(StrEnum):
    """Why a request was refused, or why a task failed. Every dialect has a word for each of them."""

    # the request
    MISSING_KEY = "missing_key"
    INVALID_KEY = "invalid_key"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    INVALID_INPUT = "invalid_input"
    INVALID_MEDIA = "invalid_media"
    TOO_LARGE = "too_large"
    UNSUPPORTED = "unsupported"
    UNKNOWN_MODEL = "unknown_model"
    NO_CREDITS = "no_credits"
    CONFLICT = "conflict"
    IDEMPOTENCY_MISMATCH = "idempotency_mismatch"
    RATE_LIMITED = "rate_limited"
    INVALID_LINK = "invalid_link"
    EXPIRED_LINK = "expired_link"
    RESULTS_EXPIRED = "results_expired"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"
    # the work
    ENGINE_FAILED = "engine_failed"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    STORAGE_FAILED = "storage_failed"
    CONTENT_REJECTED = "content_rejected"
    CANCELED = "canceled"


class TaskError(Exception):
    """A problem that a caller caused or can see.

    `message` is public and says what to do next; `param` names the field at fault; `detail` is for the operator's log
    alone; `retryable` says that the same work may succeed later; `retry_after` is in seconds. `resumes` says that the
    next try may go on from the engine's checkpoint; `logged`, that the log tells of the reason already.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        param: str | None = None,
        detail: str | None = None,
        retryable: bool = False,
        retry_after: int | None = None,
        resumes: bool = False,
        logged: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.detail = detail
        self.retryable = retryable
        self.retry_after = retry_after
        self.resumes = resumes
        self.logged = logged

    def __repr__(self) -> str:
        return f"TaskError({self.code.value!r}, {self.message!r}, param={self.param!r})"


def no_room(error: BaseException) -> TaskError:
    """What a file that could not be written makes of the work."""
    message = "The server has no room to work. Try again later."
    return TaskError(Code.STORAGE_FAILED, message, detail=repr(error), retryable=True)
