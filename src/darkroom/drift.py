"""Watches that the ledger and the accounts agree, at the cost of the lines that are new.

Guarantees: each line is added up once, in pages that hold nobody up; the rest of a look is one query, so lines that are
written meanwhile are no drift. `darkroom doctor` says which account it is, and repairs it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from . import metrics
from .log import Event, write, write_failure
from .store import Store
from .store.checks import Sums

PERIOD = 60.0  # seconds between looks
SETTLED = 300_000  # milliseconds after which no line of a lower number appears any more: no transaction takes so long
PAGE = 5_000  # lines


class Ledger:
    """What the lines up to a number add up to, a page at a time."""

    def __init__(self, store: Store, page: int = PAGE) -> None:
        self._store = store
        self._page = page
        self._after = 0  # the last line that is added up
        self._sums = Sums()

    async def drift(self, now: int) -> int:
        """By how many credits the accounts and the ledger differ; 0 if all is right."""
        while (page := await self._store.page_of_lines(self._after, self._page)).count == self._page:
            if page.newest > now - SETTLED:
                break
            self._after = page.last
            self._sums += page.sums
            await asyncio.sleep(0)  # others may read
        rest = await self._store.behind_lines(self._after)
        return abs(rest.available - self._sums.available) + abs(rest.held - self._sums.held)


async def watch_ledger(store: Store, clock: Callable[[], int]) -> None:
    """Look now and then, for ever; what is found goes to the metrics, and to the log when it changes."""
    ledger, before = Ledger(store), 0
    while True:
        try:
            found = await ledger.drift(clock())
            metrics.DRIFT.set(found)
            if found != before:
                write(Event.LEDGER_DRIFT, level=logging.ERROR if found else logging.INFO, credits=found)
            before = found
        except Exception as error:  # noqa: BLE001 - the next look may succeed
            write_failure("ledger", error)
        await asyncio.sleep(PERIOD)
