"""Landscapes: the planned picture, painted layer by layer from the sky to the weather before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import sky, terrain, trees, weather, wood
from .frame import Frame, Plane, mix
from .land import Land
from .noise import Noise
from .palette import Palette, choose
from .plan import Plan, decide
from .prompt import Scene
from .water import Water

Layers = Callable[[float], None]  # told the finished share of the picture, 0 to 1
SUN_RISE = {"day": 0.62, "night": 0.5, "sunrise": 0.3, "sunset": 0.3}  # sine of the light's elevation


def paint(frame: Frame, scene: Scene, done: Layers) -> Plane:
    """Paint the landscape; `done` hears of every finished layer."""
    plan = decide(frame, scene)
    palette = choose(frame, plan.hour, scene.tints)
    if plan.hour == "day" and scene.weather & {"rain", "clouds"}:
        palette = palette.dulled(0.55 if "rain" in scene.weather else 0.25)
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    picture[: plan.horizon] = sky.paint(frame, plan.horizon, plan.sky, palette)
    picture[plan.horizon :] = palette.haze
    done(0.25)
    place = Place(frame, plan, palette, land_of(frame, plan, palette))
    if plan.rough is not None:
        mirror = place.mirror(picture)
        done(0.45)
        picture[plan.horizon :] = Water(frame, plan.horizon, plan.sky, palette, plan.rough).paint(mirror)
        del mirror
        done(0.55)
    place.stand(picture)
    done(0.75)
    if plan.mist:
        weather.mist(frame, picture, palette.haze, plan.horizon, 0.05 + 0.05 * plan.mist, plan.mist)
    if plan.near:
        wood.enclose(frame, plan, palette, picture)
    done(0.85)
    if "rain" in scene.weather:
        weather.rain(frame, picture, mix(palette.haze, np.ones(3, np.float32), 0.3))
    if "snow" in scene.weather:
        weather.snow(frame, picture)
    return picture


@dataclass(frozen=True, slots=True)
class Place:
    """The land of a picture with everything that stands on it."""

    frame: Frame
    plan: Plan
    palette: Palette
    land: Land

    def mirror(self, picture: Plane) -> Plane:
        """What flat water would show of the picture's sky and of the land, from the horizon to the lower edge."""
        horizon = self.plan.horizon
        above = picture[:horizon].copy()
        self.stand(above, mirrored=True)
        return mirrored(above, self.frame.height - horizon)

    def stand(self, picture: Plane, *, mirrored: bool = False) -> None:
        """Put the land and its trees into the picture's rows; `mirrored` as still water shows them, upside up."""
        plan, rows = self.plan, len(picture)
        distance = np.full(picture.shape[:2], terrain.FAR, np.float32)
        water = self.land.water
        for columns, view in terrain.look(self.frame, plan.horizon, self.land.survey, water=water, mirrored=mirrored):
            seen = slice(0, max(0, rows - view.top))
            part = picture[view.top :, columns]
            part[:] = mix(part, view.colour[seen], view.cover[seen])
            covered = view.cover[seen] > 0.5
            distance[view.top :, columns][covered] = view.distance[seen][covered]
        if plan.wood:
            shapes = trees.outlines(self.frame, wood.form(self.frame, plan))
            trees.plant(picture, distance, wood.grow(self.land, plan, mirrored=mirrored), shapes, self.land.side)


def mirrored(above: Plane, rows: int) -> Plane:
    """So many rows of the picture above a waterline, upside down; what lies above the picture repeats its first row."""
    below = np.ascontiguousarray(above[::-1][:rows])
    missing = rows - len(below)
    return np.pad(below, ((0, missing), (0, 0), (0, 0)), mode="edge") if missing > 0 else below


def land_of(frame: Frame, plan: Plan, palette: Palette) -> Land:
    """The land that a plan asks for."""
    return Land(
        frame=frame,
        palette=palette,
        kind=plan.kind,
        season=plan.season,
        water=plan.rough is not None,
        snow=plan.snow,
        haze=plan.haze,
        side=math.copysign(1, plan.sky.x),
        rise=SUN_RISE[plan.hour],
        noise=Noise(frame, "land"),
    )
