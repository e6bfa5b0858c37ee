"""Runs jobs of the onnx engine in this process, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation
from darkroom.engines import Output
from darkroom.engines.onnx import FACE_SWAP, UPSCALE, VIDEO_FACE_SWAP, Networks, Order, work
from darkroom.testing.engines import example

SAMPLES = Path(darkroom.__file__).parent / "samples"
ASTRONAUT, ADMIRAL = SAMPLES / "astronaut.png", SAMPLES / "grace_hopper.jpg"
OPERATIONS = {
    UPSCALE.name: Operation.IMAGE_UPSCALE,
    FACE_SWAP.name: Operation.IMAGE_FACE_SWAP,
    VIDEO_FACE_SWAP.name: Operation.VIDEO_FACE_SWAP,
}


class Told:
    """A `Report` that keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.previews: list[Path] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.notes.append(note)

    def preview(self, picture: Path) -> None:
        self.previews.append(picture)


def run(
    folder: Path, networks: Networks, model: str, *inputs: Path, told: Told | None = None, **params: object
) -> Output:
    """Run a job here."""
    job = example(model, OPERATIONS[model], *inputs, **params)
    [output] = work.run(Order(replace(job, workdir=folder / "work"), networks), told or Told())
    return output


def refusal(folder: Path, networks: Networks, model: str, *inputs: Path, **params: object) -> TaskError:
    """What a job is refused with; to try again would not help."""
    with pytest.raises(TaskError) as caught:
        run(folder, networks, model, *inputs, **params)
    assert not caught.value.retryable
    return caught.value


def pixels(path: Path) -> np.ndarray[Any, Any]:
    """A picture file, decoded."""
    with Image.open(path) as image:
        return np.array(image)
