"""Renders weather on a picture: fog that thickens with distance, rain, and falling snow; faces are spared.

Drops and flakes come in layers, the near ones large, fast and out of focus. A seed gives the same ones at every size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from ..filters import brush, texture
from ..pictures import Pixels
from .scene import Scene

Render = Callable[[Pixels, float, Scene, np.random.Generator], Pixels]

FACES = 0.75  # of drops and flakes is kept from faces
FOG_DEPTH = 1.9
FINE = 16  # parts of a pixel in which shapes are placed
# Each layer: how many in a picture of 512x512, their size in units, their opacity, and how soft they are, in units.
FLAKES = ((900, 0.9, 0.55, 0.5), (260, 1.9, 0.7, 0.8), (46, 4.6, 0.55, 2.4))
STREAKS = ((1100, 13.0, 0.2, 0.4), (420, 26.0, 0.3, 0.5), (70, 52.0, 0.26, 1.2))
SLANT = 0.2  # of rain: how far it drifts aside for each length that it falls


def render(rgb: Pixels, name: str, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """The picture in other weather; float32 RGB in 0..1 both ways, `amount` 0..1 is how heavy it is."""
    return WEATHERS[name](rgb, amount, scene, random).clip(0, 1)


def fog(rgb: Pixels, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """Air that scatters light: what is far fades into its colour, in drifting banks."""
    unit, luma = brush.unit(rgb), brush.grey(rgb)
    air = _air(rgb, luma)
    banks = 1 + 0.22 * texture.noise(rgb.shape[:2], 110 * unit, random)
    banks += 0.1 * texture.noise(rgb.shape[:2], 38 * unit, random)
    thickness = amount * FOG_DEPTH * (scene.depth**1.1 + 0.1) * banks.clip(0.4, 1.6) * (1 - 0.6 * scene.people)
    through = np.exp(-thickness)[..., None]
    grey = luma[..., None]
    veiled: Pixels = (grey + (rgb - grey) * (0.4 + 0.6 * through)) * through + air * (1 - through)
    return veiled


def rain(rgb: Pixels, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """A covered sky, flat and wet light, haze in the distance and streaks of drops."""
    luma = brush.grey(rgb)[..., None]
    share = amount * (1 - 0.5 * scene.skin)[..., None]
    dull = (luma + (rgb - luma) * (1 - 0.45 * share)) * np.array([0.78, 0.84, 0.9], np.float32) ** share
    covered = np.array([0.58, 0.62, 0.67], np.float32) * (0.08 + 1.05 * luma)
    dull += (covered - dull) * (0.75 * amount * scene.sky)[..., None]
    hazy = fog(dull, 0.3 * amount, scene, random)
    return _over(hazy, _streaks(rgb.shape, random) * amount, np.array([0.88, 0.93, 1.0], np.float32), scene)


def snowfall(rgb: Pixels, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """Flakes in the air, and a little haze."""
    hazy = fog(rgb, 0.14 * amount, scene, random)
    return _over(hazy, _flakes(rgb.shape, random) * amount, np.array([0.97, 0.985, 1.0], np.float32), scene)


WEATHERS: Mapping[str, Render] = {"fog": fog, "rain": rain, "snowfall": snowfall}


def _air(rgb: Pixels, luma: Pixels) -> Pixels:
    """The colour of lit air: grey with what is bright in the picture, such as the glow of a sunrise, in it."""
    step = max(1, min(luma.shape) // 128)
    small, levels = rgb[::step, ::step].reshape(-1, 3), luma[::step, ::step].ravel()
    bright = float(np.quantile(levels, 0.8))
    glow = small[levels >= bright].mean(0)
    grey = np.array([0.86, 0.9, 0.94], np.float32) * (0.1 + 0.86 * bright)
    air: Pixels = 0.5 * grey + 0.5 * glow
    return air


def _over(rgb: Pixels, opacity: Pixels, colour: Pixels, scene: Scene) -> Pixels:
    """What falls laid over the picture; in a dark picture it is darker, too."""
    luma = brush.grey(rgb)
    lit = colour * (0.35 + 0.65 * float(np.quantile(luma[::4, ::4], 0.9)))
    spared = opacity * (1 - FACES * scene.skin)
    laid: Pixels = rgb + (np.maximum(lit, rgb) - rgb) * spared[..., None]
    return laid


def _flakes(shape: tuple[int, ...], random: np.random.Generator) -> Pixels:
    height, width = shape[:2]
    unit = (height * width) ** 0.5 / 512
    falling = np.zeros((height, width), np.float32)
    for count, size, opacity, softness in FLAKES:
        layer = np.zeros((height, width), np.float32)
        for x, y, own in random.random((count, 3)).tolist():
            radius = max(0.3, size * unit * (0.5 + own))
            centre = (round(x * width * FINE), round(y * height * FINE))
            cv2.circle(layer, centre, round(radius * FINE), 1.0, -1, cv2.LINE_8, 4)
        falling = np.maximum(falling, brush.blur(layer, softness * unit) * opacity)
    return falling


def _streaks(shape: tuple[int, ...], random: np.random.Generator) -> Pixels:
    height, width = shape[:2]
    unit = (height * width) ** 0.5 / 512
    falling = np.zeros((height, width), np.float32)
    for count, length, opacity, softness in STREAKS:
        layer = np.zeros((height, width), np.float32)
        for x, y, own in random.random((count, 3)).tolist():
            top = np.array([x * 1.2 * width, (y * 1.2 - 0.2) * height])
            fall = np.array([-SLANT, 1.0]) * length * unit * (0.6 + 0.8 * own)
            ends = (np.stack([top, top + fall]) * FINE).round().astype(int).tolist()
            cv2.line(layer, ends[0], ends[1], 0.5 + 0.5 * own, max(1, round(0.8 * softness * unit)), cv2.LINE_8, 4)
        falling += brush.blur(layer, softness * unit) * opacity * 1.6
    return falling.clip(0, 0.7)
