"""Which pixels a request means: the vendor's `size` (ratio, explicit size or auto) and its resolution tier.

Sides that come from a ratio are multiples of 16, and within the tier's limits. Where the ratio has no such size, the
sides are rounded to multiples of 16.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ...core.errors import Code, TaskError

STEP = 16
MIN_SIDE, MAX_SIDE = 16, 4096
RATIO = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})")
PIXELS = re.compile(r"([1-9][0-9]{0,4})[x×*]([1-9][0-9]{0,4})")

# The 1k tier takes the smallest size of at least this area and, unless square, this long side, but never one that would
# be too large for 2k; the others take the largest size under their ceilings.
LEAST_AREA, LEAST_LONG, MOST_LONG = 1024 * 1024, 1536, 3840
CEILINGS = {"2k": (2048, 2048 * 2048), "4k": (3840, 3840 * 2160)}  # long side, area


def tier(values: Iterable[str | None]) -> str | None:
    """The first tier (`1k 2k 4k`) that a value names, in the loose spellings that the vendor takes."""
    for value in values:
        word = re.sub(r"[\s_-]", "", value or "").lower()
        if any(mark in word for mark in ("4k", "uhd", "2160p")):
            return "4k"
        if any(mark in word for mark in ("2k", "1440p")):
            return "2k"
        if "1k" in word or "1024p" in word or word == "1024":
            return "1k"
    return None


def pixels(size: str | None, resolution: str) -> str:
    """The size to make, as `WIDTHxHEIGHT`. An explicit size is kept; without a size, or with `auto`, it is square."""
    text = re.sub(r"\s", "", size or "").lower()
    if explicit := PIXELS.fullmatch(text):
        width, height = kept(int(explicit[1]), int(explicit[2]))
    elif text in ("", "auto"):
        width, height = fitted(1, 1, resolution)
    elif ratio := RATIO.fullmatch(text):
        width, height = fitted(int(ratio[1]), int(ratio[2]), resolution)
    else:
        raise TaskError(
            Code.INVALID_INPUT,
            'Parameter \'size\' takes a ratio such as "16:9", a size such as "1024x768", or "auto".',
            param="size",
        )
    return f"{width}x{height}"


def kept(width: int, height: int) -> tuple[int, int]:
    """An explicit size, scaled by one factor where a side is out of bounds."""
    scale = max(min(1.0, MAX_SIDE / max(width, height)), MIN_SIDE / min(width, height))
    return _bounded(width * scale), _bounded(height * scale)


def fitted(width: int, height: int, resolution: str) -> tuple[int, int]:
    """The size of a ratio in a tier."""
    divisor = math.gcd(width, height)
    unit_width, unit_height = width // divisor * STEP, height // divisor * STEP
    long, area = max(unit_width, unit_height), unit_width * unit_height
    if resolution in CEILINGS:
        most_long, most_area = CEILINGS[resolution]
        factor = min(most_long // long, math.isqrt(most_area // area))
    else:
        least_long = LEAST_LONG if unit_width != unit_height else 0
        factor = max(math.isqrt((LEAST_AREA - 1) // area) + 1, -(-least_long // long))
        if factor * long > MOST_LONG or factor * factor * area > CEILINGS["2k"][1]:
            factor = 0
    if factor:
        return unit_width * factor, unit_height * factor
    return _nearest(width, height, resolution)


def _nearest(width: int, height: int, resolution: str) -> tuple[int, int]:
    """Multiples of 16 near a ratio that has no exact size in the tier."""
    long, area = max(width, height), width * height
    if resolution in CEILINGS:
        most_long, most_area = CEILINGS[resolution]
        scale = min(most_long / long, math.sqrt(most_area / area))
    else:
        scale = min(max(LEAST_LONG / long, math.sqrt(LEAST_AREA / area)), MOST_LONG / long)
    return max(STEP, int(width * scale / STEP) * STEP), max(STEP, int(height * scale / STEP) * STEP)


def _bounded(side: float) -> int:
    return min(MAX_SIDE, max(MIN_SIDE, round(side)))
