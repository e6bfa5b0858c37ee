"""An operator's own networks behind a vendor's dialect: configuration is all that it takes."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from harness import FAKE_DEFAULTS, Darkroom, fetched
from PIL import Image
from samples import png
from vendors import MUYUHAN, answered, form, until_final

import darkroom
import stub_networks as stub

SAMPLES = Path(darkroom.__file__).parent / "samples"
TRAINED = b"compositeWithTrainedAlgorithmicMedia"


def settings(folder: Path) -> dict[str, str]:
    """The environment of a server whose upscaling and face swap are done by stubs."""
    options = {
        "upscaler": str(stub.upscaler(folder / "x2.onnx")),
        "face_swap": str(stub.face_swap(folder / "swap.onnx", tint=1)),
        "face_embedding": str(stub.embedding(folder / "face.onnx")),
    }
    inline = ", ".join(f"{name} = {json.dumps(path)}" for name, path in options.items())
    ours = '"image.upscale" = "upscale-onnx-v1", "image.face_swap" = "faceswap-onnx-v1"'
    others = FAKE_DEFAULTS.replace('"image.upscale" = "fake", ', "").replace('"image.face_swap" = "fake", ', "")
    return {"DARKROOM_ENGINE": f"{{onnx = {{{inline}}}}}", "DARKROOM_DEFAULTS": f"{{{ours}, {others.strip('{}')}}}"}


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def test_a_vendors_clients_get_what_the_operators_networks_make(tmp_path: Path) -> None:
    picture = png(40, 30)
    people = [(path.name, path.read_bytes()) for path in (SAMPLES / "astronaut.png", SAMPLES / "grace_hopper.jpg")]
    flags = ("--workers", "1")
    with Darkroom(tmp_path, engines="fake,opencv,onnx", env=settings(tmp_path), flags=flags) as server:
        caller = server.client()
        parts = [("images", ("a.png", picture)), *form(taskType="6", scale="2")["files"]]
        upscaled = until_final(MUYUHAN, caller, answered(caller.post("/submitTask", files=parts))["data"]["promptId"])
        parts = [*(("images", each) for each in people), *form(taskType="3")["files"]]
        swapped = until_final(MUYUHAN, caller, answered(caller.post("/submitTask", files=parts))["data"]["promptId"])
        larger, face = (fetched(done["data"]["imageList"][0]["origin"]).content for done in (upscaled, swapped))
    assert (pixels(larger) == pixels(picture).repeat(2, 0).repeat(2, 1)).all()
    assert (pixels(face) != pixels(people[1][1])).any()
    for made, model in ((larger, b"upscale-onnx-v1"), (face, b"faceswap-onnx-v1")):
        assert model in made
        assert TRAINED in made


def test_a_server_whose_network_is_missing_says_so_and_does_not_start(tmp_path: Path) -> None:
    env = {"DARKROOM_ENGINE": '{onnx = {upscaler = "gone.onnx"}}'}
    server = Darkroom(tmp_path, engines="fake,onnx", env=env)
    server.start(wait=False)
    assert server.wait() != 0
    assert "the option upscaler of the engine onnx names" in server.log
    assert "gone.onnx, and there is no such file" in server.log
    assert "Traceback" not in server.log
