"""Enhancement: what is bad gets better, what is good stays, and a plan treats every frame alike."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.opencv import ENHANCE, enhance, faces, pictures, portrait, retouch, work
from darkroom.engines.opencv.pictures import Picture, Pixels
from darkroom.testing.engines import EngineSuite, example

SAMPLES = Path(darkroom.__file__).parent / "samples"
ASTRONAUT, ADMIRAL = "astronaut.png", "grace_hopper.jpg"
BOTH = pytest.mark.parametrize("name", [ASTRONAUT, ADMIRAL])


class TestEnhanceKit(EngineSuite):
    def engine(self) -> Engine:
        return create("opencv", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        with Image.open(SAMPLES / ADMIRAL) as image:
            image.resize((256, 300)).save(folder / "small.png")
        return example(ENHANCE.name, Operation.IMAGE_ENHANCE, folder / "small.png", retouch=0.5, blur=0.5)

    def long_job(self, folder: Path) -> Job:
        rgb = cv2.resize(noisy(load(ADMIRAL), 12), (2048, 2400), interpolation=cv2.INTER_NEAREST)
        Image.fromarray(rgb).save(folder / "large.png", compress_level=1)
        return example(ENHANCE.name, Operation.IMAGE_ENHANCE, folder / "large.png")


class Quiet:
    """A `Report` that keeps the percents that it is told."""

    def __init__(self) -> None:
        self.percents: list[int] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.percents.append(percent)


@cache
def load(name: str) -> Pixels:
    rgb = pictures.read(SAMPLES / name).rgb
    rgb.flags.writeable = False
    return rgb


def rounded(floats: Pixels) -> Pixels:
    return floats.clip(0, 255).round().astype(np.uint8)


def noisy(rgb: Pixels, deviation: float) -> Pixels:
    return rounded(rgb + np.random.default_rng(3).normal(0, deviation, rgb.shape))


def dark(rgb: Pixels) -> Pixels:
    return rounded(rgb * 0.35)


def warm(rgb: Pixels) -> Pixels:
    return rounded(rgb * np.array([1.1, 0.95, 0.65]))


def cold(rgb: Pixels) -> Pixels:
    return rounded(rgb * np.array([0.75, 0.95, 1.15]))


def flat(rgb: Pixels) -> Pixels:
    return rounded(rgb * 0.5 + 70)


def grainy(rgb: Pixels) -> Pixels:
    return noisy(rgb, 20)


def dark_and_grainy(rgb: Pixels) -> Pixels:
    return noisy(dark(rgb), 6)


def better(rgb: Pixels) -> Pixels:
    picture = Picture(rgb)
    return enhance.apply(picture, enhance.measure(picture)).rgb


def decibels(rgb: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio of all channels."""
    return float(10 * np.log10(255**2 / ((rgb.astype(np.float64) - truth) ** 2).mean()))


def similarity(rgb: Pixels, truth: Pixels) -> float:
    """Structural similarity, the mean of the channels (Wang et al., 2004)."""

    def mean(values: Pixels) -> Pixels:
        return cv2.GaussianBlur(values, (11, 11), 1.5)

    one, other = rgb.astype(np.float64), truth.astype(np.float64)
    level, other_level = mean(one), mean(other)
    variances = mean(one * one) - level**2 + mean(other * other) - other_level**2
    shared = mean(one * other) - level * other_level
    first, second = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * level * other_level + first) * (2 * shared + second)
    return float((alike / ((level**2 + other_level**2 + first) * (variances + second))).mean())


def run(folder: Path, *inputs: Path, **params: object) -> Output:
    job = example(ENHANCE.name, Operation.IMAGE_ENHANCE, *inputs, **params)
    [output] = work.run(replace(job, workdir=folder / "work"), Quiet())
    return output


@BOTH
@pytest.mark.parametrize("worsen", [dark, warm, cold, flat, grainy, dark_and_grainy])
def test_what_was_made_worse_comes_nearer_to_what_it_was(name: str, worsen: object) -> None:
    truth = load(name)
    worse = worsen(truth)
    result = better(worse)
    assert decibels(result, truth) > decibels(worse, truth) + 1
    assert similarity(result, truth) > similarity(worse, truth)


