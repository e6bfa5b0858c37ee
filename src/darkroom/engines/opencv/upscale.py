"""Enlarging pictures: two small trained networks, for twice and four times, that add detail to the luma; or Lanczos.

A network adds detail to a bicubic enlargement of the luma; colours are bicubic and transparency is Lanczos. It is told
how strongly a JPEG file was compressed, so that it sharpens what is clean and smooths what is not. Tiles overlap, so
that the result is bit-equal to one made in a single piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from .pictures import MAX_OUTPUT_PIXELS, Picture, Pixels, Size, crop_to_shape, fit, lanczos

TILE = 180  # with its margins a window of 224 pixels at most: larger ones are too much for the caches
# OpenCV's fast (Winograd) convolution makes blocks of so many pixels on each side. The last digits of a pixel depend on
# its place in the block and on all that its block sees: so tiles begin at corners of blocks, and overlap by more than
# the network's reach.
BLOCK = 6
# Enlarging by a further 7 % is left to Lanczos: a further network would cost many times the work.
SPARED = 1.07
STRONGEST = 64  # the mean step of a quantisation table that counts as 1 in the network's second plane; of quality 55
PROBE = 64

OnTile = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Network:
    """One trained network; it is not safe to use from two threads.

    `reach` is how many pixels of the small picture it looks away, and `surplus` how many more a window needs at its
    right and bottom for exact results.
    """

    net: Any
    factor: int
    reach: int
    surplus: int

    def detail(self, window: Pixels, compression: float) -> Pixels:
        """What the bicubic enlargement of uint8 luma lacks, in grey levels, for all of `window` but its margins."""
        strength = np.full(window.shape, min(1.0, compression / STRONGEST), np.float32)
        self.net.setInput(np.stack((window.astype(np.float32) / 255, strength))[None])
        end = -self.factor * self.surplus
        found: Pixels = self.net.forward()[0, 0, :end, :end] * 255
        return found


@dataclass(frozen=True, slots=True)
class Tiles:
    """How one side is cut: `count` tiles of `step` pixels, which may end past the side."""

    count: int
    step: int

    @classmethod
    def of(cls, side: int, tile: int) -> Tiles:
        """Tiles of equal size, at most `tile` pixels (but whole blocks), that cover `side`."""
        blocks = math.ceil(side / BLOCK)
        count = math.ceil(blocks / max(1, tile // BLOCK))
        return cls(count, math.ceil(blocks / count) * BLOCK)

    @property
    def starts(self) -> range:
        """Where the tiles begin."""
        return range(0, self.count * self.step, self.step)


def enlarge(picture: Picture, size: Size, on_tile: OnTile) -> Picture:
    """Scale to exactly `size` with the networks. `on_tile` is told how many tiles of how many are done."""
    picture = crop_to_shape(picture, size)
    factors = rounds(picture.size, size)
    total, (width, height) = 0, picture.size
    for factor in factors:
        total += Tiles.of(width, TILE).count * Tiles.of(height, TILE).count
        width, height = width * factor, height * factor
    ready = 0

    def count() -> None:
        nonlocal ready
        ready += 1
        on_tile(ready, total)

    rgb, alpha, compression = picture.rgb, picture.alpha, picture.compression
    for factor in factors:
        rgb = multiply(rgb, factor, TILE, count, compression)
        compression = 0.0  # the network took it away
    if alpha is not None:
        alpha = lanczos(alpha, (rgb.shape[1], rgb.shape[0]))
    return fit(replace(picture, rgb=rgb, alpha=alpha), size)


def rounds(start: Size, size: Size) -> tuple[int, ...]:
    """By which factors to multiply `start` before Lanczos brings it to `size`; never past the limit for results."""
    factor = max(size[0] / start[0], size[1] / start[1])
    room = math.isqrt(MAX_OUTPUT_PIXELS // (start[0] * start[1]))
    factors: list[int] = []
    while factor > SPARED and room >= 2:
        factors.append(4 if factor > 2 * SPARED and room >= 4 else 2)
        factor, room = factor / factors[-1], room // factors[-1]
    return tuple(factors)


def double(rgb: Pixels, tile: int, on_tile: Callable[[], None]) -> Pixels:
    """Twice the width and height of uint8 `rgb` of any size."""
    return multiply(rgb, 2, tile, on_tile)


def multiply(rgb: Pixels, factor: int, tile: int, on_tile: Callable[[], None], compression: float = 0.0) -> Pixels:
    """Uint8 `rgb` of any size, `factor` (2 or 4) times as wide and high.

    `tile` changes memory and time, never the result. `compression` is that of `Picture`.
    """
    height, width = rgb.shape[:2]
    image = Image.fromarray(rgb)
    # The network was trained on what Pillow's bicubic lacks, so nothing else will do underneath. What the luma lacks is
    # added to red, green and blue alike: a detour over YCbCr would round twice, and Pillow rounds it down.
    larger = np.array(image.resize((factor * width, factor * height), Image.Resampling.BICUBIC))
    trained = network(factor)
    rows, columns = Tiles.of(height, tile), Tiles.of(width, tile)
    before, behind = trained.reach, trained.reach + trained.surplus
    bottom, right = behind + rows.count * rows.step - height, behind + columns.count * columns.step - width
    luma = np.asarray(image.convert("L"))
    padded = cv2.copyMakeBorder(luma, before, bottom, before, right, cv2.BORDER_REFLECT_101)
    margin = before + behind
    for top in rows.starts:
        for left in columns.starts:
            window = padded[top : top + rows.step + margin, left : left + columns.step + margin]
            detail = trained.detail(window, compression)
            target = larger[factor * top :, factor * left :][: detail.shape[0], : detail.shape[1]]
            detail = detail[: target.shape[0], : target.shape[1]]
            cv2.add(target, cv2.merge((detail, detail, detail)), dst=target, dtype=cv2.CV_8U)
            on_tile()
    return larger


def load(path: Path, factor: int) -> Network:
    """Read a network that multiplies both sides by `factor`."""
    # From a path: OpenCV 5 does not heed the choice of its engine for the content of a file. Only the classic one has
    # the fast convolution, and is faster still while what follows a convolution is not made one with it.
    classic = {"engine": cv2.dnn.ENGINE_CLASSIC} if hasattr(cv2.dnn, "ENGINE_CLASSIC") else {}
    net = cv2.dnn.readNetFromONNX(str(path), **classic)
    net.enableFusion(False)
    net.setInput(np.zeros((1, 2, PROBE, PROBE), np.float32))
    reach = (PROBE - net.forward().shape[-1] // factor) // 2
    # Each convolution but the first moves what is exact by a block, of which two pixels are its own reach.
    return Network(net, factor, reach, (reach - 1) * (BLOCK - 2))


@cache
def network(factor: int) -> Network:
    """The network that ships, loaded once a process."""
    with resources.as_file(resources.files("darkroom").joinpath("models", f"upscale_x{factor}.onnx")) as path:
        return load(path, factor)
