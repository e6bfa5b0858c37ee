"""Seasons, hours, weather and palettes: what they do to sky, meadow, water and skin."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import darkroom
from darkroom.engines.opencv import faces, pictures
from darkroom.engines.opencv.edit import light, palette, scene, season, weather
from darkroom.engines.opencv.edit.draw import Drawing
from darkroom.engines.opencv.edit.plan import HOURS, plan
from darkroom.engines.opencv.edit.scene import Scene
from darkroom.engines.opencv.pictures import Picture, Pixels

SAMPLES = Path(darkroom.__file__).parent / "samples"
RENDERS = (*season.SEASONS, *HOURS, *weather.WEATHERS)


def landscape() -> Picture:
    """A blue sky, lighter below, over a meadow with the texture of grass, and a lake in it."""
    random = np.random.default_rng(0)
    rgb = np.zeros((240, 360, 3), np.float32)
    rgb[:120] = np.linspace((60, 120, 210), (180, 215, 240), 120)[:, None]
    rgb[120:] = (80, 140, 50)
    rgb[120:] += cv2.GaussianBlur(random.normal(0, 40, (120, 360, 1)).astype(np.float32), (0, 0), 2)[..., None]
    rgb[150:190] = (70, 120, 180)
    return Picture(rgb.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def land() -> Picture:
    return landscape()


@pytest.fixture(scope="module")
def survey(land: Picture) -> Scene:
    return scene.survey(land)


@pytest.fixture(scope="module")
def portrait() -> Picture:
    return pictures.read(SAMPLES / "astronaut.png")


def edited(picture: Picture, prompt: str, seed: int = 0) -> Pixels:
    return Drawing(picture, plan(prompt)).draw(0, seed).rgb


SKY, MEADOW, LAKE = (slice(5, 60), slice(None)), (slice(200, 238), slice(None)), (slice(155, 185), slice(None))


def mean(rgb: Pixels, part: tuple[slice, slice]) -> Pixels:
    return rgb[part].reshape(-1, 3).mean(0)


def test_sky_meadow_and_lake_are_told_apart(survey: Scene) -> None:
    assert survey.has_sky
    assert not survey.has_people
    assert survey.horizon == pytest.approx(0.5, abs=0.03)
    for part, seen in ((SKY, survey.sky), (MEADOW, survey.leaves), (LAKE, survey.water)):
        assert seen[part].mean() > 0.8
    assert survey.sky[130:].max() < 0.1
    assert survey.leaves[:110].max() < 0.1


def test_what_is_high_in_the_picture_is_far(survey: Scene) -> None:
    assert survey.depth[130].mean() > survey.depth[200].mean() > survey.depth[235].mean()


def test_people_and_their_skin_are_told_from_what_is_behind_them(portrait: Picture) -> None:
    seen = scene.survey(portrait)
    assert seen.has_people
    assert seen.people[480, 200] > 0.95
    assert seen.people[60, 20] < 0.05
    assert seen.skin[140, 220] > 0.9  # a cheek
    assert seen.skin[400, 220] < 0.3  # the suit


def test_maps_follow_the_size_of_the_pixels(survey: Scene) -> None:
    assert {each.shape for each in (survey.at((60, 90)).sky, survey.at((60, 90)).depth)} == {(60, 90)}


def test_a_picture_without_sky_has_none() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 150, 3), np.uint8)
    assert not scene.survey(Picture(noise)).has_sky


def test_autumn_turns_leaves_from_green_to_orange(land: Picture) -> None:
    red, green, blue = mean(edited(land, "autumn"), MEADOW)
    assert red > green > blue


def test_winter_whitens_the_meadow_and_dulls_the_sky(land: Picture) -> None:
    white = mean(edited(land, "winter"), MEADOW)
    assert white.min() > 150
    assert np.ptp(white) < 40
    assert np.ptp(mean(edited(land, "winter"), SKY)) < 0.6 * np.ptp(mean(land.rgb, SKY))


def test_summer_and_spring_are_greener_and_differ(land: Picture) -> None:
    shares = {}
    for name in ("spring", "summer"):
        red, green, blue = mean(edited(land, name), MEADOW)
        assert green > red > blue
        shares[name] = green / (red + green + blue)
    assert shares["summer"] > shares["spring"]


def test_night_is_dark_and_blue_but_keeps_lamps() -> None:
    rgb = landscape().rgb
    cv2.circle(rgb, (180, 215), 3, (255, 225, 150), -1)
    night = edited(Picture(rgb), "night")
    assert night[SKY].mean() < 0.3 * rgb[SKY].mean()
    red, _, blue = mean(night, SKY)
    assert blue > 1.5 * red
    assert night[215, 180].mean() > 180
    assert night[215, 60].mean() < 80


def test_the_light_of_sunset_is_warm_and_the_lake_mirrors_it(land: Picture) -> None:
    before, after = land.rgb, edited(land, "sunset")
    low_sky = (slice(90, 112), slice(None))
    for part in (low_sky, LAKE):
        assert mean(before, part)[0] < mean(before, part)[2]
        assert mean(after, part)[0] > mean(after, part)[2]


def test_hours_differ_in_brightness_as_the_day_goes(land: Picture) -> None:
    levels = [edited(land, name).mean() for name in ("noon", "sunset", "blue hour", "night")]
    assert levels == sorted(levels, reverse=True)


def test_fog_hides_what_is_far_more_than_what_is_near(land: Picture) -> None:
    after = edited(land, "fog").astype(float)
    air = mean(after, SKY)
    left = []
    for rows in (slice(124, 140), slice(222, 238)):
        before, now = (rgb[rows].reshape(-1, 3).mean(0) for rgb in (land.rgb, after))
        left.append(np.abs(now - air).sum() / np.abs(before - air).sum())
    assert left[0] < 0.8 * left[1]
    assert left[1] < 0.95


def test_rain_is_dull_and_streaked(land: Picture) -> None:
    dry, wet = land.rgb, edited(land, "rain")
    assert np.ptp(mean(wet, SKY)) < 0.5 * np.ptp(mean(dry, SKY))
    across, down = (np.abs(np.diff(wet[SKY].mean(-1), axis=axis)).mean() for axis in (1, 0))
    assert across > 1.5 * down


def test_flakes_fall_but_hardly_on_faces(portrait: Picture) -> None:
    floats = portrait.rgb.astype(np.float32) / 255
    seen = scene.survey(portrait).at(floats.shape)
    opacity = {}
    for spared in (True, False):
        skin = seen.skin if spared else np.zeros_like(seen.skin)
        calm = Scene(seen.people, skin, seen.sky, seen.leaves, seen.water, seen.depth, seen.horizon, ())
        snow = weather.render(floats, "snowfall", 1.0, calm, np.random.default_rng(4))
        opacity[spared] = np.abs(snow - floats)[130:180, 190:260].mean()
    assert opacity[True] < 0.6 * opacity[False]


@pytest.mark.parametrize("name", RENDERS)
def test_a_seed_repeats_a_picture_and_an_amount_of_none_keeps_it(land: Picture, survey: Scene, name: str) -> None:
    floats = land.rgb.astype(np.float32) / 255
    module = season if name in season.SEASONS else light if name in HOURS else weather
    made = [module.render(floats, name, 1.0, survey, np.random.default_rng(7)) for _ in range(2)]
    assert (made[0] == made[1]).all()
    assert np.abs(made[0] - floats).mean() > 0.02
    none = module.render(floats, name, 0.0, survey, np.random.default_rng(7))
    assert np.abs(none - floats).mean() < 0.02


@pytest.mark.parametrize("prompt", ["winter", "autumn", "night", "sunset", "fog", "rain", "in green tones", "pastel"])
def test_skin_stays_skin(portrait: Picture, prompt: str) -> None:
    [face] = faces.find(portrait, 0.1)
    x, y = face.landmarks[[50, 280]].mean(0).round().astype(int)
    cheek = edited(portrait, prompt)[y - 6 : y + 6, x - 6 : x + 6].reshape(-1, 3).mean(0)
    red, green, blue = cheek
    assert red > 0.97 * green
    assert red > blue
    assert cheek.mean() > 60
    assert len(faces.find(Picture(edited(portrait, prompt)), 0.1)) == 1


@pytest.mark.parametrize(("name", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_colour_dyes_the_tones_between_black_and_white(survey: Scene, name: str, channel: int) -> None:
    grey = np.repeat(np.linspace(0, 1, 240, dtype=np.float32)[:, None, None], 360, axis=1).repeat(3, axis=2)
    dyed = palette.regrade(grey, (name,), 1.0, survey)
    assert dyed[120, 0].argmax() == channel
    assert np.ptp(dyed[120, 0]) > 0.15
    assert np.abs(dyed[[0, -1]] - grey[[0, -1]]).max() < 0.03


def test_two_colours_go_to_the_shadows_and_the_lights(survey: Scene) -> None:
    grey = np.repeat(np.linspace(0, 1, 240, dtype=np.float32)[:, None, None], 360, axis=1).repeat(3, axis=2)
    dyed = palette.regrade(grey, ("orange", "teal"), 1.0, survey)
    assert dyed[60, 0, 2] > dyed[60, 0, 0]
    assert dyed[190, 0, 0] > dyed[190, 0, 2]


@pytest.mark.parametrize("name", palette.PALETTES)
def test_every_palette_changes_the_picture_in_its_own_way(land: Picture, survey: Scene, name: str) -> None:
    floats = land.rgb.astype(np.float32) / 255
    graded = palette.regrade(floats, (name,), 1.0, survey)
    assert np.abs(graded - floats).mean() > 0.02
    others = [palette.regrade(floats, (other,), 1.0, survey) for other in palette.PALETTES if other != name]
    assert min(np.abs(graded - other).mean() for other in others) > 0.01


def test_a_monochrome_palette_has_one_hue(land: Picture) -> None:
    lab = cv2.cvtColor(edited(land, "monochrome in blue").astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    assert np.median(lab[..., 2]) < -8
    assert lab[..., 2].max() < 3


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (40, 7), (3, 300)])
def test_tiny_and_narrow_pictures_survive(size: tuple[int, int]) -> None:
    picture = Picture(np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8))
    for prompt in ("autumn sunset, fog", "winter night, pastel", "spring noon, rain, blur the background", "retouch"):
        assert edited(picture, prompt).shape == picture.rgb.shape


def test_a_large_picture_is_rendered_small_and_keeps_its_detail(monkeypatch: pytest.MonkeyPatch, land: Picture) -> None:
    whole = edited(land, "night")
    monkeypatch.setattr("darkroom.engines.opencv.edit.draw.WORKING_PIXELS", 20_000)
    reduced = edited(land, "night")
    assert reduced.shape == whole.shape
    assert 0 < np.abs(whole.astype(int) - reduced).mean() < 6
    noisy = Picture(land.rgb ^ (np.random.default_rng(2).integers(0, 2, land.rgb.shape, np.uint8) << 4))
    assert np.abs(np.diff(edited(noisy, "noon").astype(int), axis=1)).mean() > 8
