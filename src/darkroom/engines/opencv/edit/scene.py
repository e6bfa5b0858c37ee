"""What a picture shows, as far as an edit must know: people and their skin, sky,
leaves, water, and how far things are.

People come from the segmentation network and skin from the faces that were found; the rest is judged by colour, texture
and place, which is right for most outdoor pictures and harmless where it is wrong: every map is soft.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .. import faces, portrait
from ..faces import light, skin, warp
from ..faces.landmarks import OVAL
from ..filters import brush
from ..guided import guided
from ..pictures import Picture, Pixels

SIDE = 640  # pixels of the longer side of a map
NOBODY = portrait.NOBODY
NO_SKY = 0.03  # of the picture
REACH, LEVEL_STEP = 3, 7.0  # rows, and how much colours differ above and below a level line
HOLE = 0.012  # of the picture


@dataclass(frozen=True, slots=True)
class Scene:
    """Maps of a picture, each float32 (height, width) in 0..1; `depth` is 0 near and 1 far.

    `outlines` are the faces', (n, 2) of x and y in pixels of the picture; `horizon` is the height of the far ground,
    from 0 at the top to 1.
    """

    people: Pixels
    skin: Pixels
    sky: Pixels
    leaves: Pixels
    water: Pixels
    depth: Pixels
    horizon: float
    outlines: tuple[Pixels, ...]

    @property
    def has_people(self) -> bool:
        """Whether anybody is in the picture."""
        return float(self.people.mean()) >= NOBODY

    @property
    def has_sky(self) -> bool:
        """Whether there is enough sky to speak of."""
        return float(self.sky.mean()) >= NO_SKY

    def at(self, shape: tuple[int, ...]) -> Scene:
        """The same maps for pixels of `shape` (height, width)."""
        size = (shape[1], shape[0])
        people, skin_, sky, leaves, water, depth = (
            cv2.resize(each, size, interpolation=cv2.INTER_LINEAR)
            for each in (self.people, self.skin, self.sky, self.leaves, self.water, self.depth)
        )
        return Scene(people, skin_, sky, leaves, water, depth, self.horizon, self.outlines)


def survey(picture: Picture) -> Scene:
    """Look at a picture."""
    rgb = picture.rgb
    shrink = max(1.0, max(rgb.shape[:2]) / SIDE)
    size = (max(1, round(rgb.shape[1] / shrink)), max(1, round(rgb.shape[0] / shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    found = faces.find(picture, portrait.SMALLEST_FACE)
    people = portrait.mask(small)
    lab = light.to_lab(small)
    away = 1 - people
    sky = _sky(small, lab, away)
    leaves = _leaves(small) * away * (1 - sky)
    depth, horizon = _depth(small, sky)
    water = _water(lab, horizon) * away * (1 - sky) * (1 - leaves) if sky.any() else sky
    return Scene(
        people,
        _skin(lab, found, shrink) * people,
        sky,
        leaves,
        water,
        depth * (1 - 0.85 * people),
        horizon,
        tuple(face.landmarks[list(OVAL)] for face in found),
    )


def _skin(lab: Pixels, found: list[faces.Face], shrink: float) -> Pixels:
    """Faces, and what has the colour of their cheeks."""
    everywhere = np.zeros(lab.shape[:2], np.float32)
    for face in found:
        points = face.landmarks / np.float32(shrink)
        alike = skin.likeness(lab, points, face.width / shrink).everywhere
        whole = brush.blur(warp.outline(lab.shape[:2], points, OVAL), 0.05 * face.width / shrink)
        everywhere = np.maximum(everywhere, np.maximum(alike, whole))
    return everywhere


def _sky(rgb: Pixels, lab: Pixels, away: Pixels) -> Pixels:
    """What is blue or bright and pale, and hangs together with the picture's upper border."""
    height, width = rgb.shape[:2]
    lightness, green, yellow = (lab[..., channel] for channel in range(3))
    blue = _blue(lab)
    pale = ramp(lightness, 64, 74) * ramp(22 - np.hypot(green, yellow), 0, 8)
    glow = ramp(lightness, 55, 70) * ramp(yellow, 15, 30) * ramp(green, 5, 15) * 0.8
    change = brush.blur(np.hypot(*(cv2.Sobel(lightness, cv2.CV_32F, *way) for way in ((1, 0), (0, 1)))), 1.5)
    calm = ramp(29 - change, 0, 14)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    likely = np.maximum(np.maximum(blue, pale), glow) * calm * away * ramp(0.95 - rows, 0, 0.2)
    likely[_level_edge(lab) :] = 0
    _, labels = cv2.connectedComponents((likely > 0.35).astype(np.uint8), connectivity=4)
    top = np.unique(labels[: max(1, height // 50)])
    hanging: Pixels = np.isin(labels, top[top > 0]).astype(np.float32)
    hanging = cv2.morphologyEx(hanging, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    hanging = _without_holes(hanging)
    if hanging.mean() < NO_SKY:
        return np.zeros((height, width), np.float32)
    seen = ramp(guided(lightness / 100, hanging * away, radius=6, tolerance=1e-3), 0.25, 0.8)
    # Between the sky and people's heads there is nothing else, and a gap would shine.
    wide = np.ones((9, 9), np.uint8)
    return np.where(cv2.dilate(1 - away, wide) > 0.02, cv2.dilate(seen, wide), seen) * away


def _level_edge(lab: Pixels) -> int:
    """The row of a level line across the picture, such as where sea and sky meet; the height where there is none."""
    smooth = brush.blur(lab, 1)
    steps = np.abs(np.median(smooth[2 * REACH :] - smooth[: -2 * REACH], axis=1)).sum(-1)
    first = max(1, len(steps) // 10)
    if len(steps) <= first:
        return len(lab)
    plain = np.flatnonzero(steps[first:] > max(LEVEL_STEP, 3.5 * float(np.median(steps))))
    return first + int(plain[0]) + 2 * REACH if len(plain) else len(lab)


def _blue(lab: Pixels) -> Pixels:
    lightness, green, yellow = (lab[..., channel] for channel in range(3))
    return ramp(-yellow, 3, 14) * ramp(14 - green, 0, 8) * ramp(lightness, 22, 36) * ramp(green + 20, 0, 6)


def _water(lab: Pixels, horizon: float) -> Pixels:
    """What is blue below the horizon, over a good part of the picture's width."""
    rows = np.linspace(0, 1, lab.shape[0], dtype=np.float32)[:, None]
    blue = brush.blur(_blue(lab), 1.5) * ramp(rows, horizon, horizon + 0.04)
    wide: Pixels = blue * ramp(brush.blur(blue.mean(1, keepdims=True).repeat(2, axis=1), 4)[:, :1], 0.15, 0.4)
    return wide


def _without_holes(filled: Pixels) -> Pixels:
    """Small holes filled, such as the sun and the edges of clouds."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((filled < 0.5).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < HOLE * filled.size
    small[0] = False  # the filled part itself
    whole: Pixels = np.maximum(filled, small[labels].astype(np.float32))
    return whole


def _leaves(rgb: Pixels) -> Pixels:
    """What is green, from fresh grass to dark firs."""
    hsv = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2HSV)
    hue, saturation, value = (hsv[..., channel] for channel in range(3))
    green = ramp(hue, 52, 68) * ramp(178 - hue, 0, 16) * ramp(saturation, 0.08, 0.2) * ramp(value, 0.04, 0.1)
    return brush.blur(green, 1.2)


def _depth(rgb: Pixels, sky: Pixels) -> tuple[Pixels, float]:
    """How far things are, and the horizon: by their height in the picture, and by the haze on them."""
    height, width = rgb.shape[:2]
    rows = np.linspace(0, 1, height, dtype=np.float32)
    covered = sky.mean(1)
    horizon = 0.35
    if sky.mean() >= NO_SKY:
        horizon = float(rows[np.flatnonzero(covered > 0.25)].max(initial=0.1))
    below = ((rows - horizon) / max(1 - horizon, 0.15)).clip(0, 1)
    ground = (0.16 / (below + 0.16)) * (rows > horizon) + (rows <= horizon) * 0.9
    hazy = cv2.erode(rgb.min(-1), np.ones((9, 9), np.uint8)).astype(np.float32) / 255
    hazy = guided(brush.grey(rgb).astype(np.float32) / 255, hazy, radius=12, tolerance=1e-3).clip(0, 1)
    depth = np.maximum(0.7 * np.repeat(ground[:, None], width, axis=1) + 0.3 * ramp(hazy, 0.05, 0.6), sky)
    return brush.blur(depth.astype(np.float32), 3), horizon


def ramp(values: Pixels, low: float, high: float) -> Pixels:
    """0 up to `low`, 1 from `high` on, smooth between."""
    level = ((values - low) / (high - low)).clip(0, 1)
    smooth: Pixels = level * level * (3 - 2 * level)
    return smooth
