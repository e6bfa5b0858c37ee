"""Styles of flat colour: cartoon, poster, low polygons, pixels; and the black and white of noir."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..frame import Frame, Plane, mix, smoothstep
from ..palette import rgb
from . import brush

PIXELS = 128  # of the shorter side in pixel art
COLOURS = 28  # in pixel art
INKS = 12  # on a poster
CORNERS, MOST_CORNERS = 2600, 12_000  # of the triangles, for a square of one unit and at most


def cartoon(frame: Frame, picture: Plane) -> Plane:
    """Even, strong colours in a few steps of light, with drawn outlines."""
    unit = frame.unit / 512
    even = brush.flattened(picture, 560, 0.10, 3)
    luma = brush.grey(even)
    steps = luma * 7
    level = np.floor(steps)
    stepped = (level + 0.5 + 0.5 * np.tanh((steps - level - 0.5) * 5) / np.tanh(2.5)) / 7
    colour = brush.richer(np.clip(even + (stepped - luma)[..., None] * 0.8, 0, 1), 1.45) * 1.06 + 0.01
    soft = brush.blur(luma, 0.9 * unit)
    difference = soft - brush.blur(luma, 1.7 * unit)
    line = smoothstep(-0.008, -0.03, difference) + np.clip(brush.edges(soft) * unit * 5 - 0.45, 0, 1)
    line = brush.blur(np.clip(line, 0, 1), 0.45 * unit)
    return mix(np.clip(colour, 0, 1), np.broadcast_to(rgb("1c1a26"), colour.shape), np.clip(line * 1.15, 0, 0.92))


def poster(frame: Frame, picture: Plane) -> Plane:
    """A print in a few inks with clean borders."""
    share = min(1.0, 512 / min(picture.shape[:2]))
    size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
    small: Any = brush.to_bytes(brush.richer(brush.resized(picture, size, cv2.INTER_AREA), 1.35))
    for _ in range(3):
        small = cv2.bilateralFilter(cv2.medianBlur(small, 5), 7, 30, 3)
    inks = cv2.medianBlur(np.asarray(_quantised(small, INKS, dither=False), np.uint8), 5)
    # Grown smoothly and then sharpened: the borders stay clean at every size.
    grown = cv2.resize(inks, (frame.width, frame.height), interpolation=cv2.INTER_CUBIC)
    flat = brush.richer(grown.astype(np.float32) * (1 / 255), 1.3)
    sheet: Plane = np.clip(flat * 1.03 + 0.015, 0, 1) * brush.paper(frame, 0.008)[..., None]
    return sheet


def pixel(frame: Frame, picture: Plane) -> Plane:
    """Pixel art of few colours."""
    share = min(1.0, PIXELS / min(frame.width, frame.height))
    size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
    small = brush.resized(picture, size, cv2.INTER_AREA)
    small = np.clip(brush.richer(small + (small - brush.blur(small, 1.0)) * 0.7, 1.25), 0, 1)
    made = np.asarray(_quantised(brush.to_bytes(small), COLOURS, dither=True), np.uint8)
    blocks = cv2.resize(made, (frame.width, frame.height), interpolation=cv2.INTER_NEAREST)
    pixels: Plane = blocks.astype(np.float32) * (1 / 255)
    return pixels


def _quantised(pixels: NDArray[np.uint8], colours: int, *, dither: bool) -> Image.Image:
    """The picture in its own best few colours."""
    image = Image.fromarray(pixels)
    # Coverage keeps small things of a colour of their own, such as a red house in a green land.
    few = image.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=2)
    if dither:
        pattern = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) / 16 - 0.47
        tiled = np.tile(pattern, (-(-pixels.shape[0] // 4), -(-pixels.shape[1] // 4)))[
            : pixels.shape[0], : pixels.shape[1]
        ]
        image = Image.fromarray(np.clip(pixels + tiled[..., None] * 16, 0, 255).astype(np.uint8))
    return image.quantize(palette=few, dither=Image.Dither.NONE).convert("RGB")


def lowpoly(frame: Frame, picture: Plane) -> Plane:
    """Flat triangles, small where there is much to see."""
    if min(frame.width, frame.height) < 8:
        return picture
    random = frame.stream("style", "corners")
    small_size = (max(2, round(frame.width * 224 / frame.unit)), max(2, round(frame.height * 224 / frame.unit)))
    small = brush.resized(picture, small_size, cv2.INTER_AREA)
    detail = brush.blur(brush.edges(brush.grey(small)), 1.0)
    chance = ((detail / (brush.blur(detail, 14) + 0.012)) ** 1.5 + 0.1).astype(np.float64).ravel()
    count = min(int(CORNERS * frame.span * frame.height / frame.unit), chance.size // 6, MOST_CORNERS)
    chosen = random.choice(chance.size, count, replace=False, p=chance / chance.sum())
    scale = np.array([frame.width / small_size[0], frame.height / small_size[1]])
    places = (np.stack([chosen % small_size[0], chosen // small_size[0]], 1) + random.random((count, 2))) * scale
    rim = np.linspace(0, 1, 16)
    border = np.concatenate([np.stack([rim, np.full(16, side)], 1) for side in (0.0, 1.0)])
    border = np.concatenate([border, border[:, ::-1]]) * (frame.width - 1, frame.height - 1)
    mesh = cv2.Subdiv2D((0, 0, frame.width, frame.height))
    mesh.insert(
        np.concatenate([places, border]).clip(0, (frame.width - 1, frame.height - 1)).astype(np.float32).tolist()
    )
    triangles = np.asarray(mesh.getTriangleList(), np.float32).reshape(-1, 3, 2)
    inside = ((triangles > -1) & (triangles < (frame.width + 1, frame.height + 1))).all((1, 2))
    triangles = triangles[inside]
    middles = triangles.mean(1) / scale
    columns, rows = (np.clip(middles[:, part].astype(int), 0, small_size[part] - 1) for part in (0, 1))
    colours = brush.richer(brush.blur(small, 0.8), 1.3)[rows, columns] * random.uniform(0.95, 1.06, (len(triangles), 1))
    canvas = (np.clip(picture, 0, 1) * 255).astype(np.uint8)
    for triangle, colour in zip(np.round(triangles * 16).astype(np.int32), colours * 255, strict=True):
        cv2.fillConvexPoly(canvas, triangle, colour.tolist(), cv2.LINE_AA, 4)
    faces: Plane = canvas.astype(np.float32) * (1 / 255)
    return faces


def noir(frame: Frame, picture: Plane) -> Plane:
    """Black and white with hard light, deep shadows and grain."""
    unit = frame.unit / 512
    luma = picture @ np.array([0.45, 0.42, 0.13], np.float32)
    luma = luma + 0.3 * (luma - brush.blur(luma, 14 * unit))
    low, high = (float(level) for level in np.quantile(luma[::4, ::4], (0.02, 0.985)))
    luma = np.clip((luma - low) / max(high - low, 0.1), 0, 1)
    luma = 0.8 * luma * luma * (3 - 2 * luma) + 0.2 * luma
    across, down = frame.across() / frame.span, frame.down(0, frame.height) * (frame.unit / frame.height) - 0.5
    luma = luma * (1 - 0.55 * smoothstep(0.3, 0.8, np.hypot(across, down)))
    luma = luma + brush.cloudy(frame, "silver", 0.003) * (0.035 * (0.3 + 2.4 * luma * (1 - luma)))
    return np.repeat(np.clip(luma, 0, 1)[..., None], 3, -1)


def glowing(frame: Frame, picture: Plane) -> Plane:
    """The colours of a neon night: violet, pink and amber light that spills over the dark."""
    unit = frame.unit / 512
    luma = np.clip(brush.grey(picture), 0, 1)
    luma = luma + 0.4 * (luma - brush.blur(luma, 10 * unit))
    stops = np.stack([rgb(text) for text in ("090418", "2a0f5c", "8a1f8f", "ff3f93", "ffb05c", "fff2c4")])
    places = np.linspace(0, 1, len(stops))
    toned = np.stack([np.interp(np.clip(luma, 0, 1), places, stops[:, part]) for part in range(3)], -1).astype(
        np.float32
    )
    toned = mix(toned, brush.richer(picture, 1.5), 0.22)
    spill = brush.blur(np.clip(toned - 0.5, 0, 1), 9 * unit)
    return np.clip(toned + spill * 0.7, 0, 1)
