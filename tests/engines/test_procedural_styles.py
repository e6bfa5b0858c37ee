"""Styles of the hand: each redraws the picture in its own way, the same for the same seed, at every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from darkroom.engines.procedural.finish import HANDS
from darkroom.engines.procedural.prompt import parse
from darkroom.engines.procedural.work import paint

STYLES = sorted(HANDS)
WORDS = {"glowing": "synthwave", "lowpoly": "low poly", "watercolor": "watercolour"}


def picture(prompt: str, size: tuple[int, int] = (240, 160)) -> np.ndarray[Any, Any]:
    return paint(parse(prompt), 1, *size, lambda _: None).astype(np.float64)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_redraws_the_same_picture(style: str) -> None:
    plain, drawn = picture("a lake by day"), picture(f"a lake by day, {WORDS.get(style, style)}")
    assert np.abs(plain - drawn).mean() > 4
    coarse = [each.mean(-1).reshape(8, 20, 12, 20).mean((1, 3)).ravel() for each in (plain, drawn)]
    assert np.corrcoef(*coarse)[0, 1] > 0.6


def test_no_two_styles_look_the_same() -> None:
    made = [picture(f"a lake by day, {WORDS.get(style, style)}") for style in STYLES]
    for number, one in enumerate(made):
        assert all(np.abs(one - other).mean() > 3 for other in made[:number])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [(16, 16), (300, 16), (17, 90)])
def test_a_style_works_at_every_size(style: str, size: tuple[int, int]) -> None:
    assert picture(f"a red house, {WORDS.get(style, style)}", size).shape == (size[1], size[0], 3)


@pytest.mark.parametrize("style", ["ink", "watercolor", "lowpoly", "pixel", "oil"])
def test_a_style_is_the_same_for_the_same_seed(style: str) -> None:
    first, second = (picture(f"a lake by day, {style}") for _ in range(2))
    assert np.array_equal(first, second)


def test_pixel_art_has_few_colours_in_blocks() -> None:
    drawn = picture("a lake by day, pixel art", (512, 512)).astype(np.uint8)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) <= 28
    blocks = drawn.reshape(128, 4, 128, 4, 3)
    assert (blocks == blocks[:, :1, :, :1]).all()


@pytest.mark.parametrize("style", ["noir", "pencil"])
def test_drawings_without_colour_have_none(style: str) -> None:
    assert np.ptp(picture(f"a red house by day, {style}"), axis=-1).max() < 12


def test_a_poster_keeps_the_colour_of_small_things() -> None:
    drawn = picture("a red house in the hills by day, poster", (512, 384))
    red = (drawn[..., 0] > 1.8 * drawn[..., 1]) & (drawn[..., 0] > 1.8 * drawn[..., 2])
    assert red.sum() > 300


def test_two_styles_go_together() -> None:
    both, one = picture("a lake by day, noir, pixel"), picture("a lake by day, pixel")
    assert np.ptp(both, axis=-1).max() == 0
    assert np.ptp(one, axis=-1).max() > 20
