"""Styles drawn with a smaller brush inside faces, so that whoever is in the picture can be recognised.

Only styles with large strokes are; those of light and colour alone keep every detail anyway. Outside the outlines of
faces, but for a soft border, no pixel changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ..pictures import Pixels
from . import brush

Draw = Callable[[Pixels, float], Pixels]  # pixels and a unit to pixels, float32 in 0..1

ROOM = 0.3  # around a face, in sizes of it
FINER = 0.6  # of the brush elsewhere
FACE = 230.0  # a face of this size may have a brush of unit 1
FEATHER = 0.07  # in sizes of the face
FEATURES = 0.07  # what is finer than this makes a face its own: eyes, lips, lines; in sizes of the face
LEAST = 14.0  # pixels; smaller faces are a few strokes whatever is done


@dataclass(frozen=True, slots=True)
class Touch:
    """How a style treats faces: how much of the original's `features` (light and dark alone) and of its `colours` is
    added, the `tones` that stand for its colours where the style has its own, and whether borders follow a grid of
    squares."""

    features: float
    colours: float = 0.0
    tones: tuple[str, ...] = ()
    squares: bool = False


TOUCHES: Mapping[str, Touch] = {
    "cartoon": Touch(0.35, 0.3),
    "comic": Touch(0.4, 0.35),
    "halftone": Touch(0.6, 0.35),
    "ink": Touch(0.3),
    "lowpoly": Touch(0.3, 0.1),
    "neon": Touch(0.6, 0.6, tones=("07041a", "3a2687", "a07cf0", "ffd9f6")),
    "oil": Touch(0.35, 0.2),
    "pencil": Touch(0.3),
    "pixel": Touch(0.0, 0.2, squares=True),
    "pop": Touch(0.35),
    "watercolor": Touch(0.25, 0.25),
}


def soften(style: str, rgb: Pixels, drawn: Pixels, outline: Pixels, draw: Draw) -> None:
    """Draw one face of `drawn` again, in place, with a smaller brush.

    `rgb` is the original, both are float32 in 0..1; `outline` is the face's, (n, 2) of x and y in their pixels.
    """
    touch = TOUCHES.get(style)
    size = math.sqrt(cv2.contourArea(outline.astype(np.float32)))
    if touch is None or size < LEAST:
        return
    unit = min(FINER * brush.unit(rgb), size / FACE)
    grid = max(1, round(4.8 * brush.unit(rgb))) if touch.squares else 1
    window = _window(rgb.shape, outline, ROOM * size, grid)
    if window is None:
        return
    face, around = rgb[window], drawn[window]
    fine = draw(face, unit)
    corner = np.array([window[1].start, window[0].start], np.float32)
    opacity = _opacity(face.shape, outline - corner, size, grid)
    luma = brush.grey(face)
    features = touch.features * (luma - brush.blur(luma, FEATURES * size))
    wanted = brush.ramp(luma, touch.tones) if touch.tones else face
    fine = fine + touch.colours * (wanted - fine) + features[..., None]
    around += (fine.clip(0, 1) - around) * opacity[..., None]


def _window(shape: tuple[int, ...], outline: Pixels, room: float, grid: int) -> tuple[slice, slice] | None:
    """Rows and columns of the face with some room, beginning on the grid; None where the picture shows none of it."""
    left, top = np.floor((outline.min(0) - room).clip(0) / grid).astype(int).tolist()
    right, bottom = np.ceil((outline.max(0) + room) / grid).astype(int).tolist()
    rows = slice(top * grid, min(bottom * grid, shape[0]))
    columns = slice(left * grid, min(right * grid, shape[1]))
    return (rows, columns) if rows.stop - rows.start > 1 and columns.stop - columns.start > 1 else None


def _opacity(shape: tuple[int, ...], outline: Pixels, size: float, grid: int) -> Pixels:
    """1 in the face, falling to 0 around it; with a grid 1 or 0, by whole squares."""
    filled = np.zeros(shape[:2], np.float32)
    cv2.fillPoly(filled, [np.round(outline * 16).astype(np.int32)], 1.0, shift=4)
    if grid == 1:
        return brush.blur(filled, FEATHER * size)
    squares = (-(-shape[1] // grid), -(-shape[0] // grid))
    padded = cv2.copyMakeBorder(
        filled, 0, squares[1] * grid - shape[0], 0, squares[0] * grid - shape[1], cv2.BORDER_REPLICATE
    )
    inside = (cv2.resize(padded, squares, interpolation=cv2.INTER_AREA) > 0.5).astype(np.float32)
    whole: Pixels = np.repeat(np.repeat(inside, grid, axis=0), grid, axis=1)[: shape[0], : shape[1]]
    return whole
