"""Trees: conifers and broad crowns as outlines with soft edges, alone or as a wood on the land."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .frame import Frame, Plane

KINDS = 6  # outlines of each form; enough that no two neighbours look the same
FINE = 16  # steps per pixel of the outlines' points


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree in the picture: the foot in pixels, its height in pixels, which outline, its dark and its lit colour, and
    its distance in world units (0 stands before everything)."""

    x: float
    y: float
    height: float
    outline: int
    dark: Plane
    lit: Plane
    distance: float


def outlines(frame: Frame, form: str) -> list[Plane]:
    """Outlines of a form (conifer, broad): points from the foot (0, 0) to the top (0, -1)."""
    draw = _conifer if form == "conifer" else _broad
    return [draw(frame.stream("tree", form, number)) for number in range(KINDS)]


def plant(picture: Plane, distance: Plane | None, trees: Sequence[Tree], shapes: Sequence[Plane], side: float) -> None:
    """Draw the trees in their order, farthest first; land nearer than a tree (by `distance`) stays before it."""
    for tree in trees:
        points = shapes[tree.outline % len(shapes)] * tree.height
        points = points + np.array([tree.x, tree.y], np.float32)
        low, high = np.floor(points.min(0)) - 1, np.ceil(points.max(0)) + 2
        left, top = (max(0, int(value)) for value in low)
        right, bottom = min(picture.shape[1], int(high[0])), min(picture.shape[0], int(high[1]))
        if left >= right or top >= bottom:
            continue
        part = picture[top:bottom, left:right]
        corner = np.array([left, top], np.float32)
        mask = _mask(points - corner, part.shape[:2])
        if distance is not None and tree.distance:
            mask *= distance[top:bottom, left:right] > (tree.distance * 0.97)
        colour: Plane = tree.dark
        if tree.height >= 6:
            middle = tree.x - left
            turned = (np.arange(right - left, dtype=np.float32) - middle) * (side * 5 / tree.height)
            share = np.clip(turned + 0.35, 0, 1)[None, :, None]
            colour = tree.dark + (tree.lit - tree.dark) * share
        part += (colour - part) * mask[..., None]


def _mask(points: Plane, shape: tuple[int, int]) -> Plane:
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [np.round(points * FINE).astype(np.int32)], 255, cv2.LINE_AA, FINE.bit_length() - 1)
    return mask.astype(np.float32) * (1 / 255)


def _conifer(random: np.random.Generator) -> Plane:
    """Tiers of drooping branches, ragged, wider to the foot."""
    tiers = int(random.integers(11, 16))
    spread = random.uniform(0.15, 0.21)
    sides: list[list[tuple[float, float]]] = [[], []]
    for turn, points in zip((-1, 1), sides, strict=True):
        for tier in range(tiers):
            share = (tier + 1) / tiers
            reach = spread * share**0.85 * random.uniform(0.72, 1.18)
            y = -1 + 0.94 * share
            points.append((turn * reach, y + 0.018))
            points.append((turn * reach * 0.42, y - 0.012))
    trunk = [(0.016, -0.06), (0.018, 0.0), (-0.018, 0.0), (-0.016, -0.06)]
    return np.array([(0.0, -1.0), *sides[1], *trunk, *reversed(sides[0])], np.float32)


def _broad(random: np.random.Generator) -> Plane:
    """A round, lobed crown on a short trunk."""
    steps = 44
    phase = random.uniform(0, math.tau, 4)
    width, height = random.uniform(0.30, 0.40), random.uniform(0.38, 0.44)
    crown = []
    for step in range(steps):
        angle = math.pi / 2 + math.tau * (step + 0.5) / steps
        lobes = 1 + sum(
            size * math.sin(count * angle + turn)
            for size, count, turn in zip((0.07, 0.06, 0.05, 0.03), (3, 5, 9, 17), phase, strict=True)
        )
        crown.append((width * lobes * math.cos(angle), -1 + height + height * lobes * math.sin(angle)))
    return np.array([*crown, (0.022, -0.22), (0.03, 0.0), (-0.03, 0.0), (-0.022, -0.22)], np.float32)
