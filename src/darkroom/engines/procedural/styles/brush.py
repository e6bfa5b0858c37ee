"""What several styles share. Pixels are float32 in 0 to 1, (rows, columns, 3) or one plane; lengths are in pixels."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ..frame import Frame, Plane


def blur(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur; a wide one is made on a small copy, where nobody can tell."""
    if sigma < 0.3:
        return plane
    shrink = int(sigma / 2.5)
    if shrink < 2:
        return cv2.GaussianBlur(plane, (0, 0), sigma).astype(np.float32, copy=False)
    height, width = plane.shape[:2]
    small = cv2.resize(plane, (-(-width // shrink), -(-height // shrink)), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), sigma / shrink)
    return cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)


def resized(plane: Plane, size: tuple[int, int], method: int) -> Plane:
    """The plane in a size (width, height)."""
    return cv2.resize(plane, size, interpolation=method).astype(np.float32, copy=False)


def to_bytes(picture: Plane) -> NDArray[np.uint8]:
    """Values of 0 to 1 as bytes."""
    return (np.clip(picture, 0, 1) * 255 + 0.5).astype(np.uint8)


def flattened(picture: Plane, side: int, tolerance: float, passes: int) -> Plane:
    """Areas made even and edges kept, worked out on a copy whose shorter side has `side` pixels."""
    height, width = picture.shape[:2]
    share = min(1.0, side / min(height, width))
    size = (max(1, round(width * share)), max(1, round(height * share)))
    small: Any = to_bytes(resized(picture, size, cv2.INTER_AREA))
    for _ in range(passes):
        small = cv2.bilateralFilter(small, 7, tolerance * 255, 3)
    grown = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    even: Plane = grown.astype(np.float32) * (1 / 255)
    return even


def grey(picture: Plane) -> Plane:
    """Luma."""
    luma: Plane = picture @ np.array([0.299, 0.587, 0.114], np.float32)
    return luma


def richer(picture: Plane, amount: float) -> Plane:
    """Stronger colours (1 leaves them as they are)."""
    luma = grey(picture)[..., None]
    return np.clip(luma + (picture - luma) * amount, 0, 1)


def edges(luma: Plane) -> Plane:
    """How steep the brightness is, per pixel."""
    steep: Plane = np.hypot(
        cv2.Sobel(luma, cv2.CV_32F, 1, 0, scale=0.25), cv2.Sobel(luma, cv2.CV_32F, 0, 1, scale=0.25)
    )
    return steep


def cloudy(frame: Frame, name: str, size: float) -> Plane:
    """Smooth noise of mean 0 and deviation 1 with forms of about `size` units."""
    step = max(1.0, size * frame.unit / 3)
    shape = (max(4, round(frame.height / step)), max(4, round(frame.width / step)))
    coarse = frame.stream("style", name).standard_normal(shape).astype(np.float32)
    grown = cv2.resize(
        cv2.GaussianBlur(coarse, (0, 0), 1.2), (frame.width, frame.height), interpolation=cv2.INTER_CUBIC
    )
    even: Plane = grown.astype(np.float32) * np.float32(1 / max(float(grown.std()), 1e-6))
    return even


def paper(frame: Frame, rough: float) -> Plane:
    """The tooth of paper: about 1, with a deviation of `rough`."""
    fine = cloudy(frame, "tooth", 0.0035) * 0.7 + cloudy(frame, "fibre", 0.012) * 0.5
    sheet: Plane = 1 + fine * np.float32(rough)
    return sheet


def strokes(noise: Plane, angle: Plane, length: float, steps: int) -> Plane:
    """Noise drawn out along a field of directions, `length` pixels to both sides."""
    height, width = noise.shape
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    across, down = np.cos(angle), np.sin(angle)
    total = noise.copy()
    for step in range(1, steps + 1):
        for reach in (length * step / steps, -length * step / steps):
            total += cv2.remap(
                noise, columns + across * reach, rows + down * reach, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
            )
    drawn: Plane = total * np.float32(1 / max(float(total.std()), 1e-6))
    return drawn


def direction(luma: Plane, sigma: float) -> Plane:
    """The angle along the edges at every pixel, smoothed."""
    across, down = cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)
    parts = [blur(plane, sigma) for plane in (across * across, down * down, across * down)]
    angle: Plane = 0.5 * np.arctan2(2 * parts[2], parts[0] - parts[1] + 1e-7) + np.float32(np.pi / 2)
    return angle
