"""The hot path: a status poll that repeats one whose task has not changed since.

The first poll of a task in some state takes the long way through the pipeline, and its answer is remembered together
with the task's version. The next one checks the key, reads account and version of the task (one small indexed read) and
sends the remembered bytes. The row is the truth: an answer is never older than the row.

`protocol.py` asks here for requests that repeat an earlier one byte for byte, before they are parsed. For others, and
where the database has to be waited for, the same is done as ASGI middleware.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import TaskError
from ..core.task import Task
from ..keys import Keyring
from ..metrics import POLLS
from ..store import Store

if TYPE_CHECKING:
    from . import Mounted

REMEMBERED = 10_000  # answers
LONGEST = 4_096  # bytes of a request that is remembered, so that nobody can fill the memory with long ones
FINAL_FOR = 60.0  # seconds: then links are signed anew
UNFINISHED_FOR = 1.0  # seconds: position and estimate move without the task changing
LONG_WAY = frozenset({b"prefer", b"if-none-match", b"origin", b"x-request-id"})  # headers that may change the answer
TASK = "darkroom.task"  # where the pipeline leaves the task that it answered with
BYTES = "darkroom.bytes"  # where the protocol leaves the bytes of a request that arrived whole

K = TypeVar("K")
Headers = list[tuple[bytes, bytes]]
Key = tuple[str, bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer, and for whom and how long it holds. `tail` is what follows status and date in HTTP/1.1."""

    api_key: str
    task_id: str
    seen: tuple[str, int]
    until: float
    start: Message
    body: Message
    tail: bytes


class StatusPath:
    """Remembers the answers of endpoints that are status polls; ASGI middleware in front of `app`."""

    def __init__(self, store: Store, keyring: Keyring, polls: Iterable[Mounted], app: ASGIApp) -> None:
        self._store = store
        self._keyring = keyring
        self._app = app
        self._exact: set[tuple[str, str]] = set()
        self._tails: set[tuple[str, str]] = set()
        for mounted in polls:
            head, brace, _ = mounted.path.partition("{")
            (self._tails if brace else self._exact).add((mounted.endpoint.method, head))
        self._remembered: dict[Key, Remembered] = {}
        self._by_bytes: dict[bytes, Remembered] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from memory where that is right, otherwise let `app` answer and remember."""
        if scope["type"] != "http" or not self._is_poll(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        body = b""
        if scope["method"] == "POST":
            message = await receive()
            receive = replayed(message, receive)
            body = message.get("body", b"")
            if message["type"] != "http.request" or message.get("more_body"):
                await self._app(scope, receive, send)
                return
        key = key_of(scope["path"], scope["query_string"], scope["headers"], body)
        if key is None:
            await self._app(scope, receive, send)
            return
        known = self._remembered.get(key)
        if known is not None and await self._holds(known):
            if BYTES in scope:
                keep(self._by_bytes, scope[BYTES], known)
            await send(known.start)
            await send(known.body)
            POLLS["memory"].add(time.perf_counter() - began)
            return
        await self._answer_and_remember(key, scope, receive, send)
        POLLS["built"].add(time.perf_counter() - began)

    def same_bytes(self, request: bytes) -> Remembered | None:
        """The answer to a request that repeats an earlier one, if it can be told without waiting that it holds."""
        known = self._by_bytes.get(request)
        if known is None or known.until <= time.monotonic() or self._keyring.known(known.api_key) != known.seen[0]:
            return None
        return known if self._store.glance_at_once(known.task_id) == known.seen else None

    def _is_poll(self, method: str, path: str) -> bool:
        return (method, path) in self._exact or (method, path[: path.rfind("/") + 1]) in self._tails

    async def _holds(self, known: Remembered) -> bool:
        if known.until <= time.monotonic():
            return False
        try:
            caller = await self._keyring.caller(known.api_key)
            return caller.account_id == known.seen[0] and await self._store.glance(known.task_id) == known.seen
        except TaskError:
            return False  # the long way says why, in the words of its dialect

    async def _answer_and_remember(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []

        async def watched(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, watched)
        self._remembered.pop(key, None)
        task, api_key = scope.get(TASK, (None, None))
        if task is None or len(sent) != 2 or sent[0]["status"] != 200:
            return
        keep(self._remembered, key, remember(task, api_key, sent[0], sent[1]))


def remember(task: Task, api_key: str, start: Message, body: Message) -> Remembered:
    """What was just sent, to be sent again while the task stays as it is."""
    until = time.monotonic() + (FINAL_FOR if task.state.final else UNFINISHED_FOR)
    head = b"".join(b"%b: %b\r\n" % header for header in start["headers"])
    tail = head + b"\r\n" + body["body"]
    return Remembered(api_key, task.public_id, (task.account_id, task.version), until, start, body, tail)


def keep(answers: dict[K, Remembered], key: K, known: Remembered) -> None:
    """Remember an answer, and forget the oldest one when there are too many."""
    if len(answers) >= REMEMBERED:
        del answers[next(iter(answers))]
    answers[key] = known


def key_of(path: str, query: bytes, headers: Headers, body: bytes) -> Key | None:
    """Everything of a poll that its answer depends on; `None` where something makes it a special one."""
    authorization = host = b""
    for name, value in headers:
        if name == b"authorization":
            authorization = value
        elif name == b"host":
            host = value
        elif name in LONG_WAY:
            return None
    length = len(path) + len(query) + len(authorization) + len(host) + len(body)
    return None if b"wait" in query or length > LONGEST else (path, query, authorization, host, body)


def replayed(message: Message, receive: Receive) -> Receive:
    """`receive` with a message put back in front."""
    waiting = [message]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again
