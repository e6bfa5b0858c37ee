"""What happens to an account's tasks, as it happens: for pushes of every kind.

Guarantees: each event is told once, and none is left out while a follower stays; a follower is woken by the hub, and
looks by itself now and then. Events come in the order of the log, except those that were written late.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from .core.commands import Notice
from .hub import Hub, woken
from .store import Store

REREAD = 5.0  # seconds after which a follower looks without having been woken
PAGE = 100


class Notices:
    """Follows the log of events. `reread` is in seconds."""

    def __init__(self, store: Store, hub: Hub, *, reread: float = REREAD) -> None:
        self._store = store
        self._hub = hub
        self._reread = reread

    async def follow(self, account_id: str, after: int) -> AsyncGenerator[tuple[Notice, ...], None]:
        """The events of an account behind the number `after`, a few at a time; none when a look found nothing new.

        An event has its number before its transaction ends, so one may turn up behind a later one. Every `reread`
        seconds a look goes back to where the one before the last such look ended.
        """
        seen = mark = settled = after
        told: set[int] = set()
        looked_back = time.monotonic()
        with self._hub.watch(account_id) as happened:
            while True:
                back = time.monotonic() - looked_back >= self._reread
                events = await self._store.account_events(
                    account_id, settled if back else seen, PAGE + len(told) if back else PAGE
                )
                new = [event for event in events if event[0] not in told]
                account = await self._store.account(account_id) if new else None
                if account is not None:
                    yield tuple(Notice(*event, account) for event in new)
                else:
                    yield ()
                if back:
                    settled, mark, looked_back = mark, seen, time.monotonic()
                    told = {number for number in told if number > settled}
                told |= {event[0] for event in new}
                seen = max(seen, *told) if told else seen
                if not new:
                    await woken(happened, self._reread)
