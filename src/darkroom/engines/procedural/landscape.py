"""Landscapes: the planned picture, painted layer by layer from the sky to the weather before it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from . import sky, terrain, trees, weather, wood
from .frame import Frame, Plane, mix
from .land import Land
from .noise import Noise
from .palette import Palette, choose
from .plan import Plan, decide
from .prompt import Scene
from .subjects.arrange import Arrangement, arrange
from .subjects.setting import Setting
from .water import Water

Layers = Callable[[float], None]  # told the finished share of the picture, 0 to 1
MOST_KEPT = 4_000_000  # points of a survey that are kept: 64 MB
DARK = {"night": 1.0, "sunset": 0.55, "sunrise": 0.35, "day": 0.0}  # how far windows and lamps shine
SUN_RISE = {"day": 0.62, "night": 0.5, "sunrise": 0.3, "sunset": 0.3}  # sine of the light's elevation


def paint(frame: Frame, scene: Scene, done: Layers) -> Plane:
    """Paint the landscape; `done` hears of every finished layer."""
    place = survey(frame, scene)
    plan, palette, things = place.plan, place.palette, place.things
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    picture[: plan.horizon] = sky.paint(frame, plan.horizon, plan.sky, palette)
    picture[plan.horizon :] = palette.haze
    if "lightning" in scene.parts:
        weather.lightning(frame, picture, plan.horizon)
    done(0.25)
    if plan.rough is not None:
        mirror = place.mirror(picture)
        done(0.45)
        picture[plan.horizon :] = Water(frame, plan.horizon, plan.sky, palette, plan.rough).paint(mirror)
        del mirror
        done(0.55)
    place.stand(picture)
    place.surveyed.clear()
    things.draw_water(picture)
    done(0.75)
    if plan.mist:
        weather.mist(frame, picture, palette.haze, plan.horizon, 0.05 + 0.05 * plan.mist, plan.mist)
    things.draw_air(picture)
    if plan.near:
        wood.enclose(frame, plan, palette, picture)
    things.draw_ground(picture)
    done(0.85)
    if "rain" in scene.weather:
        weather.rain(frame, picture, mix(palette.haze, np.ones(3, np.float32), 0.3))
    if "snow" in scene.weather:
        weather.snow(frame, picture)
    return picture


def survey(frame: Frame, scene: Scene) -> Place:
    """Everything about a landscape that is decided before it is painted."""
    plan = decide(frame, scene)
    palette = choose(frame, plan.hour, scene.tints)
    if plan.hour == "day" and scene.weather & {"rain", "clouds"}:
        palette = palette.dulled(0.55 if "rain" in scene.weather else 0.25)
    land = land_of(frame, plan, palette)
    wet = None if plan.rough is None else Shallows(land, plan.horizon).wet
    setting = Setting(frame, plan.horizon, plan.season, plan.snow > 0, DARK[plan.hour], plan.matter, wet)
    lights = plan.sky.places(frame, plan.horizon)
    things = arrange(setting, plan.things, palette, land.side, beach=plan.beach, around=lights)
    return Place(frame, plan, palette, land, things)


@dataclass(frozen=True, slots=True)
class Place:
    """The land of a picture with everything that stands on it. The land's survey is kept in `surveyed` while it is
    looked at more than once, unless it is very large."""

    frame: Frame
    plan: Plan
    palette: Palette
    land: Land
    things: Arrangement
    surveyed: dict[float, tuple[Plane, Plane]] = field(default_factory=dict)

    def mirror(self, picture: Plane) -> Plane:
        """What flat water would show of the picture's sky, the land and the things, from the horizon to the lower
        edge."""
        horizon = self.plan.horizon
        above = picture[:horizon].copy()
        self.stand(above, mirrored=True)
        mirror = mirrored(above, self.frame.height - horizon)
        self.things.mirror(mirror, horizon)
        return mirror

    def stand(self, picture: Plane, *, mirrored: bool = False) -> None:
        """Put the land and its trees into the picture's rows; `mirrored` as still water shows them, upside up."""
        plan, rows = self.plan, len(picture)
        distance = np.full(picture.shape[:2], terrain.FAR, np.float32)
        water = self.land.water
        for columns, view in terrain.look(self.frame, plan.horizon, self._survey, water=water, mirrored=mirrored):
            seen = slice(0, max(0, rows - view.top))
            part = picture[view.top :, columns]
            part[:] = mix(part, view.colour[seen], view.cover[seen])
            covered = view.cover[seen] > 0.5
            distance[view.top :, columns][covered] = view.distance[seen][covered]
        if plan.wood:
            shapes = trees.outlines(self.frame, wood.form(self.frame, plan))
            trees.plant(picture, distance, wood.grow(self.land, plan, mirrored=mirrored), shapes, self.land.side)

    def _survey(self, across: Plane, distance: Plane) -> tuple[Plane, Plane]:
        if len(distance) * self.frame.width > MOST_KEPT:
            return self.land.survey(across, distance)
        strip = float(across[0, 0])
        if strip not in self.surveyed:
            self.surveyed[strip] = self.land.survey(across, distance)
        return self.surveyed[strip]


class Shallows:
    """Where a landscape's water is open, as a coarse grid from the horizon to the lower edge."""

    def __init__(self, land: Land, horizon: int) -> None:
        frame = land.frame
        self._horizon = horizon
        self._step = max(1.0, frame.unit / 96)
        across = np.arange(self._step / 2, frame.width, self._step, dtype=np.float32) - frame.width / 2
        down = np.arange(self._step / 2, max(frame.height - horizon, self._step), self._step, dtype=np.float32)
        distance = terrain.EYE * frame.unit / down[:, None]
        height = land.heights((across / frame.unit)[None], distance)[0]
        self._dry = np.logical_or.accumulate((height > 0)[::-1], axis=0)[::-1]  # what lies behind dry land is hidden

    def wet(self, row: int, column: int) -> bool:
        """True where open water is seen at a pixel."""
        y, x = int((row - self._horizon) / self._step), int(column / self._step)
        if row < self._horizon or y >= len(self._dry) or not 0 <= x < self._dry.shape[1]:
            return False
        return not self._dry[y, x]


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
        peaks=_bearings(frame, plan.peaks),
    )


def _bearings(frame: Frame, peaks: int | None) -> tuple[float, ...]:
    """Where counted mountains stand, in units from the middle: evenly, but not to a hair."""
    if peaks is None:
        return ()
    random, room = frame.stream("peaks"), 0.8 * frame.span
    places = [room * ((number + 0.5) / peaks - 0.5 + random.uniform(-0.1, 0.1) / peaks) for number in range(peaks)]
    return tuple(place + (random.uniform(-0.12, 0.12) * frame.span if peaks == 1 else 0.0) for place in places)
