"""Gradient noise with exact slopes, and sums of its octaves.

One periodic table per picture holds the noise and both slopes; sampling it anywhere is one bilinear look-up. Octaves
are turned and every use is shifted against the others, so that neither the table's period nor its lattice shows.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

from .frame import Frame, Plane, stream

CELLS = 32  # lattice cells before the table repeats
TEXELS = 16  # samples per cell
TURN = (0.8, 0.6)  # cosine and sine of the turn from one octave to the next


class Noise:
    """Noise of one picture; `name` tells apart several of them. Coordinates are in lattice cells."""

    def __init__(self, frame: Frame, name: str) -> None:
        self._value, self._slopes = _tables(frame.seed)
        shifts = frame.stream("noise", name).random((16, 2)) * CELLS
        self._shifts: list[tuple[float, float]] = shifts.tolist()  # Python's numbers keep float32 planes float32

    def value(self, x: Plane, y: Plane) -> Plane:
        """The noise, about -1 to 1, at points given as two planes that broadcast."""
        return _look_up(self._value, x, y)

    def slopes(self, x: Plane, y: Plane) -> Plane:
        """The noise and its slopes along x and y, as three channels."""
        return _look_up(self._slopes, x, y)

    def fbm(self, x: Plane, y: Plane, octaves: int, gain: float = 0.5) -> Plane:
        """Sum of octaves, each twice as fine and `gain` times as strong; about -1 to 1."""
        total = np.zeros(np.broadcast_shapes(x.shape, y.shape), np.float32)
        for octave in range(octaves):
            octave_x, octave_y = self.octave(x, y, octave)
            total += self.value(octave_x, octave_y) * (gain**octave)
        return total

    def eroded(self, x: Plane, y: Plane, octaves: int, wear: float) -> tuple[Plane, Plane, Plane]:
        """Heights like worn rock, about -1 to 1, and their slopes along x and y.

        Each octave is weakened where the coarser ones are steep (`wear`), which leaves sharp crests and smooth valleys.
        """
        shape = np.broadcast_shapes(x.shape, y.shape)
        height, slope_x, slope_y = (np.zeros(shape, np.float32) for _ in range(3))
        steep_x, steep_y = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        for octave in range(octaves):
            found = self.slopes(*self.octave(x, y, octave))
            along, over = found[..., 1], found[..., 2]
            steep_x += along
            steep_y += over
            weight = 0.5**octave / (1 + wear * (steep_x * steep_x + steep_y * steep_y))
            height += weight * found[..., 0]
            a, b = turn(octave)
            slope_x += weight * (along * a + over * b)
            slope_y += weight * (over * a - along * b)
        return height, slope_x, slope_y

    def octave(self, x: Plane, y: Plane, octave: int) -> tuple[Plane, Plane]:
        """Where octave number `octave` is sampled for the points x, y."""
        a, b = turn(octave)
        shift_x, shift_y = self._shifts[octave]
        return x * a + (y * -b + shift_x), x * b + (y * a + shift_y)


def turn(octave: int) -> tuple[float, float]:
    """First column of the matrix (turn times scale) of an octave."""
    power = complex(*TURN) ** octave * 2**octave
    return power.real, power.imag


@lru_cache(maxsize=1)
def _tables(seed: int) -> tuple[Plane, Plane]:
    """The noise, and the noise with its slopes; both repeat their first row and column after the last."""
    value = _table(stream(seed, "noise").random((CELLS, CELLS)) * math.tau)
    around = np.pad(value, 1, mode="wrap")
    slope_x = (around[1:-1, 2:] - around[1:-1, :-2]) * (TEXELS / 2)
    slope_y = (around[2:, 1:-1] - around[:-2, 1:-1]) * (TEXELS / 2)
    slopes = np.pad(np.stack([value, slope_x, slope_y], -1), ((0, 1), (0, 1), (0, 0)), mode="wrap")
    return np.pad(value, ((0, 1), (0, 1)), mode="wrap"), slopes


def _table(angles: Plane) -> Plane:
    """Periodic gradient noise from one gradient direction per lattice point."""
    part = np.arange(TEXELS, dtype=np.float32) / TEXELS
    fade = np.tile(part**3 * (part * (part * 6 - 15) + 10), CELLS)
    part = np.tile(part, CELLS)
    slopes = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    corners = []
    for down in (0, 1):
        for right in (0, 1):
            corner = np.roll(slopes, (-down, -right), (1, 2)).repeat(TEXELS, 1).repeat(TEXELS, 2)
            corners.append(corner[0] * (part - right)[None] + corner[1] * (part - down)[:, None])
    upper = corners[0] + (corners[1] - corners[0]) * fade[None]
    lower = corners[2] + (corners[3] - corners[2]) * fade[None]
    value: Plane = (upper + (lower - upper) * fade[:, None]) * math.sqrt(2)
    return value


def _look_up(table: Plane, x: Plane, y: Plane) -> Plane:
    x, y = np.broadcast_arrays(_wrapped(x), _wrapped(y))
    found = cv2.remap(table, np.ascontiguousarray(x), np.ascontiguousarray(y), cv2.INTER_LINEAR)
    return found.astype(np.float32, copy=False)


def _wrapped(position: Plane) -> Plane:
    turns: Plane = position * (1 / CELLS)
    turns = turns - np.floor(turns)
    turns *= CELLS * TEXELS
    return turns
