"""What the child process runs: one job, from its input files to its output files.

Sizes are checked before a pixel is decoded; parameters are checked as if nobody had checked them before. Networks are
loaded by the first job that needs them and kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import cv2

from ...core.catalog import Model, check_params
from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report
from ..opencv import exchange, pictures, video_faces
from ..opencv.faces import Face
from ..opencv.pictures import Picture, Size
from . import FACE_SWAP, UPSCALE, VIDEO_FACE_SWAP, Networks, Order
from .swap import Painter, Swapper, is_soft
from .upscale import Upscaler, enlarge

Params = Mapping[str, Any]

cv2.setNumThreads(1)  # one job, one core: the server runs as many jobs at once as it has slots


def run(order: Order, report: Report) -> list[Output]:
    """Do one job; raises `TaskError` for everything that its caller can change or its operator has to."""
    job = order.job
    model, work = WORK.get(job.model, (None, None))
    if model is None or work is None or job.operation not in model.operations:
        raise TaskError(
            Code.UNSUPPORTED, f"This engine does not offer {job.operation} with '{job.model}'.", param="model"
        )
    if not job.inputs:
        raise TaskError(Code.INVALID_INPUT, "Send a picture to work on.", param="inputs")
    params, notes = check_params(model, job.params)
    job.workdir.mkdir(parents=True, exist_ok=True)
    report.progress(1, "reading")
    [output] = work(job, order.networks, params, report)
    return [Output(output.path, tuple(dict.fromkeys((*notes, *output.warnings))))]


def _upscale(job: Job, networks: Networks, params: Params, report: Report) -> list[Output]:
    measured = pictures.measure(job.inputs[0])
    pictures.check_output(_wanted(measured, params), params["format"], "size" if "size" in params else "scale")
    assert networks.upscaler is not None
    upscaler = _upscaler(networks.upscaler, networks.tile)
    picture = pictures.read(job.inputs[0])
    report.progress(4, "upscaling")
    # Only now is it known whether the picture lies on its side.
    larger = enlarge(
        picture,
        _wanted(picture.size, params),
        upscaler,
        lambda done, total: report.progress(4 + 91 * done // total, f"tile {done} of {total}"),
    )
    report.progress(96, "writing")
    return [_write(larger, job, params, ())]


def _swap(job: Job, networks: Networks, params: Params, report: Report) -> list[Output]:
    exchange.check(job.inputs, params)
    pictures.check_output(pictures.measure(job.inputs[1]), params["format"], "inputs")
    source, target = (pictures.read(path) for path in job.inputs)
    report.progress(10, "looking for faces")
    plan = exchange.plan(source, target, params["faces"])
    swapped = exchange.put(
        _swapper(networks, source, plan.face),
        target,
        plan.places,
        params["strength"],
        lambda done, total: report.progress(30 + 65 * done // total, "swapping"),
    )
    report.progress(96, "writing")
    return [_write(swapped, job, params, (*plan.notes, *_doubts(plan)))]


def _film(job: Job, networks: Networks, params: Params, report: Report) -> list[Output]:
    return video_faces.swapped(job, params, report, lambda picture, face: _swapper(networks, picture, face))


def _swapper(networks: Networks, picture: Picture, face: Face) -> Swapper:
    assert networks.face_swap is not None
    assert networks.face_embedding is not None
    return Swapper(_painter(networks.face_swap, networks.face_embedding), picture, face)


def _doubts(plan: exchange.Plan) -> tuple[str, ...]:
    if any(map(is_soft, plan.places)):
        return ("The network draws small faces, and the target's is large, so that the result is soft.",)
    return ()


def _write(picture: Picture, job: Job, params: Params, notes: tuple[str, ...]) -> Output:
    path, more = pictures.write(
        picture,
        job.workdir / "0",
        file_format=params["format"],
        quality=params["quality"],
        made_by=f"Darkroom {job.model}",
    )
    return Output(path, (*notes, *more))


def _wanted(size: Size, params: Params) -> Size:
    """The size of the result for a picture of `size`."""
    if "size" in params:
        width, _, height = params["size"].partition("x")
        return int(width), int(height)
    return max(1, round(size[0] * params["scale"])), max(1, round(size[1] * params["scale"]))


@cache
def _upscaler(path: Path, tile: int) -> Upscaler:
    return Upscaler(path, tile)


@cache
def _painter(face_swap: Path, face_embedding: Path) -> Painter:
    return Painter.load(face_swap, face_embedding)


WORK: Mapping[str, tuple[Model, Callable[[Job, Networks, Params, Report], list[Output]]]] = {
    UPSCALE.name: (UPSCALE, _upscale),
    FACE_SWAP.name: (FACE_SWAP, _swap),
    VIDEO_FACE_SWAP.name: (VIDEO_FACE_SWAP, _film),
}
