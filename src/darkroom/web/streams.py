"""Answers that begin before their task is done: server-sent events, kept alive by comments.

A stream ends with what there is to say of the task, or of the reason why that cannot be said. A client that hangs up
ends its stream; the task goes on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable

from starlette.responses import StreamingResponse

from ..core.commands import Get, TaskResult
from ..core.errors import Code, TaskError
from ..core.task import Task
from ..dialects import EVENT_STREAM
from ..service import Service

QUIET = 10.0  # seconds without a byte that clients and proxies bear
STOPS = "The server stops. The task goes on: ask for it again."
COMMENT = b": the task runs\n\n"


def streamed(
    service: Service, task: Task, opening: bytes, say: Callable[[TaskResult | TaskError], bytes]
) -> StreamingResponse:
    """The opening now, comments while the task runs, and what `say` makes of its end."""

    async def events() -> AsyncGenerator[bytes, None]:
        yield opening
        try:
            result = await service.get(task.account_id, Get(task.public_id, QUIET))
            while not result.task.state.final:
                if service.hub.closing():
                    raise TaskError(Code.UNAVAILABLE, STOPS, retry_after=5)
                yield COMMENT
                result = await service.get(task.account_id, Get(task.public_id, QUIET))
        except TaskError as error:  # deleted meanwhile, the database is gone, or the server stops
            yield say(error)
            return
        yield say(result)

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}
    return StreamingResponse(events(), headers=headers, media_type=EVENT_STREAM)
