"""Enlarging pictures: a small trained network that doubles the luma, in tiles, or plain Lanczos.

The network adds detail to a bicubic enlargement of the luma; colours are bicubic and transparency is Lanczos. Tiles
overlap by the network's reach, so that the result is bit-equal to one made in a single piece.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import cv2
import numpy as np
from PIL import Image

from .pictures import MAX_OUTPUT_PIXELS, Picture, Pixels, Size, crop_to_shape, fit, lanczos

TILE = 256
REACH = 8  # how many pixels away the network looks: 2 in its first layer and 1 in each of six more
# Enlarging by a further 7 % is left to Lanczos: doubling once more would cost four times the work.
SPARED = 0.1

OnTile = Callable[[int, int], None]


def enlarge(picture: Picture, size: Size, on_tile: OnTile) -> Picture:
    """Scale to exactly `size` with the network. `on_tile` is told how many tiles of how many are done."""
    picture = crop_to_shape(picture, size)
    rounds = doublings(picture.size, size)
    width, height = picture.size
    total = sum(len(list(_corners(width << done, height << done, TILE))) for done in range(rounds))
    ready = 0

    def count() -> None:
        nonlocal ready
        ready += 1
        on_tile(ready, total)

    rgb, alpha = picture.rgb, picture.alpha
    for _ in range(rounds):
        rgb = double(rgb, TILE, count)
    if alpha is not None:
        alpha = lanczos(alpha, (rgb.shape[1], rgb.shape[0]))
    return fit(replace(picture, rgb=rgb, alpha=alpha), size)


def doublings(start: Size, size: Size) -> int:
    """How often to double `start` before Lanczos brings it to `size`; never past the limit for results."""
    factor = max(size[0] / start[0], size[1] / start[1])
    wanted = max(0, math.ceil(math.log2(factor) - SPARED))
    room = int(math.log2(MAX_OUTPUT_PIXELS / (start[0] * start[1])) / 2)
    return max(0, min(wanted, room))


def double(rgb: Pixels, tile: int, on_tile: Callable[[], None]) -> Pixels:
    """Twice the width and height of uint8 `rgb` of any size; `tile` changes memory and time, never the result."""
    height, width = rgb.shape[:2]
    ycc = Image.fromarray(rgb).convert("YCbCr")
    luma = np.asarray(ycc)[..., 0]
    # The network was trained on what Pillow's bicubic lacks, so nothing else will do underneath.
    larger = np.array(ycc.resize((2 * width, 2 * height), Image.Resampling.BICUBIC))
    padded = cv2.copyMakeBorder(luma, REACH, REACH, REACH, REACH, cv2.BORDER_REFLECT_101)
    network = _network()
    for left, top in _corners(width, height, tile):
        right, bottom = min(left + tile, width), min(top + tile, height)
        window = padded[top : bottom + 2 * REACH, left : right + 2 * REACH]
        network.setInput((window.astype(np.float32) / 255)[None, None])
        detail = network.forward()[0, 0, 2 * REACH : -2 * REACH, 2 * REACH : -2 * REACH]
        target = larger[2 * top : 2 * bottom, 2 * left : 2 * right, 0]
        target[...] = (target + detail * 255).clip(0, 255).round()
        on_tile()
    return np.array(Image.fromarray(larger, "YCbCr").convert("RGB"))


def _corners(width: int, height: int, tile: int) -> Iterator[tuple[int, int]]:
    """Left and top of every tile."""
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield left, top


@cache
def _network() -> Any:
    """The network, loaded once a process; it is not safe to use from two threads."""
    weights = resources.files("darkroom").joinpath("models", "tinysr_x2.onnx").read_bytes()
    model = np.frombuffer(weights, np.uint8)
    if hasattr(cv2.dnn, "ENGINE_CLASSIC"):  # OpenCV 5; its new engine is not the one the results were checked with
        return cv2.dnn.readNetFromONNX(model, engine=cv2.dnn.ENGINE_CLASSIC)
    return cv2.dnn.readNetFromONNX(model)
