"""The prompt parser of the procedural engine: both languages, and honesty about what it did not understand."""

from __future__ import annotations

import pytest

from darkroom.engines.procedural.prompt import Scene, parse
from darkroom.engines.procedural.things import COUNTED, NAMES, NUMBERS, ONE_OR_WOOD
from darkroom.engines.procedural.words import FILLERS, WORDS


@pytest.mark.parametrize(
    ("prompt", "subject"),
    [
        ("mountains", "mountains"),
        ("the Cliffs of a valley", "mountains"),
        ("群山", "mountains"),
        ("a quiet lake", "lake"),
        ("平静的湖面", "lake"),
        ("ocean waves", "sea"),
        ("大海", "sea"),
        ("pine trees", "forest"),
        ("森林", "forest"),
        ("green meadows", "hills"),
        ("草原", "hills"),
        ("sand dunes", "desert"),
        ("沙漠", "desert"),
        ("two cities", "city"),
        ("城市", "city"),
        ("abstract patterns", "abstract"),
        ("抽象", "abstract"),
        ("galaxies", "space"),
        ("宇宙", "space"),
        ("a teapot", None),
    ],
)
def test_words_of_both_languages_choose_the_subject(prompt: str, subject: str | None) -> None:
    assert parse(prompt).subject == subject


@pytest.mark.parametrize(
    ("prompt", "hour"),
    [
        ("dawn", "sunrise"),
        ("清晨", "sunrise"),
        ("at noon", "day"),
        ("白天", "day"),
        ("dusk", "sunset"),
        ("日落", "sunset"),
        ("midnight", "night"),
        ("夜景", "night"),
        ("moonlit", "night"),
        ("northern lights", "night"),
        ("golden hour", "sunset"),
        ("a lake", None),
    ],
)
def test_words_of_both_languages_choose_the_hour(prompt: str, hour: str | None) -> None:
    assert parse(prompt).hour == hour


@pytest.mark.parametrize(
    ("prompt", "weather"),
    [
        ("cloudy", "clouds"),
        ("多云", "clouds"),
        ("mist", "fog"),
        ("薄雾", "fog"),
        ("a rainy day", "rain"),
        ("下雨", "rain"),
        ("snowing", "snow"),
        ("下雪", "snow"),
        ("starry", "stars"),
        ("星空", "stars"),
        ("cloudless", "clear"),
        ("晴空", "clear"),
    ],
)
def test_words_of_both_languages_choose_the_weather(prompt: str, weather: str) -> None:
    assert parse(prompt).weather == {weather}


@pytest.mark.parametrize(
    ("prompt", "season"),
    [
        ("spring", "spring"),
        ("春天", "spring"),
        ("summer", "summer"),
        ("夏日", "summer"),
        ("autumnal", "autumn"),
        ("秋天", "autumn"),
        ("winter", "winter"),
        ("冬季", "winter"),
    ],
)
def test_words_of_both_languages_choose_the_season(prompt: str, season: str) -> None:
    assert parse(prompt).season == season


@pytest.mark.parametrize(
    ("prompt", "tints"), [("violet and crimson", ("purple", "red")), ("蓝色和金色", ("blue", "gold"))]
)
def test_colours_keep_their_order(prompt: str, tints: tuple[str, ...]) -> None:
    assert parse(prompt).tints == tints


@pytest.mark.parametrize(
    ("prompt", "style"),
    [
        ("retro", "vintage"),
        ("复古", "vintage"),
        ("black and white", "monochrome"),
        ("黑白", "monochrome"),
        ("an ink wash", "ink"),
        ("水墨画", "ink"),
        ("watercolour painting", "watercolor"),
        ("水彩画", "watercolor"),
        ("in oil", "oil"),
        ("油画", "oil"),
        ("pencil sketch", "pencil"),
        ("素描", "pencil"),
        ("anime", "cartoon"),
        ("卡通", "cartoon"),
        ("8-bit", "pixel"),
        ("像素", "pixel"),
        ("low-poly", "lowpoly"),
        ("低多边形", "lowpoly"),
        ("minimalist", "poster"),
        ("海报", "poster"),
        ("film noir", "noir"),
        ("synthwave", "glowing"),
    ],
)
def test_words_of_both_languages_choose_the_style(prompt: str, style: str) -> None:
    scene = parse(prompt)
    assert scene.styles == {style}
    assert not scene.tints


def test_a_whole_sentence_is_read_in_chinese() -> None:
    assert parse("一幅雪山下的蓝色湖泊，清晨薄雾") == Scene(
        subject="mountains",
        parts=frozenset({"lake"}),
        hour="sunrise",
        weather=frozenset({"snow", "fog"}),
        tints=("blue",),
    )


def test_the_longest_chinese_word_wins() -> None:
    assert parse("日落").hour == "sunset"
    assert parse("星空").subject is None
    assert parse("红叶").season == "autumn"
    assert not parse("红叶").tints


def test_letters_case_and_width_do_not_matter() -> None:
    assert parse("ＮＩＧＨＴ City") == parse("night city")


def test_only_whole_english_words_are_understood() -> None:
    scene = parse("seashell mountaineer")
    assert scene.subject is None
    assert scene.unknown == ("seashell", "mountaineer")


def test_unknown_words_are_listed_once_and_in_order() -> None:
    assert parse("A dragon and a teapot, the dragon over a lake in 4k").unknown == ("dragon", "teapot", "4k")


def test_unknown_chinese_words_are_listed() -> None:
    assert parse("一只恐龙在湖边").unknown == ("恐龙",)


@pytest.mark.parametrize("prompt", ["Städte", "don't", "🎆🎆", "кот"])
def test_words_of_other_alphabets_and_symbols_stay_whole(prompt: str) -> None:
    assert parse(f"{prompt} over a lake").unknown == (prompt.casefold(),)


def test_filler_words_are_not_reported() -> None:
    assert parse("please draw a beautiful picture of the sky, 请画一幅漂亮的图片") == Scene()


def test_an_empty_prompt_asks_for_nothing() -> None:
    assert parse("") == parse(" ,.!? ") == Scene()


def test_no_word_is_known_and_ignored_at_once() -> None:
    assert not (WORDS.keys() | NAMES.keys() | NUMBERS.keys()) & FILLERS


def test_no_word_has_two_things_for_a_meaning() -> None:
    assert not NAMES.keys() & (NUMBERS.keys() | COUNTED.keys() | ONE_OR_WOOD.keys())


@pytest.mark.parametrize("word", sorted(NAMES))
def test_every_name_of_a_thing_is_found_in_a_prompt(word: str) -> None:
    kind, count = NAMES[word]
    [thing] = parse(f"xyzzy, {word}, xyzzy").things
    assert thing.kind == kind
    assert thing.count == count or count is None


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_known_word_is_found_in_a_prompt(word: str) -> None:
    scene = parse(f"xyzzy, {word}, xyzzy")
    assert scene.unknown == ("xyzzy",)
    assert scene != parse("xyzzy")
