"""Surfaces: noise, paper, film grain and vignettes, made so that a seed gives the same pattern at every size."""

from __future__ import annotations

import cv2
import numpy as np

from ..pictures import Pixels

Shape = tuple[int, int]


def noise(shape: Shape, scale: float, random: np.random.Generator) -> Pixels:
    """Smooth noise of mean 0 and deviation 1; its blots are about `scale` pixels wide."""
    height, width = shape
    grid = (max(2, round(height / scale)), max(2, round(width / scale)))
    coarse = random.standard_normal(grid, dtype=np.float32)
    shrinks = grid[0] > height or grid[1] > width
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    mean, deviation = cv2.meanStdDev(fine)
    normal: Pixels = (fine - float(mean[0, 0])) / (float(deviation[0, 0]) + 1e-6)
    return normal


def paper(shape: Shape, unit: float, random: np.random.Generator) -> Pixels:
    """The tooth of rough paper: mean 0, deviation 1."""
    tooth = sum(weight * noise(shape, scale * unit, random) for scale, weight in ((1.3, 0.6), (3.0, 0.8), (7.0, 0.4)))
    return np.asarray(tooth, np.float32) / np.float32(1.08)


def vignette(shape: Shape, amount: float) -> Pixels:
    """Factors that darken the corners by `amount`, of shape (height, width, 1)."""
    height, width = shape
    across = np.linspace(-1, 1, width, dtype=np.float32)[None, :] ** 2
    down = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    squared = (across + down) / 2
    factors: Pixels = 1 - np.float32(amount) * squared * np.sqrt(squared)
    return factors[..., None]
