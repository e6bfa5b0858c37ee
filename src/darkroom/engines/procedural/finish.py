"""The last touch: styles, a soft tone curve, vignette and the fine grain that keeps gradients from banding."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Plane, smoothstep
from .palette import luma
from .styles import flat, wet
from .styles.brush import resized

SMALL = 384  # pixels of the shorter side that blurs work on


MOST_HANDS = 2
LARGEST = 6_000_000  # pixels that a style of the hand is drawn in
HANDS = {
    "noir": flat.noir,
    "glowing": flat.glowing,
    "lowpoly": flat.lowpoly,
    "poster": flat.poster,
    "cartoon": flat.cartoon,
    "oil": wet.oil,
    "watercolor": wet.watercolor,
    "ink": wet.ink,
    "pencil": wet.pencil,
    "pixel": flat.pixel,
}


def by_hand(styles: frozenset[str]) -> list[str]:
    """Which of the styles draw the picture anew, in the order in which they do; only `MOST_HANDS` of them are used."""
    return [style for style in HANDS if style in styles]


def finish(frame: Frame, picture: Plane, styles: frozenset[str]) -> NDArray[np.uint8]:
    """The picture as bytes (height, width, 3), graded in the named styles. Overwrites `picture`."""
    hands = by_hand(styles)
    if hands:
        return _by_hand(frame, picture, styles, [HANDS[style] for style in hands[:MOST_HANDS]])
    if "dreamy" in styles:
        _soften(frame, picture)
    random = frame.stream("grain")
    made = np.empty(picture.shape, np.uint8)
    across = frame.across() / frame.span
    for top, bottom in frame.bands(frame.height):
        band = picture[top:bottom]
        for style in sorted(styles & STYLES.keys()):
            band = STYLES[style](band)
        down = frame.down(top, bottom) * (frame.unit / frame.height) - 0.5
        corner = smoothstep(0.32, 0.78, np.hypot(across, down))
        band = _shoulder(band) * (1 - 0.22 * corner)[..., None]
        # One grain for the three channels: enough to hide the steps of eight bits, too little to see.
        grain = random.random(band.shape[:2], np.float32) * 1.6 - 0.3
        made[top:bottom] = np.clip(band * 255 + grain[..., None], 0, 255).astype(np.uint8)
    return made


def _by_hand(
    frame: Frame, picture: Plane, styles: frozenset[str], hands: Sequence[Callable[[Frame, Plane], Plane]]
) -> NDArray[np.uint8]:
    """The picture drawn anew in one style after the other; the result is graded."""
    if "dreamy" in styles:
        _soften(frame, picture)
    for top, bottom in frame.bands(frame.height):
        picture[top:bottom] = np.clip(_shoulder(picture[top:bottom]), 0, 1)
    for draw in hands:
        picture = _drawn(frame, picture, draw)
    for style in sorted(styles & STYLES.keys()):
        picture = STYLES[style](picture)
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def _drawn(frame: Frame, picture: Plane, draw: Callable[[Frame, Plane], Plane]) -> Plane:
    """The picture in one style; a very large one is drawn smaller and enlarged, for strokes are soft."""
    share = min(1.0, math.sqrt(LARGEST / (frame.width * frame.height)))
    if share == 1 or draw is flat.pixel:
        return np.clip(draw(frame, picture), 0, 1).astype(np.float32, copy=False)
    smaller = replace(frame, width=max(1, round(frame.width * share)), height=max(1, round(frame.height * share)))
    drawn = np.clip(draw(smaller, resized(picture, (smaller.width, smaller.height), cv2.INTER_AREA)), 0, 1)
    return resized(drawn.astype(np.float32, copy=False), (frame.width, frame.height), cv2.INTER_LINEAR)


def glow(frame: Frame, picture: Plane, threshold: float, strength: float) -> None:
    """Add the light that spills from everything brighter than `threshold`."""
    small, unit = _shrunk(frame, picture)
    bright = np.clip(small - threshold, 0, None)
    for size in (0.008, 0.03):
        _add(picture, cv2.GaussianBlur(bright, (0, 0), max(0.6, unit * size)) * strength)


def _soften(frame: Frame, picture: Plane) -> None:
    """Lay a blurred, lighter picture over the sharp one."""
    small, unit = _shrunk(frame, picture)
    soft = cv2.GaussianBlur(np.clip(small, 0, 1), (0, 0), max(0.6, unit * 0.022))
    picture *= 0.55
    _add(picture, soft * 0.54)


def _shrunk(frame: Frame, picture: Plane) -> tuple[Plane, float]:
    """A small copy, which wide blurs are cheap on, and its unit."""
    share = min(1.0, SMALL / min(frame.width, frame.height))
    size = (round(frame.width * share), round(frame.height * share))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small.astype(np.float32, copy=False), frame.unit * share


def _add(picture: Plane, small: Plane) -> None:
    for part in range(3):
        plane = np.ascontiguousarray(small[..., part])
        picture[..., part] += cv2.resize(plane, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _shoulder(band: Plane) -> Plane:
    """Keep values up to 0.8 and bend what is above towards 1."""
    over = np.maximum(band - 0.8, 0)
    bent: Plane = np.minimum(band, 0.8) + 0.2 * (1 - np.exp(over * -5))
    return bent


def _monochrome(band: Plane) -> Plane:
    return np.repeat((smoothstep(-0.08, 1.05, luma(band)) * 1.02)[..., None], 3, -1)


def _vivid(band: Plane) -> Plane:
    grey = luma(band)[..., None]
    return np.clip(grey + (band - grey) * 1.45, 0, None)


def _pastel(band: Plane) -> Plane:
    grey = luma(band)[..., None]
    return (grey + (band - grey) * 0.7) * 0.62 + 0.36


def _vintage(band: Plane) -> Plane:
    grey = luma(band)[..., None]
    aged = (grey + (band - grey) * 0.5) * np.array([1.04, 0.95, 0.78], np.float32)
    return aged * 0.88 + np.array([0.07, 0.05, 0.04], np.float32)


def _dramatic(band: Plane) -> Plane:
    curved = np.clip(band, 0, 1)
    curved = curved * curved * (3 - 2 * curved)
    return (band * 0.35 + curved * 0.65) * 0.94


STYLES = {
    "monochrome": _monochrome,
    "vivid": _vivid,
    "pastel": _pastel,
    "vintage": _vintage,
    "dramatic": _dramatic,
}
