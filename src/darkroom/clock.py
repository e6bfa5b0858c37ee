"""What time it is, in UTC milliseconds: here, or at the database that several servers share.

Leases, deadlines and links compare times that different servers wrote. So servers that share a database go by its
clock, and one whose own clock is wrong does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Self

from .log import Event, write, write_failure

Clock = Callable[[], int]

PERIOD = 10.0  # seconds between questions to the database
APART = 2_000  # milliseconds by which a server's own clock may be wrong before its operator is told


def utc_now() -> int:
    """The time of this machine's clock."""
    return time.time_ns() // 1_000_000


class SharedClock:
    """The time of a clock elsewhere, asked for now and then; between two answers this machine's stopwatch goes on.

    Nothing steps when somebody sets this machine's clock. An answer is right to half the time that it took.
    """

    def __init__(self, ask: Callable[[], Awaitable[int]]) -> None:
        self._ask = ask
        self._ahead = 0.0  # milliseconds by which the shared clock is ahead of the stopwatch
        self._apart = False

    @classmethod
    async def start(cls, ask: Callable[[], Awaitable[int]]) -> Self:
        """A clock that knows the time."""
        clock = cls(ask)
        await clock.set()
        return clock

    def __call__(self) -> int:
        """What time it is there."""
        return int(stopwatch() + self._ahead)

    async def set(self) -> None:
        """Ask once; say so if this machine's own clock is wrong, or right again."""
        before = stopwatch()
        told = await self._ask()
        self._ahead = told - (before + stopwatch()) / 2
        wrong = utc_now() - self()
        if (abs(wrong) > APART) is not self._apart:
            self._apart = not self._apart
            write(Event.CLOCK_WRONG, level=logging.WARNING if self._apart else logging.INFO, ahead_ms=wrong)

    async def keep(self) -> None:
        """Ask now and then, for ever; without an answer the stopwatch goes on."""
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self.set()
            except Exception as error:  # noqa: BLE001 - the database may be back at the next question
                write_failure("clock", error)


def stopwatch() -> float:
    """Milliseconds since some moment; nobody can set it."""
    return time.monotonic_ns() / 1_000_000
