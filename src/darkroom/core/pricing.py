"""What a task costs, from its model's price and its parameters.

Pure, in integers: parts of a credit are rounded up, for each result; and no result costs less than `each`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from .task import File

MEGAPIXEL = 1_000_000
LONG_SIDES = {"1k": 1024, "2k": 2048, "4k": 3840, "8k": 7680}  # pixels of the longer side, from which a tier begins
SHORT_SIDES = {name: int(name[:-1]) for name in ("480p", "720p", "1080p", "1440p", "2160p")}
TIERS = (*SHORT_SIDES, *LONG_SIDES)
WIDE = Fraction(16, 9)  # of a video of which only the shorter side is known
RATIO = re.compile(r"([1-9][0-9]{0,3}):([1-9][0-9]{0,3})")
MOST = 10**9  # credits that any single number of a price may be


@dataclass(frozen=True, slots=True)
class Price:
    """Credits for each result: `each`, or that of the dearest of the `tiers` which it reaches; and then `second` for
    each second of video, and `megapixel` for each million pixels.
    """

    each: int = 1
    second: int = 0
    megapixel: int = 0
    tiers: Mapping[str, int] = field(default_factory=dict)

    @property
    def flat(self) -> bool:
        """Whether every result costs the same."""
        return not (self.second or self.megapixel or self.tiers)


def parse(value: Any) -> Price:
    """A price as settings spell it: an integer, or a table. `ValueError` says what is wrong with it."""
    if not isinstance(value, Mapping):
        return Price(_credits(value, "it"))
    if unknown := sorted(value.keys() - {"each", "second", "megapixel", "tiers"}):
        raise ValueError(f"unknown part {unknown[0]!r}; there are: each, second, megapixel, tiers")
    if "each" not in value:
        raise ValueError("'each' is missing: what a result costs at least")
    tiers = value.get("tiers", {})
    if not isinstance(tiers, Mapping):
        raise ValueError('tiers must be a table such as { "2k" = 3, "4k" = 6 }')  # noqa: TRY004 - as the others
    if wrong := [name for name in tiers if name not in TIERS]:
        raise ValueError(f"unknown tier {wrong[0]!r}; there are: {', '.join(TIERS)}")
    return Price(
        _credits(value["each"], "each"),
        _credits(value.get("second", 0), "second"),
        _credits(value.get("megapixel", 0), "megapixel"),
        {name: _credits(amount, f"tier {name!r}") for name, amount in tiers.items()},
    )


def price(rate: Price, params: Mapping[str, Any], count: int, inputs: Sequence[File] = ()) -> int:
    """Credits for `count` results of a task with these parameters (checked, with defaults) and inputs."""
    if rate.flat:
        return rate.each * count
    width, height = size_of(params, inputs)
    reached = [amount for tier, amount in rate.tiers.items() if reaches(tier, width, height)]
    exact = Fraction(max(reached, default=rate.each))
    exact += rate.second * seconds_of(params, inputs)
    exact += Fraction(rate.megapixel * width * height, MEGAPIXEL)
    return max(rate.each, math.ceil(exact)) * count


def reaches(tier: str, width: int, height: int) -> bool:
    """Whether a picture or video of this size is one of the tier, or larger."""
    if tier in LONG_SIDES:
        return max(width, height) >= LONG_SIDES[tier]
    return min(width, height) >= SHORT_SIDES[tier]


def seconds_of(params: Mapping[str, Any], inputs: Sequence[File]) -> Fraction:
    """How long a result will be: as asked, or as the longest input, to the millisecond; 0 for pictures."""
    asked = params.get("duration")
    lengths = [asked] if isinstance(asked, (int, float)) else [file.duration for file in inputs if file.duration]
    return max((Fraction(round(length * 1000), 1000) for length in lengths), default=Fraction(0))


def size_of(params: Mapping[str, Any], inputs: Sequence[File]) -> tuple[int, int]:
    """Width and height of a result: as asked, or the largest input's, times `scale`; (0, 0) where nobody can tell."""
    if size := params.get("size"):
        width, _, height = str(size).partition("x")
        return int(width), int(height)
    given = max(((file.width, file.height) for file in inputs), key=lambda sides: sides[0] * sides[1], default=(0, 0))
    resolution = str(params.get("resolution") or "").lower()
    if resolution in SHORT_SIDES or resolution in LONG_SIDES:
        return sides_of(resolution, shape_of(params, given))
    scale = params.get("scale")
    factor = Fraction(scale) if isinstance(scale, (int, float)) else Fraction(1)
    return math.ceil(given[0] * factor), math.ceil(given[1] * factor)


def shape_of(params: Mapping[str, Any], given: tuple[int, int]) -> Fraction:
    """Width by height: of the `ratio` that was asked, or as the input has it."""
    if ratio := RATIO.fullmatch(str(params.get("ratio") or "")):
        return Fraction(int(ratio[1]), int(ratio[2]))
    return Fraction(*given) if all(given) else WIDE


def sides_of(tier: str, shape: Fraction) -> tuple[int, int]:
    """Width and height of the smallest picture of a tier that has this shape."""
    if tier in LONG_SIDES:
        side = LONG_SIDES[tier]
        return (side, math.ceil(side / shape)) if shape >= 1 else (math.ceil(side * shape), side)
    side = SHORT_SIDES[tier]
    return (math.ceil(side * shape), side) if shape >= 1 else (side, math.ceil(side / shape))


def _credits(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST:
        raise ValueError(f"{name} must be a whole number of credits from 0 to {MOST}")
    return value
