"""Videos from words and pictures, as whole jobs: what moves, what stands, how long, how large and how it sounds."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from video_jobs import SAMPLES, Progress, far, refusal, run_procedural, work

from darkroom.core.catalog import check_params
from darkroom.core.errors import Code
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.procedural.video_model import VIDEO
from darkroom.testing.engines import EngineSuite, example
from films import pictures, times


class TestVideoGenerateKit(EngineSuite):
    def engine(self) -> Engine:
        return create("procedural", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        return example(
            VIDEO.name, Operation.VIDEO_GENERATE, prompt="rain on a lake", size="96x64", duration=1, fps=8, audio=True
        )

    def long_job(self, folder: Path) -> Job:
        return example(VIDEO.name, Operation.VIDEO_GENERATE, prompt="sea", resolution="1080p", duration=15)


class TestPictureToVideoKit(TestVideoGenerateKit):
    def job(self, folder: Path) -> Job:
        Image.effect_noise((80, 60), 60).convert("RGB").save(folder / "a.png")
        return example(VIDEO.name, Operation.VIDEO_GENERATE, folder / "a.png", size="96x64", duration=1, fps=8)


def generate(folder: Path, *inputs: Path, **given: Any) -> Output:
    return work(folder, VIDEO.name, *inputs, **{"size": "96x64", "duration": 1, "fps": 8, "seed": 1, **given})


@pytest.mark.parametrize(
    "prompt",
    ["a lake at sunrise", "sea", "desert", "fog in the forest", "snow", "rain in the city", "galaxy", "abstract"],
)
def test_every_kind_of_scene_moves(tmp_path: Path, prompt: str) -> None:
    frames = pictures(generate(tmp_path, prompt=prompt).path)
    assert len(frames) == 8
    assert min(far(first, second) for first, second in pairwise(frames)) > 0.3
    assert far(frames[0], frames[1]) < 30


def test_a_still_camera_leaves_the_land_and_moves_the_water(tmp_path: Path) -> None:
    frames = pictures(generate(tmp_path, prompt="sea under a clear sky, static camera", size="160x96").path)
    top, bottom = (far(frames[0][part], frames[7][part]) for part in (slice(0, 20), slice(70, 96)))
    assert bottom > 3 * top


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, (854, 480)),
        ({"ratio": "9:16"}, (480, 854)),
        ({"ratio": "21:9"}, (1120, 480)),
        ({"ratio": "1:1"}, (480, 480)),
    ],
)
def test_ratio_and_resolution_make_the_size(tmp_path: Path, given: dict[str, Any], size: tuple[int, int]) -> None:
    output = work(tmp_path, VIDEO.name, prompt="abstract", duration=1, fps=8, seed=1, **given)
    assert pictures(output.path)[0].shape[1::-1] == size


def test_duration_and_rate_make_the_frames(tmp_path: Path) -> None:
    output = generate(tmp_path, prompt="abstract", duration=1.5, fps=10)
    assert times(output.path) == [round(number / 10, 3) for number in range(15)]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_video(tmp_path: Path) -> None:
    made = [generate(tmp_path / name, prompt="sea", audio=True).path.read_bytes() for name in ("a", "b")]
    assert made[0] == made[1]
    assert generate(tmp_path / "c", prompt="sea", audio=True, seed=2).path.read_bytes() != made[0]


def test_unknown_words_are_reported_and_camera_words_are_not(tmp_path: Path) -> None:
    assert generate(tmp_path, prompt="a dragon over the sea, slowly zoom in").warnings == (
        "Not understood: dragon, slowly.",
    )


def test_sound_is_as_long_as_the_video_and_can_be_heard(tmp_path: Path) -> None:
    output = generate(tmp_path, prompt="rain", duration=2, audio=True)
    with av.open(str(output.path)) as container:
        assert container.streams.audio[0].codec.name == "aac"
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], 1)
    assert samples.shape == (2, pytest.approx(96_000, abs=2100))
    assert 0.1 < np.abs(samples).max() < 0.5
    assert np.abs(samples[:, :200]).max() < 0.01


def test_a_video_has_no_sound_unless_it_is_asked_for(tmp_path: Path) -> None:
    with av.open(str(generate(tmp_path, prompt="rain").path)) as container:
        assert [stream.type for stream in container.streams] == ["video"]


def test_the_file_says_how_it_was_made(tmp_path: Path) -> None:
    with av.open(str(generate(tmp_path, prompt="海上日落", seed=9).path)) as container:
        assert container.metadata["title"] == "Darkroom procedural-video-v1"
        assert container.metadata["description"] == "海上日落\nSeed: 9"


def test_one_picture_is_shown_whole_and_then_nearer(tmp_path: Path) -> None:
    source = SAMPLES / "astronaut.png"
    frames = pictures(work(tmp_path, VIDEO.name, source, prompt="zoom in", duration=1, fps=8).path)
    whole = np.asarray(Image.open(source).convert("RGB").resize((480, 480), Image.Resampling.LANCZOS))
    assert far(frames[0], whole) < 4
    middle = whole[29:451, 29:451]
    nearer = cv2.resize(middle, (480, 480), interpolation=cv2.INTER_AREA)
    assert far(frames[-1], nearer.astype(np.uint8)) < 6 < far(frames[-1], whole)


def test_two_pictures_are_the_first_and_the_last_frame(tmp_path: Path) -> None:
    first, last = SAMPLES / "astronaut.png", SAMPLES / "grace_hopper.jpg"
    frames = pictures(work(tmp_path, VIDEO.name, first, last, duration=1, fps=8, ratio="1:1").path)
    begin = Image.open(first).convert("RGB").resize((480, 480), Image.Resampling.LANCZOS)
    end = Image.open(last).convert("RGB")
    side = min(end.size)
    left, top = (end.width - side) / 2, (end.height - side) / 2
    end = end.resize((480, 480), Image.Resampling.LANCZOS, (left, top, left + side, top + side))
    assert far(frames[0], np.asarray(begin)) < 4
    assert far(frames[-1], np.asarray(end)) < 4
    assert min(far(frames[4], frames[0]), far(frames[4], frames[-1])) > 10


def test_what_both_pictures_show_moves_from_one_place_to_the_other(tmp_path: Path) -> None:
    portrait = np.asarray(Image.open(SAMPLES / "astronaut.png").convert("RGB"))
    for name, start in (("a", 40), ("b", 64)):
        Image.fromarray(portrait[:400, start : start + 400]).save(tmp_path / f"{name}.png")
    given = {"size": "400x400", "duration": 1, "fps": 9}
    frames = pictures(work(tmp_path, VIDEO.name, tmp_path / "a.png", tmp_path / "b.png", **given).path)
    halfway, fade = portrait[:400, 52:452], portrait[:400, 40:440] / 2 + portrait[:400, 64:464] / 2
    inner = slice(40, 360)
    assert far(frames[4][inner, inner], halfway[inner, inner]) < far(fade[inner, inner], halfway[inner, inner]) * 0.7


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({}, "prompt"),
        ({"prompt": "sea", "size": "101x64"}, "size"),
        ({"prompt": "sea", "size": "3360x3360"}, "size"),
    ],
)
def test_what_cannot_be_made_is_refused(tmp_path: Path, given: dict[str, Any], param: str) -> None:
    error = refusal(tmp_path, VIDEO.name, **given)
    assert error.param == param


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_picture_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    error = refusal(tmp_path, VIDEO.name, tmp_path / "a.png", prompt="sea")
    assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")


def test_the_last_frame_comes_as_a_picture_behind_its_video(tmp_path: Path) -> None:
    params = check_params(VIDEO, {"prompt": "sea", "size": "96x64", "duration": 1, "fps": 8, "last_frame": True})[0]
    job = example(VIDEO.name, Operation.VIDEO_GENERATE, count=2, **params)
    outputs = run_procedural(replace(job, workdir=tmp_path), Progress())
    assert [output.path.suffix for output in outputs] == [".mp4", ".png", ".mp4", ".png"]
    for video, still in (outputs[:2], outputs[2:]):
        with Image.open(still.path) as picture:
            assert far(np.asarray(picture), pictures(video.path)[-1]) < 4
