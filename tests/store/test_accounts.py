"""Accounts, keys, files and signing keys."""

from __future__ import annotations

from darkroom.core.access import Caller, KeyInfo, Rules
from darkroom.core.task import File
from darkroom.testing.databases import NOW, check_sums


async def test_accounts_are_listed_oldest_first(store):
    second = await store.add_account("second", 0, NOW + 1)
    first = await store.add_account("first", 5, NOW)
    assert await store.accounts() == [first, second]
    assert await store.account(first.id) == first
    assert await store.account("no such account") is None


async def test_a_grant_is_added_to_the_balance(store):
    account = await store.add_account("caller", 5, NOW)
    assert await store.grant(account.id, 7, NOW + 1)
    assert (await store.account(account.id)).available == 12
    await check_sums(store)


async def test_a_revoked_key_is_refused_and_only_revoked_once(store):
    account = await store.add_account("caller", 0, NOW)
    key = KeyInfo("key-1", account.id, "dk_…abcd", "laptop", NOW, None)
    await store.add_key(key, "digest")
    assert await store.caller("digest") == (Caller(account.id, "key-1", Rules()), None)
    assert await store.keys() == [key]
    assert await store.revoke_key("key-1", NOW + 1)
    assert not await store.revoke_key("key-1", NOW + 2)
    assert not await store.revoke_key("no such key", NOW)
    assert await store.caller("digest") is None
    assert [each.revoked_at for each in await store.keys()] == [NOW + 1]


async def test_a_key_that_nobody_has_opens_nothing(store):
    for digest in ("", "no such digest", "a\x00b", "%"):
        assert await store.caller(digest) is None


async def test_a_file_is_remembered_with_its_owner_until_it_is_forgotten(store):
    file = File("file-1", "inputs/1", "image/png", 12, 3, 4)
    await store.add_file("caller", file, NOW)
    assert await store.file("file-1") == (file, "caller")
    assert await store.remove_unused_file("file-1", NOW + 1)
    assert await store.file("file-1") is None


async def test_the_newest_signing_key_comes_first(store):
    await store.add_signing_key("old", "00", NOW)
    await store.add_signing_key("new", "ff", NOW + 1)
    assert await store.signing_keys() == [("new", "ff", NOW + 1, 0), ("old", "00", NOW, 0)]
