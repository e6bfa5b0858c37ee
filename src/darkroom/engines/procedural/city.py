"""A city's skyline over water, and the light that it spills into sky and water."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from . import sky, weather
from .buildings import NEON, TALLEST, Street, row
from .finish import glow
from .frame import Frame, Plane, mix, smoothstep
from .landscape import Layers, mirrored
from .noise import Noise
from .palette import choose, rgb
from .plan import choose_hour, decide_sky
from .prompt import Hour, Scene
from .sky import Sky
from .subjects.arrange import arrange
from .subjects.setting import Setting
from .water import Water

DARK = {"night": 1.0, "sunset": 0.7, "sunrise": 0.4, "day": 0.06}
LAMP = 0.034  # units from one street lamp to the next


def paint(frame: Frame, scene: Scene, done: Layers) -> Plane:
    """Paint the city; `done` hears of every finished layer."""
    hour = choose_hour(frame, scene, (0.06, 0.12, 0.22, 0.6))
    palette = choose(frame, hour, scene.tints)
    horizon = waterline(frame)
    foggy, neon = bool(scene.weather & {"fog", "rain"}), "neon" in scene.parts
    street = Street(frame, palette, horizon, DARK[hour], neon, 0.62 if foggy else 0.5)
    above = _sky(frame, scene, hour, horizon / frame.unit)
    picture = np.zeros((frame.height, frame.width, 3), np.float32)  # lamps shine on rows that have no water yet
    picture[:horizon] = sky.paint(frame, horizon, above, palette)
    if "lightning" in scene.parts:
        weather.lightning(frame, picture, horizon)
    _shine(street, picture)
    snow = "snow" in scene.weather or scene.season == "winter"
    setting = Setting(frame, horizon, scene.season or "summer", snow, DARK[hour], "stone", lambda row, _: row > horizon)
    lamps = replace(palette, ambient=palette.ambient + rgb("ffb070") * (0.28 * street.dark))
    things = arrange(setting, scene.things, lamps, math.copysign(1, above.x), around=above.places(frame, horizon))
    done(0.3)
    for layer in range(len(TALLEST)):
        for building in row(frame, layer):
            street.build(picture, building)
        done(0.3 + 0.08 * (layer + 1))
    _quay(street, picture)
    surface = Water(frame, horizon, above, palette, 0.5 if "rain" in scene.weather else 0.3)
    mirror = _mirror(street, picture)
    things.mirror(mirror, horizon)
    picture[horizon:] = surface.paint(mirror)
    things.draw_water(picture)
    done(0.8)
    if foggy:
        weather.mist(frame, picture, palette.haze, horizon, 0.16, 0.75)
    things.draw_air(picture)
    things.draw_ground(picture)
    glow(frame, picture, 0.5, 0.6 * street.dark + (0.5 if neon else 0.0))
    if "rain" in scene.weather:
        weather.rain(frame, picture, mix(palette.haze, np.ones(3, np.float32), 0.2))
    if "snow" in scene.weather:
        weather.snow(frame, picture)
    return picture


def waterline(frame: Frame) -> int:
    """The first row of the water."""
    share = min(0.30 + frame.stream("plan").uniform(-0.03, 0.03), 0.9 * frame.width / frame.height)
    return int(frame.height * (1 - share))


def _sky(frame: Frame, scene: Scene, hour: Hour, room: float) -> Sky:
    above = decide_sky(frame, scene, hour, room)
    if hour == "night":  # lamps outshine the faint stars, and the moon hangs above the roofs
        lifted = max(above.height, room * 0.72)
        discs = tuple(replace(disc, height=max(disc.height, lifted)) for disc in above.discs[:1]) + above.discs[1:]
        above = replace(above, stars=above.stars * 0.45, height=lifted, discs=discs)
    return above


def _shine(street: Street, picture: Plane) -> None:
    """The light that hangs over a town after dark."""
    height = street.horizon / street.frame.unit - street.frame.down(0, street.horizon)
    light = np.exp(height * -4.2) * (0.53 * street.dark)
    warm = rgb(NEON[0] if street.neon else "ff9f58")
    picture[: street.horizon] += light[..., None] * mix(street.palette.horizon, warm, 0.6)


def _mirror(street: Street, picture: Plane) -> Plane:
    """What the water shows: moving water draws lights out into columns, but must not dim them."""
    mirror = mirrored(picture[: street.horizon], len(picture) - street.horizon)
    mirror += np.clip(mirror - 0.45, 0, None) * (3.0 * street.dark)
    return cv2.blur(mirror, (1, int(0.035 * street.frame.unit) | 1)).astype(np.float32, copy=False)


def _quay(street: Street, picture: Plane) -> None:
    """The bank along the water with shrubs and a row of lamps."""
    frame, palette, horizon = street.frame, street.palette, street.horizon
    crowns = Noise(frame, "quay").fbm(frame.across() * 16, np.zeros((1, 1), np.float32), 5, 0.6)
    edge = 0.010 + np.maximum(crowns + 0.15, 0) * 0.022
    top = max(0, int(horizon - 0.05 * frame.unit))
    height = horizon / frame.unit - frame.down(top, horizon)
    cover = smoothstep(-0.5, 0.5, (edge - height) * frame.unit)
    green = rgb("24402a") * (palette.ambient + palette.light * 0.3) * 0.7
    part = picture[top:horizon]
    part[:] = mix(part, mix(green, palette.zenith * 0.55, street.dark), cover)
    if street.dark < 0.3:
        return
    for number in range(int(frame.span / LAMP) + 1):
        x = (number + 0.5) * LAMP * frame.unit
        sky.spot(picture, x, horizon - 0.012 * frame.unit, frame.unit * 0.0028, street.dark * 1.1, rgb("ffd08a"))
