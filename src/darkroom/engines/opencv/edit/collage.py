"""Pictures beside each other: rows of equal width in which every picture is whole, with narrow white gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import pictures, portrait
from ..pictures import Picture, Pixels, Size

LONGEST = 2048  # pixels of the longer side, where no size is asked for
SHAPE = 1.3  # width by height that a collage should have
GAP = 0.012  # of the shorter side
WHITE = 255
SHORTEST = 256.0  # pixels of the width
NARROWEST = 0.25  # width by height, or height by width; what is narrower is cropped


def collage(shown: Sequence[Picture], size: Size | None, *, one_row: bool = False) -> Picture:
    """All pictures, in their order from left to right and from the top down.

    With a `size` the rows are centred on a white canvas of exactly that size.
    """
    shapes = [_shape(picture) for picture in shown]
    wanted = size[0] / size[1] if size else SHAPE
    rows = [len(shapes)] if one_row else _rows(shapes, wanted)
    canvas = size or _natural(shown, rows)
    gap = round(GAP * min(canvas))
    width = max(1, min(canvas[0], round(_width_for(shapes, rows, canvas[1], gap))))
    heights = [max(1, round(height)) for height in _heights(shapes, rows, width, gap)]
    page = np.full((canvas[1], canvas[0], 3), WHITE, np.uint8)
    left, top = (canvas[0] - width) // 2, max(0, (canvas[1] - sum(heights) - gap * (len(rows) + 1)) // 2) + gap
    first = 0
    for count, height in zip(rows, heights, strict=True):
        _lay(page, shown[first : first + count], (left + gap, top), (width - 2 * gap, height), gap)
        first += count
        top += height + gap
    return Picture(page)


def _shape(picture: Picture) -> float:
    """Width by height."""
    return min(1 / NARROWEST, max(NARROWEST, picture.size[0] / picture.size[1]))


def _rows(shapes: Sequence[float], wanted: float) -> list[int]:
    """How many pictures each row has: as even as can be, with the whole nearest to the wanted shape."""
    best: tuple[float, list[int]] | None = None
    for count in range(1, len(shapes) + 1):
        even = [len(shapes) // count + (row < len(shapes) % count) for row in range(count)]
        shape = 1 / sum(_heights(shapes, even, 1.0, 0))
        # Rows of different lengths show pictures at different sizes.
        miss = abs(math.log(shape / wanted)) + (0.25 if max(even) != min(even) else 0.0)
        if best is None or miss < best[0]:
            best = miss, even
    assert best is not None
    return best[1]


def _heights(shapes: Sequence[float], rows: Sequence[int], width: float, gap: int) -> list[float]:
    """The height of each row, with gaps at both ends and between pictures."""
    heights = []
    first = 0
    for count in rows:
        heights.append((width - gap * (count + 1)) / sum(shapes[first : first + count]))
        first += count
    return heights


def _width_for(shapes: Sequence[float], rows: Sequence[int], height: int, gap: int) -> float:
    """The width at which the rows are exactly so high."""
    one, two = (sum(_heights(shapes, rows, width, gap)) for width in (1000.0, 2000.0))
    return 1000.0 + (height - gap * (len(rows) + 1) - one) * 1000.0 / (two - one)


def _natural(shown: Sequence[Picture], rows: Sequence[int]) -> Size:
    """A size at which no picture is much enlarged."""
    shapes = [_shape(picture) for picture in shown]
    width = max(SHORTEST, float(sum(picture.size[0] for picture in shown[: rows[0]])))
    height = sum(_heights(shapes, rows, width, 0))
    shrink = max(1.0, max(width, height) / LONGEST)
    width /= shrink
    gap = round(GAP * min(width, height / shrink))
    return round(width), round(sum(_heights(shapes, rows, width, gap)) + gap * (len(rows) + 1))


def _lay(page: Pixels, shown: Sequence[Picture], corner: Size, size: Size, gap: int) -> None:
    """One row: pictures of one height, which together with the gaps fill the width."""
    left, top = corner
    shapes = [_shape(picture) for picture in shown]
    free = size[0] - gap * (len(shown) - 1)
    ends = np.cumsum([0.0, *shapes]) / sum(shapes) * free
    for number, picture in enumerate(shown):
        start, end = (round(float(each)) + number * gap for each in ends[number : number + 2])
        place = page[top : top + size[1], left + start : left + end]
        if not place.size:  # a canvas of a few pixels
            continue
        cell = pictures.fit(picture, (end - start, size[1]))
        pixels = cell.rgb[: place.shape[0], : place.shape[1]]
        if cell.alpha is not None:
            opacity = cell.alpha[: place.shape[0], : place.shape[1]].astype(np.float32) / 255
            pixels = portrait.over(pixels, place, opacity)
        place[...] = pixels
