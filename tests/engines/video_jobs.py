"""Runs video jobs in this process, for tests, with parameters checked as the server does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import darkroom
from darkroom.core.catalog import Model, check_params
from darkroom.core.errors import TaskError
from darkroom.engines import Job, Output
from darkroom.engines.opencv import MODELS
from darkroom.engines.opencv.work import run as run_opencv
from darkroom.engines.procedural.jobs import run as run_procedural
from darkroom.engines.procedural.video_model import VIDEO
from films import Pixels

SAMPLES = Path(darkroom.__file__).parent / "samples"


class Progress:
    """A `Report` that keeps what it is told."""

    def __init__(self) -> None:
        self.percents: list[int] = []
        self.notes: list[str] = []
        self.pictures: list[bytes] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.percents.append(percent)
        self.notes.append(note)

    def preview(self, picture: Path) -> None:
        self.pictures.append(picture.read_bytes())


def model_of(name: str) -> Model:
    return next(model for model in (*MODELS, VIDEO) if model.name == name)


def work(folder: Path, name: str, *inputs: Path, report: Progress | None = None, **given: Any) -> Output:
    """Run a job here, with parameters checked as the server does."""
    model = model_of(name)
    folder.mkdir(exist_ok=True)
    job = Job(
        task_id="task",
        attempt=1,
        operation=model.operations[0],
        model=name,
        params=check_params(model, given)[0],
        count=1,
        inputs=inputs,
        workdir=folder,
    )
    [output] = (run_procedural if name == VIDEO.name else run_opencv)(job, report or Progress())
    return output


def refusal(folder: Path, name: str, *inputs: Path, **given: Any) -> TaskError:
    with pytest.raises(TaskError) as caught:
        work(folder, name, *inputs, **given)
    return caught.value


def far(first: Pixels, second: Pixels) -> float:
    """Mean difference of two pictures, 0 to 255."""
    return float(np.abs(first.astype(int) - second).mean())
