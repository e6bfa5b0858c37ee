"""Upscaling: the network is better than Lanczos, its tiles leave no trace, and sizes come out exactly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.engines.opencv import pictures, upscale
from darkroom.engines.opencv.pictures import Picture, Pixels

SAMPLES = Path(darkroom.__file__).parent / "samples"
BOTH = pytest.mark.parametrize("name", ["astronaut.png", "grace_hopper.jpg"])


def nothing(*_: int) -> None:
    """Nobody wants to know about tiles."""


def luma(rgb: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"), np.float64)[4:-4, 4:-4, 0]


def decibels(rgb: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio of the luma."""
    return float(10 * np.log10(255**2 / ((luma(rgb) - luma(truth)) ** 2).mean()))


def cut(name: str, width: int, height: int) -> Pixels:
    return pictures.read(SAMPLES / name).rgb[60 : 60 + height, 100 : 100 + width]


def smaller(rgb: Pixels, factor: int) -> Pixels:
    size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


@BOTH
def test_the_network_beats_lanczos_by_half_a_decibel(name: str) -> None:
    truth = pictures.read(SAMPLES / name).rgb
    size = (truth.shape[1], truth.shape[0])
    small = Picture(smaller(truth, 2))
    network = decibels(upscale.enlarge(small, size, nothing).rgb, truth)
    lanczos = decibels(pictures.fit(small, size).rgb, truth)
    assert network > lanczos + 0.5


@BOTH
def test_four_times_also_beats_lanczos(name: str) -> None:
    truth = cut(name, 320, 320)
    small = Picture(smaller(truth, 4))
    network = decibels(upscale.enlarge(small, (320, 320), nothing).rgb, truth)
    assert network > decibels(pictures.fit(small, (320, 320)).rgb, truth) + 0.4


@pytest.mark.parametrize("tile", [256, 100, 37])
def test_tiles_leave_no_trace(tile: int) -> None:
    rgb = cut("grace_hopper.jpg", 300, 270)
    assert (upscale.double(rgb, tile, nothing) == upscale.double(rgb, 10_000, nothing)).all()


def test_four_times_is_two_doublings() -> None:
    rgb = cut("astronaut.png", 70, 50)
    twice = upscale.double(upscale.double(rgb, 64, nothing), 64, nothing)
    assert (upscale.enlarge(Picture(rgb), (280, 200), nothing).rgb == twice).all()


def test_a_flat_picture_stays_flat_up_to_its_border() -> None:
    rgb = np.full((20, 31, 3), (180, 90, 60), np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (62, 40), nothing).rgb.astype(int)
    assert np.abs(enlarged - [180, 90, 60]).max() <= 2


def test_grey_stays_grey() -> None:
    rgb = cut("astronaut.png", 64, 64).mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (128, 128), nothing).rgb
    assert np.ptp(enlarged, axis=-1).max() == 0


def test_alpha_grows_with_the_picture() -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    enlarged = upscale.enlarge(Picture(cut("astronaut.png", 40, 40), alpha), (160, 160), nothing)
    assert enlarged.alpha is not None
    assert enlarged.alpha.shape == (160, 160)
    assert (enlarged.alpha[:, :70] == 0).all()
    assert (enlarged.alpha[:, 90:] == 255).all()


@pytest.mark.parametrize("start", [(1, 1), (1, 9), (13, 2), (3, 300)])
def test_tiny_and_narrow_pictures_are_enlarged(start: tuple[int, int]) -> None:
    rgb = np.full((start[1], start[0], 3), 77, np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (start[0] * 4, start[1] * 4), nothing)
    assert enlarged.size == (start[0] * 4, start[1] * 4)
    assert np.abs(enlarged.rgb.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("size", [(90, 77), (41, 41), (40, 30), (13, 9), (200, 30), (30, 200)])
def test_any_size_comes_out_exactly(size: tuple[int, int]) -> None:
    assert upscale.enlarge(Picture(cut("astronaut.png", 40, 30)), size, nothing).size == size


@pytest.mark.parametrize(
    ("start", "size", "rounds"),
    [
        ((100, 100), (200, 200), 1),
        ((100, 100), (400, 400), 2),
        ((100, 100), (105, 105), 0),
        ((100, 100), (150, 150), 1),
        ((100, 100), (210, 210), 1),
        ((100, 100), (300, 300), 2),
        ((100, 100), (20, 20), 0),
        ((16, 16), (8192, 8192), 9),
        ((5000, 5000), (8000, 8000), 0),  # twice would be 100 megapixels
    ],
)
def test_doublings_reach_the_size_without_waste(start: tuple[int, int], size: tuple[int, int], rounds: int) -> None:
    assert upscale.doublings(start, size) == rounds


def test_each_tile_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    upscale.enlarge(Picture(cut("astronaut.png", 300, 100)), (1200, 400), lambda *tile: seen.append(tile))
    assert seen == [(ready, 5) for ready in range(1, 6)]  # two tiles of 300x100 and three of 600x200
