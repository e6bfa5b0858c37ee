"""Enlarging pictures with a network that makes them a whole number of times larger, in tiles.

The network sees tiles of one shape that overlap, and what it makes of their borders is thrown away. Where another size
is wanted than the network makes, each tile is resized by itself, with enough around it that it comes out as if the
whole picture had been: so the memory that this takes depends on the tile and on the result alone.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..opencv.pictures import Picture, Pixels, Size, crop_to_shape, fit, lanczos
from . import UNIT
from .network import Network, pixels, planes

OVERLAP = 16  # pixels that a tile shares with the next one
LEAST = 16  # pixels of the side of a network's input; a smaller one sees too little
SPARED = 1.07  # what is left to enlarge by less is left to Lanczos: another round would cost many times as much

OnTile = Callable[[int, int], None]


class Upscaler:
    """An image-to-image network: 1 x 3 x h x w of RGB in 0..1 to 1 x 3 x fh x fw; `factor` is its f."""

    def __init__(self, path: Path, tile: int) -> None:
        self._network = Network(path, "upscaling network")
        self._tile = tile
        inputs = self._network.inputs
        if len(inputs) != 1 or not inputs[0].takes(1, 3, None, None):
            takes = ", ".join(map(str, inputs))
            raise self._network.unfit(f"takes {takes}; an upscaling network takes 1 x 3 x height x width")
        self._fixed = inputs[0].shape[2:]
        if any(side is not None and side < LEAST for side in self._fixed):
            raise self._network.unfit(f"takes pictures smaller than {LEAST}x{LEAST}")
        self.factor = self._measured()

    def grid(self, size: Size) -> tuple[Axis, Axis]:
        """How a picture of this size is cut, across and down."""
        fixed_height, fixed_width = self._fixed
        return Axis.of(size[0], self._tile, fixed_width), Axis.of(size[1], self._tile, fixed_height)

    def enlarged(self, tile: Pixels) -> Pixels:
        """A tile, uint8 RGB, so many times larger as the factor says."""
        height, width = tile.shape[:2]
        made = self._run(tile)
        if made.shape != (1, 3, height * self.factor, width * self.factor):
            raise self._unfit_result(tile, made)
        return pixels(made)

    def _run(self, tile: Pixels) -> Pixels:
        return self._network.run({self._network.inputs[0].name: planes(tile) / 255})

    def _measured(self) -> int:
        height, width = (side or UNIT for side in self._fixed)
        grey = np.full((height, width, 3), 128, np.uint8)
        made = self._run(grey)
        factor: int = made.shape[-1] // width
        if factor < 2 or made.shape != (1, 3, height * factor, width * factor):
            raise self._unfit_result(grey, made)
        return factor

    def _unfit_result(self, tile: Pixels, made: Pixels) -> Exception:
        sides = " x ".join(map(str, made.shape))
        return self._network.unfit(f"makes {sides} of a picture of {tile.shape[1]}x{tile.shape[0]}: it is no upscaler")


class Axis:
    """One side of a picture, cut into parts: windows are what the network sees, cores are what is kept of them."""

    def __init__(self, length: int, window: int, overlap: int) -> None:
        self.length = length
        self.window = window
        self.overlap = overlap
        self.core = window - 2 * overlap
        self.starts = range(0, length, self.core)

    @classmethod
    def of(cls, length: int, tile: int, fixed: int | None) -> Axis:
        """A side of `length` pixels, for a network that takes windows of `fixed` pixels, or of any up to `tile`."""
        if fixed is not None:
            return cls(length, fixed, min(OVERLAP, fixed // 4))
        count = math.ceil(length / (tile - 2 * OVERLAP))
        window = math.ceil((math.ceil(length / count) + 2 * OVERLAP) / UNIT) * UNIT
        return cls(length, window, OVERLAP)

    @property
    def padding(self) -> tuple[int, int]:
        """What windows need before the side begins and after it ends."""
        return self.overlap, len(self.starts) * self.core + self.overlap - self.length

    def shares(self, start: int, wanted: int, factor: int) -> tuple[int, int, float, float]:
        """What becomes of the core at `start` where the side becomes `wanted` pixels long.

        That is its first and last pixel in the result, and both as places in the network's output.
        """
        scale = wanted / self.length
        first, end = round(start * scale), round(min(start + self.core, self.length) * scale)
        origin = start - self.overlap
        return first, end, (first / scale - origin) * factor, (end / scale - origin) * factor


def enlarge(picture: Picture, size: Size, upscaler: Upscaler, on_tile: OnTile) -> Picture:
    """Scale to exactly `size` with the network. `on_tile` is told how many tiles of how many are done."""
    picture = crop_to_shape(picture, size)
    sizes = rounds(picture.size, size, upscaler.factor)
    if not sizes:
        return fit(picture, size)
    before = [picture.size, *sizes[:-1]]
    total = sum(len(across.starts) * len(down.starts) for across, down in map(upscaler.grid, before))
    done = itertools.count(1)
    rgb = picture.rgb
    for wanted in sizes:
        rgb = once(rgb, wanted, upscaler, lambda: on_tile(next(done), total))
    return replace(picture, rgb=rgb, alpha=None if picture.alpha is None else lanczos(picture.alpha, size))


def rounds(start: Size, size: Size, factor: int) -> list[Size]:
    """The size after each use of the network, from `start` to `size`; none where nothing grows."""
    growth = max(size[0] / start[0], size[1] / start[1])
    sizes = []
    if growth > 1:
        while growth > factor * SPARED:
            start = (start[0] * factor, start[1] * factor)
            growth /= factor
            sizes.append(start)
        sizes.append(size)
    return sizes


def once(rgb: Pixels, size: Size, upscaler: Upscaler, on_tile: Callable[[], None]) -> Pixels:
    """Enlarge uint8 `rgb` to `size` with one use of the network for each tile."""
    across, down = upscaler.grid((rgb.shape[1], rgb.shape[0]))
    padded = cv2.copyMakeBorder(rgb, *down.padding, *across.padding, cv2.BORDER_REFLECT_101)
    result = np.empty((size[1], size[0], 3), np.uint8)
    for top, left in itertools.product(down.starts, across.starts):
        made = upscaler.enlarged(padded[top : top + down.window, left : left + across.window])
        x, right, from_x, to_x = across.shares(left, size[0], upscaler.factor)
        y, bottom, from_y, to_y = down.shares(top, size[1], upscaler.factor)
        result[y:bottom, x:right] = _part(made, (from_x, from_y, to_x, to_y), (right - x, bottom - y))
        on_tile()
    return result


def _part(made: Pixels, box: tuple[float, float, float, float], size: Size) -> Pixels:
    """A part of a tile at a size; Lanczos sees what lies around the part."""
    left, top, right, bottom = box
    if right - left == size[0] and bottom - top == size[1]:
        return made[int(top) : int(bottom), int(left) : int(right)]
    return np.asarray(Image.fromarray(made).resize(size, Image.Resampling.LANCZOS, box=box))
