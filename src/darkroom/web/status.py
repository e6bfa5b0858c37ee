"""The hot path: a status poll that repeats one whose task has not changed since.

The first poll of a task in some state takes the long way through the pipeline, and its answer is remembered together
with the task's version. The next one checks the key, reads account and version of the task (one small indexed read) and
sends the remembered bytes. The row is the truth: an answer is never older than the row.

Where a read has to be waited for, on PostgreSQL, the answer of a final task is sent again without one for `SURE`. It
changes only once more, when its results expire or it is deleted: a node looks again when it hears of that.

`protocol.py` asks here for requests that repeat an earlier one byte for byte, before they are parsed. For others the
same is done as ASGI middleware.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..core.errors import TaskError
from ..core.task import Task
from ..hub import Hub
from ..keys import Keyring
from ..metrics import POLLS
from ..store import Store

if TYPE_CHECKING:
    from . import Mounted

REMEMBERED = 10_000  # answers
LONGEST = 4_096  # bytes of a request that is remembered, so that nobody can fill the memory with long ones
FINAL_FOR = 60.0  # seconds: then links are signed anew
SURE = 1.0  # seconds after a look in which a final task is not looked at again, where nobody has told of a change
UNFINISHED_FOR = 1.0  # seconds: position and estimate move without the task changing
LONG_WAY = frozenset({b"prefer", b"if-none-match", b"origin", b"x-request-id"})  # headers that may change the answer
TASK = "darkroom.task"  # where the pipeline leaves the task that it answered with
BYTES = "darkroom.bytes"  # where the protocol leaves the bytes of a request that arrived whole

K = TypeVar("K")
V = TypeVar("V")
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
    final: bool


class Sure:
    """How final tasks were when they were last looked at, and what was heard of since.

    Times are those of a monotonic clock; a look counts from when it began.
    """

    def __init__(self) -> None:
        self._looks: dict[str, tuple[tuple[str, int], float]] = {}
        self._changed: dict[str, float] = {}
        self._anything = 0.0  # when any of them may have changed

    def note(self, task_id: str, seen: tuple[str, int], began: float) -> None:
        """This is how a task was."""
        keep(self._looks, task_id, (seen, began))

    def hear(self, topics: Iterable[str] | None) -> None:
        """Something changed; the public ids of tasks are among the topics."""
        now = time.monotonic()
        if topics is None or len(self._changed) >= REMEMBERED:
            self._anything = now
            self._changed.clear()
        for topic in topics or ():
            self._changed[topic] = now

    def holds(self, known: Remembered) -> bool:
        """Whether an answer can be sent again without another look."""
        seen, began = self._looks.get(known.task_id, (None, 0.0))
        if seen != known.seen:
            return False
        return began > max(time.monotonic() - SURE, self._anything, self._changed.get(known.task_id, 0.0))


class StatusPath:
    """Remembers the answers of endpoints that are status polls; ASGI middleware in front of `app`."""

    def __init__(self, store: Store, keyring: Keyring, hub: Hub, polls: Iterable[Mounted], app: ASGIApp) -> None:
        self._store = store
        self._sure = Sure() if store.waits else None
        if self._sure is not None:
            hub.listen(self._sure.hear)
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
        if known is not None and await self._is_right(known):
            if BYTES in scope:
                keep(self._by_bytes, scope[BYTES], known)
            await send(known.start)
            await send(known.body)
            POLLS["memory"].add(time.perf_counter() - began)
            return
        await self._answer_and_remember(key, scope, receive, send)
        POLLS["built"].add(time.perf_counter() - began)

    def same_bytes(self, request: bytes) -> Remembered | None:
        """The answer to a request that repeats an earlier one, while its key is good; `holds` says whether it holds."""
        known = self._by_bytes.get(request)
        if known is None or known.until <= time.monotonic() or self._keyring.known(known.api_key) != known.seen[0]:
            return None
        return known

    def holds(self, known: Remembered) -> bool | None:
        """Whether an answer holds; `None` where that has to be waited for."""
        if self._sure is None:
            return self._store.glance_at_once(known.task_id) == known.seen
        return self._sure.holds(known) or None

    async def still_holds(self, known: Remembered) -> bool:
        """Whether it does, by a look at the task."""
        began = time.monotonic()
        try:
            same = await self._store.glance(known.task_id) == known.seen
        except TaskError:
            return False  # the long way says why, in the words of its dialect
        if same:
            self._note(known, began)
        return same

    def _is_poll(self, method: str, path: str) -> bool:
        return (method, path) in self._exact or (method, path[: path.rfind("/") + 1]) in self._tails

    async def _is_right(self, known: Remembered) -> bool:
        """Whether a remembered answer can be sent to who asks now."""
        if known.until <= time.monotonic():
            return False
        try:
            caller = await self._keyring.caller(known.api_key)
        except TaskError:
            return False
        if caller.account_id != known.seen[0]:
            return False
        return (self._sure is not None and self._sure.holds(known)) or await self.still_holds(known)

    def _note(self, known: Remembered, began: float) -> None:
        if self._sure is not None and known.final:
            self._sure.note(known.task_id, known.seen, began)

    async def _answer_and_remember(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        sent: list[Message] = []
        began = time.monotonic()

        async def watched(message: Message) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, watched)
        self._remembered.pop(key, None)
        task, api_key = scope.get(TASK, (None, None))
        if task is None or len(sent) != 2 or sent[0]["status"] != 200:
            return
        known = remember(task, api_key, sent[0], sent[1])
        keep(self._remembered, key, known)
        self._note(known, began)


def remember(task: Task, api_key: str, start: Message, body: Message) -> Remembered:
    """What was just sent, to be sent again while the task stays as it is."""
    until = time.monotonic() + (FINAL_FOR if task.state.final else UNFINISHED_FOR)
    head = b"".join(b"%b: %b\r\n" % header for header in start["headers"])
    tail = head + b"\r\n" + body["body"]
    return Remembered(
        api_key, task.public_id, (task.account_id, task.version), until, start, body, tail, task.state.final
    )


def keep(answers: dict[K, V], key: K, known: V) -> None:
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
