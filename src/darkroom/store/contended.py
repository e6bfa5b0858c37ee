"""Rows that many scripts of one transaction want to change, changed once for all of them.

Each version of a row that a transaction writes makes the next one dearer, and all of them have to be cleaned away.
Guarantee: each script is answered as if they had run one after the other, in some order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .database import Params, Row


@dataclass(frozen=True, slots=True)
class Combined:
    """How changes of one row become one. `row` are the parameters that say which row it is.

    What `merge` makes of them changes the row as all of them would, or not at all, and `share` says what each would
    have been answered.
    """

    row: tuple[str, ...]
    merge: Callable[[Sequence[Params]], Params]
    share: Callable[[Row, Sequence[Params]], list[Params]]

    def key(self, params: Params) -> tuple[Any, ...]:
        """Which row."""
        return tuple(params[name] for name in self.row)


def move_all(asked: Sequence[Params]) -> Params:
    """Credits that are moved and drawn, all at once: what is drawn has to be there without what is moved."""
    sums = {name: sum(params[name] for params in asked) for name in ("draw", "free", "paid", "held")}
    return {**asked[0], **sums}


def share_drawn(row: Row, asked: Sequence[Params]) -> list[Params]:
    """The first of those who draw have theirs from the free purse, as far as it goes."""
    left = row["drawn_free"]
    shares: list[Params] = []
    for params in asked:
        drawn = min(left, params["draw"])
        left -= drawn
        shares.append({"drawn_free": drawn})
    return shares


def advance_all(asked: Sequence[Params]) -> Params:
    """Virtual time for all of them, from the latest beginning on: who wants that is the first."""
    earliest, wanted = max(params["earliest"] for params in asked), sum(params["wanted"] for params in asked)
    return {**asked[0], "earliest": earliest, "wanted": wanted}


def share_turns(row: Row, asked: Sequence[Params]) -> list[Params]:
    """One behind the other."""
    turn = row["turn"]
    turns: dict[int, int] = {}
    for number in sorted(range(len(asked)), key=lambda number: -asked[number]["earliest"]):
        turns[number] = turn
        turn += asked[number]["wanted"]
    return [{"turn": turns[number]} for number in range(len(asked))]


STANDING = Combined(("account_id", "engine", "priority"), advance_all, share_turns)
COMBINED = {
    "move_credits": Combined(("account_id",), move_all, share_drawn),
    "advance_standing": STANDING,
    "add_standing": STANDING,
}
