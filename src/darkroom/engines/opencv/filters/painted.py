"""Painted styles: cartoon, low-poly, oil, watercolor."""

from __future__ import annotations

import cv2
import numpy as np

from ..pictures import Pixels
from . import brush, texture

POLY_POINTS = 2400  # spread at random where the picture changes
POLY_CORNERS = 1600  # set on its corners, such as those of eyes and mouths
POLY_SIDE = 512  # the points of a low-poly picture are chosen at about this size, whatever the picture's own


def cartoon(rgb: Pixels, seed: int, unit: float) -> Pixels:  # noqa: ARG001 - nothing in it is left to chance
    """Flat areas of strong colour with dark outlines."""
    flat = brush.smooth(rgb, radius=5 * unit, tolerance=0.11, passes=7)
    luma = brush.grey(flat)
    flat = brush.with_luma(flat, 0.8 * brush.steps(luma, 8, 5) + 0.2 * luma)
    flat = brush.vibrant(flat * 1.06, 0.75)
    # Lines follow the luma alone, of which a step counts a third of one in all channels.
    source = brush.smooth(brush.grey(rgb), radius=2.5 * unit, tolerance=0.08 / 3, passes=2)
    outline = brush.lines(source, width=1.1 * unit, sharpness=24, threshold=0.1, slope=5)[..., None]
    ink = np.array([0.10, 0.07, 0.12], np.float32)
    inked: Pixels = ink + (flat - ink) * outline
    return inked


