"""The envelope of every answer: `{"code", "msg", "data"}` with HTTP 200, whatever happened.

The vendor's pages name the codes 510, 800 and 900; 401 and 402 are ours. Only links to files, which browsers and
players follow, speak in HTTP status codes.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.errors import Code, TaskError
from .. import WireRequest, WireResponse, answer

SYSTEM_ERROR, PARAMETER_ERROR, NO_DATA = 510, 800, 900  # the vendor's
BAD_TOKEN, NO_CREDITS = 401, 402  # ours: the vendor's pages name none

CODES = {
    Code.MISSING_KEY: BAD_TOKEN,
    Code.INVALID_KEY: BAD_TOKEN,
    Code.FORBIDDEN: BAD_TOKEN,
    Code.NOT_FOUND: NO_DATA,
    Code.INVALID_INPUT: PARAMETER_ERROR,
    Code.INVALID_MEDIA: PARAMETER_ERROR,
    Code.TOO_LARGE: PARAMETER_ERROR,
    Code.UNSUPPORTED: PARAMETER_ERROR,
    Code.UNKNOWN_MODEL: PARAMETER_ERROR,
    Code.NO_CREDITS: NO_CREDITS,
    Code.CONFLICT: PARAMETER_ERROR,
    Code.IDEMPOTENCY_MISMATCH: PARAMETER_ERROR,
    Code.RATE_LIMITED: SYSTEM_ERROR,
    Code.INVALID_LINK: PARAMETER_ERROR,
    Code.EXPIRED_LINK: PARAMETER_ERROR,
    Code.RESULTS_EXPIRED: NO_DATA,
    Code.UNAVAILABLE: SYSTEM_ERROR,
    Code.INTERNAL: SYSTEM_ERROR,
    Code.ENGINE_FAILED: SYSTEM_ERROR,
    Code.TIMED_OUT: SYSTEM_ERROR,
    Code.WORKER_LOST: SYSTEM_ERROR,
    Code.STORAGE_FAILED: SYSTEM_ERROR,
    Code.CONTENT_REJECTED: PARAMETER_ERROR,
    Code.CANCELED: SYSTEM_ERROR,
}

FILES = "/faceWap/"  # where links to files lead
LINK_STATUS = {PARAMETER_ERROR: 400, BAD_TOKEN: 403, NO_DATA: 404}


class Success(msgspec.Struct, kw_only=True):
    """What every success begins with; `data` follows."""

    code: Annotated[int, Meta(description="200 for a success.", examples=[200])] = 200
    msg: Annotated[str, Meta(description="SUCCESS.", examples=["SUCCESS"])] = "SUCCESS"


class ErrorBody(msgspec.Struct):
    """The body of every refused request. It comes with HTTP 200, but for links to files."""

    code: Annotated[
        int,
        Meta(
            description="510 the server failed or is busy, 800 a parameter is wrong, 900 there is no such thing, "
            "401 the token is missing or wrong, 402 the credits do not suffice.",
            examples=[800],
        ),
    ]
    msg: Annotated[str, Meta(description="What is wrong and what to do next.")]
    data: None = None


def encode_error(error: TaskError, request: WireRequest) -> WireResponse:
    """A refusal."""
    code, status = CODES[error.code], 200
    if request.path.startswith(FILES):
        refused = error.code in (Code.INVALID_LINK, Code.EXPIRED_LINK)
        status = 403 if refused else LINK_STATUS.get(code, 500)
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    return answer(ErrorBody(code, error.message), status, retry)
