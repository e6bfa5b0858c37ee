"""Space: stars, a nebula and a planet that the sun lights from one side."""

from __future__ import annotations

import numpy as np

from . import sky
from .finish import glow
from .frame import Frame, Plane, mix, smoothstep
from .landscape import Layers
from .noise import Noise
from .palette import TINTS, choose, rgb
from .prompt import Scene

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
    lights = sky.stars(frame, frame.height, 1.3, fading=False)
    for part in range(3):
        picture[..., part] += lights
    done(0.7)
    if random.random() < 0.75 or "planet" in scene.parts:
        _planet(frame, noise, random, picture)
    glow(frame, picture, 0.75, 0.5)
    return picture


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


def _planet(frame: Frame, noise: Noise, random: np.random.Generator, picture: Plane) -> None:
    """A banded globe with a day side, a night side and a thin shell of air."""
    radius = random.uniform(0.13, 0.24) * min(1.0, 1.3 * frame.span)
    x0 = random.uniform(-0.3, 0.3) * frame.span
    y0 = random.uniform(0.32, 0.68) * frame.height / frame.unit
    dark, bright = (rgb(text) for text in WORLDS[int(random.integers(len(WORLDS)))].split())
    top, bottom = (int(np.clip((y0 + turn * radius * 1.25) * frame.unit, 0, frame.height)) for turn in (-1, 1))
    x = (frame.across() - x0) * (1 / radius)
    y = (frame.down(top, bottom) - y0) * (1 / radius)
    away = np.hypot(x, y)
    depth = np.sqrt(np.clip(1 - away * away, 0, 1))
    lean = y + x * 0.3
    bands = noise.fbm(x * 0.5 + 2, lean * 2.6, 6, 0.55)
    matter = mix(dark, bright, smoothstep(-0.5, 0.5, bands)[..., None])
    light = np.clip(x * -0.62 + y * -0.42 + depth * 0.62, 0.0, 1)
    inside = np.clip((1 - away) * (radius * frame.unit) + 0.5, 0, 1)
    globe = matter * (light * 1.15 + 0.015)[..., None]
    rim = smoothstep(0.8, 1.0, away) * light * 0.35
    part = picture[top:bottom]
    part[:] = mix(part, globe + rim[..., None] * rgb("bcd8ff"), inside)
    side = np.clip(0.35 - x * 0.5 - y * 0.35, 0, 1)
    air = np.exp((away - 1) * -16) * (away > 1) * side * (1 - inside)
    part += air[..., None] * bright * 0.4
