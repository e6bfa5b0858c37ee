"""The last touch: styles, a soft tone curve, vignette and the fine grain that keeps gradients from banding."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Plane, smoothstep
from .palette import luma

SMALL = 384  # pixels of the shorter side that blurs work on


def finish(frame: Frame, picture: Plane, styles: frozenset[str]) -> NDArray[np.uint8]:
    """The picture as bytes (height, width, 3), graded in the named styles. Overwrites `picture`."""
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
