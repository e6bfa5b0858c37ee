"""Water: a plain that mirrors what stands above it, with ripples in perspective and the sun's glitter."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .frame import Frame, Plane, mix, smoothstep
from .noise import Noise
from .palette import Palette
from .sky import Sky
from .terrain import EYE


@dataclass(frozen=True, slots=True)
class Water:
    """Open water from the horizon to the lower edge; `rough` is 0 for a calm lake and 1 for a windy sea."""

    frame: Frame
    horizon: int
    sky: Sky
    palette: Palette
    rough: float

    def paint(self, mirror: Plane) -> Plane:
        """The rows below the horizon; `mirror` is what a flat surface would show in the same rows."""
        picture = np.empty((self.frame.height - self.horizon, self.frame.width, 3), np.float32)
        noise = Noise(self.frame, "waves")
        for top, bottom in self.frame.bands(len(picture)):
            self._band(noise, mirror, top, picture[top:bottom])
        return picture

    def _band(self, noise: Noise, mirror: Plane, top: int, band: Plane) -> None:
        frame, rough = self.frame, self.rough
        across = frame.across()
        down = frame.down(self.horizon + top, self.horizon + top + len(band)) - self.horizon / frame.unit
        distance = EYE / down
        x = across * distance  # waves lie along the picture, however wide it is
        waves = noise.fbm(x * 2.2, distance * 5.0, 5, 0.62)
        height = waves * 0.65 + noise.value(x * 0.5 + waves * 0.1, distance * 1.3) * 0.35
        # Waves far away are seen so flat that only their average shows.
        calm = smoothstep(40.0, 4.0, distance)
        tilt = height * calm * (0.02 + 0.13 * rough)
        rows = np.arange(top, top + len(band), dtype=np.float32)[:, None]
        source_y = np.clip(np.abs(rows + tilt * (frame.unit * (0.5 + down * 1.6))), 0, len(mirror) - 1)
        columns = np.arange(frame.width, dtype=np.float32)[None]
        source_x = columns + waves * calm * (frame.unit * (0.004 + 0.02 * rough))
        shown = cv2.remap(mirror, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        deep = mix(self.palette.zenith, self.palette.ambient, 0.35) * 0.42
        # The steeper the look into the water, the less it mirrors.
        facing = np.clip(0.14 + down * 1.1 + tilt * 1.5, 0.08, 0.75)
        band[:] = mix(shown * 0.94, deep, facing)
        width = 0.035 + down * (0.28 + 0.3 * rough)
        path = np.exp(-(((across - self.sky.x) / width) ** 2))
        moon = self.sky.moon
        path *= (0.5 if moon else min(self.sky.glow, 1)) * math.exp((-1.0 if moon else -3.2) * self.sky.height)
        sparkle = smoothstep(0.12, 0.62, height + noise.value(x * 9, distance * 22) * 0.45)
        band += (path * (sparkle * 0.9 + 0.06))[..., None] * self.palette.disc
