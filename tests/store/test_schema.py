"""Both databases have the same tables, and opening them is safe to repeat and to do at once."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from lives import submitted
from tables import TABLES, columns, contents, indexes, primary_keys, rows

from darkroom.store import Store
from darkroom.store.database import connect, migrations
from darkroom.store.queries import PARAMETER, statements


@pytest.fixture
async def both_urls(tmp_path, postgres):
    async with postgres.database() as url:
        urls = (f"sqlite:{tmp_path}/darkroom.db", url)
        for each in urls:
            await (await Store.open(each)).close()
        yield urls


async def test_both_databases_have_the_same_columns(both_urls):
    sqlite, postgres = [await columns(url) for url in both_urls]
    assert sqlite == postgres
    assert {table for table, _, _ in sqlite} == set(TABLES)


async def test_both_databases_have_the_same_indexes(both_urls):
    sqlite, postgres = [await indexes(url) for url in both_urls]
    assert {index[:4] for index in sqlite} == {index[:4] for index in postgres}
    assert {named(index) for index in sqlite} == {named(index) for index in postgres}
    assert len(sqlite) >= 10


def named(index: tuple) -> tuple[str, tuple[str, ...]]:
    """An index with the bare names of its columns."""
    return index[1], tuple(column.split()[0] for column in index[4])


async def test_both_databases_have_the_same_primary_keys(both_urls):
    sqlite, postgres = [await primary_keys(url) for url in both_urls]
    assert sqlite == postgres


def test_both_databases_have_the_same_migrations():
    assert [name for _, name, _ in migrations("sqlite")] == [name for _, name, _ in migrations("postgres")]


async def test_a_database_that_is_opened_again_is_unchanged(database_url):
    first = await Store.open(database_url)
    task = await submitted(first)
    await first.close()
    before = await contents(database_url), await columns(database_url), await indexes(database_url)
    second = await Store.open(database_url)
    assert await second.task(task.public_id) == task
    assert (await contents(database_url), await columns(database_url), await indexes(database_url)) == before
    await second.close()


async def test_eight_nodes_may_open_a_fresh_database_at_once(database_url):
    stores = await asyncio.gather(*(Store.open(database_url) for _ in range(8)))
    assert len(await rows(database_url, "SELECT version FROM migration")) == len(migrations("sqlite"))
    tasks = [await submitted(store) for store in stores]
    assert [await stores[0].task(task.public_id) for task in tasks] == tasks
    await asyncio.gather(*(store.close() for store in stores))


async def test_every_query_is_understood_by_both_databases(both_urls):
    sqlite, postgres = both_urls
    connection = await asyncpg.connect(postgres)
    for statement in statements().values():
        await connection.prepare(statement.positional)
        await rows(sqlite, f"EXPLAIN {PARAMETER.sub('NULL', statement.text)}")
    await connection.close()


@pytest.mark.parametrize("url", ["mysql://caller:secret@host/db", "sqlite", "", "sqlite:", "sqlite::memory:"])
async def test_an_address_that_cannot_work_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="sqlite:PATH") as caught:
        await connect(url)
    assert "secret" not in str(caught.value)
