"""Animated files where a picture is asked: the first frame is used, and the warnings say so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from video_jobs import SAMPLES, Progress, work

from darkroom.core.task import Operation
from darkroom.engines.opencv import work as opencv
from darkroom.testing.engines import example
from films import make

SAID = "The picture is animated; only its first frame was used."


def animated(folder: Path, kind: str) -> Path:
    """A portrait that turns black."""
    with Image.open(SAMPLES / "astronaut.png") as image:
        first = image.convert("RGB").crop((64, 0, 384, 240)).resize((160, 120))
    path = folder / f"moving.{kind}"
    options: dict[str, Any] = {"lossless": True} if kind == "webp" else {}
    first.save(path, save_all=True, append_images=[Image.new("RGB", first.size)], duration=100, **options)
    return path


@pytest.mark.parametrize("kind", ["gif", "webp", "png", "avif"])
def test_the_first_frame_of_every_kind_of_animation_is_used(tmp_path: Path, kind: str) -> None:
    path = animated(tmp_path, kind)
    job = example("filters-v1", Operation.IMAGE_FILTER, path, style="film", strength=0)
    [output] = opencv.run(replace(job, workdir=tmp_path / "work"), Progress())
    assert output.warnings == (SAID,)
    with Image.open(path) as given, Image.open(output.path) as made:
        assert (np.asarray(given.convert("RGB")) == np.asarray(made.convert("RGB"))).all()


@pytest.mark.parametrize(
    ("model", "inputs", "given"),
    [
        ("upscale-v1", 1, {}),
        ("edit-v1", 1, {"prompt": "sepia"}),
        ("enhance-v1", 1, {}),
        ("faceswap-v1", 2, {}),
        ("procedural-video-v1", 1, {"size": "96x64", "duration": 1, "fps": 8}),
        ("procedural-video-v1", 2, {"size": "96x64", "duration": 1, "fps": 8}),
    ],
)
def test_every_model_that_takes_pictures_says_so_once(
    tmp_path: Path, model: str, inputs: int, given: dict[str, Any]
) -> None:
    path = animated(tmp_path, "gif")
    assert work(tmp_path / "work", model, *[path] * inputs, **given).warnings.count(SAID) == 1


def test_the_face_for_a_video_may_come_from_an_animation(tmp_path: Path) -> None:
    with Image.open(SAMPLES / "grace_hopper.jpg") as image:
        portrait = np.asarray(image.convert("RGB").resize((160, 188)))
    moving = make(tmp_path / "film.mp4", frames=2, size=(160, 188), draw=lambda number, width, height: portrait)
    output = work(tmp_path / "work", "video-faceswap-v1", animated(tmp_path, "gif"), moving)
    assert SAID in output.warnings


def test_a_still_picture_is_no_animation(tmp_path: Path) -> None:
    given = {"size": "96x64", "duration": 1, "fps": 8}
    assert work(tmp_path, "procedural-video-v1", SAMPLES / "grace_hopper.jpg", **given).warnings == ()
