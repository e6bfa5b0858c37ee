"""PostgreSQL: lost connections, lost deadlocks, and the server that these tests run on."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import asyncpg
import pytest
from lives import submitted
from tables import rows

from darkroom.core.errors import Code, TaskError
from darkroom.store import Store
from darkroom.store.database import connect
from darkroom.store.in_step import RUNNERS
from darkroom.testing.databases import NOW, check_sums, new_task
from postgres import LIBRARIES, Postgres, installed

# Within a transaction the server answers this from what it saw first.
WAITING = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


@pytest.fixture
async def url(postgres):
    async with postgres.database() as url:
        yield url


@pytest.fixture
async def connection(url):
    """A connection past the store."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def waiting_backend(connection: asyncpg.Connection) -> int:
    """The process that waits for a lock, as soon as there is one."""
    (found,) = await waiting_backends(connection, 1)
    return found


async def waiting_backends(connection: asyncpg.Connection, count: int) -> list[int]:
    """The processes that wait for a lock, as soon as there are so many."""
    while len(found := await connection.fetch(WAITING)) < count:
        await connection.execute("SELECT pg_stat_clear_snapshot()")
        await asyncio.sleep(0.01)
    return [row["pid"] for row in found]


async def test_a_lost_connection_is_answered_as_unavailable_and_leaves_no_trace(url, connection):
    store = await Store.open(url)
    account = await store.add_account("caller", 10, NOW)
    locks = connection.transaction()
    await locks.start()
    await connection.execute("SELECT * FROM account FOR UPDATE")
    submitting = asyncio.create_task(store.submit((new_task(account.id, price=1),)))
    await connection.execute("SELECT pg_terminate_backend($1)", await waiting_backend(connection))
    with pytest.raises(TaskError) as caught:
        await submitting
    assert (caught.value.code, caught.value.retryable) == (Code.UNAVAILABLE, True)
    await locks.rollback()
    assert await store.tasks(account.id, None, 10) == []
    await submitted(store, account.id, price=1)
    await check_sums(store)
    await store.close()


async def test_a_transaction_that_loses_a_deadlock_is_run_again(url, connection):
    database = await connect(url)
    store = Store(database)
    first, second = [await store.add_account(name, 10, NOW) for name in ("first", "second")]
    begun: list[str] = []

    def both_accounts(*ids):
        def script():
            begun.append(ids[0])
            for account_id in ids:
                yield "move_credits", {"account_id": account_id, "draw": 0, "free": 1, "paid": 0, "held": 0}
                if len(begun) < 3:
                    yield "wait", {}
            return True

        return script

    # Both hold their first account when they ask for the other's: each waits for the advisory lock that we let go.
    await connection.execute("SELECT pg_advisory_lock(7)")
    wait = type(database._statements["accounts"])("wait", "", "SELECT pg_advisory_xact_lock_shared(7)", ())
    database._statements = database._statements | {"wait": wait}
    writing = []
    for ids in ((first.id, second.id), (second.id, first.id)):
        writing.append(asyncio.create_task(database.write(both_accounts(*ids))))
        await waiting_backends(connection, len(writing))
    await connection.execute("SELECT pg_advisory_unlock(7)")
    assert await asyncio.gather(*writing) == [True, True]
    assert len(begun) == 3
    assert [account.available for account in await store.accounts()] == [12, 12]
    await store.close()


async def test_a_caller_who_gives_up_before_his_turn_leaves_nothing_behind(url, connection):
    store = await Store.open(url)
    account = await store.add_account("caller", 10, NOW)
    locks = connection.transaction()
    await locks.start()
    await connection.execute("SELECT * FROM account FOR UPDATE")
    submitting = []
    for number in range(RUNNERS):
        submitting.append(asyncio.create_task(store.submit((new_task(account.id, price=1),))))
        await waiting_backends(connection, number + 1)
    submitting.append(asyncio.create_task(store.submit((new_task(account.id, price=1),))))
    await asyncio.sleep(0)
    submitting[-1].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await submitting[-1]
    await locks.rollback()
    await asyncio.gather(*submitting[:-1])
    assert len(await store.tasks(account.id, None, 10)) == RUNNERS
    await submitted(store, account.id, price=1)
    await check_sums(store)
    await store.close()


async def test_a_mistake_in_a_script_is_not_called_an_outage(url):
    database = await connect(url)

    def wrong_type():
        yield "account", {"id": 5}

    with pytest.raises(asyncpg.DataError, match="expected str"):
        await database.write(wrong_type)
    with pytest.raises(asyncpg.DataError, match="expected str"):
        await database.read("account", id=5)
    await database.close()


async def test_a_server_that_is_not_there_stops_the_start(postgres):
    with pytest.raises(ConnectionError, match="cannot reach the database"):
        await Store.open(postgres.url("no_such_database"))


async def test_a_closed_store_says_so(url):
    store = await Store.open(url)
    await store.close()
    for call in (store.add_account("caller", 1, NOW), store.accounts()):
        with pytest.raises(TaskError) as caught:
            await call
        assert caught.value.code is Code.UNAVAILABLE


async def test_a_failed_migration_leaves_no_connection_open(url, connection):
    await connection.execute("CREATE TABLE account (id TEXT)")
    with pytest.raises(asyncpg.DuplicateTableError):
        await Store.open(url)
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    while await connection.fetch(others):
        await asyncio.sleep(0.01)
    assert await rows(url, "SELECT * FROM migration") == []


def test_the_tests_server_runs_from_a_folder_that_it_may_not_enter(postgres, tmp_path):
    install = installed()
    package = tmp_path / "closed" / install.parent.name
    shutil.copytree(install, package / install.name, symlinks=True, ignore=shutil.ignore_patterns("include"))
    shutil.copytree(install.parents[1] / LIBRARIES, tmp_path / "closed" / LIBRARIES)
    (tmp_path / "closed").chmod(0o700)
    with Postgres(package / install.name) as server:
        folder = Path(server._data).parent
        assert server.port != postgres.port
    assert not folder.exists()
