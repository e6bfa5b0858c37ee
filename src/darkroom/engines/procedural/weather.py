"""What the weather lays over a finished scene: mist, rain and falling snow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Plane, mix, smoothstep
from .noise import Noise

FINE = 4  # bits of a pixel's fraction


def mist(frame: Frame, picture: Plane, colour: Plane, row: float, depth: float, strength: float) -> None:
    """A bank of mist around row `row`, `depth` units high, thinner and thicker along the picture."""
    noise = Noise(frame, "mist")
    across = frame.across()
    for top, bottom in frame.bands(frame.height):
        y = frame.down(top, bottom) - row / frame.unit
        bank = np.exp(-((y / depth) ** 2))
        if float(bank.max()) < 0.01:
            continue
        wisps = noise.fbm(across * 2.2, y * 8, 5)
        thick = bank * strength * (0.55 + smoothstep(-0.6, 0.7, wisps) * 0.6)
        band = picture[top:bottom]
        band[:] = mix(band, colour, np.clip(thick, 0, 0.96))


def rain(frame: Frame, picture: Plane, colour: Plane) -> None:
    """Slanting streaks at three distances."""
    random = frame.stream("rain")
    area = frame.span * frame.height / frame.unit
    for far, (length, count, strength) in enumerate(((0.022, 900, 0.16), (0.045, 420, 0.2), (0.085, 130, 0.24))):
        number = int(min(count * area, 8000)) + 1
        places = random.random((number, 2)) * (1.2, 1.2) - 0.1
        starts = places * (frame.width, frame.height)
        ends = starts + np.array([-0.16, 1.0]) * (length * frame.unit * random.uniform(0.6, 1.2, (number, 1)))
        lines = np.round(np.stack([starts, ends], 1) * 2**FINE).astype(np.int32)
        mask = np.zeros(picture.shape[:2], np.uint8)
        thick = max(1, round(frame.unit * (0.0007 + 0.0005 * far)))
        cv2.polylines(mask, list(lines), False, 255, thick, cv2.LINE_AA, FINE)
        _lay(frame, picture, mask, colour, strength)


def snow(frame: Frame, picture: Plane) -> None:
    """Falling flakes: many small and sharp, a few near ones large and soft."""
    random = frame.stream("snow")
    area = frame.span * frame.height / frame.unit
    white = np.ones(3, np.float32)
    for size, count, strength in ((0.0016, 700, 0.65), (0.0032, 260, 0.7), (0.0075, 50, 0.5)):
        mask = np.zeros(picture.shape[:2], np.uint8)
        for x, y, share in random.random((int(min(count * area, 6000)) + 1, 3)):
            radius = max(0.5, size * frame.unit * (0.6 + 0.8 * share))
            centre = (round(x * frame.width * 2**FINE), round(y * frame.height * 2**FINE))
            cv2.circle(mask, centre, round(radius * 2**FINE), 255, -1, cv2.LINE_AA, FINE)
        blur = size * frame.unit * 0.45
        if blur > 0.6:
            cv2.GaussianBlur(mask, (0, 0), blur, dst=mask)
        _lay(frame, picture, mask, white, strength)


def lightning(frame: Frame, picture: Plane, horizon: int) -> None:
    """A flash that forks from the clouds down to row `horizon`, and lights the sky around it."""
    random = frame.stream("lightning")
    mask = np.zeros((horizon, frame.width), np.uint8)
    start = np.array([frame.width * random.uniform(0.25, 0.75), -0.02 * frame.unit])
    end = np.array([start[0] + random.uniform(-0.18, 0.18) * frame.unit, horizon * 1.02])
    thick = 0.0045 * frame.unit
    bolts = [(start, end, thick)]
    while bolts:
        first, last, width = bolts.pop()
        line = np.stack([first, last])
        for _ in range(7):
            middle = (line[:-1] + line[1:]) / 2
            length = np.hypot(*(line[1:] - line[:-1]).T)
            middle[:, 0] += random.uniform(-0.26, 0.26, len(middle)) * length
            line = _woven(line, middle)
        points = np.round(line * 2**FINE).astype(np.int32)
        cv2.polylines(mask, [points], False, 255, max(1, round(width)), cv2.LINE_AA, FINE)
        if width > 0.002 * frame.unit:
            for share in random.uniform(0.2, 0.75, 3):
                root = line[int(share * len(line))]
                reach = np.array([random.choice((-1, 1)) * random.uniform(0.08, 0.22), random.uniform(0.1, 0.26)])
                bolts.append((root, root + reach * frame.unit, width * 0.4))
    bright = mask.astype(np.float32) / 255
    small = cv2.resize(bright, (-(-frame.width // 4), -(-horizon // 4)), interpolation=cv2.INTER_AREA)
    halo = cv2.GaussianBlur(small, (0, 0), max(0.6, frame.unit * 0.009))
    wide = cv2.GaussianBlur(halo, (0, 0), max(0.6, frame.unit * 0.03))
    light = cv2.resize(halo * 1.6 + wide * 2.4, (frame.width, horizon), interpolation=cv2.INTER_LINEAR)
    picture[:horizon] += light[..., None] * np.array([0.55, 0.6, 0.95], np.float32)
    picture[:horizon] += (1.25 - picture[:horizon]) * bright[..., None]


def _woven(ends: Plane, middles: Plane) -> Plane:
    """The points of a line with those between them, in their order."""
    line = np.empty((len(ends) + len(middles), 2), ends.dtype)
    line[0::2], line[1::2] = ends, middles
    return line


def _lay(frame: Frame, picture: Plane, mask: NDArray[np.uint8], colour: Plane, strength: float) -> None:
    for top, bottom in frame.bands(len(picture)):
        share = mask[top:bottom].astype(np.float32) * (strength / 255)
        band = picture[top:bottom]
        band += (colour - band) * share[..., None]
