"""The hot path: a status poll that repeats one whose task has not changed since.

The first poll of a task in some state takes the long way through the pipeline, and its answer is remembered together
with the task's version. The next one checks the key, reads account and version of the task (one small indexed read) and
sends the remembered bytes. The row is the truth: an answer is never older than the row.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import TaskError
from ..core.task import Task
from ..keys import Keyring
from ..store import Store

if TYPE_CHECKING:
    from . import Mounted

REMEMBERED = 20_000  # answers
FINAL_FOR = 60.0  # seconds: then links are signed anew
UNFINISHED_FOR = 1.0  # seconds: position and estimate move without the task changing
MAX_BODY = 16_384  # bytes of a poll's body; a longer one takes the long way
LONG_WAY = frozenset({b"prefer", b"if-none-match"})  # headers that may change the answer
TASK = "darkroom.task"  # where the pipeline leaves the task that it answered with

Key = tuple[str, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer, and for whom and how long it holds."""

    api_key: str | None
    task_id: str
    seen: tuple[str, int]
    until: float
    start: Message
    body: Message


class StatusPath:
    """ASGI middleware in front of `app` for the endpoints that are status polls."""

    def __init__(self, store: Store, keyring: Keyring, polls: Iterable[Mounted], app: ASGIApp) -> None:
        self._store = store
        self._keyring = keyring
        self._app = app
        self._exact: dict[tuple[str, str], Mounted] = {}
        self._tails: dict[tuple[str, str], Mounted] = {}
        for mounted in polls:
            head, brace, _ = mounted.path.partition("{")
            places = self._tails if brace else self._exact
            places[mounted.endpoint.method, head] = mounted
        self._remembered: dict[Key, Remembered] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory where that is right, otherwise let `app` answer and remember."""
        if scope["type"] != "http" or not self._is_poll(scope):
            await self._app(scope, receive, send)
            return
        body = b""
        if scope["method"] == "POST":
            messages, complete = await read_body(scope, receive)
            receive = replayed(messages, receive)
            if complete is None:
                await self._app(scope, receive, send)
                return
            body = complete
        key = key_of(scope, body)
        if key is None:
            await self._app(scope, receive, send)
            return
        known = self._remembered.get(key)
        if known is not None and await self._holds(known):
            await send(known.start)
            await send(known.body)
            return
        await self._answer_and_remember(key, scope, receive, send)

    def _is_poll(self, scope: Scope) -> bool:
        path, method = scope["path"], scope["method"]
        if (method, path) in self._exact:
            return True
        return (method, path[: path.rfind("/") + 1]) in self._tails

    async def _holds(self, known: Remembered) -> bool:
        if known.until <= time.monotonic():
            return False
        try:
            account_id = await self._keyring.account(known.api_key)
        except TaskError:
            return False
        return account_id == known.seen[0] and await self._store.glance(known.task_id) == known.seen

    async def _answer_and_remember(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def watched(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, watched)
        self._remembered.pop(key, None)
        task, api_key = scope.get(TASK, (None, None))
        if task is None or task.parts or len(sent) != 2 or sent[0]["status"] != 200:
            return
        if len(self._remembered) >= REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[key] = remember(task, api_key, sent)


def remember(task: Task, api_key: str | None, sent: list[Message]) -> Remembered:
    """What was just sent, to be sent again while the task stays as it is."""
    until = time.monotonic() + (FINAL_FOR if task.state.final else UNFINISHED_FOR)
    return Remembered(api_key, task.public_id, (task.account_id, task.version), until, sent[0], sent[1])


def key_of(scope: Scope, body: bytes) -> Key | None:
    """Everything of a poll that its answer depends on; `None` where a header makes it a special one."""
    authorization = host = b""
    for name, value in scope["headers"]:
        if name == b"authorization":
            authorization = value
        elif name == b"host":
            host = value
        elif name in LONG_WAY:
            return None
    query = scope["query_string"]
    return None if b"wait" in query else (scope["path"], query, authorization, host, body)


async def read_body(scope: Scope, receive: Receive) -> tuple[list[Message], bytes | None]:
    """The messages that were received, and the body that they make; `None` where it is too long or never ended.

    A server may announce more although everything is there; waiting for its empty last message would cost a switch.
    """
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    declared = int(length) if length.isdigit() and len(length) < 10 else None
    messages: list[Message] = []
    body = b""
    while True:
        message = await receive()
        messages.append(message)
        body += message.get("body", b"")
        if message["type"] != "http.request" or len(body) > MAX_BODY:
            return messages, None
        if len(body) == declared or not message.get("more_body"):
            return messages, body


def replayed(messages: list[Message], receive: Receive) -> Receive:
    """`receive` with messages put back in front."""
    waiting = iter(messages)

    async def again() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return again
