"""Keys that sign links change without breaking a link that lives, and go when none is left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest

from darkroom import signing_keys
from darkroom.core.commands import Signature
from darkroom.core.errors import Code, TaskError
from darkroom.objects.signing import HOUR, Signer
from darkroom.signing_keys import SETTLE, keep_current, load, rotate
from darkroom.store import Store
from darkroom.testing.databases import NOW
from darkroom.testing.server import Darkroom, fetched

DAY = 24 * HOUR
LIFE = DAY + HOUR


class Server:
    """What a server does with links, at any time."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.signer: Signer | None = None

    async def look(self, now: int) -> None:
        """Take notice of the keys."""
        keys = await load(self.store, LIFE, now)
        if self.signer is None:
            self.signer = Signer(keys, period_ms=HOUR, lifetime_ms=DAY)
        self.signer.use(keys)

    def link(self, now: int) -> str:
        """A link made now."""
        assert self.signer
        return self.signer.sign("/p", now)

    def refuses(self, link: str, now: int) -> Code | None:
        """Why a link is refused now; `None` where it works."""
        assert self.signer
        query = parse_qs(link)
        try:
            self.signer.verify(Signature("/p", int(query["exp"][0]), query["sig"][0]), now)
        except TaskError as error:
            return error.code
        return None


async def count(store: Store) -> int:
    return len(await store.signing_keys())


async def test_the_first_look_makes_a_key_and_later_ones_keep_it(store: Store) -> None:
    one, other = Server(store), Server(store)
    await one.look(NOW)
    await other.look(NOW + 1)
    assert one.link(NOW) == other.link(NOW)
    assert await count(store) == 1


async def test_a_new_key_signs_only_when_every_server_has_had_time_to_know_it(store: Store) -> None:
    early, late = Server(store), Server(store)
    for server in (early, late):
        await server.look(NOW)
    old = early.link(NOW + DAY)
    await rotate(store, NOW + DAY)
    await early.look(NOW + DAY + 1)  # the other one has not looked yet
    assert early.link(NOW + DAY) == old
    assert late.refuses(early.link(NOW + DAY + 1), NOW + DAY + 1) is None
    await late.look(NOW + DAY + 60_000)  # it knows the new key, and does not sign with it
    await early.look(NOW + DAY + SETTLE)
    new = early.link(NOW + DAY)
    assert new != old
    assert late.refuses(new, NOW + DAY + SETTLE) is None


async def test_links_of_an_old_key_work_until_they_expire_and_then_the_key_goes(store: Store) -> None:
    server = Server(store)
    await server.look(NOW)
    await rotate(store, NOW + 1)
    last = NOW + SETTLE
    await server.look(last)
    link = server.link(last)  # the old key's last one
    expires = int(parse_qs(link)["exp"][0])
    for now in range(last, expires, HOUR):
        await server.look(now)
        assert server.refuses(link, now) is None
    assert await count(store) == 2
    await server.look(expires + HOUR)
    assert await count(store) == 1
    assert server.refuses(link, expires + HOUR) is Code.INVALID_LINK
    assert server.refuses(server.link(expires + HOUR), expires + HOUR) is None


async def test_a_shorter_lifetime_does_not_end_links_that_were_made_before(store: Store) -> None:
    server = Server(store)
    await server.look(NOW)
    link = server.link(NOW)
    await load(store, HOUR, NOW)  # a server with another setting
    await rotate(store, NOW + 1)
    await load(store, HOUR, NOW + 20 * HOUR)
    await server.look(NOW + 20 * HOUR)
    assert server.refuses(link, NOW + 20 * HOUR) is None


async def test_two_changes_in_a_row_lose_no_link(store: Store) -> None:
    server = Server(store)
    await server.look(NOW)
    links = []
    for number in range(3):
        now = NOW + 1 + number * 2 * SETTLE
        await rotate(store, now)
        await server.look(now + SETTLE)
        links.append(server.link(now + SETTLE))
    assert len(set(links)) == 3
    assert [server.refuses(link, NOW + 8 * SETTLE) for link in links] == [None] * 3


async def test_a_running_server_notices_a_new_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "LOOK", 0.01)
    server = Server(store)
    await server.look(NOW)
    assert server.signer
    before = server.link(NOW)
    looking = asyncio.create_task(keep_current(store, server.signer, lambda: NOW + 1 + SETTLE))
    await rotate(store, NOW + 1)
    async with asyncio.timeout(60):
        while server.link(NOW) == before:
            await asyncio.sleep(0.01)
    assert server.refuses(before, NOW) is None
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)


def test_the_command_adds_a_key_beside_a_running_server(tmp_path: Path) -> None:
    with Darkroom(tmp_path) as server:
        client: httpx.Client = server.client()
        task = client.post("/api/tasks?wait=20", json={"operation": "image.generate"}).json()
        link = task["outputs"][0]["url"]
        assert "two minutes" in server.command("signing", "rotate")
        assert fetched(link).status_code == 200
        path = link.removeprefix(server.address)
        server.restart()
        assert fetched(server.address + path).status_code == 200
