"""Gives every thing its place: always as many as were asked for, and all of them in the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..frame import Plane
from ..palette import Palette
from ..things import KINDS, Thing
from . import afloat, ground
from .bank import Bank
from .catalogue import DRAW
from .drawing import Item, Light, draw, shadow
from .setting import Setting, Spot


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The things of a picture, each group from the farthest to the nearest, the ground that some stand on, and the
    light on all of them."""

    light: Light
    air: tuple[Item, ...] = ()
    water: tuple[Item, ...] = ()
    ground: tuple[Item, ...] = ()
    bank: Bank | None = None

    def mirror(self, mirror: Plane, waterline: int) -> None:
        """Add what flat water shows of the things to `mirror`, the rows below `waterline`, upside down."""
        for item in self.air:  # as far below the waterline as it is above; what has no light of its own is lost there
            if item.kind != "lantern":
                continue
            image = 2 * waterline - item.y
            draw(mirror, Item(item.kind, item.parts, item.x, image, item.size, item.turned, item.fade), self.light,
                 waterline=waterline, upside_down=True)  # fmt: skip
        for item in self.water:
            draw(mirror, item, self.light, waterline=waterline, upside_down=True)

    def draw_water(self, picture: Plane) -> None:
        """Draw what floats on the water."""
        for item in self.water:
            draw(picture, item, self.light)

    def draw_air(self, picture: Plane) -> None:
        """Draw what flies."""
        for item in self.air:
            draw(picture, item, self.light)

    def draw_ground(self, picture: Plane) -> None:
        """Draw the ground in the foreground with what stands on it."""
        if self.bank is not None:
            self.bank.paint(picture, self.light.palette)
        for item in self.ground:
            shadow(picture, item, self.light)
            draw(picture, item, self.light)


def arrange(
    setting: Setting,
    things: Sequence[Thing],
    palette: Palette,
    side: float,
    *,
    beach: bool = False,
    around: Sequence[Spot] = (),
) -> Arrangement:
    """Places for the things in a picture with this light; a `beach` has ground in front also without any, and nothing
    is put before what is `around`."""
    groups: dict[str, list[Thing]] = {"sky": [], "water": [], "ground": []}
    for thing in things:
        if thing.kind in DRAW:
            groups[_place(setting, thing)].append(thing)
    taken: list[Spot] = list(around)
    light = Light(palette, side, setting.dark)
    bank, standing, floating = None, [], []
    nearest = setting.height - 0.03
    if groups["ground"]:
        bank = ground.bank_for(setting, groups["ground"])
    elif beach and setting.horizon is not None:
        bank = Bank(setting.frame, setting.matter, setting.season, 0.09, 0.035, 0.3 * side)
    if bank is not None:
        standing = ground.place(setting, bank, groups["ground"], taken)
        nearest = min(nearest, float(bank.edge().max()) - 0.02)
    if groups["water"]:
        floating = afloat.on_water(setting, groups["water"], taken, nearest)
    flying = afloat.in_air(setting, groups["sky"], taken)
    return Arrangement(light, tuple(flying), tuple(floating), tuple(standing), bank)


def _place(setting: Setting, thing: Thing) -> str:
    place = KINDS[thing.kind].place
    if setting.horizon is None:
        return "sky"
    return "ground" if place == "water" and setting.wet is None else place
