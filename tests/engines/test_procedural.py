"""The procedural engine: exact and repeatable files, honest warnings, and pictures that show what was asked for."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from darkroom.core.catalog import check_params
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.procedural import MODEL
from darkroom.engines.procedural.work import run
from darkroom.testing.engines import EngineSuite, example


class TestProcedural(EngineSuite):
    def engine(self) -> Engine:
        return create("procedural", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        return example(MODEL.name, Operation.IMAGE_GENERATE, prompt="desert at sunset", size="48x32", count=2)

    def long_job(self, folder: Path) -> Job:
        return example(MODEL.name, Operation.IMAGE_GENERATE, prompt="mountains", size="3072x3072", count=15)


class Progress:
    """Keeps what is reported."""

    def __init__(self) -> None:
        self.percents: list[int] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.percents.append(percent)


def work(
    folder: Path, report: Progress | None = None, *, count: int = 1, task: str = "task", **given: Any
) -> list[Output]:
    """Run a job here, with parameters checked as the server does."""
    folder.mkdir(exist_ok=True)
    params, _ = check_params(MODEL, given)
    job = example(MODEL.name, Operation.IMAGE_GENERATE, count=count)
    return run(replace(job, task_id=task, params=params, workdir=folder), report or Progress())


@pytest.fixture
def pixels(tmp_path: Path) -> Any:
    """Paint one small picture and return its pixels, 0 to 255."""

    def paint(prompt: str, seed: int = 1, size: str = "216x160", **given: Any) -> np.ndarray[Any, Any]:
        [output] = work(tmp_path, prompt=prompt, seed=seed, size=size, **given)
        with Image.open(output.path) as image:
            return np.asarray(image, np.float64)

    return paint


SEEDS = (1, 2)


def test_the_same_seed_and_size_give_the_same_bytes(tmp_path: Path) -> None:
    files = [work(tmp_path / name, prompt="night city", seed=5, size="96x64")[0].path for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_another_process_paints_the_same_bytes(tmp_path: Path) -> None:
    [here] = work(tmp_path / "here", prompt="a dragon by the sea", seed=5, size="64x48")
    there = tmp_path / "there"
    there.mkdir()
    script = (
        "import sys; from pathlib import Path; from darkroom.engines import Job; "
        "from darkroom.engines.procedural.work import run; "
        "report = type('Report', (), {'progress': lambda *_: None})(); "
        "params = dict(prompt='a dragon by the sea', seed=5, size='64x48', format='png', quality=90); "
        "run(Job(task_id='other', attempt=2, operation='image.generate', model='procedural-v1', params=params, "
        "count=1, inputs=(), workdir=Path(sys.argv[1])), report)"
    )
    subprocess.run([sys.executable, "-c", script, str(there)], check=True)
    assert (there / here.path.name).read_bytes() == here.path.read_bytes()


def test_different_seeds_paint_different_pictures(pixels: Any) -> None:
    assert np.abs(pixels("mountains at sunset", 1) - pixels("mountains at sunset", 2)).mean() > 4


def test_each_prompt_gives_its_own_picture_even_of_unknown_words(pixels: Any) -> None:
    made = [pixels(f"a lake with a {word}", 1) for word in ("dragon", "castle", "teapot")]
    assert all(np.abs(made[one] - made[other]).mean() > 4 for one, other in ((0, 1), (0, 2), (1, 2)))


def test_without_a_seed_each_task_differs_and_each_attempt_does_not(tmp_path: Path) -> None:
    made = [
        work(tmp_path / str(number), task=task, prompt="sea", size="32x32")[0].path.read_bytes()
        for number, task in enumerate(("one", "one", "two"))
    ]
    assert made[0] == made[1] != made[2]


def test_fifteen_pictures_of_one_job_all_differ(tmp_path: Path) -> None:
    outputs = work(tmp_path, count=15, prompt="desert", seed=2**53, size="24x24")
    assert len({hashlib.sha256(output.path.read_bytes()).digest() for output in outputs}) == 15


def test_a_picture_of_several_can_be_repeated_alone_by_its_seed(tmp_path: Path) -> None:
    several = work(tmp_path / "several", count=3, prompt="desert", seed=40, size="32x24")
    [alone] = work(tmp_path / "alone", prompt="desert", seed=42, size="32x24")
    assert several[2].path.read_bytes() == alone.path.read_bytes()


@pytest.mark.parametrize("size", ["16x16", "17x31", "16x300", "300x16"])
@pytest.mark.parametrize("prompt", ["rainy mountain lake, foggy night, snow", "city", "abstract", "space", "desert"])
def test_sizes_are_exact_whatever_the_shape(pixels: Any, size: str, prompt: str) -> None:
    width, height = map(int, size.split("x"))
    assert pixels(prompt, 1, size).shape == (height, width, 3)


@pytest.mark.parametrize("size", ["4096x32", "32x4096"])
def test_the_longest_sides_work(pixels: Any, size: str) -> None:
    width, height = map(int, size.split("x"))
    assert pixels("mountains by a lake at sunset", 3, size).shape == (height, width, 3)


@pytest.mark.parametrize("prompt", ["mountain lake at sunset", "city at night", "abstract", "desert by day", "space"])
def test_a_seed_gives_the_same_scene_at_another_resolution(pixels: Any, prompt: str) -> None:
    small = Image.fromarray(pixels(prompt, 6, "216x160").astype(np.uint8))
    large = Image.fromarray(pixels(prompt, 6, "432x320").astype(np.uint8))
    other = Image.fromarray(pixels(prompt, 7, "432x320").astype(np.uint8))
    coarse = [np.asarray(image.resize((32, 24), Image.Resampling.BOX), np.float64) for image in (small, large, other)]
    same, different = (np.abs(coarse[0] - picture).mean() for picture in coarse[1:])
    assert same < 6
    assert same < different / 2.5


@pytest.mark.parametrize(
    "form",
    [("png", "PNG", ".png"), ("jpeg", "JPEG", ".jpg"), ("webp", "WEBP", ".webp"), ("avif", "AVIF", ".avif")],
)
def test_the_format_is_the_one_that_was_asked_for(tmp_path: Path, form: tuple[str, str, str]) -> None:
    wanted, found, suffix = form
    [output] = work(tmp_path, prompt="hills", size="40x30", format=wanted)
    with Image.open(output.path) as image:
        image.load()
        assert (image.format, image.size, output.path.suffix) == (found, (40, 30), suffix)


@pytest.mark.parametrize("form", ["jpeg", "avif"])
def test_quality_decides_the_size_of_the_file(tmp_path: Path, form: str) -> None:
    low, high = (
        work(tmp_path / str(quality), prompt="hills", seed=1, size="128x96", format=form, quality=quality)[0].path
        for quality in (20, 95)
    )
    assert low.stat().st_size < high.stat().st_size / 2


def test_a_png_says_how_it_was_made(tmp_path: Path) -> None:
    [_, second] = work(tmp_path, count=2, prompt="湖 at night", seed=9, size="32x24")
    with Image.open(second.path) as image:
        assert image.text["parameters"] == "湖 at night\nSeed: 10, Size: 32x24, Model: procedural-v1 (Darkroom)"


@pytest.mark.parametrize("form", ["jpeg", "webp", "avif"])
def test_other_formats_say_it_in_exif(tmp_path: Path, form: str) -> None:
    [output] = work(tmp_path, prompt="a lake", seed=9, size="32x24", format=form)
    with Image.open(output.path) as image:
        exif = image.getexif()
    assert exif[ExifTags.Base.Software] == "procedural-v1 (Darkroom)"
    assert exif[ExifTags.Base.ImageDescription].startswith("a lake\nSeed: 9, ")


def test_the_seed_that_was_chosen_is_told_and_repeats_the_picture(tmp_path: Path) -> None:
    [chosen] = work(tmp_path / "chosen", prompt="sea", size="32x24", task="any")
    with Image.open(chosen.path) as image:
        seed = int(image.text["parameters"].split("Seed: ")[1].split(",")[0])
    [again] = work(tmp_path / "again", prompt="sea", size="32x24", seed=seed)
    assert again.path.read_bytes() == chosen.path.read_bytes()


def test_words_that_were_not_understood_are_said_once(tmp_path: Path) -> None:
    first, second = work(tmp_path, count=2, prompt="a dragon over the lake, 一只恐龙", size="16x16")
    assert first.warnings == ("Not understood: dragon, 恐龙.",)
    assert second.warnings == ()


def test_a_prompt_that_is_understood_has_no_warning(tmp_path: Path) -> None:
    [output] = work(tmp_path, prompt="A beautiful mountain lake at sunset", size="16x16")
    assert output.warnings == ()


def test_a_long_list_of_unknown_words_is_cut_short(tmp_path: Path) -> None:
    prompt = " ".join(f"word{'x' * number}" for number in range(90))
    [output] = work(tmp_path, prompt=prompt, size="16x16")
    assert output.warnings[0].endswith(" and 70 more.")
    assert len(output.warnings[0]) < 800


def test_progress_grows_from_nothing_to_all(tmp_path: Path) -> None:
    report = Progress()
    work(tmp_path, report, count=3, prompt="hills with a lake", size="32x32")
    assert report.percents == sorted(report.percents)
    assert (report.percents[0], report.percents[-1]) == (0, 100)
    assert len(set(report.percents)) > 10


@pytest.mark.parametrize(
    ("param", "value"), [("size", "15x64"), ("size", "4097x64"), ("format", "gif"), ("seed", -1), ("prompt", "")]
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, param: str, value: Any) -> None:
    with pytest.raises(TaskError) as refused:
        work(tmp_path, **{"prompt": "a lake", param: value})
    assert refused.value.param == param


def test_the_server_side_imports_neither_numpy_nor_opencv() -> None:
    script = (
        "import sys; from darkroom.engines import EngineSettings, create; create('procedural', EngineSettings()); "
        "assert not {'numpy', 'cv2', 'PIL'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scene", ["mountains", "sea", "city", "forest"])
def test_night_is_darker_than_day(pixels: Any, scene: str, seed: int) -> None:
    assert pixels(f"{scene} at night", seed).mean() < pixels(f"{scene} by day", seed).mean() / 1.8


@pytest.mark.parametrize("seed", SEEDS)
def test_sunset_is_redder_than_day(pixels: Any, seed: int) -> None:
    day, sunset = (pixels(f"sea {hour}", seed).mean((0, 1)) for hour in ("by day", "at sunset"))
    assert sunset[0] / sunset[2] > 1.3 * day[0] / day[2]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_city_at_night_has_lit_windows_and_a_dark_sky(pixels: Any, seed: int) -> None:
    picture = pixels("city at night, cloudless", seed, "512x384").max(-1)
    height = len(picture)
    town, sky = picture[int(height * 0.5) : int(height * 0.7)], picture[: height // 10]
    assert (town > 200).mean() > 0.01
    assert np.median(sky) < 60


@pytest.mark.parametrize("seed", SEEDS)
def test_a_clear_sky_has_no_steps_and_no_seams(pixels: Any, seed: int) -> None:
    sky = pixels("sea by day, cloudless", seed, "400x300")[:60]
    side = sky[:, :100] if sky[:, :100].max() < sky[:, -100:].max() else sky[:, -100:]  # without the sun
    smooth = side.mean(1)
    assert np.abs(np.diff(smooth, axis=0)).max() < 1.5
    assert np.abs(np.diff(side.mean(0), axis=0)).max() < 1.5
    assert np.ptp(smooth, axis=0).min() > 5


@pytest.mark.parametrize("seed", SEEDS)
def test_snow_whitens_the_land(pixels: Any, seed: int) -> None:
    land = {season: pixels(f"hills, {season}, by day", seed)[100:128] for season in ("summer", "winter")}
    assert land["winter"].min(-1).mean() > land["summer"].min(-1).mean() + 25


@pytest.mark.parametrize("seed", SEEDS)
def test_still_water_mirrors_the_sky(pixels: Any, seed: int) -> None:
    """Below a red sky the lake is red, below a blue one blue."""
    red, blue = (pixels(f"lake {hour}", seed)[110:150].mean((0, 1)) for hour in ("at sunset", "by day, cloudless"))
    assert red[0] > red[2]
    assert blue[2] > blue[0] + 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_colour_in_the_prompt_tints_the_picture(pixels: Any, seed: int) -> None:
    red, teal = (pixels(f"abstract {colour}", seed).mean((0, 1)) for colour in ("red", "teal"))
    assert red[0] - red[1] > teal[0] - teal[1] + 60


@pytest.mark.parametrize("seed", SEEDS)
def test_two_colours_share_an_abstract_picture(pixels: Any, seed: int) -> None:
    made = pixels("abstract in red and blue", seed)
    warmer = made[..., 0] - made[..., 2]
    assert min((warmer > 60).mean(), (warmer < -40).mean()) > 0.02


@pytest.mark.parametrize("prompt", ["mountain lake", "city", "abstract", "space"])
def test_monochrome_has_no_colour(pixels: Any, prompt: str) -> None:
    picture = pixels(f"{prompt}, black and white")
    assert np.ptp(picture, axis=-1).max() == 0
    assert np.ptp(picture) > 80


@pytest.mark.parametrize("style", ["vivid", "pastel", "vintage", "dreamy", "dramatic"])
def test_each_style_changes_the_picture(pixels: Any, style: str) -> None:
    assert np.abs(pixels(f"{style} sea by day") - pixels("sea by day")).mean() > 3
