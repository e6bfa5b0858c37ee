"""A landscape on a stage: sky, clouds, water, land and trees as layers that move at their own speeds.

Every layer is painted once, larger than the frames; a frame is those layers seen by the camera, far ones moving less
than near ones, with clouds that drift, water that ripples and weather that falls. Layers are (rows, columns, 4) of
float32: colours multiplied by their cover, and the cover.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from . import sky, weather, wood
from .camera import Camera
from .falling import Falling
from .finish import finish
from .frame import Frame, Plane, smoothstep
from .landscape import Layers, Place, survey
from .noise import Noise
from .prompt import Scene
from .sky import Dome
from .terrain import EYE
from .water import Water

FAR, NEAR = 0.55, 1.0  # how far the horizon and the lower edge follow the camera
WIND = 0.03  # speed of the clouds in world units a second
FOG = 0.012  # speed of the mist in units a second


class Landscape:
    """The landscape of a prompt, ready to be seen at any moment of a video of `seconds`."""

    def __init__(self, frame: Frame, plate: Frame, scene: Scene, camera: Camera, seconds: float, done: Layers) -> None:
        self._frame, self._plate, self._camera, self._styles = frame, plate, camera, scene.styles
        place = survey(plate, scene)
        plan, palette, things = place.plan, place.palette, place.things
        self._horizon, self._rough = plan.horizon, plan.rough
        self._waves = Noise(plate, "ripples")
        self._back = np.empty((plate.height, plate.width, 3), np.float32)
        self._back[: plan.horizon] = sky.paint(plate, plan.horizon, replace(plan.sky, cover=0.0, puffs=()), palette)
        self._back[plan.horizon :] = palette.haze
        done(0.2)
        wide = replace(plate, width=plate.width + 2 * round(WIND * seconds * plate.unit))
        self._clouds = self._paint_clouds(
            wide, Dome(wide, plan.horizon, plan.sky, palette, Noise(wide, f"clouds {plan.sky.air}"))
        )
        done(0.4)
        if plan.rough is not None:
            mirror = place.mirror(self._clouded())
            self._back[plan.horizon :] = Water(plate, plan.horizon, plan.sky, palette, plan.rough).paint(mirror)
        done(0.6)
        self._land = layer(plate, place.stand)
        done(0.8)
        self._mist = self._near = None
        if plan.mist:
            depth = 0.05 + 0.05 * plan.mist
            self._mist = layer(
                wide, lambda picture: weather.mist(wide, picture, palette.haze, plan.horizon, depth, plan.mist)
            )
        if plan.near or things.bank is not None:
            self._near = layer(plate, lambda picture: front(place, picture))
        self._floating = layer(plate, things.draw_water) if things.water else None
        self._flying = layer(plate, things.draw_air) if things.air else None
        self._falling = [
            Falling(frame, kind == "snow", palette.haze * 0.7 + 0.3 if kind == "rain" else np.ones(3, np.float32))
            for kind in ("rain", "snow")
            if kind in scene.weather
        ]
        done(1.0)

    def draw(self, seconds: float, share: float) -> NDArray[np.uint8]:
        """The frame at a moment, which is also a share (0 to 1) of the whole."""
        matrix = self._camera.matrix(share, (self._frame.width, self._frame.height), self._plate_size())
        x, y, depth = self._rays(matrix)
        picture = self._background(x, y, depth, seconds)
        if self._clouds is not None:
            height = np.maximum(self._horizon - y, 0) / self._plate.unit
            over(picture, seen(self._clouds, self._widened(x, self._clouds) + self._drift(height, seconds), y))
        over(picture, seen(self._land, x, y))
        if self._floating is not None:
            over(picture, seen(self._floating, x, y + np.float32(self._sway(seconds, 0.0016, 2.9))))
        if self._mist is not None:
            drift = FOG * seconds * self._plate.unit
            over(picture, seen(self._mist, self._widened(x, self._mist) + np.float32(drift), y))
        if self._flying is not None:
            across, down = self._sway(seconds, 0.012, 9.0), self._sway(seconds, 0.006, 5.3)
            over(picture, seen(self._flying, x + np.float32(across), y + np.float32(down)))
        if self._near is not None:
            near = self._rays(matrix, near=True)
            over(picture, seen(self._near, near[0], near[1]))
        for falling in self._falling:
            falling.lay(picture, seconds)
        return finish(self._frame, picture, self._styles)

    def _sway(self, seconds: float, reach: float, period: float) -> float:
        """How far (pixels) something that rocks by `reach` units has moved at a moment."""
        return math.sin(seconds * math.tau / period) * reach * self._plate.unit

    def _plate_size(self) -> tuple[int, int]:
        return self._plate.width, self._plate.height

    def _rays(self, matrix: Plane, *, near: bool = False) -> tuple[Plane, Plane, Plane]:
        """Where on the plate each pixel looks (x, y), and how far below the horizon that is, 0 to 1."""
        columns = np.arange(self._frame.width, dtype=np.float32)[None] * matrix[0, 0] + matrix[0, 2]
        rows = np.arange(self._frame.height, dtype=np.float32)[:, None] * matrix[1, 1] + matrix[1, 2]
        depth = np.clip((rows - self._horizon) / max(1, self._plate.height - self._horizon), 0, 1)
        follows = np.float32(NEAR) if near else FAR + (NEAR - FAR) * depth
        middle = (self._plate.width - 1) / 2
        shift = columns.mean() - middle  # where the camera stands
        x = columns + shift * (follows - 1)
        shape = (self._frame.height, self._frame.width)
        return np.broadcast_to(x, shape), np.broadcast_to(rows, shape), depth

    def _background(self, x: Plane, y: Plane, depth: Plane, seconds: float) -> Plane:
        if self._rough is None:
            return seen(self._back, x, y)
        below = smoothstep(0.0, 0.06, depth)
        down = np.maximum(y - self._horizon, 1) / self._plate.unit
        distance = EYE / down
        across = (x - self._plate.width / 2) / self._plate.unit * distance
        first = self._waves.value(across * 2.2 + seconds * 0.12, distance * 5.0 + seconds * 0.55)
        second = self._waves.value(across * 5.3 - seconds * 0.2, distance * 11.0 + seconds * 0.9)
        calm = smoothstep(30.0, 3.0, distance) * below
        reach = self._plate.unit * (0.003 + 0.008 * self._rough) * calm
        shown_y = np.maximum(y + (first + second * 0.6) * reach, np.minimum(y, self._horizon))
        shown_x = x + (second + first * 0.3) * (reach * 0.8)
        picture = seen(self._back, shown_x, shown_y)
        picture *= (1 + (first + second) * calm * (0.05 + 0.10 * self._rough))[..., None]
        return picture

    def _paint_clouds(self, wide: Frame, dome: Dome) -> Plane | None:
        if not dome.sky.clouded:
            return None
        height = self._horizon / wide.unit - wide.down(0, self._horizon)
        return layer(replace(wide, height=self._horizon), lambda picture: dome.clouds(height, picture))

    def _clouded(self) -> Plane:
        """The sky with its clouds as the water mirrors it: where they are in the middle of the video."""
        picture = self._back.copy()
        if self._clouds is not None:
            spare = (self._clouds.shape[1] - self._plate.width) // 2
            over(picture[: self._horizon], self._clouds[:, spare : spare + self._plate.width])
        return picture

    def _drift(self, height: Plane, seconds: float) -> Plane:
        """How far clouds have come after a time: those overhead seem to go faster."""
        return (height + 0.16) * np.float32(WIND * seconds * self._plate.unit)

    def _widened(self, x: Plane, wide: Plane) -> Plane:
        return x + np.float32((wide.shape[1] - self._plate.width) / 2)


def front(place: Place, picture: Plane) -> None:
    """Draw what stands close to the viewer: trees at the sides, or the ground with its things."""
    if place.plan.near:
        wood.enclose(place.frame, place.plan, place.palette, picture)
    place.things.draw_ground(picture)


def layer(frame: Frame, paint: Callable[[Plane], None]) -> Plane:
    """What `paint` lays over a picture, with its cover: told from what it makes of black and of white."""
    black = np.zeros((frame.height, frame.width, 3), np.float32)
    white = np.ones((frame.height, frame.width, 3), np.float32)
    paint(black)
    paint(white)
    cover = 1 - (white - black).mean(-1, keepdims=True)
    return np.concatenate([black, np.clip(cover, 0, 1)], -1)


def seen(plate: Plane, x: Plane, y: Plane) -> Plane:
    """The plate at the places x, y; beyond its edges it repeats them."""
    found = cv2.remap(
        plate,
        np.ascontiguousarray(x, np.float32),
        np.ascontiguousarray(y, np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return found.astype(np.float32, copy=False)


def over(picture: Plane, layer: Plane) -> None:
    """Lay a layer over the picture."""
    picture *= 1 - layer[..., 3:]
    picture += layer[..., :3]
