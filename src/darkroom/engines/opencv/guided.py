"""The guided filter: a blur that stops at the edges of a guide (He, Sun and Tang, "Guided Image Filtering", 2010)."""

from __future__ import annotations

import cv2

from .pictures import Pixels


def guided(guide: Pixels, values: Pixels, *, radius: int, tolerance: float) -> Pixels:
    """Smooth `values` where `guide` is smooth; both are float32 (height, width).

    `radius` is in pixels; variation of the guide below about the square root of `tolerance` is smoothed away.
    """
    side = 2 * max(1, radius) + 1

    def mean(pixels: Pixels) -> Pixels:
        return cv2.blur(pixels, (side, side))

    centre, level = mean(guide), mean(values)
    slope = (mean(guide * values) - centre * level) / (mean(guide * guide) - centre * centre + tolerance)
    smooth: Pixels = mean(slope) * guide + mean(level - slope * centre)
    return smooth
