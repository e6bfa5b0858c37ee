"""Renders the hours of a day on a picture: night, blue hour, sunrise, sunset, golden hour, noon.

The whole picture gets the hour's light, in linear light as a camera would record it; the sky gets the hour's colours
and keeps its clouds; lamps stay lit at night; and skin is dimmed and coloured less than all else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from ..filters import brush, texture
from ..pictures import Pixels
from .scene import Scene, ramp

GAMMA = 2.2
SKIN = 0.45  # how much of the hour's light is kept from skin
MIRROR = 0.8  # of the sky's light that water gives back
BIG_HEAD = 0.25  # of the picture: with more of people in it the sky is a backdrop and gets no stars
STARS = 0.0011  # for each pixel of a picture of 512x512
LAMP = 0.2  # how much brighter than its surroundings a lamp is by day


@dataclass(frozen=True, slots=True)
class Hour:
    """How an hour looks.

    `exposure` and `tint` (red, green, blue) multiply linear light and `colour` keeps so much of the colours; `sky` are
    its colours from the top to the horizon, of which `cover` replaces so much; `glow` is the light around the horizon.
    """

    exposure: float
    tint: tuple[float, float, float]
    colour: float = 1.0
    sky: tuple[str, ...] = ()
    cover: float = 0.0
    glow: tuple[float, float, float] = (0.0, 0.0, 0.0)
    lamps: float = 0.0
    stars: float = 0.0
    vignette: float = 0.0
    contrast: float = 0.0


HOURS: Mapping[str, Hour] = {
    "night": Hour(
        0.2, (0.62, 0.8, 1.3), 0.5, ("03060f", "081226", "12233f", "24395a"), 0.93,
        lamps=1.0, stars=1.0, vignette=0.45,
    ),
    "blue_hour": Hour(
        0.4, (0.66, 0.84, 1.28), 0.72, ("0c2048", "1f4480", "5a7fb4", "c9a9ae"), 0.8,
        glow=(0.05, 0.035, 0.045), lamps=0.8, stars=0.15, vignette=0.25,
    ),
    "sunset": Hour(
        0.62, (1.24, 0.92, 0.7), 0.95, ("26305c", "6d4a78", "d9694f", "ffab57", "ffd993"), 0.86,
        glow=(0.5, 0.2, 0.05), lamps=0.25, vignette=0.3, contrast=0.2,
    ),
    "sunrise": Hour(
        0.8, (1.14, 0.96, 0.86), 0.9, ("5f86b8", "a9b4d0", "f0bcae", "ffd9a8", "fff0cf"), 0.78,
        glow=(0.42, 0.25, 0.13), vignette=0.12,
    ),
    "golden_hour": Hour(
        0.98, (1.2, 0.98, 0.7), 1.02, ("5d8ab8", "a9b9c2", "f1cf97", "ffdf9e"), 0.6,
        glow=(0.4, 0.24, 0.06), vignette=0.18, contrast=0.1,
    ),
    "noon": Hour(1.16, (1.0, 1.0, 0.98), 1.12, ("2a6fc4", "5b9fe0", "a8d3f0", "dbeef8"), 0.45, contrast=0.35),
}  # fmt: skip


def render(rgb: Pixels, name: str, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """The picture at another hour; float32 RGB in 0..1 both ways, `amount` 0..1 of the change."""
    hour = HOURS[name]
    linear = rgb.clip(0, 1) ** GAMMA
    lit = _lit(linear, hour, 1 - SKIN * scene.skin)
    if hour.sky and scene.has_sky:
        lit += (_sky(rgb, hour, scene) - lit) * (hour.cover * scene.sky)[..., None]
        lit += (_mirrored(rgb, hour, scene) - lit) * (MIRROR * hour.cover * scene.water)[..., None]
    lit += _glow(rgb.shape, hour, scene)
    if hour.lamps:
        lit += _lamps(rgb, scene) * hour.lamps
    if hour.stars and scene.has_sky and float(scene.people.mean()) < BIG_HEAD:
        lit += _stars(rgb.shape, random)[..., None] * (hour.stars * scene.sky**2 * _above(rgb.shape, scene))[..., None]
    lit *= texture.vignette(rgb.shape[:2], hour.vignette)
    shown = lit.clip(0, 1) ** (1 / GAMMA)
    if hour.contrast:
        shown += hour.contrast * (shown * shown * (3 - 2 * shown) - shown)
    changed: Pixels = rgb + amount * (shown - rgb)
    return changed


def _lit(linear: Pixels, hour: Hour, share: Pixels) -> Pixels:
    """Linear light dimmed and coloured, by `share` (height, width) of the hour's."""
    luma = brush.grey(linear)[..., None]
    part = share[..., None]
    coloured = luma + (1 + (hour.colour - 1) * part) * (linear - luma)
    tint = np.array(hour.tint, np.float32)
    lit: Pixels = coloured * np.float32(hour.exposure) ** part * tint**part
    return lit


