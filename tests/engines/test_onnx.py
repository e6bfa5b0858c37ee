"""The onnx engine as a whole: its options, its child process, and files that are not the networks they should be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data
from onnx_jobs import ADMIRAL, ASTRONAUT, pixels, refusal
from PIL import Image

import stub_networks as stub
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, create
from darkroom.engines.onnx import FACE_SWAP, UPSCALE, VIDEO_FACE_SWAP, Networks
from darkroom.testing.engines import EngineSuite, Recorder, check_job, example, opened, placed
from darkroom.testing.processes import child_processes
from darkroom.testing.server import until


class TestUpscaleKit(EngineSuite):
    @pytest.fixture(autouse=True)
    def _networks(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("networks")
        self.options = {
            "upscaler": str(stub.upscaler(folder / "x2.onnx")),
            "face_swap": str(stub.face_swap(folder / "swap.onnx", 0.5)),
            "face_embedding": str(stub.embedding(folder / "face.onnx")),
            "tile": 64,
        }

    def engine(self) -> Engine:
        return create("onnx", EngineSettings(slots=2, options=self.options))

    def job(self, folder: Path) -> Job:
        return example(UPSCALE.name, Operation.IMAGE_UPSCALE, small(folder), format="webp")

    def long_job(self, folder: Path) -> Job:
        return example(UPSCALE.name, Operation.IMAGE_UPSCALE, ASTRONAUT, scale=16)


class TestFaceSwapKit(TestUpscaleKit):
    def job(self, folder: Path) -> Job:
        return example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, ASTRONAUT, ADMIRAL, format="webp")

    def long_job(self, folder: Path) -> Job:
        rgb = cv2.resize(pixels(ADMIRAL), None, fx=8, fy=8)
        Image.fromarray(rgb).save(folder / "large.png", compress_level=1)
        return example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, ASTRONAUT, folder / "large.png")


def small(folder: Path) -> Path:
    with Image.open(ADMIRAL) as image:
        image.resize((64, 75)).save(folder / "small.png")
    return folder / "small.png"


def engine(**options: Any) -> Engine:
    return create("onnx", EngineSettings(options=options))


def names(made: Engine) -> set[str]:
    return {model.name for model in made.models()}


# Options


def test_only_models_whose_networks_there_are_are_offered(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    path = str(tmp_path / "a")
    assert names(engine()) == set()
    assert names(engine(upscaler=path)) == {UPSCALE.name}
    assert names(engine(face_swap=path, face_embedding=path)) == {FACE_SWAP.name, VIDEO_FACE_SWAP.name}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"upscaler": "missing.onnx"}, "names .*/missing.onnx, and there is no such file"),
        ({"upscaler": "."}, "there is no such file"),
        ({"upscaler": ""}, "upscaler of the engine onnx must be the path"),
        ({"upscaler": 7}, "must be the path of an ONNX file"),
        ({"face_swap": "here.onnx"}, "needs both face_swap and face_embedding"),
        ({"face_embedding": "here.onnx"}, "needs both face_swap and face_embedding"),
        ({"upscale": "here.onnx"}, "no option 'upscale': did you mean 'upscaler'"),
        ({"qqq": 1}, "it takes upscaler, face_swap, face_embedding, tile"),
        *(({"tile": tile}, "tile .* multiple of 32 from 64 to 4096") for tile in (32, 100, 8192, 256.0, "256", True)),
    ],
)
def test_options_that_cannot_work_are_refused_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.onnx").touch()
    with pytest.raises(ValueError, match=words):
        engine(**options)


def test_a_start_without_onnxruntime_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r"pip install 'darkroom-server\[onnx\]'"):
        engine()


def test_the_server_process_loads_neither_onnxruntime_nor_numpy(tmp_path: Path) -> None:
    path = stub.upscaler(tmp_path / "x2.onnx")
    code = (
        "import sys; from darkroom.engines import EngineSettings, create;"
        f"create('onnx', EngineSettings(options={{'upscaler': {str(path)!r}}}));"
        "sys.exit(','.join(m for m in ('numpy', 'cv2', 'onnxruntime') if m in sys.modules) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


# The child process


async def test_the_child_keeps_no_telemetry_and_works_on_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without these onnxruntime would keep an id of this machine in the home folder, and send events.
    for name in ("CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    job = placed(example(UPSCALE.name, Operation.IMAGE_UPSCALE, small(tmp_path)), tmp_path, "one")
    before = child_processes()
    async with opened(engine(upscaler=str(stub.upscaler(tmp_path / "x2.onnx")))) as made:
        await made.run(check_job(made, job), Recorder())
        [child] = child_processes() - before
        # The one that works and the one that listens; one that has just ended may still be listed.
        until(lambda: len(list(Path(f"/proc/{child}/task").iterdir())) == 2)
    assert list((tmp_path / "home").iterdir()) == []


async def test_after_a_network_that_does_not_work_the_engine_goes_on(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("a shopping list")
    options = {
        "upscaler": str(tmp_path / "text.onnx"),
        "face_swap": str(stub.face_swap(tmp_path / "swap.onnx")),
        "face_embedding": str(stub.embedding(tmp_path / "face.onnx")),
    }
    upscale = placed(example(UPSCALE.name, Operation.IMAGE_UPSCALE, small(tmp_path)), tmp_path, "one")
    swap = placed(example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, ASTRONAUT, ADMIRAL), tmp_path, "two")
    async with opened(engine(**options)) as made:
        with pytest.raises(TaskError) as caught:
            await made.run(check_job(made, upscale), Recorder())
        assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, False)
        assert "text.onnx" in (caught.value.detail or "")
        assert await made.run(check_job(made, swap), Recorder())


# Files that are not the networks that they should be


def truncated(path: Path) -> Path:
    whole = stub.face_swap(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def text(path: Path) -> Path:
    path.write_text("this is no network\n" * 100)
    return path


def empty(path: Path) -> Path:
    path.touch()
    return path


def bytes_in(path: Path) -> Path:
    """Takes a picture of whole numbers of 0 to 255."""
    nodes = [helper.make_node("Identity", ["input"], ["output"])]
    shape = [1, 3, "height", "width"]
    return stub.save(path, nodes, {"input": shape}, shape, kind=TensorProto.UINT8)


def no_numbers(path: Path) -> Path:
    """Delivers roots of negative numbers."""
    nodes = [helper.make_node("Neg", ["input"], ["negative"]), helper.make_node("Sqrt", ["negative"], ["output"])]
    shape = [1, 3, "height", "width"]
    return stub.save(path, nodes, {"input": shape}, shape)


def shuffled(path: Path) -> Path:
    """Delivers height and width in each other's place."""
    nodes = [
        helper.make_node("Concat", ["input", "input"], ["wide"], axis=3),
        helper.make_node("Concat", ["wide", "wide"], ["larger"], axis=2),
        helper.make_node("Transpose", ["larger"], ["output"], perm=[0, 1, 3, 2]),
    ]
    return stub.save(path, nodes, {"input": [1, 3, 64, 48]}, [1, 3, 96, 128])


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (text, "cannot be loaded"),
        (truncated, "cannot be loaded"),
        (empty, "cannot be loaded"),
        (bytes_in, "takes tensor.uint8. as input"),
        (no_numbers, "values that are no numbers"),
        (shuffled, "makes 1 x 3 x 96 x 128 of a picture of 48x64"),
        (stub.face_swap, r"takes target .1 x 3 x 128 x 128., source .1 x 512."),
        (lambda path: stub.upscaler(path, 1), "it is no upscaler"),
        (lambda path: stub.upscaler(path, channels=1), r"takes input .1 x 1 x \? x \?."),
        (lambda path: stub.upscaler(path, sides=(8, 8)), "smaller than 16x16"),
    ],
)
def test_a_file_that_is_no_upscaler_is_an_error_for_the_operator(
    tmp_path: Path, build: Callable[[Path], Path], why: str
) -> None:
    networks = Networks(upscaler=build(tmp_path / "secret.onnx"))
    error = refusal(tmp_path, networks, UPSCALE.name, small(tmp_path))
    check(error, "upscaling network", why)


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (text, "cannot be loaded"),
        (truncated, "cannot be loaded"),
        (stub.upscaler, "a face swap network takes 1 x 3 x 128 x 128 and 1 x 512"),
        (lambda path: stub.face_swap(path, side=64), "takes target .1 x 3 x 64 x 64."),
        (lambda path: stub.face_swap(path, output=256), "delivers 1 x 3 x 256 x 256"),
        (lambda path: stub.face_swap(path, last=other(np.zeros((2, 3), np.float32))), "has 2 x 3 as its last"),
        (lambda path: stub.face_swap(path, last=other(np.zeros((512, 512), np.int64))), "no floating-point numbers"),
        (lambda path: stub.face_swap(path, last=elsewhere(path.with_name("weights"))), "kept in another file"),
    ],
)
def test_a_file_that_is_no_face_swap_network_is_an_error_for_the_operator(
    tmp_path: Path, build: Callable[[Path], Path], why: str
) -> None:
    networks = Networks(
        face_swap=build(tmp_path / "secret.onnx"), face_embedding=stub.embedding(tmp_path / "face.onnx")
    )
    check(refusal(tmp_path, networks, FACE_SWAP.name, ASTRONAUT, ADMIRAL), "face swap network", why)


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (text, "cannot be loaded"),
        (stub.face_swap, "a face recognition network takes 1 x 3 x 112 x 112"),
        (lambda path: stub.embedding(path, side=160), r"takes face .\? x 3 x 160 x 160."),
        (lambda path: stub.embedding(path, numbers=128), "delivers 128 numbers for a face, and not 512"),
        (lambda path: stub.embedding(path, silent=True), "nothing but zeros"),
    ],
)
def test_a_file_that_is_no_face_recognition_network_is_an_error_for_the_operator(
    tmp_path: Path, build: Callable[[Path], Path], why: str
) -> None:
    networks = Networks(
        face_swap=stub.face_swap(tmp_path / "swap.onnx"), face_embedding=build(tmp_path / "secret.onnx")
    )
    check(refusal(tmp_path, networks, FACE_SWAP.name, ASTRONAUT, ADMIRAL), "face recognition network", why)


def check(error: TaskError, purpose: str, why: str) -> None:
    assert error.code is Code.ENGINE_FAILED
    assert f"The {purpose} of this server does not work" in error.message
    assert "onnx" not in error.message
    with pytest.raises(AssertionError, match=why):
        raise AssertionError(error.detail)
    assert "secret.onnx" in (error.detail or "")


def other(values: np.ndarray[Any, Any]) -> onnx.TensorProto:
    return numpy_helper.from_array(values, "emap")


def elsewhere(path: Path) -> onnx.TensorProto:
    """A matrix that lies in a file of its own."""
    tensor = other(stub.matrix())
    path.write_bytes(tensor.raw_data)
    set_external_data(tensor, path.name)
    tensor.ClearField("raw_data")
    return tensor
