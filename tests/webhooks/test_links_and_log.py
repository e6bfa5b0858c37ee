"""Links in what is sent, and the end of what the log remembers."""

from __future__ import annotations

import pytest
from outgoing import Office, at
from receivers import Receiver

from darkroom.addresses import Addresses
from darkroom.clock import utc_now
from darkroom.core.webhooks import Status


@pytest.mark.parametrize("dialect", ["native", "tensorslab", "dimilinks", "muyuhan"])
async def test_links_in_bodies_lead_to_the_cache_where_there_is_one(
    office: Office, receiver: Receiver, dialect: str
) -> None:
    office.addresses = Addresses(cdn_url="https://cdn.example.com")
    await office.submit(at(receiver.url()), dialect=dialect, base_url="https://media.example/mount")
    (task,) = await office.claimed()
    async with office.sending():
        await office.moved(task)
        (got,) = await receiver.until(1, 30)
    assert b"https://cdn.example.com/mount/" in got.body


async def test_what_is_through_for_long_leaves_the_log_and_what_is_not_stays(office: Office) -> None:
    for _ in range(3):
        await office.canceled(at("http://127.0.0.1:9/hook"))
    office.schedule = (0,)
    async with office.sending():
        await office.until(*[Status.FAILED] * 3)
    await office.canceled(at("http://127.0.0.1:9/hook"))
    outbox, later = office.store.outbox, utc_now() + 1
    assert await outbox.remove_old(later - 3_600_000) == 0
    assert [await outbox.remove_old(later, limit=2) for _ in range(3)] == [2, 1, 0]
    assert [delivery.status for delivery in await office.log()] == [Status.PENDING]