def _sky(rgb: Pixels, hour: Hour, scene: Scene) -> Pixels:
    """The sky in the hour's colours, in linear light: a gradient down to the horizon, with its clouds."""
    height = rgb.shape[0]
    down = np.linspace(0, 1, height, dtype=np.float32) / max(scene.horizon, 0.2)
    colours = brush.ramp(down.clip(0, 1), hour.sky)[:, None]
    luma = brush.grey(rgb)
    seen = scene.sky > 0.5
    middle, spread = (float(luma[seen].mean()), float(luma[seen].std())) if seen.any() else (0.5, 0.1)
    clouds = ((luma - middle) / max(2.5 * spread, 0.12)).clip(-1, 1)[..., None]
    # Clouds near the horizon catch its colour; high ones the light of what is below them.
    under = brush.ramp((down + 0.3).clip(0, 1), hour.sky)[:, None]
    shown = colours + (under * 1.12 - colours) * clouds.clip(0, 1) * 0.75
    shown = shown * (1 + 0.28 * clouds.clip(-1, 0))
    linear: Pixels = shown.clip(0, 1) ** GAMMA
    return linear


def _mirrored(rgb: Pixels, hour: Hour, scene: Scene) -> Pixels:
    """Water in linear light: the sky above it upside down, with the waves of the picture."""
    down = (2 * scene.horizon - np.linspace(0, 1, rgb.shape[0], dtype=np.float32)) / max(scene.horizon, 0.2)
    colours = brush.ramp(down.clip(0, 1), hour.sky)[:, None] ** GAMMA
    luma = brush.grey(rgb)
    level = float(luma[scene.water > 0.5].mean()) if (scene.water > 0.5).any() else 0.5
    waves = (luma / max(level, 0.05)).clip(0.3, 1.8) ** GAMMA
    mirrored: Pixels = 0.72 * colours * waves[..., None]
    return mirrored


def _glow(shape: tuple[int, ...], hour: Hour, scene: Scene) -> Pixels | float:
    """Light from below the horizon, which haze spreads over what is near it."""
    if not any(hour.glow):
        return 0.0
    height, width = shape[:2]
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None] - scene.horizon
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    spread = np.exp(-(rows**2) / 0.03 - (columns - 0.15) ** 2 / 0.55)
    near: Pixels = (spread * (0.25 + 0.75 * scene.depth) * (1 - 0.7 * scene.people))[..., None]
    return near * np.array(hour.glow, np.float32)


def _lamps(rgb: Pixels, scene: Scene) -> Pixels:
    """Lamps and lit windows: small, brighter than all around and not blue; with the glow that they have at night."""
    unit = brush.unit(rgb)
    luma = brush.grey(rgb)
    warm = ramp(rgb[..., 0] - rgb[..., 2], 0.02, 0.18)
    above = luma - brush.blur(luma, 7 * unit)
    lamp = ramp(above, LAMP, 2 * LAMP) * ramp(luma, 0.62, 0.85) * warm * (1 - scene.sky) * (1 - scene.people)
    light = lamp[..., None] * np.array([1.0, 0.72, 0.36], np.float32)
    shining: Pixels = light * 0.9 + brush.blur(light, 6 * unit) * 0.6 + brush.blur(light, 22 * unit) * 0.6
    return shining


def _stars(shape: tuple[int, ...], random: np.random.Generator) -> Pixels:
    """Points of light, few of them bright."""
    height, width = shape[:2]
    unit = (height * width) ** 0.5 / 512
    sky = np.zeros((height, width), np.float32)
    count = int(STARS * 512 * 512 * min(4.0, height * width / 512**2) ** 0.5)
    for x, y, bright in random.random((count, 3)).tolist():
        size = 0.4 + 0.7 * bright**8
        cv2.circle(
            sky, (round(x * width * 16), round(y * height * 16)), round(size * unit * 16), 0.06 + 0.85 * bright**5,
            -1, cv2.LINE_8, 4,
        )  # fmt: skip
    return brush.blur(sky, 0.5 * unit)


def _above(shape: tuple[int, ...], scene: Scene) -> Pixels:
    """1 high in the sky, 0 at the horizon, where haze hides the stars."""
    down = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None] / max(scene.horizon, 0.2)
    share: Pixels = (1.1 - down).clip(0, 1)
    return share
