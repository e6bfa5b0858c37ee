"""The vendor's words for what goes wrong: refused requests, failed tasks, and failed tasks that a caller waited for.

Both tables are total over `Code`. Answers of `/p/img/` have no body, only a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.errors import Code, TaskError
from ...core.task import Failure, Task
from .. import WireRequest, WireResponse, answer
from .modes import apimart

INVALID = "invalid_request_error"

# Why a request is refused: HTTP status and `error.code`.
REFUSALS: Mapping[Code, tuple[int, str]] = {
    Code.MISSING_KEY: (401, "missing_api_key"),
    Code.INVALID_KEY: (401, "invalid_api_key"),
    Code.FORBIDDEN: (403, "model_not_allowed"),
    Code.NOT_FOUND: (404, "not_found"),
    Code.INVALID_INPUT: (400, INVALID),
    Code.INVALID_MEDIA: (400, "invalid_reference_image"),
    Code.TOO_LARGE: (400, "reference_image_too_large"),
    Code.UNSUPPORTED: (400, INVALID),
    Code.UNKNOWN_MODEL: (400, "model_not_found"),
    Code.NO_CREDITS: (402, "insufficient_balance"),
    Code.CONFLICT: (409, INVALID),
    Code.IDEMPOTENCY_MISMATCH: (422, INVALID),  # OpenAI's clients would send a 409 again
    Code.RATE_LIMITED: (429, "rate_limit_rpm"),
    Code.INVALID_LINK: (403, INVALID),
    Code.EXPIRED_LINK: (403, INVALID),
    Code.RESULTS_EXPIRED: (410, INVALID),
    Code.UNAVAILABLE: (503, "service_unavailable"),
    Code.INTERNAL: (500, "internal_error"),
    Code.ENGINE_FAILED: (502, "upstream_error"),
    Code.TIMED_OUT: (400, "reference_image_timeout"),
    Code.WORKER_LOST: (502, "interrupted"),
    Code.STORAGE_FAILED: (502, "download_failed"),
    Code.CONTENT_REJECTED: (400, "content_moderation"),
    Code.CANCELED: (502, "interrupted"),
}

# Why a task failed: the status of the answer when its caller waited for it, and the code that the task shows. Keys and
# credits here are those of the engine's own vendor, so they never turn into a 401 or 402 of the caller.
FAILURES: Mapping[Code, tuple[int, str]] = {
    **REFUSALS,
    Code.MISSING_KEY: (502, "auth_required"),
    Code.INVALID_KEY: (502, "auth_required"),
    Code.FORBIDDEN: (502, "account_forbidden"),
    Code.NOT_FOUND: (502, "task_failed"),
    Code.UNKNOWN_MODEL: (502, "task_failed"),
    Code.NO_CREDITS: (503, "no_available_account"),
    Code.CONFLICT: (502, "task_failed"),
    Code.IDEMPOTENCY_MISMATCH: (502, "task_failed"),
    Code.RATE_LIMITED: (503, "rate_limited"),
    Code.INVALID_LINK: (502, "download_failed"),
    Code.EXPIRED_LINK: (502, "download_failed"),
    Code.RESULTS_EXPIRED: (410, "results_expired"),
    Code.UNAVAILABLE: (503, "no_available_account"),
    Code.INTERNAL: (502, "unknown"),
    Code.TIMED_OUT: (502, "poll_timeout"),
}

TYPES = {
    401: "authentication_error",
    402: "payment_required",
    429: "rate_limit_error",
    502: "service_unavailable",
    503: "service_unavailable",
}

CHAT_PATH = "/v1/chat/completions"
IMAGE_PATH = "/p/img/"
TASK_PATHS = ("/v1/tasks/", "/v1/images/tasks/", "/v1/videos/")
REFERENCES = frozenset({Code.INVALID_MEDIA, Code.TOO_LARGE, Code.TIMED_OUT})
# Parameters of models that callers here know by other names.
CALLED = {
    "duration": "seconds",
    "ratio": "aspect_ratio",
    "audio": "generate_audio",
    "format": "output_format",
    "quality": "output_compression",
}

# OpenAI's clients send a request again when its answer is a 5xx. With a task behind it, that would make a second task.
NOT_AGAIN = (("X-Should-Retry", "false"),)


class ErrorView(msgspec.Struct):
    """What went wrong. `type` follows from the HTTP status; in APIMart's shape `code` is that status."""

    message: Annotated[str, Meta(examples=["prompt 不能为空"])]
    type: Annotated[str, Meta(examples=[INVALID])]
    code: Annotated[str | int, Meta(examples=[INVALID])]


class ErrorBody(msgspec.Struct):
    """The body of every refused request."""

    error: ErrorView


def encode_error(error: TaskError, request: WireRequest) -> WireResponse:
    """A refused request."""
    status, code = refusal(error, request)
    retry = (("Retry-After", str(error.retry_after)),) if error.retry_after is not None else ()
    if request.path.startswith(IMAGE_PATH):
        return WireResponse(status, headers=retry, media_type="text/plain")
    message = error.message
    if error.code is Code.NOT_FOUND and request.path.startswith(TASK_PATHS):
        message = "任务不存在"
    if error.param in CALLED:
        message = message.replace(f"'{error.param}'", f"'{CALLED[error.param]}'")
    if code == "model_not_found" and request.path == CHAT_PATH:
        message += " Chats are answered by models that make pictures; this server has no language models."
    if error.code in REFERENCES or code == "invalid_reference_image":
        message = f"参考图解析失败:{message}"
    return _refused(status, code, message, request, retry)


def refusal(error: TaskError, request: WireRequest) -> tuple[int, str]:
    """HTTP status and `error.code` of a refusal."""
    match error.code, error.param:
        case Code.UNSUPPORTED, "model":
            return 400, "model_type_mismatch"
        case Code.UNSUPPORTED, "operation":  # no engine does this
            return (501, "image_not_wired") if request.path == CHAT_PATH else (500, "not_configured")
        case Code.INVALID_INPUT, "inputs.url":  # a reference whose URL led nowhere
            return REFUSALS[Code.INVALID_MEDIA]
    return REFUSALS[error.code]


def encode_failure(task: Task, request: WireRequest) -> WireResponse:
    """The answer to a caller that waited for a task which then failed."""
    failure = why(task)
    status, code = FAILURES[failure.code]
    return _refused(status, code, worded(failure), request, NOT_AGAIN)


def encode_timeout(task: Task, request: WireRequest) -> WireResponse:
    """The answer to a caller that waited as long as the vendor lets one wait. The task goes on, so it is named."""
    message = (
        f"The task {task.public_id} is not done yet and goes on. Do not submit it again: query"
        f" GET /v1/tasks/{task.public_id}, or submit with ?async=true from the start."
    )
    status, code = FAILURES[Code.TIMED_OUT]
    return _refused(status, code, message, request, NOT_AGAIN)


def why(task: Task) -> Failure:
    """Why a failed or canceled task has no result."""
    return task.failure or Failure(Code.ENGINE_FAILED, "The task failed. Submit it again.")


def worded(failure: Failure) -> str:
    """The vendor's message for a failure."""
    reference = failure.code in REFERENCES - {Code.TIMED_OUT}
    return f"参考图解析失败:{failure.message}" if reference else failure.message


def _refused(
    status: int, code: str, message: str, request: WireRequest, headers: tuple[tuple[str, str], ...] = ()
) -> WireResponse:
    kind = TYPES.get(status, "server_error" if status >= 500 else INVALID)
    view = ErrorView(message, kind, status if apimart(request) else code)
    return answer(ErrorBody(view), status, headers)
