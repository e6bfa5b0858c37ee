"""Retouching of faces: calmer skin that keeps its pores, clearer eyes, a little colour on the lips.

Nothing outside the outlines of faces changes, but for a soft border.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from . import faces
from .faces import landmarks, light, skin, warp
from .filters import brush
from .pictures import Picture, Pixels

SMALLEST = 32  # pixels; narrower faces have no skin to see
ROOM = 0.1  # around a face, in widths of it
SMOOTHED = 0.8  # of blotches and shallow lines
PORES = 0.3  # of the finest detail
BLOTCH = 22.0  # levels; deeper lines and moles are the person's own
EYES = 0.4
LIPS = 0.3
LIP_COLOUR = 1.2


def retouch(picture: Picture, amount: float) -> Picture:
    """Retouch every face of the picture; `amount` is 0..1."""
    found = [face for face in faces.find(picture) if face.width >= SMALLEST]
    if not found or amount <= 0:
        return picture
    rgb = picture.rgb.copy()
    for face in found:
        _retouch_face(rgb, face, amount)
    return replace(picture, rgb=rgb)


def _retouch_face(rgb: Pixels, face: faces.Face, amount: float) -> None:
    """Change one face in place."""
    height, width = rgb.shape[:2]
    room = ROOM * face.width
    left, top = np.floor(face.landmarks.min(0) - room).clip(0).astype(int).tolist()
    right, bottom = np.ceil(face.landmarks.max(0) + room).astype(int).tolist()
    window = rgb[top : min(bottom, height), left : min(right, width)]
    if not window.size:
        return
    points = face.landmarks - np.array([left, top], np.float32)
    floats = window.astype(np.float32)
    masks = _Masks(window, points, face.width)
    floats += (_calmer(floats, face.width, amount) - floats) * masks.skin[..., None]
    clearer = floats + 1.1 * (floats - brush.blur(floats, max(0.8, face.width * 0.012)))
    floats += (clearer * 1.05 + 1 - floats) * (masks.eyes * EYES * amount)[..., None]
    grey = brush.grey(floats)[..., None]
    floats += (grey + (floats - grey) * LIP_COLOUR - floats) * (masks.lips * LIPS * amount)[..., None]
    window[...] = (floats + 0.5).clip(0, 255).astype(np.uint8)


def _calmer(floats: Pixels, width: float, amount: float) -> Pixels:
    """Skin with less of the middle scale of detail, and most of the fine one."""
    coarse = brush.blur(floats, width * 0.05)
    middle = brush.blur(floats, max(0.6, width * 0.008))
    blotches = middle - coarse
    shallow = (1 - np.abs(blotches).max(-1, keepdims=True) / BLOTCH).clip(0, 1)
    calm: Pixels = coarse + blotches * (1 - amount * SMOOTHED * shallow) + (floats - middle) * (1 - PORES * amount)
    return calm


class _Masks:
    """Where there is skin, eyes and lips: float32 (height, width), with soft borders."""

    def __init__(self, window: Pixels, points: Pixels, width: float) -> None:
        shape = window.shape[:2]

        def soft(part: tuple[int, ...], softness: float, grown: float = 0) -> Pixels:
            filled = warp.outline(shape, points, part)
            if grown:
                side = 2 * max(1, round(grown * width)) + 1
                filled = cv2.dilate(filled, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
            return brush.blur(filled, max(0.5, softness * width))

        self.eyes = np.maximum(soft(landmarks.LEFT_EYE, 0.01), soft(landmarks.RIGHT_EYE, 0.01))
        self.lips = soft(landmarks.LIPS, 0.012) * (1 - soft(landmarks.MOUTH, 0.006))
        self.skin = soft(landmarks.OVAL, 0.03) * skin.likeness(light.to_lab(window), points, width).everywhere
        for part in (
            landmarks.LEFT_EYE,
            landmarks.RIGHT_EYE,
            landmarks.LEFT_BROW,
            landmarks.RIGHT_BROW,
            landmarks.LIPS,
        ):
            self.skin *= 1 - soft(part, 0.012, 0.02)
