"""A receiver that dies while it is being connected to is one that cannot be reached, and no bug of ours."""

from __future__ import annotations

import httpcore
import pytest
from receivers import Receiver

from darkroom.core.webhooks import Kind
from darkroom.reach import Reach
from darkroom.sending import Sender


async def test_a_connection_that_ends_as_soon_as_it_is_made_is_a_failed_try(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under uvloop such a socket is gone when it is asked for its addresses."""
    sender = Sender(Reach(["127.0.0.0/8"]))
    connect = httpcore.AnyIOBackend.connect_tcp

    async def gone(self: httpcore.AnyIOBackend, *args: object) -> httpcore.AsyncNetworkStream:
        stream = await connect(self, *args)
        await stream.aclose()

        def asked(info: str) -> object:
            return None.getpeername()

        monkeypatch.setattr(stream, "get_extra_info", asked)
        return stream

    with monkeypatch.context() as patched:
        patched.setattr(httpcore.AnyIOBackend, "connect_tcp", gone)
        outcome = await sender.post("lane", receiver.url(), (), b"{}")
    assert (outcome.kind, outcome.alive) == (Kind.FAILED, False)
    assert (await sender.post("lane", receiver.url(), (), b"{}")).kind is Kind.SENT
    await sender.close()
