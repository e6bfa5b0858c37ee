"""What a picture offers to the things in it, and how a thing is made for its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..frame import Frame
from ..things import KINDS, Thing
from .catalogue import DRAW, TURNS, WIDTHS
from .drawing import Item
from .shape import Look

_TURNING = "boat butterfly cat child cow deer dog duck horse house sheep rabbit"
OWN_TURNS = frozenset(_TURNING.split())  # of several, each looks where it wants
_GROWN = "blossom cactus flower mushroom palm pine sunflower tree tulip"
GROWN = frozenset(_GROWN.split())  # of many sizes
Spot = tuple[float, float, float]  # x and y of a middle, and a radius, in units from the picture's upper left corner


@dataclass(frozen=True, slots=True)
class Setting:
    """What a picture offers to things. `horizon` is a row, or None where everything floats; `matter` is the ground's
    (see `Bank`); `wet` tells of a row and a column whether they are open water, and is None where there is none."""

    frame: Frame
    horizon: int | None
    season: str
    snow: bool
    dark: float
    matter: str
    wet: Callable[[int, int], bool] | None = None

    @property
    def height(self) -> float:
        """The picture's height in units."""
        return self.frame.height / self.frame.unit

    @property
    def left(self) -> float:
        """Where the part of the picture begins that is surely seen, in units."""
        return self.frame.span * self.frame.inset

    @property
    def top(self) -> float:
        """The row in units where the part begins that is surely seen."""
        return self.height * self.frame.inset

    @property
    def span(self) -> float:
        """The width in units of the part that is surely seen."""
        return self.frame.span * (1 - 2 * self.frame.inset)

    def size(self, thing: Thing) -> float:
        """The height in units of a thing that is as near as its kind comes; it fits into the narrowest picture."""
        if thing.kind == "bridge":
            return 0.25 * self.frame.span
        width = 0.8 * self.span / width_of(thing.kind)
        return min(KINDS[thing.kind].size * thing.scale, width, 0.62 * self.height)

    def item(self, thing: Thing, number: int, foot: tuple[float, float], size: float, fade: float = 0.0) -> Item:
        """The thing of this number with its foot at x, y, of this height, all in units."""
        unit = self.frame.unit
        random = self.frame.stream("thing", thing.kind, number)
        turning = random if thing.kind in OWN_TURNS else self.frame.stream("turn", thing.kind)
        turned = thing.kind in TURNS and turning.random() < 0.5
        look = Look(random, thing.tints, self.season, self.snow, self.dark, number, thing.count < 4)
        DRAW[thing.kind](look)
        return Item(thing.kind, tuple(look.parts), foot[0] * unit, foot[1] * unit, size * unit, turned, fade)


def width_of(kind: str) -> float:
    """The width of a kind as a share of its height."""
    return WIDTHS[kind]
