"""Draws things into a picture, in its light and behind its haze; also as water mirrors them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..frame import Plane, mix
from ..palette import Palette
from ..sky import spot
from .shape import Part

FINE = 4  # bits of a pixel's fraction
SMOOTH = 4  # steps of a pixel's cover along each side


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in the picture: what it is made of, where its foot stands and how high it is (pixels), whether it looks
    to the left, and how far the haze hides it, 0 to 1."""

    kind: str
    parts: tuple[Part, ...]
    x: float
    y: float
    size: float
    turned: bool = False
    fade: float = 0.0


@dataclass(frozen=True, slots=True)
class Light:
    """How a picture lights its things: the palette, the side that the light comes from (-1, 1), how dark it is."""

    palette: Palette
    side: float
    dark: float


def draw(picture: Plane, item: Item, light: Light, *, waterline: float = 0.0, upside_down: bool = False) -> None:
    """Draw a thing; `upside_down` draws what water that begins at row `waterline` mirrors, into the water's rows."""
    flip = np.array([-item.size if item.turned else item.size, item.size if upside_down else -item.size])
    foot = np.array([item.x, item.y - waterline])
    for part in item.parts:
        points = part.points * flip + foot
        low, high = np.floor(points.min(0)) - 1, np.ceil(points.max(0)) + 2
        left, top = (int(max(0, value)) for value in low)
        right, bottom = int(min(picture.shape[1], high[0])), int(min(picture.shape[0], high[1]))
        if left >= right or top >= bottom:
            continue
        area = picture[top:bottom, left:right]
        mask = _mask(points - (left, top), area.shape[:2])
        colour = _colour(part, light, item, (low - (left, top), high - (left, top)), area.shape[:2])
        area += (colour - area) * mask[..., None]
    if light.dark >= 0.3:
        _halo(picture, item, light, flip, foot)


def _mask(points: Plane, shape: tuple[int, int]) -> Plane:
    """How far the outline covers each pixel. It is filled larger and shrunk: OpenCV's own smoothing leaves notches
    wherever the points of a curve are closer than a pixel."""
    larger = SMOOTH if shape[0] * shape[1] < 1_000_000 else 2
    mask = np.zeros((shape[0] * larger, shape[1] * larger), np.uint8)
    fixed = np.round((points * larger - 0.5) * 2**FINE).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 255, cv2.LINE_8, FINE)
    cover = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_AREA).astype(np.float32)
    cover *= 1 / 255
    return cover


def shadow(picture: Plane, item: Item, light: Light) -> None:
    """The soft dark spot where a thing touches the ground."""
    feet = np.concatenate([part.points[part.points[:, 1] < 0.06] for part in item.parts])
    if not len(feet) or item.size < 6:
        return
    turn = -1 if item.turned else 1
    left, right = sorted((float(feet[:, 0].min()) * turn * item.size, float(feet[:, 0].max()) * turn * item.size))
    across, down = (right - left) * 0.62 + 1, max(1.5, 0.035 * item.size)
    middle = item.x + (left + right) / 2 - light.side * 0.08 * (right - left)
    rows = slice(int(max(0, item.y - 3 * down)), int(max(0, min(picture.shape[0], item.y + 3 * down + 1))))
    columns = slice(int(max(0, middle - 2 * across)), int(max(0, min(picture.shape[1], middle + 2 * across + 1))))
    y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - item.y) * (1 / down)
    x = (np.arange(columns.start, columns.stop, dtype=np.float32)[None] - middle) * (1 / across)
    picture[rows, columns] *= (1 - 0.5 * np.exp(-(x**4) - y * y))[..., None]


def _colour(part: Part, light: Light, item: Item, box: tuple[Plane, Plane], shape: tuple[int, int]) -> Plane:
    """The part's colour, or a plane of colours where the light is not even."""
    if part.shine:
        return mix(part.colour * 1.08, light.palette.haze, item.fade * 0.4)
    palette = light.palette
    strength = 1 + 0.7 * max(0.0, light.dark - 0.5)  # at night eyes are wider open
    dim = part.colour * (palette.ambient * 0.66 + palette.light * 0.12) * strength
    lit = part.colour * (palette.ambient * 0.72 + palette.light * 0.5) * strength
    dim, lit = (mix(colour, palette.haze, item.fade) for colour in (dim, lit))
    if part.shading == "flat":
        return mix(dim, lit, 0.55)
    (left, top), (right, bottom) = box
    across = (np.arange(shape[1], dtype=np.float32) - left) * (2 / max(right - left, 1)) - 1
    down = (np.arange(shape[0], dtype=np.float32) - top) * (2 / max(bottom - top, 1)) - 1
    if part.shading == "side":
        share = np.clip(0.5 + across * (0.62 * light.side), 0, 1)[None]
    elif part.shading == "ball":
        away = np.hypot(across[None] - 0.38 * light.side, down[:, None] + 0.42)
        share = np.clip(1.16 - away * 0.72, 0, 1.12)
    else:
        share = np.clip(0.62 - down * 0.34, 0, 1)[:, None]
    return mix(dim, lit, np.broadcast_to(share, shape)[..., None].astype(np.float32))


def _halo(picture: Plane, item: Item, light: Light, flip: Plane, foot: Plane) -> None:
    """The glow around what shines after dark."""
    for part in item.parts:
        if part.shine < 2:
            continue
        points = part.points * flip + foot
        x, y = points.mean(0).tolist()
        reach = math.sqrt(cv2.contourArea(points.astype(np.float32)))
        if reach > 0.5:
            spot(picture, x, y, reach * 1.2, 0.22 * light.dark * (1 - item.fade * 0.5), part.colour)
