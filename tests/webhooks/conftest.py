"""Receivers and the sending half of a server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from outgoing import Office
from receivers import Receiver, receiving

from darkroom.store import Store


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything."""
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
def office(store: Store) -> Office:
    """On either database."""
    return Office(store)
