"""The opencv engine as a whole: jobs in, files out, in the process and in a child."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.opencv import EDIT, FILTERS, UPSCALE, work
from darkroom.testing.engines import EngineSuite, example

SAMPLES = Path(darkroom.__file__).parent / "samples"
OPERATIONS = {
    UPSCALE.name: Operation.IMAGE_UPSCALE,
    FILTERS.name: Operation.IMAGE_FILTER,
    EDIT.name: Operation.IMAGE_EDIT,
}
ALL_MODELS = pytest.mark.parametrize(
    ("model", "params"), [(UPSCALE.name, {}), (FILTERS.name, {}), (EDIT.name, {"prompt": "sepia"})]
)


class TestUpscaleKit(EngineSuite):
    def engine(self) -> Engine:
        return create("opencv", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        return example(UPSCALE.name, Operation.IMAGE_UPSCALE, thumbnail(folder), format="webp")

    def long_job(self, folder: Path) -> Job:
        return example(UPSCALE.name, Operation.IMAGE_UPSCALE, SAMPLES / "astronaut.png", size="4096x4096")


class TestEditKit(TestUpscaleKit):
    def job(self, folder: Path) -> Job:
        return example(EDIT.name, Operation.IMAGE_EDIT, thumbnail(folder), count=2, prompt="warm oil painting")

    def long_job(self, folder: Path) -> Job:
        return replace(self.job(folder), params={"prompt": "warm oil painting", "size": "2048x2048"})


class Progress:
    """A `Report` that keeps what it is told."""

    def __init__(self) -> None:
        self.percents: list[int] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.percents.append(percent)


def thumbnail(folder: Path, size: tuple[int, int] = (64, 75), name: str = "input.png") -> Path:
    with Image.open(SAMPLES / "grace_hopper.jpg") as image:
        image.resize(size).save(folder / name)
    return folder / name


def run(folder: Path, model: str, *inputs: Path, count: int = 1, **params: object) -> list[Output]:
    job = example(model, OPERATIONS[model], *(inputs or (thumbnail(folder),)), count=count, **params)
    return work.run(replace(job, workdir=folder / "work"), Progress())


def refusal(folder: Path, model: str, *inputs: Path, **params: object) -> TaskError:
    with pytest.raises(TaskError) as caught:
        run(folder, model, *inputs, **params)
    return caught.value


def pixels(output: Output) -> np.ndarray:
    with Image.open(output.path) as image:
        return np.array(image)


def test_the_server_can_describe_the_engine_without_loading_libraries() -> None:
    check = (
        "import sys; from darkroom.engines import EngineSettings, create; create('opencv', EngineSettings()).models();"
        "sys.exit(any(name in sys.modules for name in ('numpy', 'cv2', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValueError, match="colour"):
        create("opencv", EngineSettings(options={"colour": 1}))


@pytest.mark.parametrize("method", ["network", "lanczos"])
@pytest.mark.parametrize("scale", [2, 4])
def test_upscaling_multiplies_the_sides(tmp_path: Path, method: str, scale: int) -> None:
    [output] = run(tmp_path, UPSCALE.name, scale=scale, method=method)
    assert pixels(output).shape == (75 * scale, 64 * scale, 3)
    assert output.warnings == ()


def test_the_network_is_the_default_and_differs_from_lanczos(tmp_path: Path) -> None:
    made = [pixels(run(tmp_path, UPSCALE.name, **params)[0]) for params in ({}, {"method": "lanczos"})]
    assert (made[0] != made[1]).any()


def test_a_picture_on_its_side_is_upscaled_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "turned.jpg", exif=exif)
    [output] = run(tmp_path, UPSCALE.name, tmp_path / "turned.jpg")
    with Image.open(output.path) as image:
        assert image.size == (40, 60)
        assert 0x0112 not in image.getexif()


@ALL_MODELS
def test_a_size_is_kept_exactly_and_a_crop_is_said(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    [output] = run(tmp_path, model, size="100x40", **params)
    assert pixels(output).shape == (40, 100, 3)
    assert "cropped at its top and bottom" in output.warnings[0]


@ALL_MODELS
def test_a_size_of_the_same_shape_needs_no_warning(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    assert run(tmp_path, model, size="128x150", **params)[0].warnings == ()


@ALL_MODELS
@pytest.mark.parametrize(
    ("file_format", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP"), ("avif", "AVIF")]
)
def test_results_have_the_asked_format_and_the_mark_of_the_model(
    tmp_path: Path, model: str, params: dict[str, str], file_format: str, kind: str
) -> None:
    [output] = run(tmp_path, model, format=file_format, **params)
    with Image.open(output.path) as image:
        image.load()
        assert image.format == kind
        mark = image.text["Software"] if kind == "PNG" else image.getexif()[0x0131]
    assert mark == f"Darkroom {model}"


@ALL_MODELS
def test_transparency_is_kept(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    with Image.open(thumbnail(tmp_path)) as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save(tmp_path / "see-through.png")
        alpha = np.asarray(image.getchannel("A"))
    made = pixels(run(tmp_path, model, tmp_path / "see-through.png", **params)[0])
    assert made.shape[2] == 4
    shrunk = made[::2, ::2, 3] if model == UPSCALE.name else made[..., 3]
    tolerance = 3 if model == UPSCALE.name else 0
    assert np.abs(shrunk.astype(int) - alpha).max() <= tolerance


@ALL_MODELS
def test_progress_grows_to_the_end(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    progress = Progress()
    job = example(model, OPERATIONS[model], thumbnail(tmp_path), **params)
    work.run(replace(job, workdir=tmp_path / "work"), progress)
    assert progress.percents == sorted(progress.percents)
    assert len(set(progress.percents)) >= 3
    assert progress.percents[-1] in range(95, 101)


@ALL_MODELS
def test_a_job_without_a_picture_is_refused(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    job = example(model, OPERATIONS[model], **params)
    with pytest.raises(TaskError, match="Send a picture") as caught:
        work.run(replace(job, workdir=tmp_path), Progress())
    assert caught.value.param == "inputs"


@ALL_MODELS
def test_a_truncated_picture_is_refused(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    path = tmp_path / "half.jpg"
    path.write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes()[:20_000])
    assert refusal(tmp_path, model, path, **params).code is Code.INVALID_MEDIA


@pytest.mark.parametrize(
    ("model", "params", "param"),
    [
        (UPSCALE.name, {"scale": 4}, "scale"),
        (UPSCALE.name, {"size": "8193x8192"}, "size"),
        (FILTERS.name, {"size": "16384x4097"}, "size"),
        (EDIT.name, {"size": "16384x4097", "prompt": "oil"}, "size"),
        (FILTERS.name, {"format": "webp"}, "format"),
    ],
)
def test_a_result_over_the_limit_is_refused_before_the_picture_is_decoded(
    tmp_path: Path, model: str, params: dict[str, object], param: str
) -> None:
    whole = tmp_path / "wide.png"
    Image.new("1", (17_000, 300)).save(whole)
    # Without its pixels the file could not be decoded, and would be refused as damaged.
    whole.write_bytes(whole.read_bytes()[:60])
    error = refusal(tmp_path, model, whole, **params)
    assert (error.code, error.param) == (Code.TOO_LARGE, param)


def test_a_model_of_another_operation_is_refused(tmp_path: Path) -> None:
    job = example(UPSCALE.name, Operation.IMAGE_FILTER, thumbnail(tmp_path))
    with pytest.raises(TaskError) as caught:
        work.run(replace(job, workdir=tmp_path), Progress())
    assert caught.value.code is Code.UNSUPPORTED


def test_bad_parameters_are_refused_even_if_nobody_checked_them(tmp_path: Path) -> None:
    assert refusal(tmp_path, FILTERS.name, style="cubist").param == "style"
    assert refusal(tmp_path, EDIT.name).param == "prompt"


def test_a_style_is_made_as_asked(tmp_path: Path) -> None:
    made = [pixels(run(tmp_path, FILTERS.name, **params)[0]) for params in ({}, {"style": "cartoon"}, {"style": "oil"})]
    assert (made[0] == made[1]).all()
    assert (made[0] != made[2]).any()


@pytest.mark.parametrize(("model", "params"), [(FILTERS.name, {}), (EDIT.name, {"prompt": "dark cartoon"})])
def test_no_strength_gives_the_picture_back(tmp_path: Path, model: str, params: dict[str, str]) -> None:
    made = pixels(run(tmp_path, model, strength=0, **params)[0])
    assert (made == np.asarray(Image.open(tmp_path / "input.png"))).all()


def test_an_edit_does_what_its_words_say(tmp_path: Path) -> None:
    [edited] = run(tmp_path, EDIT.name, prompt="水彩画", seed=5)
    edited_pixels = pixels(edited)
    [filtered] = run(tmp_path, FILTERS.name, style="watercolor", seed=5)
    assert (edited_pixels == pixels(filtered)).all()
    assert edited.warnings == ()


def test_an_edit_that_is_not_understood_says_so(tmp_path: Path) -> None:
    [output] = run(tmp_path, EDIT.name, prompt="remove the hat")
    assert "Not understood: remove, hat" in output.warnings[0]
    assert (pixels(output) != np.asarray(Image.open(tmp_path / "input.png"))).any()


def test_an_edit_gives_as_many_variations_as_asked(tmp_path: Path) -> None:
    outputs = run(tmp_path, EDIT.name, count=4, prompt="cartoon with a hat")
    assert len({output.path for output in outputs}) == 4
    assert len({pixels(output).tobytes() for output in outputs}) == 4
    assert [len(output.warnings) for output in outputs] == [1, 0, 0, 0]
