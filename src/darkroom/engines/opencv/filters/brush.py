"""Brushes that several styles share: smoothing, lines along edges, and colour.

Pixels are float32 in 0..1, RGB or one channel; lengths are in pixels.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..pictures import Pixels


def unit(rgb: Pixels) -> float:
    """The length that is one pixel in a picture of 512x512, and grows with the picture."""
    return math.sqrt(rgb.shape[0] * rgb.shape[1]) / 512


def grey(rgb: Pixels) -> Pixels:
    """Luma."""
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)


def blur(pixels: Pixels, sigma: float) -> Pixels:
    """Gaussian blur; a wide one is made at a lower resolution, where nobody can tell."""
    if sigma < 0.2:
        return pixels
    shrink = int(sigma / 2)
    if shrink < 2:
        return cv2.GaussianBlur(pixels, (0, 0), sigma)
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA)
    # Making it small and large again blurs by half a small pixel.
    rest = math.sqrt((sigma / shrink) ** 2 - 0.25)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), rest), (width, height), interpolation=cv2.INTER_LINEAR)


def smooth(rgb: Pixels, *, radius: float, tolerance: float, passes: int) -> Pixels:
    """Flatten areas and keep edges: repeated bilateral filters, at a resolution where `radius` is three pixels.

    `tolerance` is how different colours (0..1) may be and still melt together.
    """
    height, width = rgb.shape[:2]
    shrink = max(1.0, radius / 3)
    small_size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    small = cv2.resize(rgb, small_size, interpolation=cv2.INTER_AREA)
    small = (small * 255 + 0.5).astype(np.uint8)
    reach = min(3.0, radius)
    # Three filters of 5 pixels do what two of 7 do, in a third of the time.
    for _ in range(passes):
        small = cv2.bilateralFilter(small, 5, tolerance * 255, reach)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255


def kuwahara(rgb: Pixels, radius: int) -> Pixels:
    """Give every pixel the mean of the calmest of the four squares that touch it: flat strokes with crisp borders."""
    if radius < 1:
        return rgb
    height, width = rgb.shape[:2]
    padded = cv2.copyMakeBorder(rgb, radius, radius, radius, radius, cv2.BORDER_REFLECT)
    luma = grey(padded)
    square = (radius + 1, radius + 1)
    means = cv2.blur(padded, square, anchor=(0, 0))
    level = cv2.blur(luma, square, anchor=(0, 0))
    variances = cv2.blur(luma * luma, square, anchor=(0, 0)) - level * level
    calmest = variances[:height, :width].copy()
    result: Pixels = means[:height, :width].copy()
    for top, left in ((0, radius), (radius, 0), (radius, radius)):
        window = (slice(top, top + height), slice(left, left + width))
        calmer = cv2.compare(variances[window], calmest, cv2.CMP_LT)
        cv2.copyTo(variances[window], calmer, calmest)
        cv2.copyTo(means[window], calmer, result)
    return result


def tangents(luma: Pixels, sigma: float) -> tuple[Pixels, Pixels]:
    """Unit vectors (x, y) along the edges, from the structure tensor smoothed by `sigma`."""
    across = cv2.Sobel(luma, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    twice = cv2.phase(blur(across * across - down * down, sigma), blur(2 * across * down, sigma))
    x, y = cv2.polarToCart(np.ones_like(twice), 0.5 * twice + np.float32(math.pi / 2))
    return x, y


def along(pixels: Pixels, field: tuple[Pixels, Pixels], length: float, passes: int) -> Pixels:
    """Average along a field of directions, `length` pixels to both sides: 3 places after one pass, 9 after two."""
    height, width = pixels.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    distance = 2 * length / (3**passes - 1)
    for _ in range(passes):
        ahead, behind = (
            cv2.remap(
                pixels,
                cv2.scaleAdd(field[0], shift, columns),
                cv2.scaleAdd(field[1], shift, rows),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT,
            )
            for shift in (distance, -distance)
        )
        pixels = (pixels + ahead + behind) / 3
        distance *= 3
    return pixels


def lines(luma: Pixels, *, width: float, sharpness: float, threshold: float, slope: float) -> Pixels:
    """Ink lines, 1 on paper and 0 in ink: an extended difference of Gaussians, drawn out along the edges.

    `width` is the pen's in pixels; `sharpness` weighs edges against tone; below `threshold` ink begins, and `slope` is
    how abruptly. After Winnemoeller, Kyprianidis and Olsen, "XDoG" (2012).
    """
    difference = (1 + sharpness) * blur(luma, width) - sharpness * blur(luma, width * 1.6)
    coherent = along(difference, tangents(luma, width * 2.5), width * 3, 2)
    inked: Pixels = 1 + np.tanh(slope * np.minimum(coherent - threshold, 0))
    return inked


def vibrant(rgb: Pixels, amount: float) -> Pixels:
    """Strengthen (or with a negative `amount` weaken) colours; those that are strong already change least."""
    hsv = cv2.cvtColor(rgb.clip(0, 1), cv2.COLOR_RGB2HSV)
    saturation = hsv[..., 1]
    hsv[..., 1] = (saturation + amount * saturation * (1 - saturation)).clip(0, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def with_luma(rgb: Pixels, luma: Pixels) -> Pixels:
    """The same colours at another luma."""
    relit: Pixels = rgb + (luma - grey(rgb))[..., None]
    return relit


def steps(luma: Pixels, count: int, crispness: float) -> Pixels:
    """Quantise to `count` levels with soft treads, so that areas have no ragged borders."""
    scaled = luma * count
    level = np.floor(scaled)
    tread = np.tanh((scaled - level - 0.5) * crispness) / math.tanh(0.5 * crispness)
    stepped: Pixels = (level + 0.5 + 0.5 * tread) / count
    return stepped


def ramp(luma: Pixels, colours: tuple[str, ...]) -> Pixels:
    """Map luma 0..1 to a gradient through `colours`, given as "rrggbb" at equal distances."""
    stops = np.array([[int(colour[i : i + 2], 16) for i in (0, 2, 4)] for colour in colours], np.float32) / 255
    places = np.linspace(0, 1, len(colours))
    table = np.stack([np.interp(np.linspace(0, 1, 1024), places, stops[:, channel]) for channel in range(3)], -1)
    index = (luma.clip(0, 1) * 1023 + 0.5).astype(np.uint16)
    mapped: Pixels = table.astype(np.float32).take(index, axis=0)
    return mapped
