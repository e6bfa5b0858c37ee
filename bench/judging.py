"""What the results of the opencv engine are worth: faces found, faces in their place, pictures nearer to the truth.

The sample portraits are the truth. They are made small and put into a crowd, exchanged, or made worse and enhanced.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import cv2
import numpy as np

import report
from darkroom.engines.opencv import enhance, faces
from darkroom.engines.opencv.pictures import Picture, Pixels

SMALL = 20  # pixels of a face in a crowd
SEEDS = 4  # crowds of each kind
OFF = 2  # percent of the face's width: how far landmarks may be off after a swap
CLEAN = 0.9  # structural similarity of a good picture to what is made of it

WORSE: dict[str, Callable[[Pixels], Pixels]] = {
    "at 35 % of its light": lambda rgb: rgb * 0.35,
    "warm cast": lambda rgb: rgb * np.array([1.1, 0.95, 0.65]),
    "cold cast": lambda rgb: rgb * np.array([0.75, 0.95, 1.15]),
    "half the contrast": lambda rgb: rgb * 0.5 + 70,
    "noise of 20 levels": lambda rgb: rgb + np.random.default_rng(3).normal(0, 20, rgb.shape),
    "35 % and noise": lambda rgb: rgb * 0.35 + np.random.default_rng(3).normal(0, 6, rgb.shape),
}


def judge(portraits: list[Pixels]) -> list[report.Row]:
    """Measure on portraits, uint8 RGB."""
    return [*finding(portraits), *swapping(portraits), *enhancing(portraits)]


def finding(portraits: list[Pixels]) -> list[report.Row]:
    """How many small faces of a crowd are found, in the worst of some crowds."""
    rows = []
    for across, down, size in ((3, 2, (480, 320)), (4, 3, (1280, 720))):
        crowds = [crowd(portraits, size, across, down, seed) for seed in range(SEEDS)]
        found = min(len(faces.find(Picture(rgb))) for rgb in crowds)
        beside = f"{SMALL} pixels wide, in {size[0]}x{size[1]}; the worst of {SEEDS}"
        rows.append(report.at_least(f"faces found of {across * down}", found, across * down, "faces", beside))
    return rows


def crowd(portraits: list[Pixels], size: tuple[int, int], across: int, down: int, seed: int) -> Pixels:
    """Rows of small faces, each somewhere in its place."""
    random = np.random.default_rng(seed)
    scene = np.full((size[1], size[0], 3), 128.0)
    room = np.array([size[0] // across, size[1] // down])
    for place in range(across * down):
        rgb = portraits[place % len(portraits)]
        scale = SMALL / faces.largest(faces.find(Picture(rgb))).width
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)[: room[1], : room[0]]
        height, width = small.shape[:2]
        left, top = room * (place % across, place // across) + random.integers(0, room - (width, height) + 1)
        scene[top : top + height, left : left + width] = small
    return rounded(scene + random.normal(0, 2, scene.shape))


def swapping(portraits: list[Pixels]) -> list[report.Row]:
    """Where the landmarks of a new face are, and whether anything else changed; the worse of both ways."""
    off, changed = 0.0, 0
    for source, target in itertools.permutations(map(Picture, portraits), 2):
        face = faces.largest(faces.find(target))
        swapped = faces.Swapper(source, faces.largest(faces.find(source))).apply(target, face)
        landmarks = faces.largest(faces.find(swapped)).landmarks
        off = max(off, float(np.linalg.norm(landmarks - face.landmarks, axis=1).mean()) / face.width * 100)
        hull = cv2.convexHull(face.landmarks.round().astype(np.int32))
        inside = cv2.fillConvexPoly(np.zeros(target.rgb.shape[:2], np.uint8), hull, 1)
        outside = cv2.dilate(inside, np.ones((3, 3), np.uint8)) == 0
        changed += int((swapped.rgb != target.rgb).any(2)[outside].sum())
    return [
        report.at_most("faceswap-v1, landmarks off by", off, OFF, "%", "of the face's width"),
        report.at_most("faceswap-v1, changed outside the face", changed, 1, "pixels"),
    ]


def enhancing(portraits: list[Pixels]) -> list[report.Row]:
    """Likeness to the original before and after; the mean of the portraits."""
    rows = []
    for what, worsen in WORSE.items():
        before, after = (
            np.mean([(decibels(rgb, truth), similarity(rgb, truth)) for truth, rgb in pairs], 0)
            for pairs in (
                [(truth, rounded(worsen(truth))) for truth in portraits],
                [(truth, better(rounded(worsen(truth)))) for truth in portraits],
            )
        )
        rows.append(
            report.Row(
                f"enhance-v1, {what}",
                f"{after[0]:.1f} dB PSNR, {after[1]:.2f} SSIM",
                f"before {before[0]:.1f} dB, {before[1]:.2f}",
                "> before",
                bool((after > before).all()),
            )
        )
    clean = min(similarity(better(truth), truth) for truth in portraits)
    return [*rows, report.at_least("enhance-v1, nothing wrong", clean, CLEAN, "SSIM", "the worst portrait")]


def better(rgb: Pixels) -> Pixels:
    """The picture, enhanced."""
    return enhance.apply(Picture(rgb), enhance.measure(Picture(rgb))).rgb


def rounded(floats: Pixels) -> Pixels:
    """Levels of 8 bits."""
    return floats.clip(0, 255).round().astype(np.uint8)


def decibels(rgb: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio of all channels."""
    return float(10 * np.log10(255**2 / ((rgb.astype(np.float64) - truth) ** 2).mean()))


def similarity(rgb: Pixels, truth: Pixels) -> float:
    """Structural similarity, the mean of the channels (Wang et al., 2004)."""
    one, other = rgb.astype(np.float64), truth.astype(np.float64)
    level, other_level = mean(one), mean(other)
    variances = mean(one * one) - level**2 + mean(other * other) - other_level**2
    shared = mean(one * other) - level * other_level
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * level * other_level + first) * (2 * shared + second)
    return float((alike / ((level**2 + other_level**2 + first) * (variances + second))).mean())


def mean(values: Pixels) -> Pixels:
    """The mean around every pixel."""
    return cv2.GaussianBlur(values, (11, 11), 1.5)
