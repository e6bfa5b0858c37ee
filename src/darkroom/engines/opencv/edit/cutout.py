"""People cut out of their picture and put onto another one, in its light.

What is cut out is people, by the segmentation network, or whatever a picture with transparency shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .. import pictures, portrait
from ..faces import light
from ..filters import brush
from ..pictures import Picture, Pixels, Size

SHOWN = 0.5  # opacity from which on a pixel is part of somebody
CUT_OFF = 0.02  # of the height: whoever is so near the lower border is cut off by it
BUST, STANDING = 0.86, 0.68  # heights, of the ground's, of somebody cut off and of somebody with feet
FEET = 0.94  # where feet stand, of the ground's height
WIDEST = 0.92  # of the ground's width, for all together
LIGHT, MOST_LIGHT = 0.3, 12.0  # of the difference in lightness, and at most; in L*a*b* units
TINT, MOST_TINT = 0.35, 9.0  # the same for colours
EDGE = 0.006  # how far colours of the old background reach into somebody, of the picture's longer side


@dataclass(frozen=True, slots=True)
class Cutout:
    """Somebody: uint8 RGB and opacity, float32 (height, width) in 0..1, cropped, and whether the picture's lower border
    cut them off."""

    rgb: Pixels
    opacity: Pixels
    cut_off: bool


def opacity_of(picture: Picture) -> Pixels | None:
    """How much of each pixel is somebody, float32 (height, width) in 0..1; None where there is nobody."""
    if picture.alpha is not None and float((picture.alpha < 128).mean()) > portrait.NOBODY:
        return picture.alpha.astype(np.float32) / 255
    mask = portrait.mask(picture.rgb)
    return mask if mask.any() else None


def cut(picture: Picture) -> Cutout | None:
    """Whoever is in the picture, or None."""
    opacity = opacity_of(picture)
    if opacity is None or not (opacity > SHOWN).any():
        return None
    rows, columns = (np.flatnonzero((opacity > SHOWN).any(axis)) for axis in (1, 0))
    height = opacity.shape[0]
    window = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
    rgb = without_fringe(picture.rgb, opacity)[window]
    return Cutout(rgb, opacity[window], int(rows[-1]) >= height * (1 - CUT_OFF))


def without_fringe(rgb: Pixels, opacity: Pixels) -> Pixels:
    """The pixels with somebody's own colours at their borders, in place of the old background's."""
    border = (opacity > 0.01) & (opacity < 0.97)
    if not border.any():
        return rgb
    sigma = max(1.0, EDGE * max(rgb.shape[:2]))
    inside = (opacity > 0.97).astype(np.float32)
    weight = cv2.GaussianBlur(inside, (0, 0), sigma)[..., None]
    own = cv2.GaussianBlur(rgb.astype(np.float32) * inside[..., None], (0, 0), sigma) / (weight + 1e-4)
    known = (weight[..., 0] > 0.02) & border
    cleaned = rgb.copy()
    cleaned[known] = (0.3 * rgb[known] + 0.7 * own[known] + 0.5).astype(np.uint8)
    return cleaned


def put(ground: Picture, people: Sequence[Cutout], box: tuple[int, int, int, int] | None = None) -> Picture:
    """The ground with people on it, side by side; within `box` (left, top, width, height) where there is one."""
    left, top, width, height = box or (0, 0, *ground.size)
    sizes = [_size(each, width, height, fills=box is not None) for each in people]
    crowd = sum(size[0] for size in sizes)
    squeeze = min(1.0, WIDEST * width / crowd) if box is None else min(1.0, width / crowd)
    sizes = [(max(1, round(size[0] * squeeze)), max(1, round(size[1] * squeeze))) for size in sizes]
    gap = (width - sum(size[0] for size in sizes)) / (len(sizes) + 1)
    rgb = ground.rgb.copy()
    place = left + gap
    for each, size in zip(people, sizes, strict=True):
        feet = top + height if each.cut_off or box else top + round(FEET * height)
        _lay(rgb, each, size, (round(place), feet - size[1]))
        place += size[0] + gap
    return replace(ground, rgb=rgb)


def behind(picture: Picture, opacity: Pixels, ground: Picture) -> Picture:
    """The picture with the ground, as large as it is, behind its people."""
    own = lit(without_fringe(picture.rgb, opacity), opacity, ground.rgb)
    return replace(picture, rgb=portrait.over(own, ground.rgb, opacity), alpha=None)


def lit(rgb: Pixels, opacity: Pixels, ground: Pixels) -> Pixels:
    """Somebody in the ground's light: a part of the way, so that skin stays skin."""
    lab = light.to_lab(rgb)
    own = np.average(lab.reshape(-1, 3), axis=0, weights=opacity.ravel() + 1e-6)
    small = cv2.resize(ground, (64, 64), interpolation=cv2.INTER_AREA)
    shift = light.to_lab(small).reshape(-1, 3).mean(0) - own
    shift[0] = np.clip(LIGHT * shift[0], -MOST_LIGHT, MOST_LIGHT)
    shift[1:] = (TINT * shift[1:]).clip(-MOST_TINT, MOST_TINT)
    # Neither black nor white moves.
    room = 4 * (lab[..., :1] / 100) * (1 - lab[..., :1] / 100)
    lab += shift.astype(np.float32) * np.sqrt(room.clip(0, 1))
    shown: Pixels = (light.to_rgb(lab) + 0.5).clip(0, 255).astype(np.uint8)
    return shown


def _size(person: Cutout, width: int, height: int, *, fills: bool) -> Size:
    """How large somebody is shown on a ground, or in a box that they fill."""
    tall, wide = person.opacity.shape
    share = 1.0 if fills else BUST if person.cut_off else STANDING
    scale = min(share * height / tall, (1.0 if fills else WIDEST) * width / wide)
    return max(1, round(wide * scale)), max(1, round(tall * scale))


def _lay(rgb: Pixels, person: Cutout, size: Size, corner: Size) -> None:
    """Put somebody in place, cut at the ground's borders."""
    left, top = corner
    right, bottom = min(left + size[0], rgb.shape[1]), min(top + size[1], rgb.shape[0])
    window = (slice(max(0, top), bottom), slice(max(0, left), right))
    part = (slice(max(0, -top), bottom - top), slice(max(0, -left), right - left))
    shrinks = size[0] < person.rgb.shape[1]
    opacity = cv2.resize(person.opacity, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)[part]
    own = pictures.lanczos(np.ascontiguousarray(person.rgb), size)[part]
    around = rgb[window]
    own = lit(own, opacity, around)
    # Light of the ground around spills over the edges.
    spill = brush.blur(opacity, max(1.0, 0.008 * max(size)))
    rim = (opacity * (1 - spill)).clip(0, 0.35)
    wrapped = own + (brush.blur(around, max(1.0, 0.03 * max(size))).astype(np.float32) - own) * rim[..., None]
    around[...] = portrait.over((wrapped + 0.5).clip(0, 255).astype(np.uint8), around, opacity)
