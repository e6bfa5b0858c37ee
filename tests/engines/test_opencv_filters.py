"""Filters: each style is its own, comes out the same every time, and looks alike at every size."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

import darkroom
from darkroom.engines.opencv import STYLES, filters, pictures
from darkroom.engines.opencv.pictures import Pixels

SAMPLES = Path(darkroom.__file__).parent / "samples"
EACH = pytest.mark.parametrize("style", STYLES)
WITH_CHANCE = ("film", "ink", "lowpoly", "noir", "oil", "pencil", "pop", "sepia", "watercolor")


@pytest.fixture(scope="module")
def portrait() -> Pixels:
    return pictures.read(SAMPLES / "grace_hopper.jpg").rgb


@pytest.fixture(scope="module")
def small(portrait: Pixels) -> Pixels:
    return resized(portrait, 192)


def resized(rgb: Pixels, width: int) -> Pixels:
    return cv2.resize(rgb, (width, width * rgb.shape[0] // rgb.shape[1]), interpolation=cv2.INTER_AREA)


def difference(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).mean())


def test_every_style_on_offer_can_be_made() -> None:
    assert tuple(sorted(filters.FILTERS)) == STYLES


@EACH
def test_a_style_changes_the_picture_for_all_to_see(small: Pixels, style: str) -> None:
    drawn = filters.apply(style, small)
    assert (drawn.shape, drawn.dtype) == (small.shape, np.uint8)
    assert difference(drawn, small) > 5


@EACH
def test_a_style_comes_out_the_same_every_time(small: Pixels, style: str) -> None:
    assert (filters.apply(style, small, seed=3) == filters.apply(style, small, seed=3)).all()


@EACH
def test_a_style_leaves_its_input_alone(small: Pixels, style: str) -> None:
    before = small.copy()
    filters.apply(style, small)
    assert (small == before).all()


def test_no_two_styles_are_the_same(small: Pixels) -> None:
    drawn = {style: filters.apply(style, small) for style in STYLES}
    for one, other in combinations(STYLES, 2):
        assert difference(drawn[one], drawn[other]) > 5, (one, other)


@EACH
def test_a_style_looks_alike_at_two_sizes(portrait: Pixels, style: str) -> None:
    sizes = [filters.apply(style, resized(portrait, width)) for width in (512, 1024)]
    seen = [cv2.GaussianBlur(resized(drawn, 128), (0, 0), 1) for drawn in sizes]
    assert difference(*seen) < 5


@EACH
def test_the_portrait_can_be_recognised(portrait: Pixels, style: str) -> None:
    face = (slice(120, 340), slice(140, 390))
    shades = [cv2.cvtColor(rgb[face], cv2.COLOR_RGB2GRAY) for rgb in (portrait, filters.apply(style, portrait))]
    if style == "neon":  # it draws light where the edges are
        shades[0] = np.hypot(*(cv2.Sobel(shades[0], cv2.CV_32F, *way) for way in ((1, 0), (0, 1))))
    original, drawn = (cv2.GaussianBlur(shade.astype(np.float32), (0, 0), 4).ravel() for shade in shades)
    assert np.corrcoef(original, drawn)[0, 1] > 0.75


@EACH
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 40), (300, 3)])
def test_tiny_and_narrow_pictures_survive(style: str, size: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert filters.apply(style, picture).shape == picture.shape


@EACH
@pytest.mark.parametrize("level", [0, 128, 255])
def test_flat_pictures_survive(style: str, level: int) -> None:
    picture = np.full((48, 64, 3), level, np.uint8)
    assert filters.apply(style, picture).shape == picture.shape


@pytest.mark.parametrize("style", WITH_CHANCE)
def test_a_seed_varies_what_is_left_to_chance(small: Pixels, style: str) -> None:
    assert (filters.apply(style, small, seed=1) != filters.apply(style, small, seed=2)).any()


def test_no_strength_is_the_original(small: Pixels) -> None:
    assert (filters.apply("oil", small, strength=0) == small).all()


def test_half_strength_lies_half_way(small: Pixels) -> None:
    middle = (filters.apply("neon", small).astype(float) + small) / 2
    assert np.abs(filters.apply("neon", small, strength=0.5) - middle).max() <= 1


def test_a_large_picture_is_filtered_in_its_own_size(monkeypatch: pytest.MonkeyPatch, portrait: Pixels) -> None:
    whole = filters.apply("watercolor", portrait)
    monkeypatch.setattr(filters, "WORKING_PIXELS", 150_000)
    reduced = filters.apply("watercolor", portrait)
    assert reduced.shape == portrait.shape
    assert 0 < difference(reduced, whole) < 8