def watercolor(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Translucent washes with darker rims on rough paper."""
    random, shape = np.random.default_rng(seed), rgb.shape[:2]
    wash = brush.smooth(rgb, radius=4 * unit, tolerance=0.09, passes=6)
    wash = brush.kuwahara(wash, round(1.2 * unit))
    wash = _wobble(wash, unit, random)
    luma = brush.grey(wash)
    rims = brush.blur(cv2.magnitude(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1)) * unit, unit)
    wash = brush.vibrant(wash, 0.55)
    # Pigment absorbs: its density multiplies, and white paper stays white.
    pigment = 0.7 * cv2.log(wash.clip(0.04, 1))
    pools = 1 + 0.11 * texture.noise(shape, 30 * unit, random) + 0.05 * texture.noise(shape, 8 * unit, random)
    tooth = texture.paper(shape, unit, random)
    pigment *= (pools * (1 + 0.10 * tooth) * (1 + 1.1 * rims.clip(0, 0.6)))[..., None].clip(0.3, 2)
    sheet = np.array([0.995, 0.985, 0.96], np.float32)
    # Pigment gathers in the hollows of the paper, which are darker by themselves.
    painted: Pixels = sheet * cv2.exp(pigment) * (1 - 0.01 * tooth)[..., None]
    return painted


def oil(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Thick strokes that follow the forms, with light on their ridges."""
    random = np.random.default_rng(seed)
    broad = brush.kuwahara(brush.kuwahara(rgb, max(1, round(4 * unit))), max(1, round(3 * unit)))
    fine = brush.kuwahara(rgb, max(1, round(unit)))
    luma = brush.grey(rgb)
    # Eyes and mouths need the small brush: it goes where detail is dense.
    edges = np.abs(luma - brush.blur(luma, 2 * unit))
    detail = (brush.blur(edges, 5 * unit) * 34 - 0.35).clip(0, 1)[..., None]
    paint = broad * (1 - detail) + fine * detail
    field = brush.tangents(brush.grey(broad), 5 * unit)
    paint = brush.along(paint, field, 1.6 * unit, 2)
    bristles = brush.along(texture.noise(rgb.shape[:2], 1.2 * unit, random), field, 9 * unit, 3)
    bristles = brush.blur(bristles / (bristles.std() + 1e-6), 0.6 * unit)
    relief = (cv2.Sobel(bristles, cv2.CV_32F, 1, 0) + cv2.Sobel(bristles, cv2.CV_32F, 0, 1)) * unit
    paint = brush.vibrant(paint, 0.5) * (1 + 0.045 * bristles)[..., None]
    lit: Pixels = paint + (0.016 * relief * (0.4 + 0.6 * brush.grey(broad)))[..., None].clip(-0.12, 0.12)
    return lit


def lowpoly(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """Flat triangles, small where there is detail."""
    height, width = rgb.shape[:2]
    canvas = (rgb * 255 + 0.5).astype(np.uint8)
    if min(height, width) < 8:
        return rgb
    triangles = _triangles(rgb, unit, np.random.default_rng(seed))
    labels = np.zeros((height, width), np.int32)
    for number, triangle in enumerate(triangles):
        cv2.fillConvexPoly(labels, np.round(triangle).astype(np.int32), number)
    counts = np.bincount(labels.ravel(), minlength=len(triangles)).clip(1)
    vivid = brush.vibrant(rgb, 0.35)
    colours = np.stack(
        [np.bincount(labels.ravel(), vivid[..., channel].ravel(), len(triangles)) / counts for channel in range(3)], -1
    )
    for triangle, colour in zip(np.round(triangles * 16).astype(np.int32), colours * 255, strict=True):
        cv2.fillConvexPoly(canvas, triangle, colour.tolist(), cv2.LINE_AA, 4)
    return canvas.astype(np.float32) / 255


def _triangles(rgb: Pixels, unit: float, random: np.random.Generator) -> Pixels:
    """Corners of Delaunay triangles over points that crowd where the picture changes, of shape (n, 3, 2)."""
    height, width = rgb.shape[:2]
    shrink = max(1.0, unit * 512 / POLY_SIDE)
    small = cv2.resize(
        rgb, (max(2, round(width / shrink)), max(2, round(height / shrink))), interpolation=cv2.INTER_AREA
    )
    luma = brush.blur(brush.grey(small), 1)
    change = np.hypot(cv2.Sobel(luma, cv2.CV_32F, 1, 0), cv2.Sobel(luma, cv2.CV_32F, 0, 1))
    # Relative to its surroundings: a pale face needs as many corners as a flag.
    change = change / (brush.blur(change, 12) + 0.12)
    chance = (change.astype(np.float64) ** 1.2 + 0.05).ravel()
    count = min(POLY_POINTS, chance.size // 8)
    chosen = random.choice(chance.size, count, replace=False, p=chance / chance.sum())
    rows, columns = np.divmod(chosen, small.shape[1])
    corners = cv2.goodFeaturesToTrack(luma / (brush.blur(luma, 12) + 0.05), POLY_CORNERS, 0.0005, 3)
    inner = np.stack((columns, rows), -1)
    if corners is not None:
        inner = np.concatenate((inner, corners.reshape(-1, 2)))
    inner = inner / (small.shape[1], small.shape[0]) * (width, height)
    rim = np.linspace(0, 1, 14)
    frame = np.concatenate([np.stack((rim, np.full(14, edge)), -1) for edge in (0, 1)])
    frame = np.concatenate((frame, frame[:, ::-1])) * (width - 1, height - 1)
    mesh = cv2.Subdiv2D((0, 0, width, height))
    mesh.insert(np.concatenate((inner, frame)).clip(0, (width - 1, height - 1)).astype(np.float32).tolist())
    found: Pixels = np.asarray(mesh.getTriangleList()).reshape(-1, 3, 2)
    # Subdiv2D also hands out triangles with the far corners that it starts from.
    inside = ((found > -1) & (found < (width + 1, height + 1))).all(axis=(1, 2))
    return found[inside]


def _wobble(rgb: Pixels, unit: float, random: np.random.Generator) -> Pixels:
    """Shift pixels a little along smooth noise, as a wet brush does."""
    height, width = rgb.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    shift = np.float32(0.9 * unit)
    columns += shift * texture.noise((height, width), 9 * unit, random)
    rows += shift * texture.noise((height, width), 9 * unit, random)
    return cv2.remap(rgb, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
