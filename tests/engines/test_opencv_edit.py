"""Edits by prompt: which words mean what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.engines.opencv import STYLES
from darkroom.engines.opencv.adjust import adjust
from darkroom.engines.opencv.edit import palette, season, weather, words
from darkroom.engines.opencv.edit.plan import DEFAULT_STYLE, HOURS, Edit, Layout, Look, plan, variation


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
        ("keep the background, cartoon", ("cartoon",)),
        ("cartoon comic film neon oil", ("cartoon", "comic", "film")),
    ],
)
def test_words_choose_styles(prompt: str, styles: tuple[str, ...]) -> None:
    assert plan(prompt).look == Look(styles=styles)


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
        ("enhance the contrast", "contrast", 0.5),
        ("blurry", "blur", 1),
        ("very very blurred and blurry", "blur", 1),
        ("sharper, no blur", "sharpness", 0.7),
        ("the picture is too bright", "brightness", -0.5),
        ("太暗了", "brightness", 0.5),
        ("too blurry", "sharpness", 1),
        ("do not change the background, warmer", "warmth", 0.6),
    ],
)
def test_words_choose_adjustments(prompt: str, name: str, amount: float) -> None:
    edit = plan(prompt)
    assert getattr(edit.look, name) == pytest.approx(amount)
    assert edit == Edit(look=Look(**{name: getattr(edit.look, name)}))


@pytest.mark.parametrize(
    ("prompt", "colours"),
    [
        ("in blue tones", ("blue",)),
        ("make it blue", ("blue",)),
        ("蓝色调", ("blue",)),
        ("变成紫色系和金黄色", ("purple", "gold")),
        ("teal & orange", ("teal_orange",)),
        ("orange-and-teal colour grading", ("teal_orange",)),
        ("a pastel palette", ("pastel",)),
        ("莫兰迪色调", ("morandi",)),
        ("red, gold and blue", ("red", "gold", "blue")),
        ("red tones for the car", ("red",)),
    ],
)
def test_words_choose_a_palette(prompt: str, colours: tuple[str, ...]) -> None:
    assert plan(prompt).look == Look(palette=colours)


@pytest.mark.parametrize(("prompt", "unknown"), [("a blue hat", "blue, hat"), ("给帽子换成蓝色", "蓝色, 帽子")])
def test_the_colour_of_a_thing_does_not_dye_the_picture(prompt: str, unknown: str) -> None:
    edit = plan(f"watercolor, {prompt}")
    assert edit.look == Look(styles=("watercolor",))
    assert unknown in edit.warnings[0]


@pytest.mark.parametrize(
    ("prompt", "renders"),
    [
        ("at night", {"night": 1}),
        ("in the golden hour", {"golden_hour": 1}),
        ("blue hour", {"blue_hour": 1}),
        ("slightly foggy autumn morning", {"autumn": 1, "sunrise": 1, "fog": 0.5}),
        ("把照片变成秋天的傍晚，有雾", {"autumn": 1, "sunset": 1, "fog": 1}),
        ("in winter", {"winter": 1, "snowfall": 0.6}),
        ("冬天，下大雪", {"winter": 1, "snowfall": 1}),
        ("snowy night", {"winter": 1, "night": 1, "snowfall": 1}),
        ("it is snowing", {"winter": 0.8, "snowfall": 1}),
        ("a rainy noon in spring", {"spring": 1, "noon": 1, "rain": 1}),
        ("summer, no autumn", {"summer": 1}),
        ("sunset at night", {"sunset": 1}),
    ],
)
def test_words_choose_season_hour_and_weather(prompt: str, renders: dict[str, float]) -> None:
    assert plan(prompt).look == Look(renders=tuple(renders.items()))


@pytest.mark.parametrize(
    ("prompt", "edit"),
    [
        ("enhance it", Edit(repair=1)),
        ("improve the quality and denoise", Edit(repair=1.0)),
        ("修复老照片", Edit(repair=1)),
        ("restore this old, faded and blurry photo", Edit(repair=1)),
        ("enhance this dark picture", Edit(repair=1)),
        ("enhance it, darker", Edit(repair=1, look=Look(brightness=-0.5))),
        ("fix it, it is too dark", Edit(repair=1, look=Look(brightness=0.5))),
        ("slightly retouch my skin", Edit(retouch=0.5, warnings=("skin",))),
        ("美颜", Edit(retouch=1)),
        ("去噪", Edit(repair=1)),
    ],
)
def test_words_choose_repairs(prompt: str, edit: Edit) -> None:
    wanted = plan(prompt)
    assert (wanted.repair, wanted.retouch, wanted.look) == (edit.repair, edit.retouch, edit.look)
    assert all(word in wanted.warnings[0] for word in edit.warnings)


@pytest.mark.parametrize(
    ("prompt", "edit"),
    [
        ("blur the background", Edit(bokeh=1)),
        ("背景虚化", Edit(bokeh=1)),
        ("a slight bokeh", Edit(bokeh=0.5)),
        ("blur the background and make her brighter", Edit(bokeh=1, look=Look(brightness=0.5))),
        ("white background", Edit(backdrop="white")),
        ("换成蓝底", Edit(backdrop="blue")),
        ("change the background to green", Edit(backdrop="green")),
        ("remove the background", Edit(backdrop="transparent")),
        ("抠图", Edit(backdrop="transparent")),
        ("make the background darker", Edit(behind=Look(brightness=-0.5))),
        ("background in black and white, warmer", Edit(behind=Look(saturation=-1), look=Look(warmth=0.6))),
    ],
)
def test_words_choose_what_is_done_behind_people(prompt: str, edit: Edit) -> None:
    assert plan(prompt) == edit


@pytest.mark.parametrize(
    ("prompt", "layout"),
    [
        ("a collage of these pictures", Layout("collage")),
        ("把图1和图2拼接", Layout("collage")),
        ("side by side", Layout("row")),
        ("double exposure", Layout("blend")),
        ("融合两张图", Layout("blend")),
        ("combine them", Layout("compose")),
        ("put the person of the second picture into the first", Layout("put", (1,), 0)),
        ("把图1的人放到图2里", Layout("put", (0,), 1)),
        ("in the first picture, add the person of the second", Layout("put", (1,), 0)),
        ("put her into picture 2", Layout("put", (), 1)),
        ("put the people of pictures 1 and 2 onto image 3", Layout("put", (0, 1), 2)),
        ("把图1、2的人放进图3", Layout("put", (0, 1), 2)),
        ("replace the background", Layout("background")),
        ("换背景", Layout("background")),
        ("replace the background of picture 1 with picture 2", Layout("background", (0,), 1)),
        ("把背景换成第二张图", Layout("background", (), 1)),
        ("use picture 2 as the background for picture 1", Layout("background", (0,), 1)),
        ("以图2为背景", Layout("background", (), 1)),
        ("in the style of the second picture", Layout("colours", (1,))),
        ("give the first picture the colours of the third", Layout("colours", (2,))),
        ("style transfer", Layout("colours")),
    ],
)
def test_words_choose_how_pictures_come_together(prompt: str, layout: Layout) -> None:
    assert plan(prompt).layout == layout


def test_words_inside_other_words_mean_nothing() -> None:
    assert plan("warmup filmmaker popcorn").warnings[0].count("warmup, filmmaker, popcorn") == 1


def test_a_prompt_without_a_known_edit_gets_the_default_and_names_its_words() -> None:
    edit = plan("give her a blue hat")
    assert edit.look == Look(styles=(DEFAULT_STYLE,))
    assert "Not understood: blue, hat" in edit.warnings[0]


def test_with_several_pictures_there_is_no_default_style() -> None:
    edit = plan("a happy hat", several=True)
    assert edit.look == Look()
    assert "happy, hat" in edit.warnings[0]


def test_what_another_operation_does_is_named() -> None:
    assert "image.face_swap" in plan("swap faces").warnings[0]
    assert "image.upscale" in plan("放大").warnings[0]


def test_only_some_of_many_unknown_words_are_shown() -> None:
    [warning] = plan(" ".join(f"w{'x' * n}" for n in range(1, 30))).warnings
    assert "and 21 more" in warning


def test_a_prompt_that_is_understood_gives_no_warning() -> None:
    assert plan("please make my photo a warm, slightly brighter watercolor").warnings == ()


@given(st.text(max_size=300))
def test_any_text_can_be_read(prompt: str) -> None:
    edit = plan(prompt)
    assert set(edit.look.styles) <= set(STYLES)
    assert edit.changes or edit.layout


@given(st.lists(st.sampled_from([word for *_, word in words.rows()]), max_size=8), st.sampled_from([" ", ", ", ""]))
def test_known_words_in_any_order_can_be_read(chosen: list[str], between: str) -> None:
    edit = plan(between.join(chosen))
    assert edit.changes or edit.layout


def test_no_word_has_two_meanings() -> None:
    meanings: dict[str, set[tuple[str, str, float]]] = {}
    for kind, name, amount, word in words.rows():
        meanings.setdefault(word, set()).add((kind, name, amount))
    assert {word for word, found in meanings.items() if len(found) > 1} == set()


def test_every_word_for_the_look_of_a_picture_means_its_row() -> None:
    for kind, name, amount, word in words.rows():
        look = plan(word).look
        if kind in ("style", "vague"):
            assert look.styles == (name,), word
        elif kind == "adjust":
            assert getattr(look, name) == amount, word
        elif kind == "render":
            assert dict(look.renders)[name] == amount, word
        elif kind == "palette":
            assert look.palette == (name,), word


def test_everything_that_words_name_can_be_made() -> None:
    named: dict[str, set[str]] = {}
    for kind, name, _, _ in words.rows():
        named.setdefault(kind, set()).add(name)
    assert named["style"] == set(STYLES)
    assert named["render"] == {*season.SEASONS, *HOURS, *weather.WEATHERS}
    assert named["palette"] == set(palette.PALETTES)
    assert named["colour"] == set(palette.COLOURS)


def test_the_first_variation_is_the_look_itself() -> None:
    look = plan("warm cartoon").look
    assert variation(look, 0) == look


def test_variations_all_differ() -> None:
    look = plan("cartoon").look
    takes = [variation(look, index) for index in range(15)]
    assert len(set(takes)) == 15
    assert {take.styles for take in takes} == {("cartoon",)}


def test_variations_of_black_and_white_have_no_colour() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    for index in range(5):
        assert np.ptp(adjust(rgb, variation(plan("black and white").look, index)), axis=-1).max() == 0


PICTURE = np.random.default_rng(0).integers(40, 216, (32, 32, 3), np.uint8)


def test_an_empty_look_changes_nothing() -> None:
    assert (adjust(PICTURE, Look()) == PICTURE).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_brightness_lights_and_darkens(sign: int) -> None:
    change = adjust(PICTURE, Look(brightness=0.5 * sign)).mean() - PICTURE.mean()
    assert change * sign > 20


@pytest.mark.parametrize("sign", [1, -1])
def test_contrast_spreads_and_gathers(sign: int) -> None:
    change = adjust(PICTURE, Look(contrast=0.8 * sign)).std() - PICTURE.std()
    assert change * sign > 3


@pytest.mark.parametrize("sign", [1, -1])
def test_warmth_tilts_red_against_blue(sign: int) -> None:
    red, _, blue = adjust(PICTURE, Look(warmth=0.6 * sign)).mean(axis=(0, 1)) - PICTURE.mean(axis=(0, 1))
    assert red * sign > 3
    assert blue * sign < -3


@pytest.mark.parametrize("sign", [1, -1])
def test_saturation_strengthens_and_weakens_colours(sign: int) -> None:
    change = np.ptp(adjust(PICTURE, Look(saturation=0.6 * sign)), axis=-1).mean() - np.ptp(PICTURE, axis=-1).mean()
    assert change * sign > 10


def test_blur_calms_and_sharpness_rouses() -> None:
    assert adjust(PICTURE, Look(blur=1)).std() < PICTURE.std() - 1
    assert adjust(PICTURE, Look(sharpness=0.7)).std() > PICTURE.std() + 1
