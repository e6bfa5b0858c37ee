"""Where faces may be: MediaPipe's BlazeFace on the picture at several sizes.

The network was made for 128x128 pixels, but it is convolutions all through: on a larger picture it looks everywhere at
once, for faces of 16 to about 100 pixels. So it is shown the picture at its full size, at a third, a ninth and so on.
What it finds are candidates; the mesh decides which of them are faces.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from .. import networks
from ..pictures import Pixels

SIDE = 128  # pixels of the pictures that the network was made for
CELLS = ((8, 2), (16, 6))  # pixels between the middles of its boxes, and boxes at each
NARROWEST = 16  # pixels of the smallest face that it sees
MOST = 2048  # pixels of a picture's longer side; more would take longer than tiny faces are worth
SHRINK = 3  # from one size to the next; every face is seen at two of them, or nearly
WHOLE = 160  # pixels of the longer side, of which a face may take up all
MARGIN = 0.4  # of the longer side, around the picture: for faces that fill it
# Larger pictures are seen in blocks, so that memory is bounded; a face that a border cuts is whole at the next size.
BLOCK, SHARED_EDGE = 512, 64
STRIDE = 32  # sides are multiples of this: the network halves them four times, and few shapes repeat often
THRESHOLD = 0.5
OVERLAP = 0.3  # candidates that share more of their union are one
SHARED = 0.5  # a face inside another one is a part of it

Box = tuple[float, float, float, float]  # left, top, width and height


@dataclass(frozen=True, slots=True)
class Candidate:
    """A box that may hold a face: centre, side and the line of the eyes (radians), in pixels of the picture."""

    score: float
    centre: tuple[float, float]
    side: float
    angle: float

    @property
    def box(self) -> Box:
        """Left, top, width and height."""
        return self.centre[0] - self.side / 2, self.centre[1] - self.side / 2, self.side, self.side


@dataclass(frozen=True, slots=True)
class Hits:
    """What passed the threshold: `scores` (n,), `boxes` (n, 4) of x, y, w, h and `eyes` (n, 2, 2) of x, y."""

    scores: Pixels
    boxes: Pixels
    eyes: Pixels

    def placed(self, left: float, top: float, across: float, down: float) -> Hits:
        """The same hits in the picture that these pixels were taken from: moved, then made larger."""
        shift = np.array([left, top], np.float32)
        ratio = np.array([across, down], np.float32)
        boxes = np.concatenate([(self.boxes[:, :2] + shift) * ratio, self.boxes[:, 2:] * ratio], 1)
        return Hits(self.scores, boxes, (self.eyes + shift) * ratio)


def candidates(rgb: Pixels, smallest: float = 0) -> list[Candidate]:
    """Boxes that may hold a face in uint8 RGB, surest first; none of them overlap much.

    Faces narrower than `smallest`, a share of the picture's longer side, are not looked for.
    """
    height, width = rgb.shape[:2]
    found = []
    for small, margin in _sizes(rgb, smallest):
        across, down = width / small.shape[1], height / small.shape[0]
        for left, top, block in _blocks(small):
            found.append(_look(block, margin).placed(left, top, across, down))
    hits = Hits(
        np.concatenate([hit.scores for hit in found]),
        np.concatenate([hit.boxes for hit in found]),
        np.concatenate([hit.eyes for hit in found]),
    )
    return _merge(hits)


def _sizes(rgb: Pixels, smallest: float) -> Iterator[tuple[Pixels, int]]:
    """The picture at every size that the network is to see, and the margin around it."""
    longer = max(rgb.shape[:2])
    side = min(longer, MOST)
    if smallest:
        side = min(side, math.ceil(NARROWEST / smallest))
    side = max(side, SIDE)
    while True:
        rgb = _resized(rgb, side)
        yield rgb, 0
        if side <= WHOLE:
            break
        side = max(SIDE, side // SHRINK)
    inside = round(SIDE / (1 + 2 * MARGIN))
    yield _resized(rgb, inside), (SIDE - inside) // 2


def _resized(rgb: Pixels, longer: int) -> Pixels:
    """The picture with a longer side of so many pixels."""
    height, width = rgb.shape[:2]
    ratio = longer / max(height, width)
    if ratio == 1:
        return rgb
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)


def _blocks(rgb: Pixels) -> Iterator[tuple[int, int, Pixels]]:
    """Left, top and pixels of the blocks that cover a picture evenly."""
    height, width = rgb.shape[:2]
    for top, bottom in _cuts(height):
        for left, right in _cuts(width):
            yield left, top, rgb[top:bottom, left:right]


def _cuts(length: int) -> list[tuple[int, int]]:
    """Where blocks along a length begin and end."""
    count = max(1, math.ceil((length - SHARED_EDGE) / (BLOCK - SHARED_EDGE)))
    side = math.ceil((length + (count - 1) * SHARED_EDGE) / count)
    starts = [round(place * (length - side) / max(1, count - 1)) for place in range(count)]
    return [(start, start + side) for start in starts]


def _look(rgb: Pixels, margin: int) -> Hits:
    """Run the network on uint8 pixels with a margin around, in black; coordinates are those of the pixels."""
    height, width = rgb.shape[:2]
    bottom, right = (-(length + 2 * margin) % STRIDE + margin for length in (height, width))
    padded = cv2.copyMakeBorder(rgb, margin, bottom, margin, right, cv2.BORDER_CONSTANT)
    raw, logits = networks.infer(
        networks.FACE_DETECTION, padded, ("regressors", "classificators"), mean=127.5, scale=1 / 127.5
    )
    logits = logits.reshape(-1)
    chosen = np.flatnonzero(logits > math.log(THRESHOLD / (1 - THRESHOLD)))
    values = raw.reshape(-1, 16)[chosen]
    anchors = _anchors(*padded.shape[:2])[chosen] - margin
    sizes = values[:, 2:4]
    eyes = values[:, 4:8].reshape(-1, 2, 2) + anchors[:, None]
    scores = 1 / (1 + np.exp(-logits[chosen].clip(-80, 80)))
    return Hits(scores, np.concatenate([values[:, :2] + anchors - sizes / 2, sizes], 1), eyes)


@lru_cache(maxsize=16)
def _anchors(height: int, width: int) -> Pixels:
    """Middles (x, y) of the network's boxes in a picture of this size, in pixels."""
    grids = []
    for pixels, boxes in CELLS:
        rows, columns = np.mgrid[: height // pixels, : width // pixels].astype(np.float32)
        grids.append(((np.stack([columns, rows], -1) + 0.5) * pixels).reshape(-1, 2).repeat(boxes, 0))
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
