"""How often something may happen: for each key, and wrong keys for each address.

Kept in memory, for this process alone, and bounded.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections.abc import Callable

from .core.errors import Code, TaskError

MINUTE = 60.0  # seconds
REMEMBERED = 10_000  # keys or addresses


class Rates:
    """So many a minute for each name: as many at once, and then as they come back, one after the other."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, limit: int, what: str, amount: int = 1) -> None:
        """Count `amount` of `what`, or refuse them with `rate_limited`; nothing is counted then. 0 is no limit."""
        if not limit:
            return
        now = self._clock()
        left, at = self._left.get(name, (float(limit), now))
        left = min(float(limit), left + (now - at) * limit / MINUTE)
        if left < amount:
            wait = math.ceil((min(amount, limit) - left) * MINUTE / limit)
            raise TaskError(
                Code.RATE_LIMITED,
                f"This API key may make {limit} {what} a minute. Send the request again in {max(1, wait)} s.",
                retryable=True,
                retry_after=max(1, wait),
            )
        if len(self._left) >= REMEMBERED and name not in self._left:
            self._forget(now)
        self._left[name] = (left - amount, now)

    def _forget(self, now: float) -> None:
        """Forget who has all of it again; that is everybody of whom nothing was heard for a minute."""
        self._left = {name: known for name, known in self._left.items() if now - known[1] < MINUTE}


class WrongKeys:
    """Addresses that sent many wrong keys within a minute are refused for the next one.

    A key that is sent again and again counts once. IPv6 addresses count by their network of 64 bits, which is what one
    customer gets. `limit` 0 refuses nobody.
    """

    def __init__(self, limit: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._seen: dict[str, tuple[int, float, int]] = {}  # how many, since when, the last key's hash

    def check(self, address: str) -> None:
        """Refuse an address that sent too many."""
        count, since, _ = self._seen.get(network_of(address), (0, 0.0, 0))
        wait = math.ceil(since + MINUTE - self._clock())
        if self._limit and count >= self._limit and wait > 0:
            raise TaskError(
                Code.RATE_LIMITED,
                f"Too many wrong API keys came from this address. Try again in {wait} s, with a good one.",
                retryable=True,
                retry_after=wait,
            )

    def count(self, address: str, key: str) -> None:
        """Remember a wrong key."""
        if not self._limit or not address:
            return
        name, now, key_hash = network_of(address), self._clock(), hash(key)
        count, since, last = self._seen.pop(name, (0, now, 0))
        if now - since >= MINUTE:
            count, since, last = 0, now, 0
        if key_hash != last:
            count += 1
            since = now if count >= self._limit else since  # from here on it waits a whole minute
        if len(self._seen) >= REMEMBERED:
            del self._seen[next(iter(self._seen))]  # of which nothing was heard for the longest time
        self._seen[name] = (count, since, key_hash)


def network_of(address: str) -> str:
    """What addresses of one customer have in common."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return address
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
