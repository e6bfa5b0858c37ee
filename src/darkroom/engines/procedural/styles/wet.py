"""Styles of brush and pencil: watercolour, oil, ink wash and pencil."""

from __future__ import annotations

import cv2
import numpy as np

from ..frame import Frame, Plane, mix, smoothstep
from . import brush


def watercolor(frame: Frame, picture: Plane) -> Plane:
    """Even washes with pigment along their borders, blooms, and paper that shows through."""
    unit = frame.unit / 512
    height, width = picture.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    columns += brush.cloudy(frame, "wobble x", 0.03) * (1.5 * unit)
    rows += brush.cloudy(frame, "wobble y", 0.03) * (1.5 * unit)
    wash = brush.flattened(picture, 420, 0.13, 3)
    wash = cv2.remap(wash, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT).astype(
        np.float32, copy=False
    )
    luma = brush.grey(wash)
    border = brush.edges(brush.blur(luma, 0.8 * unit)) * unit
    pigment = 1 + 1.9 * np.clip(border - 0.012, 0, 0.16) + 0.10 * brush.cloudy(frame, "bloom", 0.11)
    pigment += 0.05 * brush.cloudy(frame, "granules", 0.006)
    # Pigment absorbs: more of it makes the colour darker and richer, less of it lets the paper shine.
    light = np.clip(brush.richer(wash, 1.25) * 0.86 + 0.13, 0.02, 1)
    painted = np.exp(np.log(light) * np.clip(pigment, 0.45, 2.2)[..., None])
    sheet = np.array([0.985, 0.975, 0.95], np.float32)
    rim = np.minimum(np.minimum(columns, width - 1 - columns), np.minimum(rows, height - 1 - rows)) / frame.unit
    inside = smoothstep(0.008, 0.03, rim + brush.cloudy(frame, "rim", 0.05) * 0.006)
    return mix(np.broadcast_to(sheet, painted.shape), painted, inside) * brush.paper(frame, 0.018)[..., None]


def oil(frame: Frame, picture: Plane) -> Plane:
    """Strokes of thick paint that follow the forms."""
    unit = frame.unit / 512
    share = min(1.0, 640 / min(picture.shape[:2]))
    size = (max(1, round(frame.width * share)), max(1, round(frame.height * share)))
    small = brush.resized(picture, size, cv2.INTER_AREA)
    daubs = _calmest(small, max(1, round(4.2 * unit * share)))
    fine = _calmest(small, max(1, round(1.6 * unit * share)))
    busy = brush.blur(np.abs(brush.grey(small) - brush.blur(brush.grey(small), 2 * unit)), 4 * unit * share)
    paint = mix(daubs, fine, np.clip(busy * 26 - 0.3, 0, 1))
    angle = brush.direction(brush.grey(daubs), 5 * unit * share)
    noise = frame.stream("style", "bristles").standard_normal(paint.shape[:2]).astype(np.float32)
    bristles = brush.strokes(brush.blur(noise, max(0.6, 0.9 * unit * share)), angle, 8 * unit * share, 4)
    paint = brush.resized(paint, (frame.width, frame.height), cv2.INTER_CUBIC)
    bristles = brush.resized(bristles, (frame.width, frame.height), cv2.INTER_CUBIC)
    relief = cv2.Sobel(bristles, cv2.CV_32F, 1, 1, scale=0.5) + cv2.Sobel(bristles, cv2.CV_32F, 0, 1, scale=0.25)
    lit = np.clip(1 + 0.034 * bristles + 0.07 * np.clip(relief * unit, -1, 1), 0.75, 1.3)
    canvas: Plane = brush.richer(np.clip(paint, 0, 1), 1.22) * lit[..., None]
    return canvas


def _calmest(picture: Plane, radius: int) -> Plane:
    """Every pixel becomes the mean of the calmest of the four squares that touch it (Kuwahara's filter)."""
    height, width = picture.shape[:2]
    padded = cv2.copyMakeBorder(picture, radius, radius, radius, radius, cv2.BORDER_REFLECT)
    square = (radius + 1, radius + 1)
    luma = brush.grey(padded.astype(np.float32, copy=False))
    means = cv2.blur(padded, square, anchor=(0, 0))
    level = cv2.blur(luma, square, anchor=(0, 0))
    unrest = cv2.blur(luma * luma, square, anchor=(0, 0)) - level * level
    best, made = unrest[:height, :width].copy(), means[:height, :width].copy()
    for top, left in ((0, radius), (radius, 0), (radius, radius)):
        window = (slice(top, top + height), slice(left, left + width))
        calmer = unrest[window] < best
        np.copyto(best, unrest[window], where=calmer)
        np.copyto(made, means[window], where=calmer[..., None])
    return made.astype(np.float32, copy=False)


