"""A client as it lives through the run: it submits, repeats what was cut off, polls, cancels, deletes and fetches.

It writes down what it saw and judges nothing. Two requests are under way at a time. What a client may get from a server
in trouble (no connection, 5xx but 500, 429, and muyuhan's 510) is asked for again; any other refusal is noted.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import httpx

from chaos.habits import Habit, Order
from chaos.story import FINAL, GONE, Sighting, Story
from darkroom.testing.server import NO_TLS
from server.vendors import Request

AT_ONCE = 2  # requests
TIMEOUT = 15.0  # seconds, of one answer
BUSY = 510  # muyuhan's code for a server in trouble, with HTTP 200
ABSENT = 900  # and for what is not there
Answer = tuple[httpx.Response, Any]


class Client:
    """One habit, with an account of its own, at servers that are the same to it. `hook` is where its webhooks go."""

    def __init__(self, habit: Habit, key: str, addresses: Sequence[str], hook: str, seed: str) -> None:
        self.habit = habit
        self.stories: list[Story] = []
        self.cut_off = 0  # answers that were not had at the first try
        self._addresses = addresses
        self._hook = hook
        self._random = random.Random(seed)
        self._turn = 0
        self._over = asyncio.Event()
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.AsyncClient(headers=headers, verify=NO_TLS, trust_env=False, timeout=TIMEOUT)

    async def live(self) -> None:
        """Send one request after the other until `finish`, and see to the end of each."""
        numbers = itertools.count()
        async with self._http, asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._go_on(numbers))

    def finish(self) -> None:
        """Begin nothing more."""
        self._over.set()

    async def _go_on(self, numbers: itertools.count[int]) -> None:
        while not self._over.is_set():
            number = next(numbers)
            order = self.habit.orders[number % len(self.habit.orders)]
            prompt = f"a lake, {self.habit.name} {number}"
            story = Story(self.habit.name, prompt, order.ends, order.parts, not self.habit.own_webhook)
            self.stories.append(story)
            await self._carry_out(order, story)
            story.closed = True
            await asyncio.sleep(self._random.uniform(0, 0.2))

    async def _carry_out(self, order: Order, story: Story) -> None:
        task_id = await self._submit(order, story)
        if task_id is None:
            return
        match order.then:
            case "cancel":
                await asyncio.sleep(self._random.uniform(0, 0.5))
                await self._cancel(task_id, story)
            case "delete at once":
                await asyncio.sleep(self._random.uniform(0, 0.5))
                await self._delete(task_id, story)
                return
            case _:
                pass
        if self.habit.follows:
            await self._listen(task_id, story)
        links = await self._poll(task_id, story)
        for link in links:
            await self._fetch(link, story)
        if order.then == "delete":
            await self._delete(task_id, story)

    # ---- what is asked

    async def _submit(self, order: Order, story: Story) -> str | None:
        request = order.request(story.prompt)
        if self.habit.own_webhook:
            request[2]["json"]["webhook"] = self._hook
        headers = {"Idempotency-Key": story.prompt} if self.habit.key else {}
        response, body = await self._ask(request, headers)
        try:
            story.ids.append(self.habit.vendor.task_id(body))
        except (KeyError, TypeError):
            story.refused.append(f"a submit was answered {response.status_code} {response.text[:300]}")
            return None
        return story.ids[-1]

    async def _poll(self, task_id: str, story: Story) -> list[str]:
        """Poll until the task is final; the links to its results."""
        while True:
            method, path, options = self.habit.vendor.query(task_id)
            if self.habit.wait:
                path += f"{'&' if '?' in path else '?'}wait={self.habit.wait:g}"
            response, body = await self._ask((method, path, options))
            if absent(response, body) or not response.is_success:
                story.refused.append(f"a query was answered {response.status_code} {response.text[:300]}")
                return []
            story.seen.append(self.habit.sighting(body))
            if story.seen[-1].state in FINAL:
                return self.habit.vendor.links(body) if story.seen[-1].state == "succeeded" else []
            await asyncio.sleep(self._random.uniform(0.05, 0.2))

    async def _listen(self, task_id: str, story: Story) -> None:
        """Follow the task's events to its end; come back with the last number whenever the stream is cut off."""
        while True:
            headers = {"Last-Event-ID": str(story.told[-1][0])} if story.told else {}
            url = f"{self._address}/api/tasks/{task_id}/events"
            with suppress(httpx.TransportError):
                async with self._http.stream("GET", url, headers=headers) as response:
                    if response.status_code == 204:  # all was told before
                        return
                    if response.status_code != 200 and not in_trouble(response, None):
                        story.refused.append(f"a follower was answered {response.status_code}")
                        return
                    async for number, data in events(response):
                        hear(number, data, story)
                        if story.seen[-1].state in FINAL and number is not None:
                            return
            self._turn += 1
            self.cut_off += 1
            await asyncio.sleep(self._random.uniform(0.05, 0.4))

    async def _cancel(self, task_id: str, story: Story) -> None:
        cancel = self.habit.vendor.cancel
        assert cancel is not None
        response, body = await self._ask(cancel(task_id))
        if response.is_success:
            story.seen.append(self.habit.sighting(body))
        elif response.status_code != 409:  # it has ended already
            story.refused.append(f"a cancel was answered {response.status_code} {response.text[:300]}")

    async def _delete(self, task_id: str, story: Story) -> None:
        delete = self.habit.vendor.delete
        assert delete is not None
        response, body = await self._ask(delete(task_id))
        if not (response.is_success or absent(response, body)):  # absent: the answer to an earlier try was cut off
            story.refused.append(f"a delete was answered {response.status_code} {response.text[:300]}")
            return
        story.deleted = True
        response, body = await self._ask(self.habit.vendor.query(task_id))
        story.seen.append(GONE if absent(response, body) else self.habit.sighting(body))

    async def _fetch(self, link: str, story: Story) -> None:
        parts = urlsplit(link)
        response, _ = await self._ask(("GET", f"{parts.path}?{parts.query}", {}))
        if not (response.is_success and response.headers["content-type"].startswith("image/") and response.content):
            story.refused.append(f"a result's link was answered {response.status_code} {response.text[:300]}")

    # ---- until there is an answer

    @property
    def _address(self) -> str:
        """The server that is asked now."""
        return self._addresses[self._turn % len(self._addresses)]

    async def _ask(self, request: Request, headers: dict[str, str] | None = None) -> Answer:
        """The answer, however often it has to be asked for; the same bytes each time."""
        method, path, options = request
        while True:
            try:
                response = await self._http.request(method, self._address + path, headers=headers, **options)
            except httpx.TransportError:
                self._turn += 1
            else:
                body = json_of(response)
                if not in_trouble(response, body):
                    return response, body
            self.cut_off += 1
            await asyncio.sleep(self._random.uniform(0.05, 0.4))


