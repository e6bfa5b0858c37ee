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

__all__ = ["Face", "Swapper", "find", "largest", "track"]

SMALLEST = 12  # pixels; fewer cannot be told from noise
# A picture that lies on its side or on its head: tried only where nothing is found upright.
TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE, cv2.ROTATE_180)


def find(picture: Picture, levels: Sequence[int] = detect.LEVELS) -> list[Face]:
    """Every face, from left to right. Fewer `levels` miss small faces and are faster (see `detect.LEVELS`)."""
    found = _verified(picture.rgb, detect.candidates(picture.rgb, levels))
    if not found:
        found = _turned(picture.rgb, levels[:3])
    return sorted(found, key=lambda face: face.box[0] + face.box[2] / 2)


def largest(found: Sequence[Face]) -> Face:
    """The face that covers most."""
    return max(found, key=lambda face: face.area)


def _verified(rgb: Pixels, candidates: Sequence[detect.Candidate]) -> list[Face]:
    """Candidates that the mesh calls faces, each once."""
    found: list[Face] = []
    for candidate in candidates:
        face = mesh.fit(rgb, candidate)
        if face is None or face.width < SMALLEST:
            continue
        if all(detect.shared(face.box, other.box) <= detect.SHARED for other in found):
            found.append(face)
    return found


def _turned(rgb: Pixels, levels: Sequence[int]) -> list[Face]:
    """Faces of the picture turned by a quarter or half, with landmarks in the picture as it is."""
    height, width = rgb.shape[:2]
    back = {
        cv2.ROTATE_90_CLOCKWISE: lambda x, y: (y, height - x),
        cv2.ROTATE_90_COUNTERCLOCKWISE: lambda x, y: (width - y, x),
        cv2.ROTATE_180: lambda x, y: (width - x, height - y),
    }
    quarter = {cv2.ROTATE_90_CLOCKWISE: -1, cv2.ROTATE_90_COUNTERCLOCKWISE: 1, cv2.ROTATE_180: 2}
    for turn in TURNS:
        candidates = detect.candidates(cv2.rotate(rgb, turn), levels)
        moved = [
            detect.Candidate(each.score, back[turn](*each.centre), each.side, each.angle + quarter[turn] * np.pi / 2)
            for each in candidates
        ]
        if found := _verified(rgb, moved):
            return found
    return []
