"""What both contact sheets show alike: headline, sizes, and how long a task was in each state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .jobs import Picture, Run

ACCENTS = {"TensorsLab": "#5cc8ff", "Dimilinks": "#e58cff", "muyuhan": "#ffc44d"}
WAITING = "#565c6b"


@dataclass(frozen=True, slots=True)
class Stripe:
    """The time in one state: its begin and end as parts (0..1) of the longest task, and its colour."""

    begin: float
    end: float
    colour: str


def headline(runs: Sequence[Run], took: float) -> str:
    """What was done, in a sentence."""
    pictures = sum(len(run.pictures) for run in runs)
    return f"Three vendors' clients, one server: {len(runs)} tasks, {pictures} pictures, {took:.0f} seconds in all."


def stripes(run: Run, runs: Sequence[Run]) -> list[Stripe]:
    """The states of a task, on the scale of the longest one. The last state is where it ends."""
    longest = max(other.states[-1][1] for other in runs)
    ends = [seconds for _, seconds in run.states[1:]]
    begins = [0.0, *ends]
    return [
        Stripe(begin / longest, end / longest, WAITING if "queued" in state else ACCENTS[run.job.vendor.name])
        for (state, _), begin, end in zip(run.states, begins, ends, strict=False)
    ]


def states(run: Run, arrow: str) -> str:
    """The states that the client saw, with seconds since the submit."""
    return f" {arrow} ".join(f"{state} {seconds:.1f} s" for state, seconds in run.states)


def sizes(run: Run, times: str) -> str:
    """Width and height of the results."""
    return ", ".join(f"{picture.width}{times}{picture.height}" for picture in run.pictures)


def scale(picture: Picture) -> float:
    """How high the picture before is, as part of the result: both are shown at their true relation."""
    return picture.source.height / picture.height if picture.source else 0.0


def ratio(picture: Picture) -> float:
    """Width by height of a result, together with the picture before it."""
    return picture.width / picture.height * (1 + scale(picture))