def ink(frame: Frame, picture: Plane) -> Plane:
    """Ink on rice paper: washes from pale to black, the far dissolved, a trace of colour, and a seal."""
    unit = frame.unit / 512
    even = brush.flattened(picture, 420, 0.15, 3)
    luma = brush.grey(even)
    low, high = (float(level) for level in np.quantile(luma[::4, ::4], (0.02, 0.98)))
    tone = np.clip((luma - low) / max(high - low, 0.2), 0, 1)
    local = tone - brush.blur(tone, 16 * unit)
    line = np.clip(brush.edges(brush.blur(luma, 0.7 * unit)) * unit * 5 - 0.12, 0, 0.9)
    wash = smoothstep(0.86, -0.02, tone + local * 0.45 + brush.cloudy(frame, "bleed", 0.07) * 0.025)
    density = np.clip(wash**1.3 * 0.9 + line * 0.6, 0, 1) * (1 + 0.05 * brush.cloudy(frame, "bloom", 0.02))
    sheet = np.array([0.955, 0.93, 0.87], np.float32) * brush.paper(frame, 0.016)[..., None]
    black = np.array([0.09, 0.10, 0.12], np.float32)
    grey = mix(sheet, np.broadcast_to(black, sheet.shape), np.clip(density, 0, 0.97))
    hue = brush.richer(even, 1.3) - brush.grey(even)[..., None]
    return _sealed(frame, np.clip(grey + hue * 0.24, 0, 1))


def _sealed(frame: Frame, picture: Plane) -> Plane:
    """A square red seal in the lower corner, cut with lines of its own."""
    random = frame.stream("style", "seal")
    side = int(0.052 * frame.unit)
    if side < 12:
        return picture
    cut = np.ones((7, 7), np.float32)
    cut[1:6, 1:6] = np.kron(random.random((3, 3)) < 0.5, np.ones((2, 2)))[:5, :5] * 0.92
    stamp = cv2.resize(cut, (side, side), interpolation=cv2.INTER_CUBIC)
    stamp = np.clip((stamp - 0.35) * 3, 0, 1) * np.clip(0.9 + random.standard_normal((side, side)) * 0.1, 0, 1)
    gap = int(0.045 * frame.unit)
    left = gap if random.random() < 0.5 else frame.width - gap - side
    part = picture[frame.height - gap - side : frame.height - gap, left : left + side]
    part += (np.array([0.70, 0.13, 0.10], np.float32) - part) * (stamp.astype(np.float32) * 0.88)[..., None]
    return picture


def pencil(frame: Frame, picture: Plane) -> Plane:
    """Graphite on paper: outlines, hatching where it is dark, and the tooth of the sheet."""
    unit = frame.unit / 512
    luma = brush.grey(brush.flattened(picture, 620, 0.06, 1))
    low, high = (float(level) for level in np.quantile(luma[::4, ::4], (0.01, 0.99)))
    tone = np.clip((luma - low) / max(high - low, 0.2), 0, 1)
    around = brush.blur(tone, 4 * unit)
    outline = np.clip((tone + 0.08) / (around + 0.08), 0, 1) ** 2.2
    line = np.clip(brush.edges(brush.blur(tone, 0.6 * unit)) * unit * 3.4 - 0.05, 0, 1)
    noise = frame.stream("style", "graphite").standard_normal(luma.shape).astype(np.float32)
    noise = brush.blur(noise, max(0.5, 0.8 * unit))
    first = brush.strokes(noise, np.full(luma.shape, -0.9, np.float32), 11 * unit, 4)
    second = brush.strokes(noise[::-1].copy(), np.full(luma.shape, 0.75, np.float32), 9 * unit, 3)
    shade = (1 - tone) ** 1.35
    graphite = shade * np.clip(0.55 + 0.24 * first, 0, None) + np.clip(shade - 0.5, 0, 1) * (0.3 + 0.3 * second)
    graphite += 0.75 * (1 - outline) + 0.5 * line
    graphite *= brush.paper(frame, 0.10)
    page = 0.965 - 0.86 * np.tanh(np.clip(graphite, 0, None))
    sheet: Plane = page[..., None] * np.array([1.0, 0.995, 0.98], np.float32)
    return sheet
