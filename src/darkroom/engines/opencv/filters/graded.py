"""Styles of light and colour that keep every detail: film, noir, sepia."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from ..pictures import Pixels
from . import brush, texture

# Levels of red, green and blue for the input levels 0, 1/4, 1/2, 3/4, 1: teal shadows, warm and soft highlights.
FILM_CURVES = ((0.03, 0.22, 0.53, 0.82, 0.985), (0.045, 0.235, 0.51, 0.775, 0.955), (0.085, 0.275, 0.485, 0.70, 0.875))


def film(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Colour film: teal shadows, warm highlights that glow, grain and a light vignette."""
    stops, levels = np.linspace(0, 1, 5), np.linspace(0, 1, 256)
    table = np.stack([np.interp(levels, stops, curve) for curve in FILM_CURVES], -1).astype(np.float32)
    toned = cv2.LUT(cv2.convertScaleAbs(brush.vibrant(rgb, -0.12), alpha=255), table[None])
    glow = brush.blur(np.maximum(toned - 0.78, 0), 9 * unit)
    toned = toned * texture.vignette(rgb.shape[:2], 0.35) + glow * np.array([0.9, 0.45, 0.2], np.float32)
    return _with_grain(toned, unit, seed, 0.022)


def noir(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Black and white with deep blacks, hard light and grain."""
    luma = rgb @ np.array([0.45, 0.42, 0.13], np.float32)
    luma = luma + 0.3 * (luma - brush.blur(luma, 14 * unit))
    low, high = np.quantile(luma[:: max(1, int(unit)), :: max(1, int(unit))], (0.02, 0.985)).tolist()
    luma = ((luma - low) / max(high - low, 0.1)).clip(0, 1)
    contrasty = luma * luma * (3 - 2 * luma)
    luma = (0.75 * contrasty + 0.25 * luma)[..., None] * texture.vignette(rgb.shape[:2], 0.55)
    return _with_grain(np.repeat(luma, 3, axis=-1), unit, seed, 0.03)


def sepia(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """An old print: brown tones on cream paper, faded blacks."""
    random = np.random.default_rng(seed)
    luma = brush.grey(rgb)
    luma = luma + 0.2 * (luma - brush.blur(luma, 10 * unit))
    toned = brush.ramp(luma, ("20130b", "5d3f28", "a57c52", "dcbd90", "fbf0d9"))
    age = 1 + np.float32(0.02) * texture.noise(rgb.shape[:2], 90 * unit, random)
    toned = toned * age[..., None] * texture.vignette(rgb.shape[:2], 0.38)
    return _with_grain(toned, unit, seed, 0.014)


def _with_grain(rgb: Pixels, unit: float, seed: int, amount: float) -> Pixels:
    """Add grain that is strongest in the middle tones, as on film."""
    middle = brush.grey(rgb)
    strength = np.float32(amount) * (0.35 + 2.6 * (middle * (1 - middle)).clip(0, 1))
    grained: Pixels = rgb + (strength * _grain(middle.shape, unit, seed))[..., None]
    return grained


@lru_cache(maxsize=1)
def _grain(shape: texture.Shape, unit: float, seed: int) -> Pixels:
    """Specks of two sizes; kept, for all frames of a video have the same."""
    random = np.random.default_rng(seed)
    specks = 0.8 * texture.noise(shape, 1.1 * unit, random) + 0.4 * texture.noise(shape, 2.3 * unit, random)
    specks.flags.writeable = False
    return specks
