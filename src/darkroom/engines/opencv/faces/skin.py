"""Which pixels of a face are skin: a fringe or the brim of a hat on the forehead is none.

Colours are compared with the face's own cheeks, so that any tone of skin in any light will do.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..filters import brush
from ..pictures import Pixels
from .landmarks import BETWEEN_BROWS, CHEEKS, CHIN, FOREHEAD
from .warp import upward

SPREAD = np.array([6, 3, 3], np.float32)  # of lightness, a and b: never believe skin to be more uniform than that
WEIGHT = np.array([0.6, 1.2, 1.2], np.float32)
LIKE, UNLIKE = 2.2, 4.2  # deviations from the cheeks' colour
BROWS = 0.02  # above the brows, in heights of the face
BLEND = 0.05


@dataclass(frozen=True, slots=True)
class Likeness:
    """How much pixels look like the cheeks, 1 to 0, float32 (height, width).

    `everywhere` is low on eyes, lips, glasses and hair; `forehead` only on what hides the forehead, with soft borders.
    """

    everywhere: Pixels
    forehead: Pixels


def likeness(lab: Pixels, landmarks: Pixels, width: float) -> Likeness:
    """Compare a face with its cheeks.

    `lab` is float32 L*a*b* (height, width, 3), `landmarks` are in its pixels and `width` is the face's.
    """
    smooth = brush.blur(lab, max(0.8, width * 0.006))
    cheeks = _cheeks(smooth, landmarks, max(1, round(width * 0.02)))
    if not len(cheeks):
        alike = np.ones(lab.shape[:2], np.float32)
        return Likeness(alike, alike)
    middle = np.median(cheeks, 0)
    spread = np.maximum(1.25 * np.abs(cheeks - middle).mean(0), SPREAD)
    offset = (smooth - middle.astype(np.float32)) / spread.astype(np.float32)
    distance = np.sqrt(np.square(offset, out=offset) @ WEIGHT)
    unlike = ((distance - LIKE) / (UNLIKE - LIKE)).clip(0, 1)
    hidden = unlike * _forehead(lab.shape[:2], landmarks)
    hidden = cv2.dilate(hidden, np.ones((3, 3), np.uint8), iterations=max(1, round(width * 0.018)))
    return Likeness(1 - unlike, 1 - brush.blur(hidden, max(1, width * 0.03)))


def _cheeks(lab: Pixels, landmarks: Pixels, reach: int) -> Pixels:
    """Colours (n, 3) around points of the cheeks and the nose."""
    patches = []
    for x, y in landmarks[list(CHEEKS)].round().astype(int).tolist():
        patch = lab[max(0, y - reach) : max(0, y + reach + 1), max(0, x - reach) : max(0, x + reach + 1)]
        patches.append(patch.reshape(-1, 3))
    return np.concatenate(patches)


def _forehead(shape: tuple[int, int], landmarks: Pixels) -> Pixels:
    """0 below the brows, 1 above them."""
    up = upward(landmarks)
    height = max(float((landmarks[FOREHEAD] - landmarks[CHIN]) @ up), 1)
    rows, columns = (np.arange(length, dtype=np.float32) for length in shape)
    x, y = landmarks[BETWEEN_BROWS]
    # How far above the brows, as a sum of what a row and what a column give.
    across, along = ((columns - x) * up[0] / height - BROWS) / BLEND, (rows - y) * up[1] / height / BLEND
    rise: Pixels = (along[:, None] + across).clip(0, 1)
    return rise
