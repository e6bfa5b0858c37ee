"""Enhancement: measure what a picture lacks, then correct just that.

`measure` looks and `apply` corrects, so that a video is measured once and all its frames change alike. Noise is removed
only where there is some; a picture that lacks nothing changes little. Work is done in bands, so that even a large
picture needs little memory beside its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from . import portrait, retouch
from .filters import brush
from .guided import guided
from .pictures import Picture, Pixels

GAMMA = 2.2

WINDOW = 256  # noise is measured in a grid of windows
WINDOWS = 4
BLOCK = 16
CALM = 20  # percentile of the blocks: texture is no noise
NOISY = 2.2  # deviation in levels of 255
MOST_DENOISING = 12.0

GREY_NORM = 12  # shades of grey: between the mean (1) and the brightest (infinite)
GREY_TRUST = 0.9
SLIGHT, PLAIN = 0.05, 0.3  # a slight cast may be the scene's own; a plain one is corrected
GAINS = (0.55, 2.3)

ENDS = (0.5, 99.5)  # percentiles that become black and white
DEEP = 0.03  # of the range: a grey this near its end is black enough
STRETCH = 3.5  # the most contrast that is given
KEY = (50, 75, 90)  # percentiles whose mean is a picture's key
DARK, BRIGHT = 0.42, 0.88  # a key within is left alone
GAMMAS = (0.6, 1.3)

LOCAL = 0.16  # local contrast
LOCAL_REACH = 0.03  # of the longer side
LOCAL_EDGE = 24.0  # levels; a higher step is an edge, beyond which nothing is local
LOCAL_SIDE = 512  # pixels of the small picture that tells what is local
VIBRANCE = 0.1
SHARPNESS = 0.4
OVERSHOOT = 5.0  # levels past the neighbours: sharpening without halos
EDGE = 3.0  # levels: weaker detail is grain, and not sharpened

BAND = 2_000_000  # pixels
REACH = 16  # rows that a band looks beyond its own

OnBand = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What is wanted, each 0..1: how much of the correction, of skin retouching and of blur behind a person."""

    strength: float = 1.0
    retouch: float = 0.0
    blur: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a picture needs.

    `noise` is its deviation in levels of 255; `gains` are of linear red, green and blue; `low` and `high` are the
    levels (0..1) that become black and white; `gamma` bends what is between.
    """

    noise: float
    gains: tuple[float, float, float]
    low: float
    high: float
    gamma: float


def nothing(_done: int, _total: int) -> None:
    """For those who need no progress."""


def enhance(picture: Picture, options: Options, on_band: OnBand = nothing) -> Picture:
    """Measure and correct one picture, with the retouching that was asked for."""
    if options.strength > 0:
        picture = apply(picture, measure(picture), options.strength, on_band)
    if options.retouch > 0:
        picture = retouch.retouch(picture, options.retouch)
    if options.blur > 0:
        picture = portrait.blur_background(picture, options.blur)
    return picture


def measure(picture: Picture) -> Plan:
    """What the picture needs; nothing is changed."""
    rgb = picture.rgb
    small = _thumbnail(rgb, 256)
    gains = _gains(small)
    balanced = cv2.LUT(small, _balance(gains)).astype(np.float32) / 255
    levels = brush.grey(balanced)
    # The weakest and the strongest channel decide: vivid colours are not to be clipped.
    low = float(np.percentile(balanced.min(2), ENDS[0]))
    high = float(np.percentile(balanced.max(2), ENDS[1]))
    low = max(0.0, low - DEEP * (high - low))
    missing = 1 / STRETCH - (high - low)
    if missing > 0:
        low, high = max(0.0, low - missing / 2), min(1.0, high + missing / 2)
    return Plan(_noise(rgb), gains, low, high, _gamma((levels - low) / max(high - low, 1e-3)))


def apply(picture: Picture, plan: Plan, strength: float = 1.0, on_band: OnBand = nothing) -> Picture:
    """Correct a picture, or each frame of a video, by a plan; `strength` 0..1 blends with the original.

    The size and the transparency stay as they are. `on_band` is told how many bands of how many are done.
    """
    if strength <= 0:
        return picture
    table = _table(plan)
    around = _surroundings(picture.rgb, table)
    result = np.empty_like(picture.rgb)
    bands = list(_bands(*picture.size))
    for number, (top, bottom) in enumerate(bands, 1):
        first, last = max(0, top - REACH), min(picture.size[1], bottom + REACH)
        window = picture.rgb[first:last]
        corrected = _correct(window, around[first:last], table, plan.noise)
        mixed = cv2.addWeighted(corrected, strength, window, 1 - strength, 0) if strength < 1 else corrected
        result[top:bottom] = mixed[top - first : bottom - first]
        on_band(number, len(bands))
    return replace(picture, rgb=result)


def _correct(rgb: Pixels, around: Pixels, table: Pixels, noise: float) -> Pixels:
    """One band; `around` is the brightness of the surroundings, uint8."""
    if noise >= NOISY:
        rgb = _denoise(rgb, noise)
    rgb = cv2.LUT(rgb, table)
    floats = brush.vibrant(rgb.astype(np.float32) / 255, VIBRANCE) * 255
    luma = brush.grey(floats)
    # Strongest in the middle tones, so that neither end is clipped.
    room = 4 * luma * (255 - luma) / (255 * 255)
    local = LOCAL * (luma - around) * room
    detail = _sharper(luma, SHARPNESS / (1 + noise / 3)) - luma
    corrected: Pixels = (floats + (local + detail)[..., None] + 0.5).clip(0, 255).astype(np.uint8)
    return corrected


def _denoise(rgb: Pixels, noise: float) -> Pixels:
    """Non-local means, in the colour space that it expects."""
    luma = min(noise * 0.9, MOST_DENOISING)
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    calmed = cv2.fastNlMeansDenoisingColored(bgr, None, luma, luma * 1.5, 5, 13)
    return np.ascontiguousarray(calmed[..., ::-1])


def _sharper(luma: Pixels, amount: float) -> Pixels:
    """Unsharp masking that spares grain and stays near the range of each pixel's neighbours."""
    detail = luma - cv2.GaussianBlur(luma, (0, 0), 1.1)
    weight = 1 - np.exp(-((cv2.GaussianBlur(np.abs(detail), (0, 0), 1.5) / EDGE) ** 2))
    square = np.ones((3, 3), np.uint8)
    sharp: Pixels = luma + amount * detail * weight
    low, high = cv2.erode(luma, square) - OVERSHOOT, cv2.dilate(luma, square) + OVERSHOOT
    np.clip(sharp, low, high, out=sharp)
    return sharp


