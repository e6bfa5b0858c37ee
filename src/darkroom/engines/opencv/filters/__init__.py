"""Filters: one function a style, from float pixels to float pixels.

Each takes float32 RGB in 0..1 of shape (height, width, 3), a seed and a unit, and is deterministic. Lengths are
multiples of the unit, which grows with the picture, so that a style looks alike at every size. Faces are drawn with a
smaller one (see `gentle`), where the caller says where they are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import cv2
import numpy as np

from ..pictures import Pixels
from . import brush, drawn, gentle, graded, painted, printed

# Larger pictures are filtered at this size and enlarged again: beyond it the strokes themselves are soft.
WORKING_PIXELS = 12_000_000

Filter = Callable[[Pixels, int, float], Pixels]

FILTERS: Mapping[str, Filter] = {
    "cartoon": painted.cartoon,
    "comic": printed.comic,
    "film": graded.film,
    "halftone": printed.halftone,
    "ink": drawn.ink,
    "lowpoly": painted.lowpoly,
    "neon": drawn.neon,
    "noir": graded.noir,
    "oil": painted.oil,
    "pencil": drawn.pencil,
    "pixel": printed.pixel,
    "pop": printed.pop,
    "sepia": graded.sepia,
    "watercolor": painted.watercolor,
}

GENTLE = frozenset(gentle.TOUCHES)  # styles that need to know where faces are


def apply(style: str, rgb: Pixels, *, strength: float = 1.0, seed: int = 0, faces: Sequence[Pixels] = ()) -> Pixels:
    """Filter uint8 RGB; `strength` 0..1 blends with the original.

    `faces` are outlines, each (n, 2) of x and y in pixels, within which the style is gentle.
    """
    if strength <= 0:
        return rgb
    height, width = rgb.shape[:2]
    excess = max(1.0, math.sqrt(height * width / WORKING_PIXELS))
    work = rgb
    if excess > 1:
        work = cv2.resize(rgb, (round(width / excess), round(height / excess)), interpolation=cv2.INTER_AREA)
    floats = work.astype(np.float32) / 255
    drawn_floats = FILTERS[style](floats, seed, brush.unit(floats)).clip(0, 1)
    for outline in faces:
        gentle.soften(
            style, floats, drawn_floats, outline / excess, lambda face, unit: FILTERS[style](face, seed, unit)
        )
    result: Pixels = cv2.convertScaleAbs(drawn_floats, alpha=255)
    if excess > 1:
        result = cv2.resize(result, (width, height), interpolation=cv2.INTER_CUBIC)
    return result if strength >= 1 else cv2.addWeighted(result, strength, rgb, 1 - strength, 0)
