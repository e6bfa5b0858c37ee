"""Two pictures in one: the colours of one for another, or both through each other.

Works in bands of rows, so that a large picture needs little memory beside its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from .. import pictures
from ..faces import light
from ..filters import brush
from ..pictures import Picture, Pixels

SIDE = 256  # pixels of the small pictures in which colours are measured
BAND = 2_000_000  # pixels
SPREAD = (0.55, 1.6)  # by which lightness, and colours along an axis, may be spread
SKIN = 0.8  # how much of the change is kept from skin
LEAST = 6.0  # L*a*b* units; colours that vary less count as varying so much
VEIL, THIN = 0.8, 0.4  # of a later exposure, and how much it takes from the earlier ones
ENDS = (0.5, 99.5)  # percentiles of the light that become black and white


def colours(target: Picture, source: Picture, skin: Pixels, strength: float) -> Picture:
    """The target with the colours and contrast of the source.

    `skin` is float32 (height, width) of any size. After Pitie and Kokaram, "The linear Monge-Kantorovitch linear colour
    mapping for example-based colour transfer" (2007).
    """
    own, other = (_measured(picture) for picture in (target, source))
    matrix = _mapping(own[1], other[1])
    offset = other[0] - matrix @ own[0]
    result = np.empty_like(target.rgb)
    kept = cv2.resize(skin, target.size, interpolation=cv2.INTER_LINEAR)
    for rows in _bands(target.rgb):
        lab = light.to_lab(target.rgb[rows])
        mapped = cv2.transform(lab, np.hstack([matrix, offset[:, None]]).astype(np.float32))
        lab += (mapped - lab) * (strength * (1 - SKIN * kept[rows]))[..., None]
        result[rows] = (light.to_rgb(lab) + 0.5).clip(0, 255).astype(np.uint8)
    return replace(target, rgb=result)


def exposed(first: Picture, others: list[Picture]) -> Picture:
    """All pictures on one film: their light is added, so that the dark parts of each hold the others."""
    layers = [first.rgb, *(pictures.fit(picture, first.size).rgb for picture in others)]
    step = max(1, min(first.size) // SIDE)
    small = brush.grey(_added([layer[::step, ::step] for layer in layers]))
    low, high = np.percentile(small, ENDS).tolist()
    result = np.empty_like(first.rgb)
    for rows in _bands(first.rgb):
        shown = (_added([layer[rows] for layer in layers]) - low) / max(high - low, 0.2)
        result[rows] = (shown.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return replace(first, rgb=result)


def _added(layers: list[Pixels]) -> Pixels:
    """The first layer, and in what is left dark the next one."""
    shown = layers[0].astype(np.float32) * np.float32(1 / 255)
    for layer in layers[1:]:
        room = (1 - brush.grey(shown).clip(0, 1))[..., None]
        shown = shown * (1 - THIN * room) + layer * np.float32(VEIL / 255) * room**0.7
    return shown


def _measured(picture: Picture) -> tuple[Pixels, Pixels]:
    """Mean (3,) and covariance (3, 3) of the colours, in L*a*b*."""
    small = cv2.resize(picture.rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    lab = light.to_lab(small).reshape(-1, 3).astype(np.float64)
    return lab.mean(0), np.cov(lab.T) + np.eye(3) * LEAST


def _mapping(own: Pixels, wanted: Pixels) -> Pixels:
    """The matrix that turns one covariance into another with the least change, within limits."""
    root, inverse = _power(own, 0.5), _power(own, -0.5)
    matrix = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    values, vectors = np.linalg.eigh(matrix)
    limited: Pixels = vectors @ np.diag(values.clip(*SPREAD)) @ vectors.T
    return limited


def _power(matrix: Pixels, power: float) -> Pixels:
    values, vectors = np.linalg.eigh(matrix)
    raised: Pixels = vectors @ np.diag(np.maximum(values, 1e-9) ** power) @ vectors.T
    return raised


def _bands(rgb: Pixels) -> Iterator[slice]:
    rows = max(1, BAND // rgb.shape[1])
    for top in range(0, rgb.shape[0], rows):
        yield slice(top, min(top + rows, rgb.shape[0]))
