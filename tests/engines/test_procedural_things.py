"""Simple subjects in the procedural engine's pictures: as many as were asked for, in their colours, all to be seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from darkroom.engines.procedural import landscape, space
from darkroom.engines.procedural.frame import Frame
from darkroom.engines.procedural.plan import decide
from darkroom.engines.procedural.prompt import Scene, parse
from darkroom.engines.procedural.subjects.catalogue import DRAW
from darkroom.engines.procedural.subjects.drawing import Item
from darkroom.engines.procedural.things import KINDS
from darkroom.engines.procedural.work import paint, warnings

DRAWN = sorted(DRAW)
SHAPES = ((240, 160), (160, 240), (480, 100))
SCENES = ("hills", "lake", "sea", "desert", "forest in winter", "mountains by day")


def picture(prompt: str, seed: int = 1, size: tuple[int, int] = (240, 160), negative: str = "") -> np.ndarray[Any, Any]:
    return paint(parse(prompt, negative), seed, *size, lambda _: None).astype(np.float64)


def items(prompt: str, seed: int, size: tuple[int, int]) -> list[Item]:
    things = landscape.survey(Frame(*size, seed), parse(prompt)).things
    return [*things.air, *things.water, *things.ground]


def blobs(mask: np.ndarray[Any, Any], smallest: int) -> int:
    """How many connected areas of at least so many pixels there are."""
    _, _, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    return int((facts[1:, cv2.CC_STAT_AREA] >= smallest).sum())


def test_every_kind_of_thing_can_be_drawn_or_is_the_scenes_own() -> None:
    assert {name for name, kind in KINDS.items() if kind.place != "scene"} == {*DRAW, "cloud"}


@pytest.mark.parametrize("kind", DRAWN)
def test_every_kind_of_thing_shows_in_the_picture(kind: str) -> None:
    name = (
        "hot air balloon"
        if kind == "airship"
        else {"fire": "campfire", "lamp": "lamppost", "saucer": "ufo"}.get(kind, kind)
    )
    name = {"blossom": "cherry tree"}.get(name, name)
    scene = parse(f"a {name}, hills and a lake by day")
    assert [thing.kind for thing in scene.things] == [kind]
    frame = Frame(240, 160, 1)
    things = landscape.survey(frame, scene).things
    bare = np.full((160, 240, 3), 0.5, np.float32)
    shown = bare.copy()
    for draw in (things.draw_water, things.draw_air, things.draw_ground):
        draw(shown)
    [item] = [*things.air, *things.water, *things.ground]
    column, foot = int(item.x), int(item.y)
    near = np.abs(shown - bare)[max(0, foot - int(item.size)) : foot + 1, max(0, column - 40) : column + 40]
    assert near.max() > 0.1


@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("scene", SCENES)
def test_all_things_that_were_asked_for_are_inside_the_picture(scene: str, size: tuple[int, int]) -> None:
    for seed in (1, 2, 3):
        made = items(f"five birds, two sailboats, three houses and four dogs, {scene}", seed, size)
        kinds = [item.kind for item in made]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == {"bird": 5, "sailboat": 2, "house": 3, "dog": 4}
        for item in made:
            assert 0 <= item.x <= size[0]
            assert item.size <= item.y + 2 <= size[1] + 4


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seed", [1, 2])
def test_red_balloons_over_the_sea_can_be_counted(count: int, seed: int) -> None:
    shown = picture(f"{count} red balloons over the sea by day", seed, (480, 360))
    red = (shown[..., 0] > 1.9 * shown[..., 1]) & (shown[..., 0] > 1.9 * shown[..., 2]) & (shown[..., 0] > 90)
    assert blobs(red, 12) == count


@pytest.mark.parametrize("count", [2, 3, 6])
def test_stars_can_be_counted(count: int) -> None:
    shown = picture(f"{count} stars over the desert, without a moon", 3, (480, 360)).min(-1)
    assert blobs(shown > 200, 2) == count


@pytest.mark.parametrize("count", [1, 2, 4])
def test_moons_can_be_counted(count: int) -> None:
    shown = picture(f"{count} moons over the desert at night, without clouds or stars", 3, (480, 360)).min(-1)
    assert blobs(cv2.blur(shown, (5, 5)) > 110, 40) == count


@pytest.mark.parametrize("count", [1, 2, 3])
def test_islands_can_be_counted(count: int) -> None:
    frame, scene = Frame(480, 360, 4), parse(f"{count} islands by day")
    place = landscape.survey(frame, scene)
    across = frame.across()
    distance = np.linspace(8, 40, 60, dtype=np.float32)[:, None]
    rise = (place.land.heights(across, distance)[0] / distance).max(0)
    assert blobs((rise > 0.004)[None], 6) == count


def test_planets_are_as_many_as_were_asked_for_and_apart() -> None:
    frame = Frame(480, 360, 2)
    worlds = space.worlds(frame, parse("five planets and a moon in space"), 0.9)
    assert [world.kind for world in worlds] == ["planet"] * 5 + ["moon"]
    assert not space.worlds(frame, parse("stars in space", "planets"), 0.1)


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_colour_paints_the_thing_and_not_the_picture(colour: str, channel: int) -> None:
    [made] = items(f"a {colour} hot air balloon over the sea by day", 1, (240, 160))
    row, column = int(made.y - 0.75 * made.size), int(made.x)
    frame, scene = Frame(240, 160, 1), parse(f"a {colour} hot air balloon over the sea by day")
    shown = np.full((160, 240, 3), 0.5, np.float32)
    landscape.survey(frame, scene).things.draw_air(shown)
    sides = shown[row - 2 : row + 3, column - int(0.3 * made.size) : column + int(0.3 * made.size)]
    reach = sides[..., channel] - np.delete(sides, channel, -1).mean(-1)
    assert reach.max() > 0.15
    assert not scene.tints


@pytest.mark.parametrize("prompt", ["sailboats", "two swans", "a ship"])
def test_what_swims_has_water(prompt: str) -> None:
    frame = Frame(240, 160, 1)
    assert decide(frame, parse(prompt)).rough is not None
    assert decide(frame, parse(f"{prompt} in the hills")).rough is not None


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [("a camel", "dunes"), ("a lighthouse", "coast"), ("a pagoda", "mountains"), ("a horse", "hills")],
)
def test_a_thing_alone_is_shown_where_it_belongs(prompt: str, kind: str) -> None:
    assert decide(Frame(240, 160, 1), parse(prompt)).kind == kind


def test_a_counted_tree_stands_alone_and_a_forest_does_not() -> None:
    frame = Frame(240, 160, 1)
    assert decide(frame, parse("a lone tree")).wood == 0
    assert decide(frame, parse("trees")).wood > 1000
    assert decide(frame, parse("a lone tree in a forest")).wood > 1000


@pytest.mark.parametrize("prompt", ["abstract, two birds", "two birds in space", "two birds over a city", "two birds"])
def test_every_kind_of_picture_shows_its_things(prompt: str) -> None:
    scene = parse(prompt)
    bare = parse(prompt, "birds")
    assert not bare.things
    without = Scene(scene.subject, scene.parts, layout=scene.layout, air=scene.air)
    assert np.abs(paint(scene, 1, 240, 160, _unheard) - paint(without, 1, 240, 160, _unheard).astype(float)).max() > 60


def _unheard(_: float) -> None:
    """Take note of nothing."""


@pytest.mark.parametrize(
    ("prompt", "negative"),
    [
        ("mountains at night", "moon"),
        ("mountains at night", "stars"),
        ("sea by day", "sun"),
        ("sea by day, cloudy", "clouds"),
        ("forest by day", "trees"),
        ("hills in the rain by day", "rain"),
        ("mountains in snowfall", "snow"),
        ("lake in fog by day", "fog"),
    ],
)
def test_what_is_unwanted_is_missing_from_the_picture(prompt: str, negative: str) -> None:
    assert np.abs(picture(prompt) - picture(prompt, negative=negative)).max() > 20


def test_a_night_without_a_moon_has_no_bright_disc() -> None:
    assert blobs(picture("sea at night, clear").min(-1) > 150, 20) == 1
    assert blobs(picture("sea at night, clear", negative="moon").min(-1) > 150, 20) == 0


@pytest.mark.parametrize(
    ("prompt", "note"),
    [
        ("two mountains in the desert", "Not drawn together with desert: mountains, mountain."),
        ("a city by a forest", "Not drawn together with city: forest."),
        ("abstract moon", "Not drawn together with abstract: moon."),
        ("oil, ink, pencil, pixel", "More than two styles; left out: pencil, pixel."),
        ("100 birds", "At most 40 of 'bird' are drawn; more were asked for."),
    ],
)
def test_what_is_not_drawn_is_said(prompt: str, note: str) -> None:
    assert note in warnings(parse(prompt))


def test_prompts_of_the_same_meaning_have_pictures_of_their_own() -> None:
    made = [
        picture(prompt) for prompt in ("a big sea by day", "an ocean by day", "a corgi in Paris", "a poodle in Rome")
    ]
    for number, one in enumerate(made):
        assert all(np.abs(one - other).mean() > 3 for other in made[:number])


def test_the_things_of_a_video_stay_in_sight(tmp_path: Path) -> None:
    plate = Frame(288, 192, 1, inset=0.11)
    things = landscape.survey(plate, parse("six birds and five cats by day")).things
    for item in (*things.air, *things.ground):
        assert 0.1 * 288 <= item.x <= 0.9 * 288
