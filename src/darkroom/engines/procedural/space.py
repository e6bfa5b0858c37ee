"""Space: stars, a nebula and a planet that the sun lights from one side."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from . import sky
from .finish import glow
from .frame import Frame, Plane, mix, smoothstep
from .landscape import Layers
from .noise import Noise
from .palette import TINTS, choose, rgb
from .prompt import Scene
from .subjects.arrange import arrange
from .subjects.setting import Setting
from .things import Thing

CLOUDS = ("2b4fd8 b03fd0", "c83a6a 3a4fd0", "1fa39a 3a5fe0", "e0763a 8a3fc0")
WORLDS = ("c98b5a f0d6a8", "5a7fc9 e8f0ff", "8a5a9a f0c8e0", "4f9a8a e8f4d8")


def paint(frame: Frame, scene: Scene, done: Layers) -> Plane:
    """Paint space; `done` hears of every finished part."""
    random = frame.stream("space")
    palette = choose(frame, "night", ())
    outer = [rgb(text) for text in CLOUDS[int(random.integers(len(CLOUDS)))].split()]
    for place, tint in enumerate(scene.tints[:2]):
        outer[place] = rgb(TINTS[tint])
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    picture[:] = palette.zenith * 0.3
    noise = Noise(frame, "nebula")
    for top, bottom in frame.bands(frame.height):
        _nebula(frame, noise, outer, top, picture[top:bottom])
    done(0.5)
    star = scene.thing("star")
    counted = star is not None or "stars" in scene.without
    lights = np.zeros(picture.shape[:2], np.float32) if counted else sky.stars(frame, frame.height, 1.3, fading=False)
    if star is not None:
        lights = sky.beacons(frame, frame.height, star.count, lights)
    for part in range(3):
        picture[..., part] += lights
    done(0.7)
    globes = worlds(frame, scene, float(random.random()))
    for number, globe in enumerate(globes):
        _globe(frame, noise, globe, picture, number)
    done(0.8)
    light = replace(palette, ambient=np.full(3, 0.62, np.float32), light=np.full(3, 0.9, np.float32))
    setting = Setting(frame, None, "summer", False, 1.0, "stone")
    arrange(setting, scene.things, light, -1.0, around=[(g.x, g.y, g.radius) for g in globes]).draw_air(picture)
    glow(frame, picture, 0.75, 0.5)
    return picture


@dataclass(frozen=True, slots=True)
class Globe:
    """A sun, a planet or a moon: its middle from the upper left corner and its radius in units, and its colours."""

    kind: str
    x: float
    y: float
    radius: float
    dark: str
    bright: str


def worlds(frame: Frame, scene: Scene, chance: float) -> list[Globe]:
    """The globes of a picture, as many as were asked for; without a word about it, mostly one planet."""
    random = frame.stream("worlds")
    height = frame.height / frame.unit
    wanted: list[Thing] = []
    for kind in ("planet", "sun", "moon"):
        thing = scene.thing(kind)
        if kind not in scene.without and (thing is not None or kind in scene.parts):
            wanted.append(thing or Thing(kind))
    if not wanted and chance < 0.75 and "planet" not in scene.without:
        wanted.append(Thing("planet"))
    many = sum(thing.count for thing in wanted)
    found: list[Globe] = []
    for thing in wanted:
        for number in range(thing.count):
            size = {"planet": 0.19, "sun": 0.15, "moon": 0.1}[thing.kind] * thing.scale**1.5
            radius = size * random.uniform(0.7, 1.25) * max(1, many) ** -0.3 * min(1.0, 1.3 * frame.span)
            edge = np.array([frame.span, height]) * frame.inset + 1.15 * radius
            tried = random.random((40, 2)) * ((frame.span, height) - 2 * edge) + edge
            if not found:
                tried = tried[:1] * 0.6 + np.array([frame.span, height]) * 0.2
            spots = [(float(x), float(y)) for x, y in tried]
            x, y = max(
                spots,
                key=lambda spot: min((math.hypot(spot[0] - g.x, spot[1] - g.y) - g.radius for g in found), default=0.0),
            )
            found.append(Globe(thing.kind, x, y, radius, *_colours(random, thing, number)))
    return found


def _colours(random: np.random.Generator, thing: Thing, number: int) -> tuple[str, str]:
    """The dark and the bright colour of a globe."""
    if thing.tints:
        tint = TINTS[thing.tints[number % len(thing.tints)]]
        return tint, "".join(f"{int(tint[place : place + 2], 16) * 2 // 5 + 153:02x}" for place in (0, 2, 4))
    if thing.kind == "moon":
        return "7d7a76", "cfcac2"
    if thing.kind == "sun":
        return "ff9a2e", "fff0b0"
    dark, bright = WORLDS[int(random.integers(len(WORLDS)))].split()
    return dark, bright


def _nebula(frame: Frame, noise: Noise, colours: list[Plane], top: int, band: Plane) -> None:
    """A lane of glowing gas across the picture with dark dust in it."""
    x = frame.across()
    y = frame.down(top, top + len(band)) - (frame.height / frame.unit / 2)
    warp = noise.fbm(x * 1.2, y * 1.2, 4)
    lane = np.exp(-(((y - x * 0.35 + warp * 0.28) / 0.30) ** 2))
    gas = noise.fbm(x * 2.1 + warp * 0.8, y * 2.1 + warp * 0.5, 8, 0.56)
    dust = noise.fbm(x * 3 - warp * 0.9 + 9, y * 3 + 4, 7, 0.56)
    light = lane * smoothstep(-0.5, 0.9, gas) * (1 - 0.75 * smoothstep(0.0, 0.5, dust))
    blend = smoothstep(-0.4, 0.4, noise.fbm(x * 1.6 + 5, y * 1.6, 3))
    band += mix(colours[0], colours[1], blend[..., None]) * (light * 1.05)[..., None]
    band += (lane * np.clip(gas, 0, 1) ** 2 * 0.5)[..., None] * rgb("ffe8e0")


def _globe(frame: Frame, noise: Noise, globe: Globe, picture: Plane, number: int) -> None:
    """A banded globe with a day side, a night side and a thin shell of air; a sun shines all around."""
    x0, y0, radius = globe.x - frame.span / 2, globe.y, globe.radius
    dark, bright = rgb(globe.dark), rgb(globe.bright)
    reach = 2.6 if globe.kind == "sun" else 1.25
    top, bottom = (int(np.clip((y0 + turn * radius * reach) * frame.unit, 0, frame.height)) for turn in (-1, 1))
    if top >= bottom:
        return
    x = (frame.across() - x0) * (1 / radius)
    y = (frame.down(top, bottom) - y0) * (1 / radius)
    away = np.hypot(x, y)
    depth = np.sqrt(np.clip(1 - away * away, 0, 1))
    lean = y + x * 0.3
    part = picture[top:bottom]
    inside = np.clip((1 - away) * (radius * frame.unit) + 0.5, 0, 1)
    if globe.kind == "sun":
        seething = noise.fbm(x * 2.4 + number * 9, y * 2.4, 6, 0.6)
        part[:] = mix(part, mix(dark, bright, np.clip(depth * 0.8 + seething * 0.4, 0, 1)[..., None]) * 1.15, inside)
        corona = np.exp(np.maximum(away - 1, 0) * -3.2) * smoothstep(reach, 1.6, away) * (1 - inside)
        part += corona[..., None] * dark * 0.75
        return
    stretched = 1.6 if globe.kind == "moon" else 0.5
    bands = noise.fbm(x * stretched + 2 + number * 5, lean * (1.7 if globe.kind == "moon" else 2.6), 6, 0.55)
    matter = mix(dark, bright, smoothstep(-0.5, 0.5, bands)[..., None])
    light = np.clip(x * -0.62 + y * -0.42 + depth * 0.62, 0.0, 1)
    lit = matter * (light * 1.15 + 0.015)[..., None]
    rim = smoothstep(0.8, 1.0, away) * light * (0.0 if globe.kind == "moon" else 0.35)
    part[:] = mix(part, lit + rim[..., None] * rgb("bcd8ff"), inside)
    if globe.kind != "moon":
        side = np.clip(0.35 - x * 0.5 - y * 0.35, 0, 1)
        air = np.exp((away - 1) * -16) * (away > 1) * side * (1 - inside)
        part += air[..., None] * bright * 0.4
