"""Gives a face the skin tone, the light and the sharpness of the place where it is put.

Colours are float32 L*a*b*; means are taken where a weight says so.
"""

from __future__ import annotations

import cv2
import numpy as np

from ..filters import brush
from ..pictures import Pixels

# How much contrast of lightness, a and b may be taken or given: more colour than it had makes a face blotchy.
LEAST = np.array([0.45, 0.5, 0.5], np.float32)
MOST = np.array([1.3, 1.0, 1.0], np.float32)
GLOSS = 1.15  # how much stronger highlights may get, beside the light
LIGHT = np.array([0.85, 0.9, 0.9], np.float32)  # how much of the place's light, of its a and its b
LIGHT_REACH = 0.18  # what is coarser is light, what is finer is the face; in widths of the face
CRISPER = 1.3
FINE = 0.012  # the finest detail, in widths of the face


def to_lab(rgb: Pixels) -> Pixels:
    """L*a*b* of uint8 RGB."""
    return cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)


def to_rgb(lab: Pixels) -> Pixels:
    """Float32 RGB, 0..255, of L*a*b*."""
    low, high = np.array([0, -127, -127], np.float32), np.array([100, 127, 127], np.float32)
    return cv2.cvtColor(lab.clip(low, high), cv2.COLOR_LAB2RGB) * 255


def match(face: Pixels, place: Pixels, weight: Pixels, width: float) -> Pixels:
    """The face in the light of the place; both are (height, width, 3) and `weight` says where they are comparable."""
    face = _match_sharpness(face, place, weight, width)
    mean, deviation = _moments(face, weight)
    wanted_mean, wanted_deviation = _moments(place, weight)
    gain = (wanted_deviation / np.maximum(deviation, 1e-3)).clip(LEAST, MOST)
    # In less light highlights are as much weaker as the rest, however wrinkled the skin was that they replace.
    gain[0] = min(gain[0], GLOSS * wanted_mean[0] / max(float(mean[0]), 1.0))
    matched = (face - mean) * gain + wanted_mean
    lacking = _coarse(place, weight, LIGHT_REACH * width) - _coarse(matched, weight, LIGHT_REACH * width)
    lit: Pixels = matched + lacking * LIGHT
    return lit


def _moments(lab: Pixels, weight: Pixels) -> tuple[Pixels, Pixels]:
    """Weighted means and deviations of the three channels."""
    share = weight.reshape(-1) / max(float(weight.sum()), 1e-6)
    pixels = lab.reshape(-1, 3)
    mean = share @ pixels
    offset = pixels - mean
    return mean, np.sqrt(share @ np.square(offset, out=offset))


def _coarse(lab: Pixels, weight: Pixels, sigma: float) -> Pixels:
    """A blur that sees only what has weight."""
    weighted: Pixels = brush.blur(lab * weight[..., None], sigma) / (brush.blur(weight, sigma)[..., None] + 1e-4)
    return weighted


def _match_sharpness(face: Pixels, place: Pixels, weight: Pixels, width: float) -> Pixels:
    """Take fine detail away where the place has less (a crisp face in a soft picture looks pasted), or give some."""
    sigma = max(0.8, FINE * width)
    soft = brush.blur(face, sigma)
    detail = face[..., 0] - soft[..., 0]
    there = place[..., 0] - brush.blur(place[..., 0], sigma)
    energy, wanted = (float(np.sqrt((each * each * weight).mean())) for each in (detail, there))
    keep = min(CRISPER, 1.2 * wanted / max(energy, 1e-6))
    softened: Pixels = soft + keep * (face - soft)
    return softened
