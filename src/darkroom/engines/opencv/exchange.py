"""A face swap from picture to picture: which faces change, and what there is to say about the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...core.errors import Code, TaskError
from . import faces
from .pictures import Picture

NUMBERS = re.compile(r"[0-9]{1,3}( *, *[0-9]{1,3})*")
TURNED = 40  # degrees between two heads, from which on the face looks smeared
SOFT = 2.5  # times that a face may be enlarged before it looks soft

OnFace = Callable[[int, int], None]


def check(inputs: Sequence[Path], params: Mapping[str, Any]) -> None:
    """Refuse what can be refused before a picture is read."""
    if len(inputs) != 2:
        raise TaskError(
            Code.INVALID_INPUT,
            f"A face swap takes two pictures, not {len(inputs)}: first the face, then the picture that gets it.",
            param="inputs",
        )
    _numbers(params["faces"])


def swap(
    source: Picture, target: Picture, which: str, strength: float, on_face: OnFace
) -> tuple[Picture, tuple[str, ...]]:
    """The target with the source's largest face on the faces that `which` names, and what there is to say about it.

    `on_face` is told how many faces of how many are done.
    """
    given = _found(source, "source", 1)
    face = faces.largest(given)
    there = _found(target, "target", 2)
    chosen = _chosen(there, which)
    swapper = faces.Swapper(source, face)
    swapped = target
    for number, place in enumerate(chosen, 1):
        swapped = swapper.apply(swapped, place, strength)
        on_face(number, len(chosen))
    notes = list(dict.fromkeys((*source.warnings, *target.warnings)))
    if len(given) > 1:
        notes.append(f"The source picture shows {len(given)} faces; its largest was used.")
    if which == "largest" and len(there) > 1:
        notes.append(f"The target picture shows {len(there)} faces; its largest was changed. 'faces' can name others.")
    notes += _doubts(face, chosen)
    return replace(swapped, warnings=()), tuple(notes)


def _found(picture: Picture, role: str, number: int) -> list[faces.Face]:
    found = faces.find(picture)
    if not found:
        raise TaskError(
            Code.INVALID_MEDIA,
            f"No face was found in the {role} picture (input {number}). "
            "Send one that shows a face clearly, from the front and not too small.",
            param="inputs",
        )
    return found


def _numbers(which: str) -> list[int] | None:
    """The numbers that are named, or None for a word."""
    text = which.strip()
    if text in ("largest", "all"):
        return None
    if not NUMBERS.fullmatch(text):
        raise TaskError(
            Code.INVALID_INPUT,
            "'faces' takes largest, all, or numbers such as 0,2: faces are counted from 0, from left to right.",
            param="faces",
        )
    return sorted({int(number) for number in text.split(",")})


def _chosen(found: list[faces.Face], which: str) -> list[faces.Face]:
    numbers = _numbers(which)
    if numbers is None:
        return found if which.strip() == "all" else [faces.largest(found)]
    if numbers[-1] >= len(found):
        have = "1 face, number 0" if len(found) == 1 else f"{len(found)} faces, numbers 0 to {len(found) - 1}"
        raise TaskError(
            Code.INVALID_INPUT,
            f"There is no face {numbers[-1]}: the target picture shows {have} from left to right.",
            param="faces",
        )
    return [found[number] for number in numbers]


def _doubts(face: faces.Face, places: Sequence[faces.Face]) -> list[str]:
    """Why the result may look worse than usual."""
    doubts = []
    if max(place.width for place in places) > SOFT * face.width:
        doubts.append("The source's face is much smaller than the target's, so that the result is soft.")
    if max(abs(place.yaw - face.yaw) for place in places) > TURNED:
        doubts.append("The two heads are turned very differently, so that the result may look smeared.")
    return doubts
