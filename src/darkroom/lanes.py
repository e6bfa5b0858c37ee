"""How many webhooks may be under way at once, so that a dead or slow receiver slows nobody else.

A *lane* is what one account sends to one host and port. It begins narrow, widens while its receiver answers quickly,
and narrows when that is slow; after a failure of the receiver as a whole it is closed for a while, then tried with one.
Narrow lanes together have at most half of the window, however many they are: the other half is for quick receivers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

WINDOW = 512  # requests under way at once
NARROW = 2  # requests at once of a lane whose receiver is not known, or slow
WIDE = 32  # of any other
NARROW_SHARE = WINDOW // 2  # of all narrow lanes together
ACCOUNT_SHARE = WINDOW // 2  # of all lanes of one account
QUICK, SLOW = 1.0, 2.0  # seconds in which a receiver answers
CLOSED, CLOSED_LONGEST = 5.0, 60.0  # seconds that a lane is closed, doubled with each failure
IDLE = 600.0  # seconds after which an idle lane is forgotten


@dataclass(slots=True)
class Lane:
    """What is known of a receiver. Times are those of a monotonic clock."""

    limit: int = NARROW
    under_way: int = 0
    failures: int = 0
    closed_until: float = 0.0
    used: float = 0.0


class Lanes:
    """The lanes of this process. `closed` is in seconds, as `CLOSED`."""

    def __init__(self, closed: float = CLOSED) -> None:
        self._closed = closed
        self._lanes: defaultdict[str, Lane] = defaultdict(Lane)

    def __getitem__(self, name: str) -> Lane:
        return self._lanes[name]

    def rooms(self, due: Iterable[str], now: float) -> dict[str, int]:
        """How many requests may be begun in each lane in which something is due; those that waited longest first."""
        left, narrow_left = WINDOW, NARROW_SHARE
        accounts: Counter[str] = Counter()
        for name, lane in self._lanes.items():
            left -= lane.under_way
            narrow_left -= lane.under_way if lane.limit <= NARROW else 0
            accounts[owner(name)] += lane.under_way
        rooms: dict[str, int] = {}
        for name in sorted(due, key=lambda name: self._lanes[name].used):
            lane = self._lanes[name]
            narrow = lane.limit <= NARROW
            account_left = ACCOUNT_SHARE - accounts[owner(name)]
            room = min(lane.limit - lane.under_way, left, account_left, narrow_left if narrow else left)
            if room > 0 and lane.closed_until <= now:
                rooms[name] = room
                left -= room
                narrow_left -= room if narrow else 0
                accounts[owner(name)] += room
        return rooms

    def begin(self, name: str, now: float) -> None:
        """A request is under way."""
        lane = self[name]
        lane.under_way += 1
        lane.used = now

    def end(self, name: str) -> None:
        """It is not any more."""
        self[name].under_way -= 1

    def answered(self, name: str, seconds: float) -> None:
        """The receiver answered after so many seconds, whatever it said."""
        lane = self[name]
        lane.failures = 0
        lane.closed_until = 0.0
        if seconds < QUICK:
            lane.limit = min(lane.limit * 2, WIDE)
        elif seconds > SLOW:
            lane.limit = max(lane.limit // 2, 1)

    def failed(self, name: str, now: float) -> None:
        """The receiver as a whole failed. Those that fail together count once."""
        lane = self[name]
        lane.limit = 1
        if lane.closed_until <= now:
            lane.closed_until = now + min(self._closed * 2.0**lane.failures, CLOSED_LONGEST)
            lane.failures = min(lane.failures + 1, 10)

    def idle(self, now: float) -> list[str]:
        """Forget lanes that were not used for long; their names."""
        gone = [name for name, lane in self._lanes.items() if not lane.under_way and now - lane.used > IDLE]
        for name in gone:
            del self._lanes[name]
        return gone


def owner(name: str) -> str:
    """The account of a lane."""
    return name.partition(" ")[0]


def lane_name(account_id: str, origin: str) -> str:
    """The lane of an account to scheme, host and port."""
    return f"{account_id} {origin}"
