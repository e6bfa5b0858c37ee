"""Wakes whoever waits for something to happen: long-polls, workers, cancels.

Where several nodes share a database, hints go to the others, too (`carry`), and theirs are heard here.

Hints only: the row in the database is the truth. A waiter reads again after each wake-up, and also now and then without
one, so that a lost hint costs time and never correctness.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from .core.task import Task

WORK = "work"  # a task became claimable
CANCEL = "cancel"  # a running task was asked to stop
WEBHOOK = "webhook"  # something is to be sent
STOP = "stop"  # the server stops
Listener = Callable[[Iterable[str] | None], None]
NEWS = "+"  # behind an id
CHANGED = ">"  # between an account and its task, in what nodes tell each other


class Hub:
    """Topics are `WORK`, `CANCEL`, `WEBHOOK`, accounts, public ids of tasks, and internal ids of parents.

    Parts know the internal id of their parent. What does not end a task is told under `news_of` its ids.
    """

    def __init__(self) -> None:
        self._closing = False
        self._watching: dict[str, set[asyncio.Event]] = {}
        self._collecting: dict[str, list[set[str]]] = {}
        self._carrier: Callable[[Iterable[str]], None] | None = None
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell somebody every topic from now on, of this node and others; `None` where anything may have happened."""
        self._listeners.append(listener)

    def carry(self, carrier: Callable[[Iterable[str]], None]) -> None:
        """Hand hints to a carrier from now on, which takes them to other nodes."""
        self._carrier = carrier

    def notify(self, *topics: str) -> None:
        """Wake everybody who watches one of the topics, on all nodes."""
        self.wake(*topics)
        if self._carrier is not None:
            self._carrier(topics)

    def wake(self, *topics: str) -> None:
        """Wake those on this node alone."""
        for topic in topics:
            for event in self._watching.get(topic, ()):
                event.set()
        for listener in self._listeners:
            listener(topics)

    def hear(self, hints: Sequence[str] | None) -> None:
        """Pass on what another node told; `None` where anything may have happened."""
        if hints is None:
            for listener in self._listeners:
                listener(None)
        for hint in self._watching if hints is None else hints:
            account_id, changed, task_id = hint.partition(CHANGED)
            if changed:
                self._collect(account_id, task_id)
            else:
                self.wake(hint)

    def close(self) -> None:
        """The server stops: wake everybody, and let nobody wait any longer."""
        self._closing = True
        self.wake(*self._watching)

    def closing(self) -> bool:
        """Whether callers who wait are to be answered now."""
        return self._closing

    async def closed(self) -> None:
        """Return when the server stops."""
        with self.watch(STOP) as event:
            while not self._closing:
                await event.wait()

    def changed(self, task: Task) -> None:
        """Wake everybody who watches a task, the parent that it is a part of, or its account; and who tells of it."""
        self._tell(task, *ids(task))

    def went_on(self, task: Task) -> None:
        """The same of a task that began to run, or is further; but whoever waits for its end may sleep."""
        self._tell(task, *map(news_of, ids(task)))

    def _tell(self, task: Task, *topics: str) -> None:
        task_id = task.parent_id or task.id
        self._collect(task.account_id, task_id)
        if self._carrier is not None:
            self._carrier((f"{task.account_id}{CHANGED}{task_id}",))
        self.notify(*topics, task.account_id)
        if task.callbacks or task.parent_id:
            self.notify(WEBHOOK)

    def _collect(self, account_id: str, task_id: str) -> None:
        for changed in self._collecting.get(account_id, ()):
            changed.add(task_id)

    @contextmanager
    def watch(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set by each notification. Watch first, read second: so nothing is missed between."""
        event = asyncio.Event()
        for topic in topics:
            self._watching.setdefault(topic, set()).add(event)
        try:
            yield event
        finally:
            for topic in set(topics):
                watchers = self._watching[topic]
                watchers.discard(event)
                if not watchers:
                    del self._watching[topic]

    @contextmanager
    def collect(self, account_id: str) -> Iterator[set[str]]:
        """The internal ids of an account's tasks that change from now on, parents in place of their parts."""
        changed: set[str] = set()
        self._collecting.setdefault(account_id, []).append(changed)
        try:
            yield changed
        finally:
            left = [other for other in self._collecting.pop(account_id) if other is not changed]
            if left:
                self._collecting[account_id] = left


def ids(task: Task) -> tuple[str, ...]:
    """By which ids a task is watched."""
    return (task.public_id, task.parent_id) if task.parent_id else (task.public_id,)


def news_of(task_id: str) -> str:
    """The topic of what a running task has to tell, by one of its ids."""
    return f"{task_id}{NEWS}"


async def woken(event: asyncio.Event, timeout: float) -> bool:
    """Wait for an event of `watch` and reset it; false after `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError:
        return False
    event.clear()
    return True
