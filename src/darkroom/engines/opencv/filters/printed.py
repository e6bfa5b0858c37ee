"""Printed and screen styles: comic, halftone, pixel, pop."""

from __future__ import annotations

import math

import cv2
import numpy as np
from PIL import Image

from ..pictures import Pixels
from . import brush

PALETTES = (
    ("2b1a55", "d81e6a", "ff7a2f", "ffd23c", "fff6dc"),
    ("10243f", "0f6fa8", "1fb89c", "f7c548", "fff4e0"),
    ("3a0f2b", "a3174b", "f0563f", "66c7c0", "f4f6dd"),
    ("171738", "5b2bd0", "f03fa2", "4fd6f5", "f6fbe9"),
)
SCREEN_ANGLES = (15, 75, 0)  # of the cyan, magenta and yellow dots, as printers set them
PIXEL_COLOURS, PIXEL_ROUNDS = 32, 8
DOT_SHARE = 0.72  # the rest is printed flat: with dots alone small faces are lost


def comic(rgb: Pixels, seed: int, unit: float) -> Pixels:  # noqa: ARG001 - nothing in it is left to chance
    """A printed comic: few flat colours, bold lines, dots in the shadows."""
    flat = brush.smooth(rgb, radius=6 * unit, tolerance=0.14, passes=6)
    luma = brush.grey(flat)
    flat = brush.vibrant(brush.with_luma(flat, brush.steps(luma, 4, 9) * 1.08), 1.1)
    dots = _screen(luma.shape, max(3.0, 5.5 * unit), 45)
    shadow = ((0.56 - luma) * 2.6).clip(0, 0.75)
    flat = flat * (1 - 0.55 * ((shadow - dots) * 6 + 0.5).clip(0, 1))[..., None]
    flat = flat * np.array([1.0, 0.98, 0.90], np.float32)
    # Lines follow the luma alone, of which a step counts a third of one in all channels.
    source = brush.smooth(brush.grey(rgb), radius=3 * unit, tolerance=0.1 / 3, passes=2)
    drawn = brush.lines(source, width=1.5 * unit, sharpness=26, threshold=0.16, slope=7)
    return flat * drawn[..., None] + 0.05 * (1 - drawn[..., None])


def halftone(rgb: Pixels, seed: int, unit: float) -> Pixels:  # noqa: ARG001 - nothing in it is left to chance
    """Dots of cyan, magenta, yellow and black, as in a newspaper."""
    cell = max(3.0, 4.2 * unit)
    crisp = rgb + 0.8 * (rgb - brush.blur(rgb, cell / 2))
    missing = 1 - brush.vibrant(crisp, 0.45)
    black = missing.min(axis=-1) * 0.75
    sheet = np.empty_like(rgb)
    sheet[...] = (0.985, 0.975, 0.95)
    for channel, angle in enumerate(SCREEN_ANGLES):
        sheet[..., channel] *= 1 - 0.94 * _dots(missing[..., channel] - black, cell, angle)
    return sheet * (1 - 0.92 * _dots(black, cell, 45))[..., None]


def pixel(rgb: Pixels, seed: int, unit: float) -> Pixels:  # noqa: ARG001 - nothing in it is left to chance
    """A sprite of an old game: large square pixels of few colours."""
    height, width = rgb.shape[:2]
    side = max(1, round(4.8 * unit))
    # Squares at the right and lower border may be cut, but never stretched.
    padded = cv2.copyMakeBorder(rgb, 0, -height % side, 0, -width % side, cv2.BORDER_REPLICATE)
    grid = (padded.shape[1] // side, padded.shape[0] // side)
    small = brush.vibrant(cv2.resize(padded, grid, interpolation=cv2.INTER_AREA), 0.5)
    small = small + 0.35 * (small - cv2.GaussianBlur(small, (0, 0), 1.2))
    colours = _few_colours((small.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    enlarged = np.repeat(np.repeat(colours, side, axis=0), side, axis=1)
    return enlarged[:height, :width].astype(np.float32) / 255


def _few_colours(sprite: Pixels) -> Pixels:
    """The uint8 sprite in `PIXEL_COLOURS`: those of an octree, then moved to where the colours are (k-means).

    Pillow's own k-means takes four times as long, for it goes on until nothing moves.
    """
    cut = Image.fromarray(sprite).quantize(PIXEL_COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    nearest, colours = np.asarray(cut).reshape(-1), sprite.reshape(-1, 3).astype(np.float32)
    for _ in range(PIXEL_ROUNDS):
        counts = np.maximum(np.bincount(nearest, minlength=PIXEL_COLOURS), 1)
        sums = [np.bincount(nearest, channel, PIXEL_COLOURS) for channel in colours.T]
        palette = (np.stack(sums, 1) / counts[:, None]).astype(np.float32)
        nearest = (np.square(palette).sum(1) / 2 - colours @ palette.T).argmin(1)
    limited: Pixels = (palette[nearest] + 0.5).astype(np.uint8).reshape(sprite.shape)
    return limited


def pop(rgb: Pixels, seed: int, unit: float) -> Pixels:
    """A silkscreen poster in five flat colours; the seed chooses the inks."""
    luma = brush.grey(brush.smooth(rgb, radius=5 * unit, tolerance=0.12, passes=6))
    even = cv2.createCLAHE(2.5, (4, 4)).apply((luma * 255 + 0.5).astype(np.uint8)).astype(np.float32) / 255
    even = brush.blur(0.65 * even + 0.35 * luma, 0.8 * unit)
    return brush.ramp(brush.steps(even, 5, 24) * 1.25 - 0.125, PALETTES[seed % len(PALETTES)])


def _screen(shape: tuple[int, ...], cell: float, degrees: float) -> Pixels:
    """A dot screen: 0 in the middle of each dot and 1 between dots, dots `cell` pixels apart."""
    turn = 2 * math.pi / cell
    across, down = turn * math.cos(math.radians(degrees)), turn * math.sin(math.radians(degrees))
    columns, rows = np.arange(shape[1], dtype=np.float32)[None, :], np.arange(shape[0], dtype=np.float32)[:, None]
    along = np.cos(np.float32(across) * columns + np.float32(down) * rows)
    aside = np.cos(np.float32(across) * rows - np.float32(down) * columns)
    screen: Pixels = (2 - along - aside) / 4
    return screen


def _dots(ink: Pixels, cell: float, degrees: float) -> Pixels:
    """Coverage by dots that grow with `ink`, with smooth borders of about a pixel."""
    covered = ((ink - _screen(ink.shape, cell, degrees)) * (cell * 0.8) + 0.5).clip(0, 1)
    dots: Pixels = DOT_SHARE * covered * (ink > 0.02) + (1 - DOT_SHARE) * ink.clip(0, 1)
    return dots