@BOTH
def test_a_good_picture_changes_little(name: str) -> None:
    result = better(load(name))
    assert similarity(result, load(name)) > 0.93
    assert decibels(result, load(name)) > 28
    assert (result != load(name)).any()


@BOTH
def test_noise_is_measured(name: str) -> None:
    measured = [enhance.measure(Picture(noisy(load(name), deviation))).noise for deviation in (0, 5, 10, 20)]
    assert measured == sorted(measured)
    assert measured[0] < enhance.NOISY < measured[1]


def test_noise_is_removed_only_where_there_is_some() -> None:
    chart = np.zeros((300, 300, 3), np.uint8)
    chart[:, ::2] = 255  # the finest stripes that there are
    chart[:, 150:] = 128
    assert enhance.measure(Picture(chart)).noise < enhance.NOISY
    result = better(chart).astype(int)
    assert (np.abs(np.diff(result[:, 4:140], axis=1)) > 240).all()


def test_sharpening_makes_no_halo() -> None:
    step = np.full((200, 200, 3), 80, np.uint8)
    step[:, 100:] = 170
    plan = enhance.Plan(noise=0, gains=(1.0, 1.0, 1.0), low=0.0, high=1.0, gamma=1.0)
    result = enhance.apply(Picture(step), plan).rgb[100, :, 0].astype(int)
    assert result[94:100].min() >= result[80] - enhance.OVERSHOOT - 2
    assert result[100:106].max() <= result[120] + enhance.OVERSHOOT + 2


def test_a_grey_picture_stays_grey() -> None:
    grey = cv2.cvtColor(load(ASTRONAUT), cv2.COLOR_RGB2GRAY)[..., None].repeat(3, 2)
    assert np.ptp(better(grey), axis=2).max() <= 1


def test_one_plan_treats_all_frames_alike() -> None:
    first = load(ADMIRAL)
    second = first.copy()
    second[:200, 350:] = 255  # something bright comes into view
    plan = enhance.measure(Picture(first))
    results = [enhance.apply(Picture(frame), plan).rgb.astype(int) for frame in (first, second)]
    assert np.abs(results[0][320:, :300] - results[1][320:, :300]).max() <= 2
    assert enhance.apply(Picture(first), enhance.measure(Picture(first))).rgb.tolist() == results[0].tolist()


def test_bands_leave_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = Picture(noisy(load(ASTRONAUT), 12))
    plan = enhance.measure(picture)
    whole = enhance.apply(picture, plan).rgb
    monkeypatch.setattr(enhance, "BAND", 512 * 100)
    told: list[tuple[int, int]] = []
    banded = enhance.apply(picture, plan, on_band=lambda *band: told.append(band)).rgb
    assert (banded == whole).all()
    assert told == [(number, 6) for number in range(1, 7)]


def test_half_the_strength_is_half_the_change() -> None:
    picture = Picture(dark(load(ASTRONAUT)))
    plan = enhance.measure(picture)
    whole, half = (enhance.apply(picture, plan, strength).rgb.astype(int) for strength in (1.0, 0.5))
    assert np.abs(half - (whole + picture.rgb) / 2).max() <= 1
    assert enhance.apply(picture, plan, 0).rgb is picture.rgb


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3), (17, 15)])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_tiny_and_flat_pictures_are_enhanced(size: tuple[int, int], level: int) -> None:
    picture = Picture(np.full((size[1], size[0], 3), level, np.uint8))
    result = enhance.enhance(picture, enhance.Options(1, 1, 1))
    assert result.size == size
    assert np.ptp(result.rgb) <= 1


