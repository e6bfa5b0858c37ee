"""Credits: an append-only ledger of holds, captures and releases.

Each entry moves credits between the two sides of an account, `available` and `held`; the account's balance is the sum
of its entries. What is captured leaves the account. A failed or canceled task costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """Why credits moved. A task has at most one entry of each kind."""

    GRANT = "grant"
    HOLD = "hold"
    CAPTURE = "capture"
    RELEASE = "release"
    ADJUST = "adjust"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: what it adds to the account's `available` and to its `held` credits."""

    kind: EntryKind
    available: int
    held: int


def grant(amount: int) -> Entry:
    """Credits given to an account."""
    return Entry(EntryKind.GRANT, amount, 0)


def hold(price: int) -> tuple[Entry, ...]:
    """Set `price` aside when a task is submitted; nothing for a free one."""
    return (Entry(EntryKind.HOLD, -price, price),) if price else ()


def settle(price: int, cost: int) -> tuple[Entry, ...]:
    """End the hold of a finished task: `cost` is captured, the rest of `price` comes back."""
    if not 0 <= cost <= price:
        raise ValueError(f"cost {cost} is outside 0..{price}")
    entries = []
    if cost:
        entries.append(Entry(EntryKind.CAPTURE, 0, -cost))
    if price - cost:
        entries.append(Entry(EntryKind.RELEASE, price - cost, cost - price))
    return tuple(entries)
