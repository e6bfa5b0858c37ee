"""Who kills: a plan that a seed decides, and one who carries it out.

The plan is the same for the same seed; when exactly a process is hit, and what it was doing then, is up to the machine.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from chaos.site import Site


class Fault(StrEnum):
    """What can happen. The first four are kills with -9."""

    SERVER = "server"
    STARTING = "starting server"
    ENGINE = "engine child"
    RECEIVER = "receiver"
    DISK = "full disk"
    STALL = "stalled server"


KILLS = (Fault.SERVER, Fault.STARTING, Fault.ENGINE, Fault.RECEIVER)
WEIGHTS = {Fault.SERVER: 5, Fault.STARTING: 1, Fault.ENGINE: 9, Fault.RECEIVER: 3, Fault.DISK: 2, Fault.STALL: 1}
CALM = 0.8  # seconds between faults, at most
FULL = 1.5  # seconds that the disk is full, at most
STALLED = 4.0  # seconds; longer than a lease, so that another server has gone on with what the stalled one does
MISSES = 1200  # looks for a child before the machine counts as one that starts none


@dataclass(frozen=True, slots=True)
class Blow:
    """One fault, after so many seconds of calm. `dice` decides the rest: which process, how long."""

    fault: Fault
    calm: float
    dice: float


def plan(seed: int, kills: int) -> list[Blow]:
    """What happens, in this order: `kills` kills, and the other faults between them; each kind at least once."""
    dice = random.Random(seed)
    kinds = [*KILLS[:kills], *dice.choices([*WEIGHTS], [*WEIGHTS.values()], k=kills * 4)]
    last = [place for place, kind in enumerate(kinds) if kind in KILLS][kills - 1]
    kinds = [*kinds[: last + 1], Fault.DISK, Fault.STALL]
    dice.shuffle(kinds)
    return [Blow(kind, dice.uniform(0.05, CALM), dice.random()) for kind in kinds]


class Adversary:
    """Carries out a plan on a site; `done` counts what it did. `tell` is called after each blow."""

    def __init__(self, site: Site, blows: list[Blow], tell: Callable[[], None]) -> None:
        self.done: Counter[Fault] = Counter()
        self._site = site
        self._blows = blows
        self._tell = tell

    @property
    def kills(self) -> int:
        """How many processes were killed."""
        return kills_in(self.done)

    async def strike(self) -> None:
        """All blows, one after the other. Everything runs again in the end."""
        for blow in self._blows:
            await asyncio.sleep(blow.calm)
            await self._carry_out(blow)
            self.done[blow.fault] += 1
            self._tell()

    async def _carry_out(self, blow: Blow) -> None:
        site = self._site
        server = site.servers[int(blow.dice * len(site.servers))]
        match blow.fault:
            case Fault.SERVER:
                await asyncio.to_thread(site.kill, server)
                await asyncio.sleep(blow.dice / 2)
                await asyncio.to_thread(server.start)
            case Fault.STARTING:
                await asyncio.to_thread(server.stop)
                server.start(wait=False)
                await asyncio.sleep(2 * blow.dice)
                await asyncio.to_thread(site.kill, server)
                await asyncio.to_thread(server.start)
            case Fault.ENGINE:
                for _ in range(MISSES):
                    if await asyncio.to_thread(site.kill_child, int(blow.dice * 1000)):
                        return
                    await asyncio.sleep(0.05)
                raise AssertionError("no server starts any child")
            case Fault.RECEIVER:
                await asyncio.to_thread(site.receiver.kill)
                await asyncio.sleep(2 * blow.dice)
                await asyncio.to_thread(site.receiver.start)
            case Fault.DISK:
                site.disk.pid = server.pid
                await asyncio.to_thread(site.disk.fill)
                await asyncio.sleep(FULL * blow.dice / 2)
                if blow.dice > 0.5:  # a process dies while it cannot write
                    await asyncio.to_thread(site.kill_child, int(blow.dice * 1000))
                await asyncio.sleep(FULL * blow.dice / 2)
                await asyncio.to_thread(site.disk.free)
            case Fault.STALL:
                os.kill(server.pid, signal.SIGSTOP)
                try:
                    await asyncio.sleep(STALLED)
                finally:
                    os.kill(server.pid, signal.SIGCONT)
            case _:
                assert_never(blow.fault)


def kills_in(done: Counter[Fault]) -> int:
    """How many processes were killed."""
    return sum(done[fault] for fault in KILLS)
