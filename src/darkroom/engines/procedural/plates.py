"""Cities, abstract pictures and space in a video: painted once, larger than the frames, and seen by a moving camera."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .camera import Camera
from .city import waterline
from .falling import Falling
from .finish import finish
from .frame import Frame, Plane, smoothstep
from .landscape import Layers
from .noise import Noise
from .prompt import Scene
from .stage import seen
from .terrain import EYE
from .work import PAINTERS

RIPPLE = 0.004  # units that a city's reflections sway


class Plate:
    """The scene of a prompt, ready to be seen at any moment."""

    def __init__(self, kind: str, frame: Frame, plate: Frame, scene: Scene, camera: Camera, done: Layers) -> None:
        self._frame, self._camera, self._styles = frame, camera, scene.styles
        self._unit = plate.unit
        falling = [weather for weather in ("rain", "snow") if weather in scene.weather and kind == "city"]
        calm = scene.weather - {"rain", "snow"} | ({"fog"} if "rain" in falling else set())
        self._picture = PAINTERS[kind](plate, replace(scene, weather=calm), done)
        self._water = waterline(plate) if kind == "city" else plate.height
        self._waves = Noise(plate, "ripples")
        self._falling = [
            Falling(frame, weather == "snow", np.full(3, 0.85 if weather == "snow" else 0.6, np.float32))
            for weather in falling
        ]

    def draw(self, seconds: float, share: float) -> NDArray[np.uint8]:
        """The frame at a moment, which is also a share (0 to 1) of the whole."""
        height, width = self._picture.shape[:2]
        size = (self._frame.width, self._frame.height)
        matrix = self._camera.matrix(share, size, (width, height))
        if self._water < height:
            picture = self._rippled(matrix, seconds)
        else:
            flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
            shot = cv2.warpAffine(self._picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
            picture = shot.astype(np.float32, copy=False)
        for falling in self._falling:
            falling.lay(picture, seconds)
        return finish(self._frame, picture, self._styles)

    def _rippled(self, matrix: Plane, seconds: float) -> Plane:
        columns = np.arange(self._frame.width, dtype=np.float32)[None] * matrix[0, 0] + matrix[0, 2]
        rows = np.arange(self._frame.height, dtype=np.float32)[:, None] * matrix[1, 1] + matrix[1, 2]
        down = np.maximum(rows - self._water, 1) / self._unit
        distance = EYE / down
        across = (columns / self._unit) * distance
        wave = self._waves.value(across * 2.5 + seconds * 0.15, distance * 6.0 + seconds * 0.7)
        reach = self._unit * RIPPLE * smoothstep(0.0, 0.03, rows / self._unit - self._water / self._unit)
        x = columns + wave * reach * smoothstep(30.0, 3.0, distance)
        return seen(self._picture, x, np.broadcast_to(rows, x.shape))
