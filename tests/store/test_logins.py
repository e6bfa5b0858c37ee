"""Devices log in without a key: the first time an account is opened, and each login ends the one before."""

from __future__ import annotations

import asyncio

from darkroom.core.ids import new_key
from darkroom.keys import digest_of, login
from darkroom.store import Store

NOW = 1_777_000_000_000


async def test_the_first_login_opens_an_account_with_credits(store):
    session = await login(store, "app/device", new_key(), 100, NOW)
    assert (session.opened, session.account.available) == (True, 100)
    assert (await store.caller(digest_of(session.key)))[0].account_id == session.account.id


async def test_another_login_of_the_device_has_the_same_account_and_no_more_credits(store):
    first = await login(store, "app/device", new_key(), 100, NOW)
    again = await login(store, "app/device", new_key(), 100, NOW + 1)
    assert (again.opened, again.account) == (False, first.account)
    assert len(await store.entries(first.account.id)) == 1


async def test_a_login_ends_the_one_before_and_nothing_else(store):
    first = await login(store, "app/device", new_key(), 100, NOW)
    other = await login(store, "app/another device", new_key(), 100, NOW)
    again = await login(store, "app/device", new_key(), 100, NOW + 1)
    assert await store.caller(digest_of(first.key)) is None
    assert (await store.caller(digest_of(again.key)))[0].account_id == again.account.id
    assert (await store.caller(digest_of(other.key)))[0].account_id == other.account.id != again.account.id


async def test_logins_at_the_same_time_open_one_account(database_url):
    stores = [await Store.open(database_url) for _ in range(2)]
    sessions = await asyncio.gather(*(login(stores[n % 2], "device", new_key(), 100, NOW + n) for n in range(8)))
    assert sum(session.opened for session in sessions) == 1
    assert {session.account.id for session in sessions} == {sessions[0].account.id}
    account = await stores[0].account(sessions[0].account.id)
    assert account.available == 100
    await asyncio.gather(*(store.close() for store in stores))
