"""One task of editing: reads its pictures and its mask, and draws as many results as are asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ....core.errors import Code, TaskError
from .. import pictures
from ..pictures import Picture, Pixels, Size
from . import compose, mask
from .draw import Drawing
from .plan import Edit, plan

MOST_TOGETHER = 100_000_000  # pixels of all pictures of a task that has several
ONE_PICTURE = (
    "There is only one picture; send a second one to put together with it, or name a colour for the background."
)
EMPTY_MASK = "The mask marks nothing that may change, so that the picture stayed as it is."

ToSize = Callable[[Picture], tuple[Picture, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Begun:
    """What is to be drawn: `draw` makes the result of an index, from 0; `notes` are said with the first."""

    draw: Callable[[int], Picture]
    notes: tuple[str, ...]


def begin(inputs: Sequence[Path], params: Mapping[str, Any], to_size: ToSize) -> Begun:
    """Read everything and put several pictures together; `to_size` brings a picture to the size that is asked for."""
    paths, mask_path = mask.split(inputs, params.get("mask"))
    wanted = plan(params["prompt"], several=len(paths) > 1)
    size = _asked_size(params)
    _check(paths, size, params["format"])
    first = pictures.read(paths[0])
    area = mask.read(mask_path, first.size) if mask_path else None
    before, notes = to_size(first)
    if area is not None and size:
        area = mask.fitted(area, size)
    if len(paths) == 1:
        notes = (*first.warnings, *notes, *((ONE_PICTURE,) if wanted.layout else ()))
        base = before
    else:
        composed = _composed([first, *map(pictures.read, paths[1:])], wanted, size, params, area)
        base, notes = composed.picture, composed.notes
        if composed.is_first:
            notes = (*notes, *(to_size(first)[1] if size else ()))
        pictures.check_output(base.size, params["format"], "inputs")
    if area is not None and not area.any():
        notes = (*notes, EMPTY_MASK)
    return _begun(before, base, wanted, params, area, notes)


def _begun(
    before: Picture, base: Picture, wanted: Edit, params: Mapping[str, Any], area: Pixels | None, notes: tuple[str, ...]
) -> Begun:
    drawing = Drawing(base, wanted)

    def draw(index: int) -> Picture:
        drawn = _mixed(base, drawing.draw(index, params["seed"] + index), params["strength"])
        return replace(drawn if area is None else mask.within(before, drawn, area), warnings=())

    return Begun(draw, (*notes, *wanted.warnings, *drawing.warnings))


def _composed(
    shown: Sequence[Picture], wanted: Edit, size: Size | None, params: Mapping[str, Any], area: Pixels | None
) -> compose.Composed:
    """The pictures of a task as one; what there is to say about each file comes first."""
    made = compose.compose(shown, wanted.layout, size, params["strength"], area)
    if area is not None and not made.is_first:
        raise TaskError(
            Code.INVALID_INPUT,
            "The mask belongs to the first picture, and this prompt does not change the first picture. "
            "Send the picture that is to change first, or send no mask.",
            param="mask",
        )
    said = dict.fromkeys(note for picture in shown for note in picture.warnings)
    return replace(made, notes=(*said, *made.notes))


def _check(paths: Sequence[Path], size: Size | None, file_format: str) -> None:
    """Refuse what is too large before a picture is decoded."""
    measured = [pictures.measure(path) for path in paths]
    pictures.check_output(size or measured[0], file_format, "size" if size else "inputs")
    together = sum(width * height for width, height in measured)
    if len(paths) > 1 and together > MOST_TOGETHER:
        raise TaskError(
            Code.TOO_LARGE,
            f"Several pictures may have {MOST_TOGETHER // 1_000_000} megapixels together, not "
            f"{together / 1_000_000:.0f}. Send smaller ones.",
            param="inputs",
        )


def _asked_size(params: Mapping[str, Any]) -> Size | None:
    if "size" not in params:
        return None
    width, _, height = params["size"].partition("x")
    return int(width), int(height)


def _mixed(before: Picture, after: Picture, strength: float) -> Picture:
    """Both mixed by `strength` 0..1, transparency included."""
    if strength >= 1:
        return after
    alpha = after.alpha
    if alpha is not None:
        opaque = before.alpha if before.alpha is not None else np.full_like(alpha, 255)
        alpha = cv2.addWeighted(alpha, strength, opaque, 1 - strength, 0)
    return replace(after, rgb=cv2.addWeighted(after.rgb, strength, before.rgb, 1 - strength, 0), alpha=alpha)
