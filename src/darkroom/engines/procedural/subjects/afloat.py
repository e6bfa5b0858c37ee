"""Where things float: on open water, the nearer the larger, and in the air."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..things import Thing
from .drawing import Item
from .setting import Setting, Spot, width_of

TRIES = 48  # places that are thought of for each thing
FLOCK = frozenset(("bird", "butterfly"))


def on_water(setting: Setting, things: Sequence[Thing], taken: list[Spot], nearest: float) -> list[Item]:
    """Things on the water between the horizon and the row `nearest` (in units), from the farthest to the nearest."""
    assert setting.horizon is not None
    assert setting.wet is not None
    frame, items = setting.frame, []
    horizon = setting.horizon / frame.unit
    reach = max(nearest - horizon, 0.06)
    for thing in things:
        random = frame.stream("water", thing.kind)
        if thing.kind == "bridge":
            items.append(setting.item(thing, 0, (frame.span / 2, horizon + 0.05), setting.size(thing), 0.12))
            continue
        base = setting.size(thing) * thing.count**-0.22
        for number in range(thing.count):
            share = 0.72 if thing.count == 1 else 1 - 0.72 * number / (thing.count - 1)
            near = 0.42 + 0.58 * share
            half = base * near * width_of(thing.kind) / 2
            down = horizon + 0.02 + (min(reach, 0.26) - 0.03) * share * random.uniform(0.8, 1)
            wish = _open_water(setting, half)
            spots = [(setting.left + x, down, half) for x in _spread(random, setting.span, half)]
            x, y, _ = _pick(spots, taken, wish, flat=True)
            items.append(setting.item(thing, number, (x, y), base * near, 0.28 * (1 - share)))
    return sorted(items, key=lambda item: item.y)


def in_air(setting: Setting, things: Sequence[Thing], taken: list[Spot]) -> list[Item]:
    """Things in the sky, or anywhere where nothing has weight; from the farthest to the nearest."""
    frame, items = setting.frame, []
    bottom = setting.height - setting.top - 0.04 if setting.horizon is None else setting.horizon / frame.unit - 0.05
    for thing in things:
        random = frame.stream("air", thing.kind)
        base = setting.size(thing) * thing.count ** (-0.2 if thing.kind in FLOCK else -0.3)
        base = min(base, 0.8 * bottom)
        centre = (random.uniform(0.34, 0.66) * frame.span, random.uniform(0.36, 0.6) * bottom)
        for number in range(thing.count):
            near = random.uniform(0.55, 1.0) if number else 1.0
            size = base * near
            half = size * max(1.0, width_of(thing.kind)) / 2
            spots = _sky_spots(random, (setting.span, bottom - setting.top), size, width_of(thing.kind))
            wish = (
                _flock(centre, frame.span)
                if thing.kind in FLOCK and thing.count > 4
                else _composed(frame.span, bottom, thing.count)
            )
            x, y, _ = _pick([(setting.left + x, setting.top + y, half) for x, y in spots], taken, wish)
            items.append(setting.item(thing, number, (x, y + size / 2), size, 0.3 * (1 - near)))
    return sorted(items, key=lambda item: item.size)


def _pick(spots: Sequence[Spot], taken: list[Spot], wish: Callable[[Spot], float], *, flat: bool = False) -> Spot:
    """The spot with enough room around it that `wish` (less is better) likes best; `flat` wants it beside the others
    and not before them."""

    def cost(spot: Spot) -> float:
        crowd = 0.0
        for x, y, half in taken:
            down = 0.0 if flat else (spot[1] - y) * 1.15
            away = math.hypot(spot[0] - x, down) / (half + spot[2])
            crowd = max(crowd, 1.2 - away)
        return crowd * 3 + wish(spot)

    best = min(spots, key=cost)
    taken.append(best)
    return best


def _spread(random: np.random.Generator, span: float, half: float) -> list[float]:
    room = max(0.0, span - 2 * half - 0.04)
    return [float(half + 0.02 + room * share) for share in random.random(TRIES)]


def _sky_spots(
    random: np.random.Generator, room: tuple[float, float], size: float, width: float
) -> list[tuple[float, float]]:
    across, down = max(0.0, room[0] - size * width - 0.04), max(0.0, room[1] - size - 0.03)
    shares = random.random((TRIES, 2))
    return [(0.02 + size * width / 2 + across * x, 0.03 + size / 2 + down * y) for x, y in shares.tolist()]


def _open_water(setting: Setting, half: float) -> Callable[[Spot], float]:
    """Dislikes places that are not water all along the foot."""

    def wish(spot: Spot) -> float:
        assert setting.wet is not None
        unit = setting.frame.unit
        dry = sum(
            not setting.wet(int(spot[1] * unit), int((spot[0] + half * turn) * unit)) for turn in (-1, -0.5, 0, 0.5, 1)
        )
        return 2.0 * dry + abs(spot[0] / setting.frame.span - 0.5) * 0.4

    return wish


def _composed(span: float, bottom: float, count: int) -> Callable[[Spot], float]:
    """Likes the thirds of the sky; the more things there are, the less."""
    strength = 0.5 if count < 6 else 0.15
    return lambda spot: strength * (abs(abs(spot[0] / span - 0.5) - 0.17) + abs(spot[1] / bottom - 0.42))


def _flock(centre: tuple[float, float], span: float) -> Callable[[Spot], float]:
    """Likes to be near the others of a flock."""
    return lambda spot: 2.2 * math.hypot((spot[0] - centre[0]) * 0.6, spot[1] - centre[1]) / span
