"""Filters: each style is its own, comes out the same every time, and looks alike at every size."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest

import darkroom
from darkroom.engines.opencv import STYLES, faces, filters, pictures
from darkroom.engines.opencv.filters.gentle import TOUCHES
from darkroom.engines.opencv.pictures import Picture, Pixels
from darkroom.engines.opencv.portrait import face_outlines

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


@pytest.fixture(scope="module")
def astronaut() -> Picture:
    return pictures.read(SAMPLES / "astronaut.png")


@pytest.fixture(scope="module")
def outlines(astronaut: Picture) -> list[Pixels]:
    return face_outlines(astronaut)


def inside(shape: tuple[int, ...], outline: Pixels) -> np.ndarray:
    return cv2.fillPoly(np.zeros(shape[:2], np.uint8), [outline.astype(np.int32)], 1) > 0


def features(rgb: Pixels, outline: Pixels) -> Pixels:
    """Light and dark of the size of eyes, lips and lines, within a face."""
    luma = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = cv2.contourArea(outline) ** 0.5
    band = cv2.GaussianBlur(luma, (0, 0), 0.01 * size) - cv2.GaussianBlur(luma, (0, 0), 0.09 * size)
    return band[inside(rgb.shape, outline)]


def likeness(one: Pixels, other: Pixels, outline: Pixels) -> float:
    return float(np.corrcoef(features(one, outline), features(other, outline))[0, 1])


@pytest.mark.parametrize("style", TOUCHES)
def test_a_face_is_nearer_to_the_original_than_without_care(
    astronaut: Picture, outlines: list[Pixels], style: str
) -> None:
    [outline] = outlines
    plain, gentle = (filters.apply(style, astronaut.rgb, faces=spared) for spared in ((), outlines))
    assert likeness(gentle, astronaut.rgb, outline) > likeness(plain, astronaut.rgb, outline) - 0.005
    assert difference(gentle[inside(plain.shape, outline)], plain[inside(plain.shape, outline)]) > 2


@EACH
def test_a_face_is_found_where_it_was_in_every_style(astronaut: Picture, outlines: list[Pixels], style: str) -> None:
    drawn = filters.apply(style, astronaut.rgb, faces=outlines)
    [before], [after] = (faces.find(Picture(rgb), 0.1) for rgb in (astronaut.rgb, drawn))
    assert np.linalg.norm(before.landmarks - after.landmarks, axis=1).mean() < 0.04 * before.width


@EACH
def test_what_is_far_from_a_face_is_not_spared(astronaut: Picture, outlines: list[Pixels], style: str) -> None:
    changed = (filters.apply(style, astronaut.rgb) != filters.apply(style, astronaut.rgb, faces=outlines)).any(-1)
    reach = inside(changed.shape, outlines[0]).astype(np.uint8)
    assert not changed[cv2.dilate(reach, np.ones((61, 61), np.uint8)) == 0].any()
    assert changed.any() == (style in TOUCHES)


def test_a_face_at_the_border_of_the_picture_is_spared_as_far_as_it_is_seen(astronaut: Picture) -> None:
    half = np.ascontiguousarray(astronaut.rgb[:, 215:])
    outline = face_outlines(astronaut)[0] - np.array([215, 0], np.float32)
    for style in TOUCHES:
        drawn = filters.apply(style, half, faces=[outline])
        assert drawn.shape == half.shape


def test_a_face_outside_the_picture_changes_nothing(astronaut: Picture, outlines: list[Pixels]) -> None:
    away = [outlines[0] + np.float32(4000)]
    assert (filters.apply("oil", astronaut.rgb, faces=away) == filters.apply("oil", astronaut.rgb)).all()


def test_a_face_of_a_few_pixels_is_left_to_the_style(small: Pixels) -> None:
    dot = [np.array([[40, 40], [44, 40], [44, 44], [40, 44]], np.float32)]
    assert (filters.apply("oil", small, faces=dot) == filters.apply("oil", small)).all()
