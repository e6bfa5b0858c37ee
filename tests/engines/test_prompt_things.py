"""What the prompt parser of the procedural engine reads of things: how many, in which colours, and what is unwanted."""

from __future__ import annotations

import pytest

from darkroom.engines.procedural.prompt import parse
from darkroom.engines.procedural.things import KINDS, NUMBERS


def counts(prompt: str) -> dict[str, int]:
    """The things of a prompt and their numbers."""
    return {thing.kind: thing.count for thing in parse(prompt).things}


def colours(prompt: str) -> dict[str, tuple[str, ...]]:
    """The things of a prompt and their colours."""
    return {thing.kind: thing.tints for thing in parse(prompt).things}


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("three red balloons over the sea", {"balloon": 3}),
        ("3 balloons", {"balloon": 3}),
        ("两只鸟", {"bird": 2}),
        ("十二只鸟", {"bird": 12}),
        ("二十只鸟", {"bird": 20}),
        ("海上有三艘帆船", {"sailboat": 3}),
        ("一棵树", {"tree": 1}),
        ("五座房子", {"house": 5}),
        ("两匹马和一头大象", {"horse": 2, "elephant": 1}),
        ("a couple of swans", {"swan": 2}),
        ("a pair of ducks", {"duck": 2}),
        ("half a dozen tulips", {"tulip": 6}),
        ("a dozen lanterns", {"lantern": 12}),
        ("a few sheep", {"sheep": 3}),
        ("several deer", {"deer": 5}),
        ("几只猫", {"cat": 3}),
        ("two cats and a dog", {"cat": 2, "dog": 1}),
        ("two small old red houses", {"house": 2}),
        ("a man and a woman", {"man": 1, "woman": 1}),
        ("a couple on the beach", {"person": 2}),
        ("一对情侣", {"person": 2}),
        ("two mountains", {"mountain": 2}),
        ("三座山峰", {"mountain": 3}),
        ("two moons", {"moon": 2}),
        ("one cloud", {"cloud": 1}),
        ("three stars", {"star": 3}),
        ("three pine trees", {"pine": 3}),
        ("a lone tree", {"tree": 1}),
    ],
)
def test_numbers_of_both_languages_belong_to_the_thing_that_they_precede(prompt: str, found: dict[str, int]) -> None:
    assert counts(prompt) == found


@pytest.mark.parametrize(
    "prompt", ["a forest of trees", "pine trees", "many trees", "50 trees", "树林", "clouds", "stars"]
)
def test_woods_clouds_and_stars_without_a_small_number_are_no_things(prompt: str) -> None:
    scene = parse(prompt)
    assert not scene.things
    assert not scene.notes


def test_a_plural_without_a_number_means_several() -> None:
    assert counts("birds over a lake")["bird"] > 3
    assert counts("a bird over a lake")["bird"] == 1


def test_a_number_does_not_wander_past_an_unknown_word_to_another_thing() -> None:
    assert counts("two dragons and a castle") == {"castle": 1}


def test_a_thing_named_twice_for_its_group_is_there_once() -> None:
    assert counts("five houses in a village") == {"house": 5}


def test_more_than_can_be_drawn_is_cut_short_and_said() -> None:
    scene = parse("400 cats")
    [cats] = scene.things
    assert cats.count == KINDS["cat"].most
    assert scene.notes == ("At most 9 of 'cat' are drawn; more were asked for.",)


def test_the_same_thing_asked_for_again_and_again_has_the_same_limit() -> None:
    scene = parse("a cat, " * 1000)
    assert sum(thing.count for thing in scene.things) == KINDS["cat"].most
    assert scene.notes == ("At most 9 of 'cat' are drawn; more were asked for.",)


def test_there_is_a_limit_to_all_things_together() -> None:
    scene = parse("60 flowers, 40 birds, 24 sheep")
    assert counts("60 flowers, 40 birds, 24 sheep") == {"flower": 60, "bird": 12}
    assert scene.notes == ("At most 72 things are drawn in one picture.",)


def test_a_number_that_cannot_be_drawn_is_said() -> None:
    assert parse("three lakes").notes == ("Not counted: three lakes.",)
    assert not parse("a lake").notes


def test_a_bare_number_is_not_understood() -> None:
    assert parse("a lake in 2024").unknown == ("2024",)


@pytest.mark.parametrize(
    ("prompt", "found", "picture"),
    [
        ("a red house by a lake", {"house": ("red",)}, ()),
        ("红色的房子", {"house": ("red",)}, ()),
        ("a house at a red sunset", {"house": ()}, ("red",)),
        ("a red sunset over two boats", {"boat": ()}, ("red",)),
        ("red and blue balloons", {"balloon": ("red", "blue")}, ()),
        ("a white horse in green hills", {"horse": ("white",)}, ("green",)),
        ("the balloons are yellow", {"balloon": ("yellow",)}, ()),
        ("蓝色的海上有一艘白色的帆船", {"sailboat": ("white",)}, ("blue",)),
        ("红色的天空下有一座塔", {"pagoda": ()}, ("red",)),
        ("a red moon over the sea", {"moon": ("red",)}, ()),
    ],
)
def test_colours_belong_to_the_thing_that_they_precede_or_to_the_picture(
    prompt: str, found: dict[str, tuple[str, ...]], picture: tuple[str, ...]
) -> None:
    assert colours(prompt) == found
    assert parse(prompt).tints == picture


def test_a_size_belongs_to_the_thing_that_it_precedes() -> None:
    small, large = parse("a tiny house and a huge castle").things
    assert small.scale < 1 < large.scale


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [("sea, no clouds", ""), ("sea without clouds", ""), ("大海，没有云", ""), ("a sea with clouds", "blurry, clouds")],
)
def test_what_is_unwanted_is_left_out(prompt: str, negative: str) -> None:
    scene = parse(prompt, negative)
    assert "clouds" in scene.without
    assert "clouds" not in scene.weather
    assert scene.subject == "sea"
    assert not scene.unknown


def test_a_negation_reaches_over_a_list_and_not_beyond() -> None:
    scene = parse("a beach without people or birds, with a dog")
    assert counts("a beach without people or birds, with a dog") == {"dog": 1}
    assert {"person", "bird"} <= scene.without
    assert scene.subject == "sea"


def test_an_unwanted_thing_is_left_out_even_if_it_is_asked_for() -> None:
    assert not parse("two birds over the sea", "birds").things


@pytest.mark.parametrize("word", ["烟花", "熊猫", "火车", "机器人"])
def test_a_word_that_holds_a_known_one_is_not_taken_for_it(word: str) -> None:
    scene = parse(f"一只{word}")
    assert scene.unknown == (word,)
    assert not scene.things


@pytest.mark.parametrize("word", sorted(NUMBERS))
def test_every_number_word_makes_as_many_birds_as_it_says(word: str) -> None:
    scene = parse(f"{word} birds" if word.isascii() else f"{word}只鸟")
    assert not scene.unknown
    [birds] = scene.things
    assert birds.count == min(NUMBERS[word], 40) if NUMBERS[word] > 0 else birds.count > 2


def test_prompts_differ_in_layout_by_their_nouns_and_not_by_their_light() -> None:
    assert parse("sea").layout != parse("ocean").layout
    assert parse("sea at sunset in oil").layout == parse("a blue sea by day").layout
    assert parse("sea at dusk").air != parse("sea at sunset").air
