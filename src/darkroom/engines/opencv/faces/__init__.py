"""Faces in pictures: find them, follow them from frame to frame, and put one in the place of another.

    found = faces.find(picture)                       # sorted left to right
    swapper = faces.Swapper(source_picture, source_face)
    picture = swapper.apply(picture, found[0])
    face = faces.track(next_picture, found[0].landmarks)   # or None: find again

Pictures are `pictures.Picture`: uint8 RGB, with or without alpha.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ..pictures import Picture, Pixels
from . import detect, mesh
from .landmarks import Face
from .mesh import track
from .swap import Swapper

__all__ = ["Face", "Swapper", "find", "largest", "prominent", "track"]

SMALLEST = 12  # pixels; fewer cannot be told from noise
# A picture that lies on its side or on its head: tried only where nothing is found upright.
TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180)
PROMINENT = (1 / 8, 1 / 16)  # of the longer side
CLEARLY = 1.25  # times as wide as the smallest that is looked for: what is larger yet cannot have been missed
LYING = 1 / 16  # of the longer side: smaller faces are not worth three more looks


def find(picture: Picture, smallest: float = 0, *, turned: bool = True) -> list[Face]:
    """Every face, from left to right.

    Faces narrower than `smallest`, a share of the picture's longer side, may be missed; a tenth takes a tenth of the
    time. Otherwise they are found from 16 pixels on, or a 128th of the longer side. Without `turned` a picture without
    faces is not looked at from its sides and upside down.
    """
    found = _verified(picture.rgb, detect.candidates(picture.rgb, smallest))
    if turned and not found:
        found = _turned(picture.rgb, max(smallest, LYING))
    return _in_order(found)


def prominent(picture: Picture) -> list[Face]:
    """The largest face and those from an 8th or 16th of the longer side on; if there are none, every face: soon."""
    for smallest in PROMINENT:
        found = _verified(picture.rgb, detect.candidates(picture.rgb, smallest))
        if any(face.width > CLEARLY * smallest * max(picture.size) for face in found):
            return _in_order(found)
    return find(picture)


def largest(found: Sequence[Face]) -> Face:
    """The face that covers most."""
    return max(found, key=lambda face: face.area)


def _in_order(found: list[Face]) -> list[Face]:
    return sorted(found, key=lambda face: face.box[0] + face.box[2] / 2)


def _verified(rgb: Pixels, candidates: Sequence[detect.Candidate]) -> list[Face]:
    """Candidates that the mesh calls faces, each once."""
    found: list[Face] = []
    for candidate in candidates:
        if _is_known(candidate.box, found):
            continue
        face = mesh.fit(rgb, candidate)
        if face is not None and face.width >= SMALLEST and not _is_known(face.box, found):
            found.append(face)
    return found


def _is_known(box: detect.Box, found: Sequence[Face]) -> bool:
    """Whether a box is in the place of a face that was found."""
    return any(detect.shared(box, face.box) > detect.SHARED for face in found)


def _turned(rgb: Pixels, smallest: float) -> list[Face]:
    """Faces of the picture turned by a quarter or half, with landmarks in the picture as it is."""
    height, width = rgb.shape[:2]
    back = {
        cv2.ROTATE_90_CLOCKWISE: lambda x, y: (y, height - x),
        cv2.ROTATE_90_COUNTERCLOCKWISE: lambda x, y: (width - y, x),
        cv2.ROTATE_180: lambda x, y: (width - x, height - y),
    }
    quarter = {cv2.ROTATE_90_CLOCKWISE: -1, cv2.ROTATE_90_COUNTERCLOCKWISE: 1, cv2.ROTATE_180: 2}
    for turn in TURNS:
        candidates = detect.candidates(cv2.rotate(rgb, turn), smallest)
        moved = [
            detect.Candidate(each.score, back[turn](*each.centre), each.side, each.angle + quarter[turn] * np.pi / 2)
            for each in candidates
        ]
        if found := _verified(rgb, moved):
            return found
    return []
