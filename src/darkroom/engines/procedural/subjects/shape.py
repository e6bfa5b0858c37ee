"""Shapes of things: coloured areas that are drawn over each other, and ways to make their outlines.

Lengths are shares of a thing's height: the foot is (0, 0), x goes to the right and y up to 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ..frame import Plane
from ..palette import TINTS, rgb

Shading = Literal["flat", "side", "ball", "down"]


@dataclass(frozen=True, slots=True)
class Part:
    """One area: its outline (points, 2), its colour in white light, how light falls on it, and how far it shines by
    itself: 0 does not, 1 as a lit pane does, 2 with a halo after dark."""

    points: Plane
    colour: Plane
    shading: Shading = "down"
    shine: int = 0


@dataclass(slots=True)
class Look:
    """What a thing's painter may ask: random numbers of its own, the named colours, the season, how dark it is (0 to
    1), the thing's number among its kind, and whether they are so few that every leaf counts."""

    random: np.random.Generator
    tints: tuple[str, ...] = ()
    season: str = "summer"
    snow: bool = False
    dark: float = 0.0
    number: int = 0
    fine: bool = True
    parts: list[Part] = field(default_factory=list)

    def colour(self, *otherwise: str) -> Plane:
        """The thing's colour: one of the named, or else one of these (hexadecimal), by its number."""
        if self.tints:
            return rgb(TINTS[self.tints[self.number % len(self.tints)]])
        return rgb(otherwise[self.number % len(otherwise)])

    def add(self, points: Plane, colour: Plane | str, shading: Shading = "down", shine: int = 0) -> None:
        """Add an area over those that are there."""
        matter = rgb(colour) if isinstance(colour, str) else colour
        self.parts.append(Part(points.astype(np.float32), matter, shading, shine))


def polygon(*numbers: float) -> Plane:
    """An outline from x, y, x, y ..."""
    return np.array(numbers, np.float32).reshape(-1, 2)


def box(left: float, bottom: float, right: float, top: float) -> Plane:
    """An upright rectangle."""
    return polygon(left, bottom, left, top, right, top, right, bottom)


def oval(x: float, y: float, width: float, height: float, turn: float = 0.0, steps: int = 40) -> Plane:
    """An ellipse around x, y with half its width and height, turned counter-clockwise."""
    angle = np.linspace(0, math.tau, steps, endpoint=False)
    points = np.stack([np.cos(angle) * width, np.sin(angle) * height], 1)
    return moved(turned(points, turn), x, y)


def turned(points: Plane, angle: float) -> Plane:
    """The points turned counter-clockwise around (0, 0)."""
    c, s = math.cos(angle), math.sin(angle)
    rotated: Plane = points @ np.array([[c, s], [-s, c]])
    return rotated


def curve(text: str, scale: float = 0.01) -> Plane:
    """A closed outline through points "x,y x,y ..." in hundredths; it is smooth but at those that end with "!"."""
    words = text.split()
    corners = [word.endswith("!") for word in words]
    points = np.array([[float(part) for part in word.rstrip("!").split(",")] for word in words]) * scale
    count = len(points)
    pieces = []
    for place in range(count):
        start, end = points[place], points[(place + 1) % count]
        before = start if corners[place] else points[place - 1]
        after = end if corners[(place + 1) % count] else points[(place + 2) % count]
        pieces.append(_spline(before, start, end, after))
    return np.concatenate(pieces)


def path(text: str, scale: float = 0.01) -> Plane:
    """An open smooth line through points "x,y x,y ..." in hundredths."""
    points = np.array([[float(part) for part in word.split(",")] for word in text.split()]) * scale
    around = np.concatenate([points[:1], points, points[-1:]])
    pieces = [_spline(*around[place : place + 4]) for place in range(len(points) - 1)]
    return np.concatenate([*pieces, points[-1:]])


def _spline(before: Plane, start: Plane, end: Plane, after: Plane, steps: int = 12) -> Plane:
    """Points of a Catmull-Rom spline from start to just before the end."""
    t = (np.arange(steps) / steps)[:, None]
    first, last = (end - before) / 2, (after - start) / 2
    points: Plane = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * first
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * last
    )
    return points


def stroke(line: Plane, widths: Sequence[float]) -> Plane:
    """The outline of a line with a width that goes through `widths` from its begin to its end."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], 1)
    share = np.linspace(0, 1, len(line))
    half = np.interp(share, np.linspace(0, 1, len(widths)), widths)[:, None] / 2
    outline: Plane = np.concatenate([line + across * half, (line - across * half)[::-1]])
    return outline


def moved(points: Plane, x: float, y: float, scale: float = 1.0) -> Plane:
    """The points made larger and moved."""
    placed: Plane = points * scale + np.array([x, y])
    return placed


def lobed(random: np.random.Generator, x: float, y: float, width: float, height: float, rough: float = 0.1) -> Plane:
    """An uneven oval like foliage or a cloud."""
    angle = np.linspace(0, math.tau, 72, endpoint=False)
    radius = np.ones_like(angle)
    for waves, size in ((3, 0.5), (5, 0.6), (9, 0.6), (16, 0.5), (27, 0.35)):
        radius += np.sin(angle * waves + random.uniform(0, math.tau)) * rough * size
    return np.stack([x + np.cos(angle) * radius * width, y + np.sin(angle) * radius * height], 1)
