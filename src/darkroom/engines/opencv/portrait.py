"""The look of a portrait lens: who stands in front stays crisp, what is behind them melts into soft discs."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from . import faces, networks
from .faces.landmarks import OVAL
from .filters import brush
from .guided import guided
from .pictures import Picture, Pixels

SIDE = 256  # of the network's input
WORKING_PIXELS = 1_500_000  # backgrounds are blurred at this size: enlarging a blur loses nothing
NOBODY = 0.02  # of the picture
DISC = 0.028  # radius at full blur, of the longer side
SMALLEST_FACE = 1 / 32  # of the longer side
GAMMA = 2.2
GUIDE = 0.02  # reach of the mask's fitting to edges, of the longer side
TOLERANCE = 1e-3


def blur_background(picture: Picture, amount: float) -> Picture:
    """Blur what is behind people by `amount` 0..1; a picture without anybody stays as it is."""
    mask = person(picture.rgb)
    if amount <= 0 or float(mask.mean()) < NOBODY:
        return picture
    height, width = picture.rgb.shape[:2]
    shrink = max(1.0, (height * width / WORKING_PIXELS) ** 0.5)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(picture.rgb, size, interpolation=cv2.INTER_AREA)
    mask = _fitted(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR), small)
    behind = _discs(small, 1 - mask, amount * DISC * max(size))
    if shrink > 1:
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
        behind = cv2.resize(behind, (width, height), interpolation=cv2.INTER_LINEAR)
    return replace(picture, rgb=over(picture.rgb, behind, mask))


def person(rgb: Pixels) -> Pixels:
    """How likely each part of the picture shows a person: float32 (256, 256), 0..1."""
    small = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    [mask] = networks.infer(networks.SELFIE_SEGMENTATION, small)
    return mask.reshape(SIDE, SIDE)


def face_outlines(picture: Picture) -> list[Pixels]:
    """The outline of every face that is not tiny, each (36, 2) of x and y in pixels, from left to right."""
    return [face.landmarks[list(OVAL)] for face in faces.find(picture, SMALLEST_FACE)]


def mask(rgb: Pixels) -> Pixels:
    """Where people are, with borders drawn to the picture's edges: float32 (height, width); 0 where there is nobody."""
    likely = person(rgb)
    height, width = rgb.shape[:2]
    if float(likely.mean()) < NOBODY:
        return np.zeros((height, width), np.float32)
    shrink = max(1.0, (height * width / WORKING_PIXELS) ** 0.5)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    fitted = _fitted(cv2.resize(likely, size, interpolation=cv2.INTER_LINEAR), small)
    return cv2.resize(fitted, (width, height), interpolation=cv2.INTER_LINEAR)


def _fitted(mask: Pixels, rgb: Pixels) -> Pixels:
    """The mask with its borders drawn to the picture's edges."""
    luma = brush.grey(rgb).astype(np.float32) / 255
    fitted = guided(luma, mask, radius=round(GUIDE * max(mask.shape) / 2), tolerance=TOLERANCE)
    crisp = (fitted - 0.3) / 0.5
    return crisp.clip(0, 1)


def _discs(rgb: Pixels, weight: Pixels, radius: float) -> Pixels:
    """What is behind, uint8, blurred in linear light; who stands in front does not bleed into it."""
    linear = (rgb.astype(np.float32) / 255) ** GAMMA
    side = 2 * max(1, round(radius)) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.float32)
    disc /= disc.sum()
    weight = weight[..., None] + 1e-4
    blurred = cv2.filter2D(linear * weight, -1, disc) / cv2.filter2D(weight, -1, disc)[..., None]
    soft: Pixels = (blurred.clip(0, 1) ** (1 / GAMMA) * 255 + 0.5).astype(np.uint8)
    return soft


def over(front: Pixels, behind: Pixels, mask: Pixels) -> Pixels:
    """`front` where the mask is 1, exactly, and `behind` where it is 0; both are uint8."""
    result = np.empty_like(front)
    rows = max(1, 2_000_000 // front.shape[1])
    for top in range(0, front.shape[0], rows):
        part = slice(top, top + rows)
        mixed = behind[part] + (front[part].astype(np.float32) - behind[part]) * mask[part, :, None]
        result[part] = (mixed + 0.5).astype(np.uint8)
    return result
