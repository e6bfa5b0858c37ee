"""A face swap from picture to picture: which faces change, and what there is to say about the result."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ...core.errors import Code, TaskError
from . import faces
from .pictures import Picture

NUMBERS = re.compile(r"[0-9]{1,3}( *, *[0-9]{1,3})*")
TURNED = 40  # degrees between two heads, from which on the face looks smeared
SOFT = 2.5  # times that a face may be enlarged before it looks soft

OnFace = Callable[[int, int], None]


class Swapper(Protocol):
    """A source face, ready to be put into pictures: `faces.Swapper` bends it, other engines may draw it."""

    def apply(self, picture: Picture, face: faces.Face, strength: float = 1.0) -> Picture:
        """The picture with its `face` replaced; `strength` 0..1 blends with what was there."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The source's face, the faces of the target that it replaces, and what there is to say about the choice."""

    face: faces.Face
    places: tuple[faces.Face, ...]
    notes: tuple[str, ...]


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
    chosen = plan(source, target, which)
    swapped = put(faces.Swapper(source, chosen.face), target, chosen.places, strength, on_face)
    return swapped, (*chosen.notes, *_doubts(chosen.face, chosen.places))


def put(swapper: Swapper, target: Picture, places: Sequence[faces.Face], strength: float, on_face: OnFace) -> Picture:
    """The target with a new face in each of the places; `on_face` is told how many of how many are done."""
    for number, place in enumerate(places, 1):
        target = swapper.apply(target, place, strength)
        on_face(number, len(places))
    return replace(target, warnings=())


def plan(source: Picture, target: Picture, which: str) -> Plan:
    """Look for faces in both pictures and choose the source's largest and those of the target that `which` names."""
    given = _checked(faces.prominent(source), "source", 1)
    look = faces.prominent if which.strip() == "largest" else faces.find
    there = _checked(look(target), "target", 2)
    places = _chosen(there, which)
    notes = list(dict.fromkeys((*source.warnings, *target.warnings)))
    if len(given) > 1:
        notes.append(f"The source picture shows {len(given)} faces; its largest was used.")
    if which == "largest" and len(there) > 1:
        notes.append(f"The target picture shows {len(there)} faces; its largest was changed. 'faces' can name others.")
    return Plan(faces.largest(given), tuple(places), tuple(notes))


def _checked(found: list[faces.Face], role: str, number: int) -> list[faces.Face]:
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
