"""What one request became, as its client saw it: what was asked, which ids were answered, and every sighting since.

States never go backwards. What that means is said here, in `went_backwards`:

- a final state is the last one: nothing but the same state is seen after it, until the task is deleted;
- where attempts are shown they only grow, and within one attempt the order is queued, running: `running` of attempt n
  may be followed by `queued` of attempt n (the attempt was lost or failed, and the task waits for the next one), and
  that by `running` of attempt n + 1, and never the other way round;
- within one running attempt the progress only grows;
- a deleted task is never seen again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

FINAL = ("succeeded", "failed", "canceled")


@dataclass(frozen=True, slots=True)
class Sighting:
    """One answer to a status query. Only the native dialect tells attempt and progress."""

    state: str
    attempt: int | None = None
    progress: int = 0

    @property
    def step(self) -> int:
        """Where this is on the way: queued 0, running 1, after its loss 2, running again 3 …; a final state last."""
        if self.state in FINAL:
            return 1 << 30
        return 2 * (self.attempt or 0) - (self.state == "running")


GONE = Sighting("gone")


@dataclass(slots=True)
class Story:
    """One request of one client. `ends` are the states in which its task may end."""

    client: str
    prompt: str
    ends: frozenset[str]
    parts: int = 1
    runs_told: bool = True  # the client's webhook is told of runs, too, and not of ends alone
    ids: list[str] = field(default_factory=list)  # of every answer to a submit, repeated or not
    seen: list[Sighting] = field(default_factory=list)
    told: list[tuple[int, str]] = field(default_factory=list)  # numbered events of the task's stream
    deleted: bool = False  # and that was confirmed
    refused: list[str] = field(default_factory=list)  # answers that no client should get
    closed: bool = False  # the client has nothing more to do


def went_backwards(seen: Sequence[Sighting]) -> str | None:
    """What a poller saw that cannot be, if anything."""
    for before, after in pairwise(seen):
        if after == GONE:
            continue
        if before == GONE:
            return f"was seen as {after.state} after it had been deleted"
        if before.state in FINAL and after.state != before.state:
            return f"was {before.state}, then {after.state}"
        if before.attempt is None or after.attempt is None:
            continue
        if after.attempt < before.attempt:
            return f"was in attempt {before.attempt}, then in {after.attempt}"
        if after.step < before.step:
            return f"was {before.state}, then {after.state}, in attempt {after.attempt}"
        if after.step == before.step and after.progress < before.progress:
            return f"was at {before.progress} %, then at {after.progress} %, in attempt {after.attempt}"
    return None


def follows(seen: Sequence[Sighting], history: Sequence[str]) -> bool:
    """Whether what was seen is a way through the states of the task's history, in their order."""
    place = 0
    for sighting in seen:
        while place < len(history) and history[place] != sighting.state:
            place += 1
        if place == len(history):
            return False
    return True