@BOTH
def test_retouched_skin_is_calmer_and_the_rest_stays(name: str) -> None:
    picture = Picture(load(name))
    [face] = faces.find(picture)
    result = retouch.retouch(picture, 1.0)
    x, y = face.landmarks[50].round().astype(int).tolist()
    reach = round(face.width * 0.06)

    def roughness(rgb: Pixels) -> float:
        cheek = rgb[y - reach : y + reach, x - reach : x + reach].astype(np.float32)
        return float((cheek - cv2.GaussianBlur(cheek, (0, 0), face.width * 0.03)).std())

    assert roughness(result.rgb) < 0.9 * roughness(picture.rgb)
    left, top, width, height = face.box
    away = np.ones(picture.rgb.shape[:2], bool)
    room = 0.1 * face.width + 2
    away[max(0, int(top - room)) : int(top + height + room), max(0, int(left - room)) : int(left + width + room)] = (
        False
    )
    assert (result.rgb[away] == picture.rgb[away]).all()
    assert similarity(result.rgb, picture.rgb) > 0.95


def test_half_the_retouching_changes_less() -> None:
    picture = Picture(load(ADMIRAL))
    changes = [np.abs(retouch.retouch(picture, amount).rgb.astype(int) - picture.rgb).sum() for amount in (0, 0.5, 1)]
    assert changes[0] == 0
    assert 0 < changes[1] < 0.8 * changes[2]


@BOTH
def test_what_is_behind_a_person_is_blurred_and_the_person_is_not(name: str) -> None:
    picture = Picture(load(name))
    [face] = faces.find(picture)
    result = portrait.blur_background(picture, 1.0)
    x, y, width, height = (int(value) for value in face.box)
    window = (slice(y + height // 4, y + height), slice(x + width // 8, x + width * 7 // 8))
    assert np.abs(result.rgb[window].astype(int) - picture.rgb[window]).mean() < 1

    def detail(rgb: Pixels) -> float:
        return float(np.abs(cv2.Laplacian(rgb[:130, :70].astype(np.float32), -1)).mean())  # the flag

    assert detail(result.rgb) < 0.25 * detail(picture.rgb)


def test_a_blurred_background_takes_no_colour_from_the_person() -> None:
    picture = Picture(load(ASTRONAUT))
    result = portrait.blur_background(picture, 1.0).rgb.astype(int)
    beside = result[280:330, 370:385]  # next to the orange suit
    assert (beside[..., 0] - beside[..., 2]).mean() < 40


def test_a_picture_without_people_has_no_background() -> None:
    scene = np.linspace(40, 220, 300)[:, None, None].repeat(400, 1).repeat(3, 2).astype(np.uint8)
    assert (portrait.blur_background(Picture(scene), 1.0).rgb == scene).all()


def test_transparency_is_kept(tmp_path: Path) -> None:
    with Image.open(SAMPLES / ADMIRAL) as image:
        alpha = Image.linear_gradient("L").resize(image.size)
        image.putalpha(alpha)
        image.save(tmp_path / "see-through.png")
    output = run(tmp_path, tmp_path / "see-through.png", retouch=0.5, blur=0.5)
    with Image.open(output.path) as image:
        assert np.asarray(image)[..., 3].tolist() == np.asarray(alpha).tolist()


def test_no_strength_gives_the_picture_back(tmp_path: Path) -> None:
    output = run(tmp_path, SAMPLES / ASTRONAUT, strength=0)
    with Image.open(output.path) as image:
        assert (np.asarray(image) == load(ASTRONAUT)).all()


def test_the_result_carries_the_mark_of_the_model(tmp_path: Path) -> None:
    with Image.open(run(tmp_path, SAMPLES / ASTRONAUT, format="jpeg", quality=80).path) as image:
        assert image.format == "JPEG"
        assert image.getexif()[0x0131] == f"Darkroom {ENHANCE.name}"


@pytest.mark.parametrize(("name", "value"), [("strength", 1.5), ("retouch", -0.1), ("blur", "much")])
def test_parameters_out_of_range_are_refused(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(TaskError) as caught:
        run(tmp_path, SAMPLES / ASTRONAUT, **{name: value})
    assert (caught.value.code, caught.value.param) == (Code.INVALID_INPUT, name)
