"""Reads that share a statement on PostgreSQL: each gets its own rows, none older than its question."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from lives import claimed, submitted

from darkroom.core.errors import Code, TaskError
from darkroom.positions import Positions
from darkroom.store import Store
from darkroom.testing.databases import new_family

WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def url(postgres):
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def store(url):
    store = await Store.open(url)
    yield store
    await store.close()


@asynccontextmanager
async def nobody_reads(url: str):
    """While this lasts the first read waits in the server, and others wait for that; a connection past the store."""
    connection = await asyncpg.connect(url)
    lock = await asyncpg.connect(url)
    try:
        async with lock.transaction():
            await lock.execute("LOCK TABLE task")
            yield connection
    finally:
        await lock.close()
        await connection.close()


async def backends(connection: asyncpg.Connection) -> list[int]:
    """The processes that wait for a lock, as soon as there are some."""
    while not (found := await connection.fetch(WAITING)):
        await asyncio.sleep(0.01)
    return [row["pid"] for row in found]


@pytest.fixture
def patient(monkeypatch):
    """Whoever shares a read waits for it, also where this machine stands still for a moment."""
    monkeypatch.setattr("darkroom.store.shared_reads.PATIENCE", 60.0)


@pytest.mark.usefixtures("patient")
async def test_reads_that_come_while_one_is_under_way_are_one_statement_and_each_gets_its_own(store, url):
    tasks = [await submitted(store, f"account-{number}") for number in range(20)]
    ids = [task.public_id for task in tasks] * 2 + ["unknown", "\x00'\ud800"]
    async with nobody_reads(url) as connection:
        reads = [asyncio.create_task(store.glance(public_id)) for public_id in ids]
        await backends(connection)
        await asyncio.sleep(0.05)
        assert len(await backends(connection)) == 1
    assert await asyncio.gather(*reads) == [(task.account_id, 1) for task in tasks] * 2 + [None, None]


async def test_whole_tasks_parents_and_places_are_the_same_together_as_alone(store):
    family = new_family("parent", parts=3)
    await store.submit(family)
    await submitted(store, "waits", model="another-model")
    await claimed(store, limit=2)
    known = [await store.task(task.public_id) for task in (*family, *await store.tasks("waits", None, 9))]
    places = Positions(store)
    alone = [await places.ahead(task) for task in known]
    assert await asyncio.gather(*(store.task(task.public_id) for task in known)) == known
    assert await asyncio.gather(*(store.task_of_id(task.id) for task in known)) == known
    assert await asyncio.gather(*(places.ahead(task) for task in known)) == alone
    glances = [await store.glance(task.public_id) for task in known]
    assert await asyncio.gather(*(store.glance(task.public_id) for task in known)) == glances


async def test_who_asks_after_a_change_sees_it_although_an_earlier_read_is_under_way(store, url):
    task = await submitted(store, "account")
    lock = await asyncpg.connect(url)
    async with nobody_reads(url) as connection:
        first = asyncio.create_task(store.glance(task.public_id))
        await backends(connection)
        changing = asyncio.create_task(lock.execute("UPDATE task SET version = 7"))
        while len(await backends(connection)) < 2:
            await asyncio.sleep(0.01)
    await changing
    await lock.close()
    assert await asyncio.gather(*(store.glance(task.public_id) for _ in range(3))) == [("account", 7)] * 3
    await first


@pytest.mark.usefixtures("patient")
async def test_a_lost_connection_is_told_to_all_who_share_it_and_the_next_read_works(store, url):
    tasks = [await submitted(store, "account") for _ in range(5)]
    async with nobody_reads(url) as connection:
        reads = [asyncio.create_task(store.glance(task.public_id)) for task in tasks]
        for _ in range(2):  # the first, and then those who waited for it
            (pid,) = await backends(connection)
            await connection.execute("SELECT pg_terminate_backend($1)", pid)
            while pid in [row["pid"] for row in await connection.fetch(WAITING)]:
                await asyncio.sleep(0.01)
        errors = await asyncio.gather(*reads, return_exceptions=True)
    assert [error.code for error in errors if isinstance(error, TaskError)] == [Code.UNAVAILABLE] * 5
    assert await store.glance(tasks[0].public_id) == ("account", 1)


async def test_callers_who_give_up_leave_the_others_their_answers(store, url):
    tasks = [await submitted(store, "account") for _ in range(6)]
    async with nobody_reads(url) as connection:
        reads = [asyncio.create_task(store.glance(task.public_id)) for task in tasks]
        await backends(connection)
        for given_up in (reads[0], reads[3]):
            given_up.cancel()
            with suppress(asyncio.CancelledError):
                await given_up
    assert await asyncio.gather(*reads[1:3], *reads[4:]) == [("account", 1)] * 4
    assert await store.glance(tasks[0].public_id) == ("account", 1)


async def test_a_connection_that_is_silent_holds_nobody_up_for_long(store, url, monkeypatch):
    monkeypatch.setattr("darkroom.store.shared_reads.PATIENCE", 0.1)
    tasks = [await submitted(store, "account") for _ in range(3)]
    async with nobody_reads(url) as connection:
        first = asyncio.create_task(store.glance(tasks[0].public_id))
        (pid,) = await backends(connection)
        os.kill(pid, signal.SIGSTOP)
    try:
        waits = asyncio.create_task(store.glance(tasks[1].public_id))
        await asyncio.sleep(0.2)
        assert await store.glance(tasks[2].public_id) == ("account", 1)
        assert await waits == ("account", 1)
        assert not first.done()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert await first == ("account", 1)
