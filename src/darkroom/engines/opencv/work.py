"""What the child process runs: one job, from its input files to its output files.

Sizes are checked before a pixel is decoded; parameters are checked as if nobody had checked them before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2

from ...core.catalog import Model, check_params
from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report
from . import (
    EDIT,
    ENHANCE,
    FACE_SWAP,
    FILTERS,
    MODELS,
    UPSCALE,
    enhance,
    exchange,
    filters,
    pictures,
    portrait,
    upscale,
    video,
)
from .edit import job as edit
from .pictures import Picture, Size

# Left out of the picture without a word: less than this part of its width or height.
UNNOTICED = 0.01

Params = Mapping[str, Any]

cv2.setNumThreads(1)  # one job, one core: the server runs as many jobs at once as it has slots


def run(job: Job, report: Report) -> list[Output]:
    """Do one job; raises `TaskError` for everything that its caller can change."""
    model = next((model for model in MODELS if model.name == job.model), None)
    if model is None or job.operation not in model.operations:
        raise TaskError(
            Code.UNSUPPORTED, f"This engine does not offer {job.operation} with '{job.model}'.", param="model"
        )
    if not job.inputs:
        raise TaskError(Code.INVALID_INPUT, "Send a picture to work on.", param="inputs")
    params, notes = check_params(model, job.params)
    job.workdir.mkdir(parents=True, exist_ok=True)
    report.progress(1, "reading")
    outputs = WORK[model.name](job, params, report)
    first = outputs[0]
    return [Output(first.path, tuple(dict.fromkeys((*notes, *first.warnings)))), *outputs[1:]]


def _upscale(job: Job, params: Params, report: Report) -> list[Output]:
    width, height = pictures.measure(job.inputs[0])
    scale = params["scale"]
    if "size" in params:
        pictures.check_output(_size(params["size"]), params["format"], "size")
    else:
        pictures.check_output((width * scale, height * scale), params["format"], "scale")
    picture = pictures.read(job.inputs[0])
    # Only now is it known whether the picture lies on its side.
    size = _size(params["size"]) if "size" in params else (picture.size[0] * scale, picture.size[1] * scale)
    notes = _crop_notes(picture.size, size)
    report.progress(4, "upscaling")
    if params["method"] == "lanczos":
        larger = pictures.fit(picture, size)
    else:
        larger = upscale.enlarge(
            picture, size, lambda ready, total: report.progress(4 + 91 * ready // total, "upscaling")
        )
    report.progress(96, "writing")
    return [_write(larger, job, 0, params, UPSCALE, notes, keep_exif=True)]


def _filter(job: Job, params: Params, report: Report) -> list[Output]:
    picture, notes = _read_to_size(job.inputs[0], params)
    outlines = portrait.face_outlines(picture) if params["style"] in filters.GENTLE else ()

    def draw(index: int) -> Picture:
        drawn = filters.apply(
            params["style"],
            picture.rgb,
            strength=params["strength"],
            seed=params["seed"] + index,
            faces=outlines,
        )
        return replace(picture, rgb=drawn, warnings=())

    return _each(job, params, report, FILTERS, (*picture.warnings, *notes), draw)


def _edit(job: Job, params: Params, report: Report) -> list[Output]:
    begun = edit.begin(job.inputs, params, lambda picture: _to_size(picture, params))
    return _each(job, params, report, EDIT, begun.notes, begun.draw)


def _swap(job: Job, params: Params, report: Report) -> list[Output]:
    exchange.check(job.inputs, params)
    pictures.check_output(pictures.measure(job.inputs[1]), params["format"], "inputs")
    source, target = (pictures.read(path) for path in job.inputs)
    report.progress(10, "looking for faces")
    swapped, notes = exchange.swap(
        source,
        target,
        params["faces"],
        params["strength"],
        lambda done, total: report.progress(30 + 65 * done // total, "swapping"),
    )
    report.progress(96, "writing")
    return [_write(swapped, job, 0, params, FACE_SWAP, notes)]


def _enhance(job: Job, params: Params, report: Report) -> list[Output]:
    picture, _ = _read_to_size(job.inputs[0], params)
    report.progress(5, "measuring")
    options = enhance.Options(params["strength"], params["retouch"], params["blur"])
    better = enhance.enhance(picture, options, lambda done, total: report.progress(5 + 70 * done // total, "enhancing"))
    report.progress(96, "writing")
    return [_write(better, job, 0, params, ENHANCE, ())]


def _each(
    job: Job,
    params: Params,
    report: Report,
    model: Model,
    notes: tuple[str, ...],
    draw: Callable[[int], Picture],
) -> list[Output]:
    """As many results as were asked for; what there is to say is said with the first."""
    outputs = []
    for index in range(job.count):
        report.progress(10 + 85 * index // job.count, "drawing")
        outputs.append(_write(draw(index), job, index, params, model, notes if index == 0 else ()))
    report.progress(98, "done")
    return outputs


def _read_to_size(path: Path, params: Params) -> tuple[Picture, tuple[str, ...]]:
    size = _size(params["size"]) if "size" in params else None
    measured = pictures.measure(path)
    pictures.check_output(size or measured, params["format"], "size" if size else "inputs")
    return _to_size(pictures.read(path), params)


def _to_size(picture: Picture, params: Params) -> tuple[Picture, tuple[str, ...]]:
    """The picture as large as was asked for, and what there is to say about that."""
    if "size" not in params:
        return picture, ()
    size = _size(params["size"])
    return pictures.fit(picture, size), _crop_notes(picture.size, size)


def _write(
    picture: Picture,
    job: Job,
    index: int,
    params: Params,
    model: Model,
    notes: tuple[str, ...],
    *,
    keep_exif: bool = False,
) -> Output:
    path, more = pictures.write(
        picture,
        job.workdir / str(index),
        file_format=params["format"],
        quality=params["quality"],
        made_by=f"Darkroom {model.name}",
        keep_exif=keep_exif,
    )
    return Output(path, (*notes, *more))


def _crop_notes(before: Size, after: Size) -> tuple[str, ...]:
    shape = before[0] * after[1] / (before[1] * after[0])
    if min(shape, 1 / shape) >= 1 - UNNOTICED:
        return ()
    side = "left and right" if shape > 1 else "top and bottom"
    return (f"The picture of {before[0]}x{before[1]} was cropped at its {side} to fit {after[0]}x{after[1]}.",)


def _size(text: str) -> Size:
    width, _, height = text.partition("x")
    return int(width), int(height)


WORK: Mapping[str, Callable[[Job, Params, Report], list[Output]]] = {
    UPSCALE.name: _upscale,
    FILTERS.name: _filter,
    EDIT.name: _edit,
    FACE_SWAP.name: _swap,
    ENHANCE.name: _enhance,
    **video.WORK,
}
