"""The frame of one picture: its size in pixels, and everything else in units that do not depend on it.

Renderers place things in units of `unit` and `width`, and draw random numbers from named streams, so that one seed
gives the same scene at every resolution of the same shape.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.floating[Any]]  # float32; (rows, columns), or (rows, columns, 3) for colours, 0 to 1
BAND = 1 << 20  # pixels that are worked on at once: bounds the memory for intermediate planes


def stream(seed: int, *names: object) -> np.random.Generator:
    """Random numbers for one purpose: the same for the same seed and names, on every machine."""
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "big")))


@dataclass(frozen=True, slots=True)
class Frame:
    """Width and height in pixels and the seed of one picture; `inset` is the share at each side that a moving camera
    may not see."""

    width: int
    height: int
    seed: int
    inset: float = 0.0

    @property
    def unit(self) -> float:
        """The length in pixels that sizes of things are given in; bounded by the shorter side."""
        return float(min(self.height, 1.6 * self.width))

    @property
    def span(self) -> float:
        """The width in units."""
        return self.width / self.unit

    def stream(self, *names: object) -> np.random.Generator:
        """Random numbers of this picture for one purpose."""
        return stream(self.seed, *names)

    def bands(self, rows: int) -> Iterator[tuple[int, int]]:
        """First row and end of each band, from the top, of a picture of so many rows."""
        step = max(16, BAND // self.width)
        for top in range(0, rows, step):
            yield top, min(rows, top + step)

    def across(self) -> Plane:
        """Horizontal positions of the pixels' centres in units, 0 in the middle, as one row (1, width)."""
        columns = np.arange(self.width, dtype=np.float32) + (0.5 - self.width / 2)
        return (columns / self.unit)[None]

    def down(self, top: int, bottom: int) -> Plane:
        """Vertical positions of the centres of rows `top` to `bottom` in units from the top, as one column."""
        rows = np.arange(top, bottom, dtype=np.float32) + 0.5
        return (rows / self.unit)[:, None]


def on_map(across: Plane, distance: Plane) -> tuple[Plane, Plane]:
    """Where the points lie that are seen `across` units from the middle, at a distance.

    A unit is one radian, as on the cylinder of a panorama: the widest picture turns the view instead of stretching it.
    """
    return np.sin(across) * distance, np.cos(across) * distance


def smoothstep(low: float, high: float, value: Plane) -> Plane:
    """0 below `low`, 1 above `high`, and a smooth rise between them; `low` may be the greater one."""
    t: Plane = np.clip((value - low) * (1 / (high - low)), 0, 1)
    return t * t * (3 - 2 * t)


def mix(first: Plane, second: Plane, share: Plane | float) -> Plane:
    """`first` where `share` is 0, `second` where it is 1; a plane of shares serves colours too."""
    if isinstance(share, np.ndarray) and share.ndim == 2 and max(first.ndim, second.ndim) == 3:
        share = share[..., None]
    return first + (second - first) * share
