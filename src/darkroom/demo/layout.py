"""What both contact sheets show alike: headline, sizes, and how long a task was in each state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .jobs import Run
from .results import Picture, Source

ACCENTS = {"TensorsLab": "#5cc8ff", "Dimilinks": "#e58cff", "muyuhan": "#ffc44d", "Darkroom": "#7fe08a"}
WAITING = "#565c6b"


@dataclass(frozen=True, slots=True)
class Stripe:
    """The time in one state: its begin and end as parts (0..1) of the longest task, and its colour."""

    begin: float
    end: float
    colour: str


def headline(runs: Sequence[Run], took: float) -> str:
    """What was done, in a sentence."""
    results = [picture for run in runs for picture in run.pictures]
    clips = sum(picture.clip is not None for picture in results)
    made = f"{len(runs)} tasks, {len(results) - clips} pictures, {clips} clips"
    return f"Three vendors' clients and Darkroom's own, one server: {made}, {took:.0f} seconds in all."


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
    """Width and height of the results, and how long clips are."""
    return ", ".join(
        f"{picture.width}{times}{picture.height}" + (f", {picture.seconds:.1f} s" if picture.clip else "")
        for picture in run.pictures
    )


def words(picture: Picture) -> tuple[str, ...]:
    """What each source of a result is: the last one is changed, one before it lends its face."""
    return (*("face" for _ in picture.sources[1:]), "before")[: len(picture.sources)]


def scale(source: Source, picture: Picture) -> float:
    """How high a source is, as part of the result: both at their true relation, but never higher than the result."""
    return min(1.0, source.height / picture.height)


def ratio(picture: Picture) -> float:
    """Width by height of a result, together with what it was made from."""
    before = sum(source.width / source.height * scale(source, picture) for source in picture.sources)
    return picture.width / picture.height + before
