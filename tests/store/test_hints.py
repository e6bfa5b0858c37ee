"""Hints between nodes on a real PostgreSQL: they arrive, together, and an interruption loses nothing for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from darkroom.hub import CANCEL, WORK, Hub
from darkroom.store.hints import LARGEST, MANY, Hints, messages
from darkroom.testing.databases import new_task

PATIENCE = 60.0
LISTENERS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND (query ILIKE 'listen%' OR query LIKE '%pg_notify(%')
"""


@pytest.fixture
async def url(postgres):
    async with postgres.database() as url:
        yield url


@dataclass
class Node:
    """A hub and its connection, and what it was told."""

    hub: Hub = field(default_factory=Hub)
    heard: list[Sequence[str] | None] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, hints: Sequence[str] | None) -> None:
        self.heard.append(hints)
        self.hub.hear(hints)
        self.happened.set()

    @asynccontextmanager
    async def joined(self, url: str) -> AsyncIterator[Hints]:
        """On the database, as soon as it listens."""
        hints = Hints(url, self.hear, self.failures.append)
        self.hub.carry(hints.send)
        running = asyncio.create_task(hints.run())
        try:
            await self.told()
            yield hints
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def told(self) -> None:
        """Wait until it hears something."""
        await asyncio.wait_for(self.happened.wait(), PATIENCE)
        self.happened.clear()


async def test_a_waiter_on_another_node_is_woken(url):
    here, there = Node(), Node()
    async with here.joined(url), there.joined(url):
        with there.hub.watch("task") as woken, there.hub.watch(WORK) as idle:
            woken.clear()
            here.hub.notify("task", "something else")
            await asyncio.wait_for(woken.wait(), PATIENCE)
            assert not idle.is_set()


async def test_a_change_reaches_the_followers_of_the_account_elsewhere(url):
    here, there = Node(), Node()
    task = new_task("account")
    async with here.joined(url), there.joined(url):
        with there.hub.collect("account") as changed, there.hub.watch(task.public_id) as woken:
            here.hub.changed(task)
            await asyncio.wait_for(woken.wait(), PATIENCE)
            assert changed == {task.id}


async def test_nobody_hears_himself(url):
    here, there = Node(), Node()
    async with here.joined(url), there.joined(url):
        here.hub.notify(CANCEL)
        await there.told()
    assert [hints for hints in here.heard if hints] == []


async def test_what_happens_together_is_sent_together(url):
    here, there = Node(), Node()
    async with here.joined(url), there.joined(url):
        for number in range(300):
            here.hub.notify(f"task-{number:03}")
        while sum(len(hints or ()) for hints in there.heard) < 300:
            await there.told()
    assert len([hints for hints in there.heard if hints]) == 1


async def test_after_an_interruption_everybody_looks_and_hints_come_again(url):
    here, there = Node(), Node()
    admin = await asyncpg.connect(url)
    async with here.joined(url), there.joined(url):
        with there.hub.watch("task") as woken:
            assert await admin.fetch(f"SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS nodes")
            await asyncio.wait_for(woken.wait(), PATIENCE)  # without any hint
            woken.clear()
            while not here.happened.is_set():  # it is back, too
                await asyncio.sleep(0.01)
            while not woken.is_set():
                here.hub.notify("task")
                await asyncio.sleep(0.05)
    await admin.close()
    assert there.failures or here.failures or None in there.heard[1:]


def test_messages_are_of_a_size_that_can_be_sent():
    hints = {f"account-{number}>{'x' * 200}" for number in range(400)}
    found = messages("node", hints)
    assert all(len(message.encode()) <= LARGEST + 5 for message in found)
    assert {hint for message in found for hint in message.split("\n")[1:]} == hints
    assert {message.split("\n")[0] for message in found} == {"node"}


def test_more_than_anybody_can_look_at_is_told_as_everything():
    assert messages("node", {str(number) for number in range(MANY + 1)}) == ["node\n*"]


async def test_hints_without_a_connection_do_not_pile_up():
    hints = Hints("postgresql://nobody@127.0.0.1:1/none", lambda _: None, lambda _: None)
    for number in range(3 * MANY):
        hints.send((str(number),))
    assert len(hints._waiting) <= MANY


async def test_no_failure_ends_the_carrier_and_the_others_look_after_it(url):
    here, there = Node(), Node()

    def fails_once(hints: Sequence[str] | None) -> None:
        here.hear(hints)
        if len(here.heard) == 1:
            raise asyncpg.InternalClientError("a mistake of the driver")

    async with there.joined(url):
        hints = Hints(url, fails_once, here.failures.append)
        running = asyncio.create_task(hints.run())
        await there.told()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert [error.detail for error in here.failures] == [
        "PostgreSQL: the connection is of no use any more: a mistake of the driver"
    ]
    assert there.heard[-1] is None