async def events(response: httpx.Response) -> AsyncIterator[tuple[int | None, Any]]:
    """The server-sent events of an answer that is one of 200: their numbers and data; none of any other answer."""
    if response.status_code != 200:
        return
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        name, _, value = line.partition(": ")
        if line:
            fields[name] = value
        else:
            data = json.loads(fields.get("data", "{}"))
            if "task" in data:
                yield int(fields["id"]) if "id" in fields else None, data
            fields = {}


def hear(number: int | None, data: Any, story: Story) -> None:
    """Write down an event. A numbered one tells a state that began; the task beside it may be further by then."""
    task = data["task"]
    now = Sighting(task["state"], task["attempt"], task["progress"])
    if number is None:
        story.seen.append(now)
        return
    story.told.append((number, data["state"]))
    same = (now.state, now.attempt) == (data["state"], data["attempt"])
    story.seen.append(now if same else Sighting(data["state"], data["attempt"]))


def json_of(response: httpx.Response) -> Any:
    """The body as JSON, if it is that."""
    told = response.headers.get("content-type", "").startswith("application/json")
    return response.json() if told and response.content else None


def in_trouble(response: httpx.Response, body: Any) -> bool:
    """Whether the answer says that the server cannot answer now. 500 is not that: it is a bug."""
    if response.status_code == 429 or response.status_code > 500:
        return True
    return isinstance(body, dict) and body.get("code") == BUSY


def absent(response: httpx.Response, body: Any) -> bool:
    """Whether the answer says that there is no such thing; tensorslab tells it with 400 where a task is deleted."""
    if response.status_code == 404 or not isinstance(body, dict):
        return response.status_code == 404
    return body.get("code") == ABSENT or (response.status_code == 400 and body.get("msg") == "There is no such task.")
