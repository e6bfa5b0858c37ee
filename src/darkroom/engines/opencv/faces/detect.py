"""Where faces may be: MediaPipe's BlazeFace on overlapping tiles of several sizes.

The network sees 128x128 pixels, so that one look at a whole picture finds large faces only. What it finds are
candidates; the mesh decides which of them are faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from .. import networks
from ..pictures import Pixels

SIDE = 128  # of the network's input
ANCHORS = ((16, 2), (8, 6))  # cells a side, and boxes a cell
THRESHOLD = 0.5
OVERLAP = 0.3  # candidates that share more of their union are one
SHARED = 0.5  # a face inside another one is a part of it
# Each level cuts the longer side into so many tiles. The first sees the picture with a margin around, for faces that
# fill it.
LEVELS = (0, 1, 2, 3, 4, 6, 9)
WIDEN = 1.35  # tiles overlap, so that no face lies on a border in every level
STEP = 0.66
MARGIN = 0.4
SMALLEST_TILE = 120

Tile = tuple[int, int, int, int]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box that may hold a face: centre, side and the line of the eyes (radians), in pixels of the picture."""

    score: float
    centre: tuple[float, float]
    side: float
    angle: float


@dataclass(frozen=True, slots=True)
class Hits:
    """What passed the threshold: `scores` (n,), `boxes` (n, 4) of x, y, w, h and `eyes` (n, 2, 2) of x, y."""

    scores: Pixels
    boxes: Pixels
    eyes: Pixels

    def moved(self, left: float, top: float) -> Hits:
        """The same hits in the picture that the tile was cut from."""
        shift = np.array([left, top], np.float32)
        return Hits(self.scores, self.boxes + np.array([left, top, 0, 0], np.float32), self.eyes + shift)


def candidates(rgb: Pixels, levels: Sequence[int] = LEVELS) -> list[Candidate]:
    """Boxes that may hold a face in uint8 RGB, surest first; none of them overlap much."""
    found = [_look(rgb, tile).moved(tile[0], tile[1]) for tile in _tiles(rgb.shape[1], rgb.shape[0], levels)]
    hits = Hits(
        np.concatenate([hit.scores for hit in found]),
        np.concatenate([hit.boxes for hit in found]),
        np.concatenate([hit.eyes for hit in found]),
    )
    return _merge(hits)


def _tiles(width: int, height: int, levels: Sequence[int]) -> Iterator[Tile]:
    """Left, top, width and height of every tile; a margin reaches over the picture's borders."""
    for level in levels:
        if level == 0:
            around = round(MARGIN * max(width, height))
            yield -around, -around, width + 2 * around, height + 2 * around
        elif level == 1:
            yield 0, 0, width, height
        else:
            side = int(max(width, height) / level * WIDEN)
            if side < SMALLEST_TILE:
                return
            for left in _starts(width, side):
                for top in _starts(height, side):
                    yield left, top, min(side, width), min(side, height)


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin along a length that they cover evenly."""
    if side >= length:
        return [0]
    count = math.ceil((length - side) / (side * STEP)) + 1
    return [round(place * (length - side) / (count - 1)) for place in range(count)]


def _look(rgb: Pixels, tile: Tile) -> Hits:
    """Run the network on a tile, letterboxed to a square; coordinates are the tile's."""
    left, top, width, height = tile
    side = max(width, height)
    shrink = side / SIDE
    across, down = (side - width) / 2, (side - height) / 2
    inside = rgb[max(0, top) : top + height, max(0, left) : left + width]
    small = cv2.resize(
        inside,
        (max(1, round(inside.shape[1] / shrink)), max(1, round(inside.shape[0] / shrink))),
        interpolation=cv2.INTER_AREA,
    )
    square = np.zeros((SIDE, SIDE, 3), np.float32)
    x, y = round((across - min(0, left)) / shrink), round((down - min(0, top)) / shrink)
    small = small[: SIDE - y, : SIDE - x]
    square[y : y + small.shape[0], x : x + small.shape[1]] = small
    raw, logits = networks.infer(
        networks.FACE_DETECTION, square / np.float32(127.5) - 1, ("regressors", "classificators")
    )
    scores = 1 / (1 + np.exp(-logits.reshape(-1).clip(-80, 80)))
    chosen = scores > THRESHOLD
    values = raw.reshape(-1, 16)[chosen] / SIDE
    anchors = _anchors()[chosen]
    offset = np.array([across, down], np.float32)
    centres = (values[:, :2] + anchors) * side - offset
    sizes = values[:, 2:4] * side
    eyes = (values[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]) * side - offset
    return Hits(scores[chosen], np.concatenate([centres - sizes / 2, sizes], 1), eyes)


@cache
def _anchors() -> Pixels:
    """Centres (x, y) of the network's 896 boxes, in 0..1."""
    grids = []
    for cells, boxes in ANCHORS:
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        rows, columns = np.meshgrid(middles, middles, indexing="ij")
        grids.append(np.stack([columns, rows], -1).reshape(-1, 2).repeat(boxes, 0))
    return np.concatenate(grids)


def _merge(hits: Hits) -> list[Candidate]:
    """One candidate for each group of overlapping boxes: their mean, weighted by score."""
    rest = np.argsort(-hits.scores, kind="stable")
    merged = []
    while len(rest):
        near = _overlap(hits.boxes[rest[0]], hits.boxes[rest]) > OVERLAP
        near[0] = True
        group, rest = rest[near], rest[~near]
        weights = hits.scores[group] / hits.scores[group].sum()
        x, y, width, height = (weights @ hits.boxes[group]).tolist()
        (left_x, left_y), (right_x, right_y) = np.tensordot(weights, hits.eyes[group], 1).tolist()
        merged.append(
            Candidate(
                float(hits.scores[group[0]]),
                (x + width / 2, y + height / 2),
                max(width, height),
                math.atan2(right_y - left_y, right_x - left_x),
            )
        )
    return merged


def shared(one: Box, other: Box) -> float:
    """How much of the smaller of two boxes (x, y, width, height) lies in the other one, 0 to 1."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0.0, width) * max(0.0, height) / max(min(one[2] * one[3], other[2] * other[3]), 1e-6)


def _overlap(box: Pixels, boxes: Pixels) -> Pixels:
    """Shared area over the area of the union, of one box with each of `boxes` (n, 4), as x, y, width, height."""
    corner = np.minimum(box[:2] + box[2:], boxes[:, :2] + boxes[:, 2:])
    both = (corner - np.maximum(box[:2], boxes[:, :2])).clip(0).prod(1)
    union: Pixels = box[2:].prod() + boxes[:, 2:].prod(1) - both
    return np.asarray(both / np.maximum(union, 1e-6))
