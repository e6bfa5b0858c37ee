"""Whose task is next: start-time fair queueing, as pure arithmetic.

Each account has a standing with each engine and priority. A new task gets a *turn*, a point in virtual time: where the
account's task before it ended or, where that has passed, the engine's clock. Its cost by its account's weight is how
far the account's next turn lies behind. Workers take the least turn; the clock is the largest turn that was taken, and
never goes back.

Guarantees: of two accounts that always have tasks waiting each gets its weight's share of the credits that are worked
off; one that comes anew waits behind no backlog; idle time is not saved up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

CREDIT = 1_000  # units of virtual time that a credit takes at weight 1
DEAREST = 10**9  # credits beyond which a task counts no more
LIGHTEST, HEAVIEST = 0.01, 100.0  # weights that an account may have
EVER = (1 << 63) - 1


class Place(NamedTuple):
    """Where a task stands: the least is the next to be run."""

    rank: int  # its priority below 0
    turn: int
    seq: int


@dataclass(frozen=True, slots=True)
class Head:
    """The first of the tasks that wait for one model of one engine."""

    place: Place
    engine: str
    model: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Take tasks like `head`, of its priority, up to a turn and, of that very turn, up to a number."""

    head: Head
    turn: int
    seq: int


@dataclass(frozen=True, slots=True)
class Sharing:
    """What workers keep to beside the turns: `limits` says how many tasks of a model may run at once on all of them,
    a model that is loaded goes before others within `affinity` credits, and `needs` are the labels that a worker must
    have for a model."""

    limits: Mapping[str, int] = field(default_factory=dict)
    affinity: int = 0
    needs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


BY_TURNS = Sharing()


@dataclass(frozen=True, slots=True)
class Serves:
    """Which tasks of its engines a worker takes: those of `models`, or of all where there are none, unless the model
    needs a label (`Sharing.needs`) that the worker does not have."""

    models: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()

    def takes(self, model: str, needs: Mapping[str, Collection[str]]) -> bool:
        """Whether the tasks of a model are for this worker."""
        return (not self.models or model in self.models) and set(needs.get(model, ())) <= set(self.labels)


ANYTHING = Serves()


def length(price: int, weight: float) -> int:
    """How much virtual time a task takes: its credits by its account's weight. What is free counts as one credit."""
    return max(1, round(min(max(price, 1), DEAREST) * CREDIT / weight))


def start(clock: int, end: int) -> int:
    """The turn of the next task of an account that stands at `end`."""
    return max(clock, end)


def choose(heads: Iterable[Head], warm: Collection[str], window: int) -> Choice | None:
    """The tasks to take next: those of the first head or, within a window behind it, those of a model that is warm.

    `window` is in credits at weight 1: no account gets more than so much ahead of its turn. Nothing is taken before
    a higher priority. `None` when nothing waits.
    """
    ordered = sorted(heads, key=lambda head: head.place)
    if not ordered:
        return None
    first = ordered[0]
    equal = [head for head in ordered if head.place.rank == first.place.rank]
    reach = first.place.turn + window * CREDIT
    near = (head for head in equal if window and head.model in warm and head.place.turn <= reach)
    chosen = next(near, first)
    rival = next((head.place for head in equal if head is not chosen), None)
    if rival is None:
        return Choice(chosen, EVER, EVER)
    if window and chosen.model in warm:
        return Choice(chosen, rival.turn + window * CREDIT, EVER)
    return Choice(chosen, rival.turn, rival.seq)
