"""Video operations as whole jobs: filters, upscaling, enhancement and face swap."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image
from video_jobs import SAMPLES, Progress, far, refusal, work

from darkroom.core.errors import Code
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, create
from darkroom.engines.opencv import video as operations
from darkroom.testing.engines import EngineSuite, example
from films import RATE, Pixels, make, pictures, sound_packets, times

SMALL = (64, 48)


class TestVideoFilterKit(EngineSuite):
    def engine(self) -> Engine:
        return create("opencv", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        source = make(folder / "film.mp4", size=SMALL, frames=6, sound="aac")
        return example("video-filters-v1", Operation.VIDEO_FILTER, source, style="film")

    def long_job(self, folder: Path) -> Job:
        source = make(folder / "long.mp4", size=(1280, 720), frames=40)
        return example("video-filters-v1", Operation.VIDEO_FILTER, source, style="oil")


def photo(number: int, width: int, height: int) -> Pixels:
    """The middle of a portrait, moving a little to the left with each frame."""
    rgb = np.asarray(Image.open(SAMPLES / "astronaut.png").convert("RGB"))
    window = rgb[:300, 60 + number : 60 + number + round(300 * width / height)]
    return cv2.resize(window, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def still(number: int, width: int, height: int) -> Pixels:
    return photo(0, width, height)


# Filters


def test_a_filter_keeps_frames_times_and_sound(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=8, sound="aac", draw=photo)
    report = Progress()
    output = work(tmp_path / "out", "video-filters-v1", source, report=report, style="sepia")
    assert times(output.path) == times(source)
    assert sound_packets(output.path) == sound_packets(source)
    assert far(pictures(output.path)[3], pictures(source)[3]) > 10
    assert {"frame 1", "frame 8"} <= set(report.notes)
    assert report.percents == sorted(report.percents)
    with av.open(str(output.path)) as container:
        assert container.metadata["comment"] == "Darkroom video-filters-v1"


@pytest.mark.parametrize("style", ["film", "watercolor", "pencil", "ink"])
def test_grain_and_paper_do_not_change_from_frame_to_frame(tmp_path: Path, style: str) -> None:
    source = make(tmp_path / "a.mp4", frames=4, draw=still)
    frames = pictures(work(tmp_path / "out", "video-filters-v1", source, style=style).path)
    other = pictures(work(tmp_path / "other", "video-filters-v1", source, style=style, seed=7).path)
    boiling = max(far(first, second) for first, second in pairwise(frames))
    assert boiling < far(frames[1], other[1]) / 2


def test_strength_mixes_with_the_original(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=2, draw=photo)
    faint = work(tmp_path / "faint", "video-filters-v1", source, style="pop", strength=0.2)
    full = work(tmp_path / "full", "video-filters-v1", source, style="pop")
    original = pictures(source)[0]
    assert far(pictures(faint.path)[0], original) < far(pictures(full.path)[0], original) / 3


# Upscaling


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({}, (320, 240)),
        ({"scale": 4, "method": "lanczos"}, (640, 480)),
        ({"resolution": "480p", "method": "lanczos"}, (640, 480)),
    ],
)
def test_a_video_is_enlarged_to_what_was_asked(tmp_path: Path, given: dict[str, Any], size: tuple[int, int]) -> None:
    source = make(tmp_path / "a.mp4", frames=3, draw=photo)
    frames = pictures(work(tmp_path / "out", "video-upscale-v1", source, **given).path)
    assert [frame.shape[1::-1] for frame in frames] == [size] * 3
    shrunk = cv2.resize(frames[1], (160, 120), interpolation=cv2.INTER_AREA)
    assert far(shrunk.astype(np.uint8), pictures(source)[1]) < 4


def test_the_network_is_sharper_than_lanczos(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=1, draw=still)
    detail = {
        method: cv2.Laplacian(pictures(work(tmp_path / method, "video-upscale-v1", source, method=method).path)[0], 2)
        for method in ("network", "lanczos")
    }
    assert detail["network"].std() > 1.1 * detail["lanczos"].std()


def test_a_resolution_that_does_not_enlarge_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=1, size=(854, 480))
    error = refusal(tmp_path / "out", "video-upscale-v1", source, resolution="480p")
    assert (error.code, error.param) == (Code.INVALID_INPUT, "resolution")


def test_a_result_that_is_too_large_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=1, size=(1280, 720))
    error = refusal(tmp_path / "out", "video-upscale-v1", source, scale=4)
    assert (error.code, error.param) == (Code.TOO_LARGE, "scale")


def test_too_much_work_for_the_network_is_refused_before_it_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make(tmp_path / "a.mp4", frames=RATE)
    monkeypatch.setattr(operations, "MOST_NETWORK", 0.9)
    error = refusal(tmp_path / "out", "video-upscale-v1", source)
    assert (error.code, error.param) == (Code.TOO_LARGE, "method")
    assert len(pictures(work(tmp_path / "out", "video-upscale-v1", source, method="lanczos").path)) == RATE


# Enhancement


def dim(number: int, width: int, height: int) -> Pixels:
    return (still(number, width, height) * (0.4, 0.36, 0.28)).astype(np.uint8)


def test_a_dark_video_becomes_lighter_without_flicker(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=6, draw=dim)
    frames = pictures(work(tmp_path / "out", "video-enhance-v1", source).path)
    levels = [float(frame.mean()) for frame in frames]
    assert min(levels) > pictures(source)[0].mean() * 1.5
    assert np.ptp(levels) < 1


def test_one_plan_serves_all_frames(tmp_path: Path) -> None:
    def fading(number: int, width: int, height: int) -> Pixels:
        return (still(number, width, height) * (0.3 + 0.1 * number)).astype(np.uint8)

    source = make(tmp_path / "a.mp4", frames=6, draw=fading)
    levels = [float(frame.mean()) for frame in pictures(work(tmp_path / "out", "video-enhance-v1", source).path)]
    assert levels == sorted(levels)
    assert levels[-1] > 1.4 * levels[0]  # measured each for itself, dark frames would become as light as the others


# Face swap


def test_the_face_of_a_picture_is_put_on_the_face_of_a_video(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=5, size=(320, 240), draw=photo, sound="aac")
    output = work(tmp_path / "out", "video-faceswap-v1", SAMPLES / "grace_hopper.jpg", source)
    assert output.warnings == ()
    assert sound_packets(output.path) == sound_packets(source)
    for before, after in zip(pictures(source), pictures(output.path), strict=True):
        apart = np.abs(before.astype(int) - after).max(2)
        blocks = apart.reshape(30, 8, 40, 8).mean((1, 3)) > 20  # the codec, too, changes single pixels by 40 levels
        assert 20 < blocks.sum() == blocks[6:19, 10:23].sum()


def test_frames_without_a_face_pass_and_are_counted(tmp_path: Path) -> None:
    def sometimes(number: int, width: int, height: int) -> Pixels:
        return photo(number, width, height) if number in (2, 3) else np.full((height, width, 3), 90, np.uint8)

    source = make(tmp_path / "a.mp4", frames=6, size=(320, 240), draw=sometimes)
    output = work(tmp_path / "out", "video-faceswap-v1", SAMPLES / "grace_hopper.jpg", source)
    assert output.warnings == ("No face was found in 4 of 6 frames; they stay as they were.",)
    apart = [far(before, after) for before, after in zip(pictures(source), pictures(output.path), strict=True)]
    assert max(apart[number] for number in (0, 1, 4, 5)) < 1
    assert min(apart[2:4]) > 1


def test_a_picture_without_a_face_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "a.png")
    source = make(tmp_path / "a.mp4", frames=1, draw=photo)
    error = refusal(tmp_path / "out", "video-faceswap-v1", tmp_path / "a.png", source)
    assert (error.code, "no face in the picture" in error.message) == (Code.INVALID_MEDIA, True)


def test_a_video_without_a_face_is_refused(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=2)
    error = refusal(tmp_path / "out", "video-faceswap-v1", SAMPLES / "grace_hopper.jpg", source)
    assert (error.code, "no face in the video" in error.message) == (Code.INVALID_MEDIA, True)


# Every operation on bad input


@pytest.mark.parametrize("name", ["video-filters-v1", "video-upscale-v1", "video-enhance-v1", "video-faceswap-v1"])
@pytest.mark.parametrize("content", [b"", b"no film at all", None])
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, content: bytes | None) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes((SAMPLES / "astronaut.png").read_bytes() if content is None else content)
    inputs = (SAMPLES / "grace_hopper.jpg", path) if name == "video-faceswap-v1" else (path,)
    error = refusal(tmp_path / "out", name, *inputs)
    assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")


def test_the_server_reads_the_models_without_loading_native_libraries() -> None:
    script = (
        "import sys, darkroom.engines.opencv, darkroom.engines.procedural, darkroom.media, darkroom.finish;"
        "assert not {'av', 'cv2', 'numpy'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
