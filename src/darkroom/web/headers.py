"""Headers of task answers, when to poll again and whether anything changed; and those that tell whose request it is."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import HTTPConnection

from ..callers import Callers
from ..core.commands import TaskResult
from ..dialects import WireResponse


def with_task_headers(
    answer: WireResponse, result: TaskResult, request_headers: Mapping[str, str] | None
) -> WireResponse:
    """Add `Retry-After` to an unfinished task, an `ETag` to a finished one; answer 304 to who has it already."""
    if not result.task.state.final:
        headers = answer.headers
        if result.retry_after is not None:
            headers = (*headers, ("Retry-After", str(result.retry_after)))
        if not result.possible:
            headers = (*headers, ("X-Waiting-For", "a worker: none that is there runs this model"))
        return replace(answer, headers=headers)
    if request_headers is None or answer.status != 200:
        return answer
    etag = f'"{hashlib.sha256(answer.body).hexdigest()[:24]}"'
    known = {tag.strip().removeprefix("W/") for tag in request_headers.get("if-none-match", "").split(",")}
    status = 304 if etag in known else 200
    return replace(
        answer, status=status, body=b"" if status == 304 else answer.body, headers=(*answer.headers, ("ETag", etag))
    )


def address_of(request: HTTPConnection, callers: Callers) -> str:
    """The client's address."""
    peer = request.client.host if request.client else ""
    return callers.address(peer, ",".join(request.headers.getlist("x-forwarded-for")))
