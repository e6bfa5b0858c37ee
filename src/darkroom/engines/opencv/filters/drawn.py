"""Drawn styles: ink, neon, pencil."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..pictures import Pixels
from . import brush, texture


def ink(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Black ink on warm paper: pen lines and brushed shadows."""
    random = np.random.default_rng(seed)
    # Noise in skies would be drawn as worms: calm areas have to be flat before lines are looked for.
    luma = _evened(brush.grey(brush.smooth(rgb, radius=3.5 * unit, tolerance=0.09, passes=4)), unit)
    drawn = brush.lines(luma, width=1.0 * unit, sharpness=22, threshold=0.40, slope=7)
    sheet = (
        np.array([0.975, 0.96, 0.925], np.float32) * (1 + 0.012 * texture.paper(rgb.shape[:2], unit, random))[..., None]
    )
    black = np.array([0.07, 0.065, 0.085], np.float32)
    return black + (sheet - black) * drawn[..., None]


def pencil(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Graphite: soft outlines, hatched shadows, the tooth of the paper."""
    random, shape = np.random.default_rng(seed), rgb.shape[:2]
    luma = _evened(brush.smooth(brush.grey(rgb), radius=1.5 * unit, tolerance=0.05 / 3, passes=2), unit)
    around = brush.blur(luma, 5 * unit)
    outline = ((luma + 0.1) / (around + 0.1)).clip(0, 1) ** 1.6
    shade = (1 - luma).clip(0, 1)
    strokes = _hatching(shape, unit, random, 52) * 0.6 + _hatching(shape, unit, random, 128) * 0.4
    tooth = texture.paper(shape, unit, random)
    graphite = 0.6 * shade**1.6 * (1 + 0.3 * strokes + 0.12 * tooth) + 0.95 * (1 - outline) * (1 + 0.1 * tooth)
    page: Pixels = 0.975 - 0.84 * np.tanh(1.15 * graphite.clip(0, None))
    return page[..., None] * np.array([1.0, 0.995, 0.985], np.float32)


def neon(rgb: Pixels, seed: int, unit: float) -> Pixels:  # noqa: ARG001 - nothing in it is left to chance
    """Glowing tubes along the edges, at night."""
    calm = brush.smooth(rgb, radius=3 * unit, tolerance=0.09, passes=3)
    luma = brush.grey(calm)
    soft = brush.blur(luma, 0.9 * unit)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    power = cv2.magnitude(across, down) * unit
    tube = brush.along((power * 2.6).clip(0, 1) ** 1.25, brush.tangents(soft, 2 * unit), 2 * unit, 2)
    # The colour turns with the direction of the edge, from cyan through blue and violet to pink.
    turn = brush.blur(across, 5 * unit), brush.blur(down, 5 * unit)
    hue = 0.5 + 0.5 * turn[0] / (cv2.magnitude(*turn) + 1e-9)
    light = brush.ramp(hue, ("19e3ff", "3f7bff", "a04bff", "ff3fb4"))
    light = 0.72 * light + 0.28 * brush.vibrant(calm, 1.0)
    night = brush.ramp(luma, ("05030f", "0b0a26", "1a1446", "2b1f63")) * 0.9
    glowing = light * tube[..., None]
    halo = brush.blur(glowing, 3 * unit) * 0.9 + brush.blur(glowing, 11 * unit) * 0.9
    return night + glowing * 0.95 + halo + (tube[..., None] - 0.6).clip(0, 1) * 0.9


def _evened(luma: Pixels, unit: float) -> Pixels:
    """Contrast spread evenly, so that dark and pale pictures get as many lines as others."""
    low, high = np.quantile(luma[:: max(1, int(unit)), :: max(1, int(unit))], (0.01, 0.99)).tolist()
    stretched = ((luma - low) / max(high - low, 0.15)).clip(0, 1)
    local = stretched - brush.blur(stretched, 28 * unit)
    evened: Pixels = (stretched + 0.25 * local).clip(0, 1)
    return evened


def _hatching(shape: tuple[int, int], unit: float, random: np.random.Generator, degrees: float) -> Pixels:
    """Parallel strokes of mean 0 and deviation 1."""
    angle = math.radians(degrees)
    field = (np.full(shape, math.cos(angle), np.float32), np.full(shape, -math.sin(angle), np.float32))
    strokes = brush.along(texture.noise(shape, 1.3 * unit, random), field, 12 * unit, 3)
    normal: Pixels = strokes / (strokes.std() + 1e-6)
    return normal
