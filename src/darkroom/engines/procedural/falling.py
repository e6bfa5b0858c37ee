"""Rain and snow that fall: every drop and flake has its own place and speed, and comes back at the top."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Plane
from .weather import FINE

RAIN = ((0.022, 700, 0.16, 1.5), (0.045, 320, 0.2, 2.1), (0.085, 100, 0.24, 2.9))  # length, number, strength, speed
SNOW = ((0.0016, 700, 0.65, 0.06), (0.0032, 260, 0.7, 0.1), (0.0075, 50, 0.5, 0.17))  # size, number, strength, speed
SLANT = -0.16
AROUND = 0.1  # share of the frame beyond each edge, where things leave and enter unseen


@dataclass(frozen=True, slots=True)
class Falling:
    """The rain or snow of one video of frames like `frame`."""

    frame: Frame
    snow: bool
    colour: Plane

    def lay(self, picture: Plane, seconds: float) -> None:
        """Lay what falls at a moment over a picture, (height, width, 3) of float32."""
        layers = SNOW if self.snow else RAIN
        random = self.frame.stream("falling", self.snow)
        area = self.frame.span * self.frame.height / self.frame.unit
        for size, count, strength, speed in layers:
            own = random.random((int(min(count * area, 6000)) + 1, 4))
            fallen = speed * (0.8 + 0.4 * own[:, 2]) * seconds * self.frame.unit / self.frame.height
            down = (own[:, 1] + fallen) % 1 * (1 + 2 * AROUND) - AROUND
            across = own[:, 0] * (1 + 2 * AROUND) - AROUND
            mask = np.zeros(picture.shape[:2], np.uint8)
            if self.snow:
                across = across + np.sin(own[:, 3] * math.tau + seconds * (0.5 + own[:, 2])) * 0.012
                self._flakes(mask, across, down, size * (0.6 + 0.8 * own[:, 3]))
                blur = size * self.frame.unit * 0.45
                if blur > 0.6:
                    cv2.GaussianBlur(mask, (0, 0), blur, dst=mask)
            else:
                across = (across + SLANT * fallen * self.frame.height / self.frame.width) % 1
                self._streaks(mask, across, down, size * (0.6 + 0.6 * own[:, 3]))
            picture += (self.colour - picture) * (mask.astype(np.float32) * (strength / 255))[..., None]

    def _streaks(self, mask: NDArray[np.uint8], across: Plane, down: Plane, length: Plane) -> None:
        starts = np.stack([across * self.frame.width, down * self.frame.height], 1)
        ends = starts + np.array([SLANT, 1.0]) * (length * self.frame.unit)[:, None]
        lines = np.round(np.stack([starts, ends], 1) * 2**FINE).astype(np.int32)
        thick = max(1, round(self.frame.unit * 0.0009))
        cv2.polylines(mask, list(lines), False, 255, thick, cv2.LINE_AA, FINE)

    def _flakes(self, mask: NDArray[np.uint8], across: Plane, down: Plane, size: Plane) -> None:
        fine = 2**FINE
        radii = np.maximum(0.5, size * self.frame.unit)
        for x, y, radius in zip(across * self.frame.width, down * self.frame.height, radii, strict=True):
            cv2.circle(mask, (round(x * fine), round(y * fine)), round(radius * fine), 255, -1, cv2.LINE_AA, FINE)