def _noise(rgb: Pixels) -> float:
    """Deviation of the noise in levels, after Immerkaer (1996), in the calmest blocks of some windows."""
    height, width = rgb.shape[:2]
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    energies: list[Pixels] = [np.zeros(0)]
    for top in np.unique(np.linspace(0, max(0, height - WINDOW), WINDOWS).astype(int)).tolist():
        for left in np.unique(np.linspace(0, max(0, width - WINDOW), WINDOWS).astype(int)).tolist():
            luma = brush.grey(rgb[top : top + WINDOW, left : left + WINDOW]).astype(np.float32)
            rows, columns = (side // BLOCK * BLOCK for side in luma.shape)
            if not rows or not columns:
                continue
            grid = (columns // BLOCK, rows // BLOCK)
            energy = cv2.resize(
                np.abs(cv2.filter2D(luma, -1, kernel))[:rows, :columns], grid, interpolation=cv2.INTER_AREA
            )
            level = cv2.resize(luma[:rows, :columns], grid, interpolation=cv2.INTER_AREA)
            energies.append(energy[(level > 8) & (level < 247)])  # clipped blocks hide their noise
    blocks = np.concatenate(energies)
    return float(np.percentile(blocks, CALM) * math.sqrt(math.pi / 2) / 6) if len(blocks) else 0.0


def _gains(small: Pixels) -> tuple[float, float, float]:
    """Gains of linear red, green and blue that make the picture's shade of grey neutral, and keep its brightness."""
    linear = (small.reshape(-1, 3).astype(np.float32) / 255) ** GAMMA
    usable = linear[(linear.min(1) < 0.96) & (linear.max(1) > 0.002)]
    if len(usable) < 100:
        return 1.0, 1.0, 1.0
    # A vivid colour is a thing's own; a pale one is the light's.
    weight = (usable.min(1) / usable.max(1)) ** (1 / GAMMA)
    shade = np.average(usable**GREY_NORM, 0, np.maximum(weight * weight, 1e-6)) ** (1 / GREY_NORM)
    cast = shade.mean() / np.maximum(shade, 1e-6)
    trust = min(1.0, max(0.0, (float(np.abs(cast - 1).max()) - SLIGHT) / (PLAIN - SLIGHT)))
    # A power, so that what is left of a cast has the same hue.
    gains = (cast ** (GREY_TRUST * trust)).clip(*GAINS)
    gains /= gains @ np.array([0.21, 0.72, 0.07])
    red, green, blue = gains.tolist()
    return red, green, blue


def _gamma(levels: Pixels) -> float:
    """The bend for levels of 0..1 that are too dark or too bright; the dark half has no say, for it may be clothes."""
    key = min(0.98, max(0.02, float(np.percentile(levels, KEY).mean())))
    wanted = min(BRIGHT, max(DARK, key))
    return min(GAMMAS[1], max(GAMMAS[0], math.log(wanted) / math.log(key)))


def _balance(gains: tuple[float, float, float]) -> Pixels:
    """A table of (1, 256, 3) for the gains."""
    linear = np.linspace(0, 1, 256)[:, None] ** GAMMA * np.array(gains)
    table: Pixels = (linear.clip(0, 1) ** (1 / GAMMA) * 255 + 0.5).astype(np.uint8)[None]
    return table


def _table(plan: Plan) -> Pixels:
    """A table of (1, 256, 3) for colour balance, black, white and the bend between, with a single rounding."""
    linear = np.linspace(0, 1, 256)[:, None] ** GAMMA * np.array(plan.gains)
    level = (linear ** (1 / GAMMA) - plan.low) / max(plan.high - plan.low, 1e-3)
    table: Pixels = (level.clip(0, 1) ** plan.gamma * 255 + 0.5).astype(np.uint8)[None]
    return table


def _surroundings(rgb: Pixels, table: Pixels) -> Pixels:
    """The brightness around each pixel, uint8 (height, width), without bleeding over strong edges."""
    small = brush.grey(cv2.LUT(_thumbnail(rgb, LOCAL_SIDE), table)).astype(np.float32)
    smooth = guided(small, small, radius=round(LOCAL_REACH * max(small.shape)), tolerance=LOCAL_EDGE**2)
    smooth = (smooth + 0.5).clip(0, 255).astype(np.uint8)
    return cv2.resize(smooth, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)


def _thumbnail(rgb: Pixels, side: int) -> Pixels:
    height, width = rgb.shape[:2]
    shrink = max(1.0, max(height, width) / side)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _bands(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Top and bottom of every band."""
    rows = max(REACH, BAND // width)
    for top in range(0, height, rows):
        yield top, min(top + rows, height)
