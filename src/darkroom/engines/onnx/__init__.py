"""Upscaling and face swaps with networks that the operator of the server brings, as ONNX files, run by onnxruntime.

What it offers is plain data, so that the server reads it without loading onnxruntime or numpy: only the child process
that does the work imports them. The start checks that every file is there; whether it is the network that it should be
is known when the first task needs it. No network ships with the package, and nothing is downloaded or sent anywhere.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...core.catalog import Model, Param
from ...core.task import Operation
from .. import Engine, EngineSettings, Job
from .._process import ProcessEngine
from ..opencv import FACE_SWAP as BUILT_IN_SWAP
from ..opencv import FORMAT, QUALITY
from ..opencv.video_models import LIMITS

NAME = "onnx"
TILE = 256
TILES = (64, 4096)  # the least and the most
UNIT = 32  # that dynamic networks are given multiples of, for many halve their input again and again

UPSCALE = Model(
    name="upscale-onnx-v1",
    engine=NAME,
    operations=(Operation.IMAGE_UPSCALE,),
    description="Enlarges a picture with an upscaling network that the operator of this server chose; some invent "
    "detail that was not there.",
    params=(
        Param("scale", "number", "How many times wider and higher.", default=2, minimum=1, maximum=16),
        Param(
            "size",
            "size",
            "Exact size of the result, in place of scale; what does not fit its shape is cropped evenly.",
            minimum=1,
            maximum=65536,
        ),
        FORMAT,
        QUALITY,
    ),
    min_inputs=1,
    max_inputs=1,
    price=2,
    timeout=3600,
)
FACE_SWAP = Model(
    name="faceswap-onnx-v1",
    engine=NAME,
    operations=(Operation.IMAGE_FACE_SWAP,),
    description="Draws the face of the first picture on faces of the second, with a network that the operator of this "
    "server chose: expression, light and pose stay those of the second.",
    params=BUILT_IN_SWAP.params,
    min_inputs=2,
    max_inputs=2,
    price=3,
    timeout=600,
)
VIDEO_FACE_SWAP = Model(
    name="video-faceswap-onnx-v1",
    engine=NAME,
    operations=(Operation.VIDEO_FACE_SWAP,),
    description="Draws the face of a picture, the first input, on the largest face in a video, the second input, with "
    f"a network that the operator of this server chose. Frames without a face stay as they are. {LIMITS}",
    min_inputs=2,
    max_inputs=2,
    price=10,
    timeout=3600,
)


@dataclass(frozen=True, slots=True)
class Networks:
    """The engine's settings: where the networks lie, and how large the tiles are that an upscaler is given."""

    upscaler: Path | None = None
    face_swap: Path | None = None
    face_embedding: Path | None = None
    tile: int = TILE


@dataclass(frozen=True, slots=True)
class Order:
    """What the child process is told: the job, and the networks that there are."""

    job: Job
    networks: Networks


class OnnxEngine(ProcessEngine):
    """The engine; it offers the models whose networks there are."""

    def __init__(self, networks: Networks, settings: EngineSettings) -> None:
        models = (UPSCALE,) if networks.upscaler else ()
        if networks.face_swap:
            models = (*models, FACE_SWAP, VIDEO_FACE_SWAP)
        super().__init__(NAME, models, "darkroom.engines.onnx.work:run", settings.slots, settings.memory_mib)
        self._networks = networks

    def argument(self, job: Job) -> Order:
        """The job, with the networks that there are."""
        return Order(job, self._networks)


def create(settings: EngineSettings) -> Engine:
    """Make the engine; `ValueError` says what is wrong with its options, or that onnxruntime is missing."""
    networks = read(settings.options)
    if find_spec("onnxruntime") is None:
        raise ValueError("the engine onnx needs onnxruntime: pip install 'darkroom-server[onnx]'")
    return OnnxEngine(networks, settings)


def read(options: Mapping[str, Any]) -> Networks:
    """The table `[engine.onnx]`, checked."""
    names = Networks.__dataclass_fields__
    for name in options:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(names)}"
            raise ValueError(f"the engine onnx has no option {name!r}: {hint}")
    networks = Networks(
        _file(options, "upscaler"), _file(options, "face_swap"), _file(options, "face_embedding"), _tile(options)
    )
    if (networks.face_swap is None) != (networks.face_embedding is None):
        raise ValueError("the engine onnx needs both face_swap and face_embedding to swap faces, or neither of them")
    return networks


def _file(options: Mapping[str, Any], name: str) -> Path | None:
    if name not in options:
        return None
    if not isinstance(options[name], str) or not options[name]:
        raise ValueError(f"the option {name} of the engine onnx must be the path of an ONNX file")
    path = Path(options[name]).absolute()
    if not path.is_file():
        raise ValueError(f"the option {name} of the engine onnx names {path}, and there is no such file")
    if not os.access(path, os.R_OK):
        raise ValueError(f"the option {name} of the engine onnx names {path}, which this user may not read")
    return path


def _tile(options: Mapping[str, Any]) -> int:
    tile = options.get("tile", TILE)
    if type(tile) is not int or not TILES[0] <= tile <= TILES[1] or tile % UNIT:
        raise ValueError(
            f"the option tile of the engine onnx must be a multiple of {UNIT} from {TILES[0]} to {TILES[1]}"
        )
    return tile
