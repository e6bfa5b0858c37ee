"""Adjustments of light, colour and focus, on uint8 pixels, so that even a large picture costs little memory."""

from __future__ import annotations

import cv2
import numpy as np

from .edit.plan import Look
from .filters import brush
from .pictures import Pixels

LUMA = np.array([0.299, 0.587, 0.114])


def adjust(rgb: Pixels, look: Look) -> Pixels:
    """Apply the adjustments of `look`; its styles are not looked at."""
    if look.saturation:
        rgb = cv2.transform(rgb, _saturation(look.saturation))
    if look.brightness or look.contrast or look.warmth:
        rgb = cv2.LUT(rgb, _curves(look))
    if look.blur > 0:
        rgb = brush.blur(rgb, 7 * look.blur * brush.unit(rgb))
    if look.sharpness > 0:
        amount = 1.4 * look.sharpness
        rgb = cv2.addWeighted(rgb, 1 + amount, brush.blur(rgb, max(0.6, 1.3 * brush.unit(rgb))), -amount, 0)
    return rgb


def _saturation(amount: float) -> Pixels:
    """Matrix that moves colours away from grey, or with -1 onto it."""
    keep = 1 + amount * (0.8 if amount > 0 else 1)
    matrix: Pixels = keep * np.eye(3) + (1 - keep) * np.ones((3, 1)) * LUMA
    return matrix


def _curves(look: Look) -> Pixels:
    """One table a channel, of shape (1, 256, 3): brightness bends, contrast makes an S, warmth tilts red and blue."""
    level = np.linspace(0, 1, 256)
    level = level ** (2.0 ** (-1.1 * look.brightness))
    bend = level * level * (3 - 2 * level) if look.contrast > 0 else 0.5 + (level - 0.5) * 0.5
    level = level + abs(look.contrast) * 1.2 * (bend - level)
    tilt = 0.14 * look.warmth
    gains = (1 + tilt, 1 + 0.15 * tilt, 1 - tilt)
    tables = np.stack([level * gain for gain in gains], -1).clip(0, 1)
    result: Pixels = (tables * 255 + 0.5).astype(np.uint8)[None]
    return result
