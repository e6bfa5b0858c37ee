"""A city's buildings: where they stand, their walls, windows and tops.

A facade is drawn as a small pattern of storeys and windows, with a fixed number of texels for each, and then brought to
its size with area sampling: every window is where it was at every resolution.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .frame import Frame, Plane, mix
from .palette import Palette, rgb
from .sky import spot

CELL = (7, 9)  # texels of one window with its wall, across and down
LAMPS = ("ffd9a0", "ffc878", "ffe9c8", "cfe4ff", "fff4dc")
NEON = ("ff3fa4", "2fe6ff", "9a5cff", "ffb52e", "4dff9a")
TOPS = ("flat", "flat", "step", "spire", "slant", "mast")
TALLEST = (0.40, 0.36, 0.27, 0.13)  # units, of each layer from the farthest


@dataclass(frozen=True, slots=True)
class Building:
    """One building, in units: its left edge, width and height, its windows' width; the share of lit windows; how its
    top ends; its layer from 0, the farthest; and its number in the layer."""

    left: float
    width: float
    height: float
    window: float
    lit: float
    top: str
    layer: int
    number: int


@dataclass(frozen=True, slots=True)
class Street:
    """What all buildings share: the waterline, how far the hour lets windows shine (`dark`, 0 to 1), coloured tubes on
    the edges (`neon`), and the strength of the haze before the farthest."""

    frame: Frame
    palette: Palette
    horizon: int
    dark: float
    neon: bool
    haze: float

    def build(self, picture: Plane, building: Building) -> None:
        """Draw one building."""
        frame = self.frame
        left = round((building.left + frame.span / 2) * frame.unit)
        right = max(left + 1, round((building.left + building.width + frame.span / 2) * frame.unit))
        top = round(self.horizon - building.height * frame.unit)
        if right <= 0 or left >= frame.width or top >= self.horizon:
            return
        random = frame.stream("building", building.layer, building.number)
        wall = self._wall(building, random)
        facade = self._facade(building, wall, random)
        size = (right - left, self.horizon - top)
        sampling = cv2.INTER_AREA if facade.shape[1] > size[0] else cv2.INTER_LINEAR
        facade = cv2.resize(facade, size, interpolation=sampling)  # type: ignore[assignment]
        shape = _outline(building.top, *size)
        seen = slice(max(0, -top), None), slice(max(0, -left), size[0] - max(0, right - frame.width))
        part = picture[max(0, top) : self.horizon, max(0, left) : right]
        part[:] = mix(part, facade[seen], shape[seen])
        middle = (left + right) // 2
        if building.top in ("spire", "mast") and building.height > 0.2 and 0 <= middle < frame.width:
            self._mast(picture, building, middle, top, wall)
        if self.neon and self.dark > 0.3 and building.number % 2 == 0:
            self._tubes(picture, building, (left, right), top)

    def _wall(self, building: Building, random: np.random.Generator) -> Plane:
        """The wall's colour: stone and glass by day, dark by night, hazy far away."""
        stone = mix(rgb("6d7686"), rgb("a08c78"), random.random()) * random.uniform(0.7, 1.1)
        day = stone * (self.palette.ambient + self.palette.light * 0.35)
        night = mix(self.palette.zenith, self.palette.ambient, 0.35) * random.uniform(0.5, 0.85)
        wall = mix(day, night, min(1.0, self.dark * 1.15))
        haze = mix(self.palette.haze, self.palette.horizon, 0.3)
        far = (1 - self._near(building)) ** 1.4
        return mix(wall, haze, self.haze * far * (0.8 if self.dark > 0.9 else 1.0))

    def _near(self, building: Building) -> float:
        return building.layer / (len(TALLEST) - 1)

    def _facade(self, building: Building, wall: Plane, random: np.random.Generator) -> Plane:
        """Storeys of windows as a pattern of `CELL` texels each, top row first."""
        columns = max(2, round(building.width / building.window))
        storeys = max(2, round(building.height / (building.window * 1.45)))
        chances = random.random((4, storeys, columns), np.float32)
        lit = chances[0] < building.lit * (0.35 + 0.65 * self.dark)
        lit &= (random.random((storeys, 1)) > 0.12) | (chances[1] < 0.1)  # some storeys are dark
        own = int(random.integers(len(LAMPS)))
        choice = np.where(chances[1] < 0.6, own, random.integers(len(LAMPS), size=(storeys, columns)))
        lamps = np.stack([rgb(text) for text in LAMPS])[choice]
        shining = lit.astype(np.float32)
        bright = (chances[2] ** 1.6 * 0.75 + 0.35) * shining * (self.dark * (0.9 + 0.6 * self._near(building)))
        pane = wall * 0.72 + self.palette.horizon * (0.10 * (1 - self.dark))
        panes = pane * (1 - 0.7 * self.dark * shining[..., None]) + lamps * bright[..., None]
        pattern = np.zeros(CELL[::-1], np.float32)
        pattern[2 : CELL[1] - 2, 1 : CELL[0] - (1 if random.random() < 0.25 else 2)] = 1
        panes = np.repeat(np.repeat(panes, CELL[1], 0), CELL[0], 1)
        facade = mix(np.broadcast_to(wall, panes.shape), panes, np.tile(pattern, (storeys, columns)))
        rounding = np.linspace(0.9, 1.1, panes.shape[1], dtype=np.float32)[None, :, None]
        height = np.linspace(building.height, 0, len(panes), dtype=np.float32)[:, None, None]
        facade = facade * rounding
        facade += np.exp(height / -0.05) * (0.25 * self.dark) * rgb("ffb070")
        return facade

    def _mast(self, picture: Plane, building: Building, middle: int, top: int, wall: Plane) -> None:
        """A mast with its red beacon."""
        unit = self.frame.unit
        thick = max(1, round(unit * 0.0018))
        tip = top - int(unit * (0.02 + 1.2 * building.width))
        picture[max(0, tip) : max(0, top + thick), middle : middle + thick] = wall
        if self.dark > 0.3 and tip > 0:
            spot(picture, middle + thick / 2, tip, unit * 0.0024, self.dark, rgb("ff4038"))

    def _tubes(self, picture: Plane, building: Building, edges: tuple[int, int], top: int) -> None:
        """Glowing lines down both edges."""
        unit = self.frame.unit
        thick = max(1, round(unit * 0.0036))
        colour = rgb(NEON[building.number // 2 % len(NEON)]) * 1.5
        rows = slice(max(0, top + int(building.width * unit)), int(top + building.height * unit * 0.8))
        for column in (edges[0], edges[1] - thick):
            if 0 <= column <= self.frame.width - thick:
                picture[rows, column : column + thick] = colour


def row(frame: Frame, layer: int) -> list[Building]:
    """The buildings of a layer, 0 the farthest, from left to right without gaps wider than a lane."""
    random = frame.stream("row", layer)
    narrow = min(1.0, 1.3 * frame.span)
    centre = frame.stream("centre").uniform(-0.3, 0.3) * min(1.0, frame.span)
    place = -frame.span / 2 - 0.1
    found: list[Building] = []
    while place < frame.span / 2 + 0.05:
        width = random.uniform(0.035, 0.085) * (1.0 + 0.12 * layer) * narrow
        # Panoramas repeat the centre, so that no stretch of them is a suburb.
        away = (place + width / 2 - centre + 0.9) % 1.8 - 0.9
        central = math.exp(-(away**2) / 0.11)
        share = random.beta(1.7, 2.6) * 0.75 + 0.18
        found.append(
            Building(
                left=place,
                width=width,
                height=TALLEST[layer]
                * narrow
                * (share * (0.55 + 0.75 * central) + 0.25 * central * random.random() ** 4),
                window=random.uniform(0.0062, 0.0095) * (0.75 + 0.18 * layer),
                lit=random.uniform(0.22, 0.62),
                top=TOPS[int(random.integers(len(TOPS)))] if layer < len(TALLEST) - 1 else "flat",
                layer=layer,
                number=len(found),
            )
        )
        gap = random.random()
        place += width + (0.0 if gap < 0.45 else 0.002 if gap < 0.8 else 0.012)
    return found


def _outline(top: str, width: int, height: int) -> Plane:
    """Which pixels of its rectangle a building fills, by the form of its top."""
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1)[None]
    y = (np.arange(height, dtype=np.float32) + 0.5)[:, None] / width
    match top:
        case "step":
            half = np.where(y < 0.28, 0.5, np.where(y < 0.6, 0.76, 2.0))
        case "spire":
            half = np.where(y < 0.9, 0.12 + y * 0.62, 2.0)
        case "slant":
            half = 1 + (y - 0.25 - x * 0.25) * 2
            return np.clip((half - 1) * width / 2 + 0.5, 0, 1).astype(np.float32)
        case _:
            half = np.full_like(y, 2.0)
    return np.clip((half - np.abs(x)) * width / 2 + 0.5, 0, 1).astype(np.float32)
