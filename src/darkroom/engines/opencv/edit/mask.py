"""Which part of a picture an edit may change: another input, read as a mask.

Outside the mask no pixel changes. A mask with transparent places has them edited, as is usual with vendors; one without
has its white places edited. Grey or half transparent places are edited by half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ....core.errors import Code, TaskError
from .. import pictures
from ..filters import brush
from ..pictures import Picture, Pixels, Size

T = TypeVar("T")


def split(inputs: Sequence[T], number: int | None) -> tuple[list[T], T | None]:
    """The pictures, in their order, and the input of this number, from 0, as the mask; None for no mask."""
    if number is None:
        return list(inputs), None
    if number >= len(inputs):
        have = "1 input, number 0" if len(inputs) == 1 else f"{len(inputs)} inputs, numbers 0 to {len(inputs) - 1}"
        raise TaskError(
            Code.INVALID_INPUT, f"There is no input {number} to be the mask: the task has {have}.", param="mask"
        )
    if len(inputs) == 1:
        raise TaskError(
            Code.INVALID_INPUT, "The only input is the mask. Send the picture that it belongs to as well.", param="mask"
        )
    return [each for place, each in enumerate(inputs) if place != number], inputs[number]


def read(path: Path, size: Size) -> Pixels:
    """How much of each pixel may change, float32 (height, width) in 0..1, for a picture of `size`."""
    picture = pictures.read(path)
    if picture.size != size:
        raise TaskError(
            Code.INVALID_MEDIA,
            f"The mask has {picture.size[0]}x{picture.size[1]} pixels and the first picture {size[0]}x{size[1]}. "
            "Send a mask of the picture's size.",
            param="mask",
        )
    if picture.alpha is not None and picture.alpha.min() < 255:
        return 1 - picture.alpha.astype(np.float32) / 255
    return brush.grey(picture.rgb).astype(np.float32) / 255


def fitted(mask: Pixels, size: Size) -> Pixels:
    """The mask of a picture that was brought to `size`."""
    levels = (mask * 255 + 0.5).astype(np.uint8)
    shaped = pictures.fit(Picture(np.empty((*mask.shape, 3), np.uint8), levels), size).alpha
    assert shaped is not None
    return shaped.astype(np.float32) / 255


def within(before: Picture, after: Picture, mask: Pixels) -> Picture:
    """`after` inside the mask, and exactly `before` outside; both have one size."""
    rgb = _mixed(before.rgb, after.rgb, mask[..., None])
    alpha = before.alpha
    if after.alpha is not None:
        alpha = _mixed(alpha if alpha is not None else np.full(mask.shape, 255, np.uint8), after.alpha, mask)
    return replace(after, rgb=rgb, alpha=alpha)


def bounds(mask: Pixels) -> tuple[int, int, int, int] | None:
    """Left, top, width and height of what is more than half inside; None where nothing is."""
    rows, columns = (np.flatnonzero((mask > 0.5).any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1


def _mixed(before: Pixels, after: Pixels, share: Pixels) -> Pixels:
    """Mixed in bands of rows; exactly `before` where the share is 0."""
    mixed = np.empty_like(before)
    band = max(1, 2_000_000 // before.shape[1])
    for top in range(0, before.shape[0], band):
        rows = slice(top, top + band)
        floats = before[rows].astype(np.float32)
        mixed[rows] = (floats + (after[rows] - floats) * share[rows] + 0.5).astype(np.uint8)
    return mixed
