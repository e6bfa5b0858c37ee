"""Finishing of videos: thumbnail, blurhash, size and length of what an engine delivered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation, Task
from darkroom.engines import Output
from darkroom.engines._process import Children
from darkroom.finish import Finished, finish_one
from darkroom.objects import Objects
from darkroom.results import Results
from films import Pixels, make, quarters

CODECS = {"a.mp4": "libx264", "a.mov": "libx264", "a.webm": "libvpx"}
TYPES = {"a.mp4": "video/mp4", "a.mov": "video/quicktime", "a.webm": "video/webm"}


def look(path: Path) -> Finished:
    return finish_one(path, path.parent / "thumbnail.webp")


@pytest.mark.parametrize("name", CODECS)
def test_a_video_is_measured_and_gets_a_thumbnail(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name, frames=18, size=(480, 270), codec=CODECS[name])
    found = look(path)
    assert (found.media_type, found.size) == (TYPES[name], path.stat().st_size)
    assert (found.width, found.height, found.duration) == (480, 270, pytest.approx(1.5, abs=0.03))
    assert found.blurhash
    assert found.thumbnail
    with Image.open(found.thumbnail, formats=["WEBP"]) as thumbnail:
        assert thumbnail.size == (320, 180)
        assert np.abs(np.array(thumbnail)[40, 100].astype(int) - quarters(0)[30, 60]).max() < 20


def test_the_thumbnail_shows_what_comes_after_a_tenth(tmp_path: Path) -> None:
    def fading_in(number: int, width: int, height: int) -> Pixels:
        return np.full((height, width, 3), (0, 0, 0) if number < 2 else (200, 40, 40), np.uint8)

    found = look(make(tmp_path / "a.mp4", frames=24, draw=fading_in))
    assert found.thumbnail
    with Image.open(found.thumbnail) as thumbnail:
        red, green, _ = np.array(thumbnail)[60, 80].tolist()
    assert red > 150 > 100 > green


def test_a_video_with_one_frame_has_a_thumbnail(tmp_path: Path) -> None:
    found = look(make(tmp_path / "a.mp4", frames=1))
    assert found.thumbnail
    assert found.thumbnail.stat().st_size > 0


def test_a_turned_video_is_measured_upright(tmp_path: Path) -> None:
    found = look(make(tmp_path / "a.mp4", rotation=90))
    assert (found.width, found.height) == (120, 160)
    assert found.thumbnail
    with Image.open(found.thumbnail) as thumbnail:
        assert thumbnail.size == (120, 160)


@pytest.mark.parametrize("kept", [0.2, 0.6])
def test_a_damaged_video_is_refused(tmp_path: Path, kept: float) -> None:
    path = make(tmp_path / "a.mp4", container={"movflags": "0"})
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * kept)])
    with pytest.raises(TaskError) as caught:
        look(path)
    assert caught.value.code is Code.ENGINE_FAILED
    assert "a.mp4" in (caught.value.detail or "")


async def test_the_length_reaches_the_artifact(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=18)
    objects = Objects.open(str(tmp_path / "objects"))
    finishers = Children("darkroom.finish:finish", 1)
    task = Task(
        id="task",
        public_id="public",
        account_id="account",
        dialect="native",
        operation=Operation.VIDEO_FILTER,
        model="video-filters-v1",
        engine="opencv",
    )
    try:
        [artifact], _ = await Results(objects, finishers).keep(task, [Output(path)], tmp_path)
    finally:
        await finishers.close()
    assert (artifact.width, artifact.height, artifact.duration) == (160, 120, 1.5)
    assert artifact.thumbnail_key
    assert await objects.stat(artifact.thumbnail_key)
