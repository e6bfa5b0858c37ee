"""Which pixels a `resolution` means: a ratio, a level (`2K`), or a size (`2560x1440`, `1024*1024`).

Nothing is refused: the vendor's own client sends every model values that its page does not list. What means nothing is
taken as the model's default. Sides lie between 16 and 4096.
"""

from __future__ import annotations

import math
import re

SIDE = 1024  # of a square at level 1K; other levels are multiples of it
LEVELS = {"zimage": 1}
DEFAULT_LEVEL = 2
STEP, MIN_SIDE, MAX_SIDE = 16, 16, 4096

LEVEL = re.compile(r"([1-9][0-9]?)k")
RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
PIXELS = re.compile(r"([1-9][0-9]{0,5})[x×*]([1-9][0-9]{0,5})")


def pixels(resolution: str | None, model: str, source: tuple[int, int] | None = None) -> str:
    """The size to make, as `WIDTHxHEIGHT`.

    `source` is the size of the picture to edit: a level, and the default, keep its ratio. A ratio alone has the area
    of the model's default level: 2K, or 1K for `zimage`.
    """
    text = re.sub(r"\s", "", resolution or "").lower()
    level = LEVELS.get(model, DEFAULT_LEVEL)
    if size := PIXELS.fullmatch(text):
        return _written(int(size[1]), int(size[2]))
    if ratio := RATIO.fullmatch(text):
        return _written(*_of_ratio(int(ratio[1]), int(ratio[2]), level))
    if named := LEVEL.fullmatch(text):
        level = min(int(named[1]), MAX_SIDE // SIDE)
    width, height = source or (1, 1)
    scale = level * SIDE / math.sqrt(width * height)
    return _written(width * scale, height * scale)


def names_shape(resolution: str | None) -> bool:
    """True for a ratio or a size: what says how wide a result is for its height."""
    text = re.sub(r"\s", "", resolution or "").lower()
    return bool(PIXELS.fullmatch(text) or RATIO.fullmatch(text))


def _of_ratio(width: int, height: int, level: int) -> tuple[float, float]:
    """The largest size of a ratio within a level's area; its sides are multiples of 16 where the ratio allows it."""
    divisor = math.gcd(width, height)
    width, height = width // divisor, height // divisor
    scale = level * SIDE / math.sqrt(width * height)
    scale = scale // STEP * STEP or scale
    return width * scale, height * scale


def _written(width: float, height: float) -> str:
    """A size within the limits, both sides scaled alike as far as they allow."""
    scale = max(min(1.0, MAX_SIDE / max(width, height)), MIN_SIDE / min(width, height))
    sides = (min(MAX_SIDE, max(MIN_SIDE, round(side * scale))) for side in (width, height))
    return "x".join(map(str, sides))
