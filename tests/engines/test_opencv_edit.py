"""Edits by prompt: which words mean what, and what they do to a picture."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.engines.opencv import STYLES
from darkroom.engines.opencv.adjust import adjust
from darkroom.engines.opencv.edit import DEFAULT_STYLE, WORDS, Edit, plan, variation


@pytest.mark.parametrize(
    ("prompt", "styles"),
    [
        ("a watercolor painting", ("watercolor",)),
        ("Make it a PAINTING", ("oil",)),
        ("Ｃａｒｔｏｏｎ, please!", ("cartoon",)),
        ("low-poly", ("lowpoly",)),
        ("low  poly", ("lowpoly",)),
        ("把这张照片变成水彩画", ("watercolor",)),
        ("变成油画风格", ("oil",)),
        ("neon风格", ("neon",)),
        ("赛博朋克", ("neon",)),
        ("a pencil sketch, then sepia", ("pencil", "sepia")),
        ("film noir", ("noir",)),
        ("not a cartoon, a comic book", ("comic",)),
        ("不要卡通，要漫画", ("comic",)),
        ("do not touch my face, watercolor", ("watercolor",)),
        ("cartoon comic film neon oil", ("cartoon", "comic", "film")),
    ],
)
def test_words_choose_styles(prompt: str, styles: tuple[str, ...]) -> None:
    assert plan(prompt).styles == styles


@pytest.mark.parametrize(
    ("prompt", "name", "amount"),
    [
        ("brighter", "brightness", 0.5),
        ("很暗", "brightness", -0.75),
        ("slightly warmer", "warmth", 0.3),
        ("冷色调", "warmth", -0.6),
        ("black and white", "saturation", -1),
        ("变成黑白照片", "saturation", -1),
        ("more contrast", "contrast", 0.5),
        ("less contrast", "contrast", -0.4),
        ("blurry", "blur", 1),
        ("very very blurred and blurry", "blur", 1),
        ("sharper", "sharpness", 0.7),
    ],
)
def test_words_choose_adjustments(prompt: str, name: str, amount: float) -> None:
    edit = plan(prompt)
    assert getattr(edit, name) == pytest.approx(amount)
    assert (edit.styles, edit.warnings) == ((), ())


def test_words_inside_other_words_mean_nothing() -> None:
    assert plan("warmup filmmaker popcorn").warnings[0].count("warmup, filmmaker, popcorn") == 1


def test_a_prompt_without_a_known_edit_gets_the_default_and_names_its_words() -> None:
    edit = plan("give her a blue hat")
    assert edit.styles == (DEFAULT_STYLE,)
    assert "Not understood: blue, hat" in edit.warnings[0]


def test_chinese_words_that_are_not_known_are_named() -> None:
    edit = plan("给帽子换成水彩")
    assert edit.styles == ("watercolor",)
    assert "帽子换" in edit.warnings[0]


def test_only_some_of_many_unknown_words_are_shown() -> None:
    [warning] = plan(" ".join(f"w{'x' * n}" for n in range(1, 30))).warnings
    assert "and 21 more" in warning


def test_a_prompt_that_is_understood_gives_no_warning() -> None:
    assert plan("please make my photo a warm, slightly brighter watercolor").warnings == ()


@given(st.text(max_size=300))
def test_any_text_can_be_read(prompt: str) -> None:
    edit = plan(prompt)
    assert set(edit.styles) <= set(STYLES)
    assert edit.styles or any((edit.brightness, edit.contrast, edit.warmth, edit.saturation, edit.blur, edit.sharpness))


def test_every_word_of_the_table_means_its_row() -> None:
    for meaning, amount, words in WORDS:
        for word in words.split("|"):
            edit = plan(word)
            found = 1 if meaning in edit.styles else getattr(edit, meaning, 0)
            assert found == amount, word


def test_every_style_has_words() -> None:
    assert {meaning for meaning, _, _ in WORDS} >= set(STYLES)


def test_the_first_variation_is_the_edit_itself() -> None:
    edit = plan("warm cartoon")
    assert variation(edit, 0) == edit


def test_variations_all_differ() -> None:
    edit = plan("cartoon")
    takes = [variation(edit, index) for index in range(15)]
    assert len(set(takes)) == 15
    assert {take.styles for take in takes} == {("cartoon",)}


def test_variations_of_black_and_white_have_no_colour() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    for index in range(5):
        assert np.ptp(adjust(rgb, variation(plan("black and white"), index)), axis=-1).max() == 0


PICTURE = np.random.default_rng(0).integers(40, 216, (32, 32, 3), np.uint8)


def test_an_empty_edit_changes_nothing() -> None:
    assert (adjust(PICTURE, Edit()) == PICTURE).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_brightness_lights_and_darkens(sign: int) -> None:
    change = adjust(PICTURE, Edit(brightness=0.5 * sign)).mean() - PICTURE.mean()
    assert change * sign > 20


@pytest.mark.parametrize("sign", [1, -1])
def test_contrast_spreads_and_gathers(sign: int) -> None:
    change = adjust(PICTURE, Edit(contrast=0.8 * sign)).std() - PICTURE.std()
    assert change * sign > 3


@pytest.mark.parametrize("sign", [1, -1])
def test_warmth_tilts_red_against_blue(sign: int) -> None:
    red, _, blue = adjust(PICTURE, Edit(warmth=0.6 * sign)).mean(axis=(0, 1)) - PICTURE.mean(axis=(0, 1))
    assert red * sign > 3
    assert blue * sign < -3


@pytest.mark.parametrize("sign", [1, -1])
def test_saturation_strengthens_and_weakens_colours(sign: int) -> None:
    change = np.ptp(adjust(PICTURE, Edit(saturation=0.6 * sign)), axis=-1).mean() - np.ptp(PICTURE, axis=-1).mean()
    assert change * sign > 10


def test_blur_calms_and_sharpness_rouses() -> None:
    assert adjust(PICTURE, Edit(blur=1)).std() < PICTURE.std() - 1
    assert adjust(PICTURE, Edit(sharpness=0.7)).std() > PICTURE.std() + 1
