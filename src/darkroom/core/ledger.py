"""Credits: an append-only ledger, in double entry.

Each entry moves credits between five places: an account's two purses and what it has `held`, and on the other side the
`bank`, where credits come from, and the `revenue`, where they end. So the sum over every line is zero, and an account's
balance is the sum of its lines. Holds take from the free purse first; what is captured was free before it was paid, and
the rest goes back to where it came from. A failed or canceled task costs nothing.
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


class Purse(StrEnum):
    """Where an account keeps credits that can be spent: those that were given, and those that were bought."""

    FREE = "free"
    PAID = "paid"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger: what it adds to the account's `free`, `paid` and `held` credits."""

    kind: EntryKind
    free: int
    paid: int
    held: int

    @property
    def available(self) -> int:
        """What it adds to the credits that can be spent."""
        return self.free + self.paid

    @property
    def bank(self) -> int:
        """What it adds to the bank, which gives credits and takes them back."""
        return -self.available if self.kind in (EntryKind.GRANT, EntryKind.ADJUST) else 0

    @property
    def revenue(self) -> int:
        """What it adds to the revenue."""
        return -self.held if self.kind is EntryKind.CAPTURE else 0


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as it stands in the ledger: its number, the public id of the task it is for, and when (UTC ms)."""

    number: int
    entry: Entry
    task_id: str | None
    at: int


def grant(amount: int, purse: Purse = Purse.FREE) -> Entry:
    """Credits given to an account."""
    return _moved(EntryKind.GRANT, amount, purse)


def adjust(amount: int, purse: Purse) -> Entry:
    """A correction by the operator; below 0 takes credits back."""
    return _moved(EntryKind.ADJUST, amount, purse)


def hold(price: int, free: int = 0) -> tuple[Entry, ...]:
    """Set `price` aside when a task is submitted, from the `free` purse as far as it goes; nothing for a free task."""
    from_free = min(price, max(free, 0))
    return (Entry(EntryKind.HOLD, -from_free, from_free - price, price),) if price else ()


def settle(price: int, cost: int, free: int = 0) -> tuple[Entry, ...]:
    """End the hold of a finished task: `cost` is captured, the rest of `price` comes back.

    `free` is how much of `price` came from the free purse; that is spent first.
    """
    if not 0 <= cost <= price:
        raise ValueError(f"cost {cost} is outside 0..{price}")
    if not 0 <= free <= price:
        raise ValueError(f"{free} free credits are outside 0..{price}")
    entries = []
    if cost:
        entries.append(Entry(EntryKind.CAPTURE, 0, 0, -cost))
    if price - cost:
        free_left = max(0, free - cost)
        entries.append(Entry(EntryKind.RELEASE, free_left, price - cost - free_left, cost - price))
    return tuple(entries)


def _moved(kind: EntryKind, amount: int, purse: Purse) -> Entry:
    return Entry(kind, amount, 0, 0) if purse is Purse.FREE else Entry(kind, 0, amount, 0)
