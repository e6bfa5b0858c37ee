"""Draws a face anew in the place of another, with a network of the inswapper kind, and blends it in.

Whose face is drawn is told by 512 numbers that a face recognition network reads from the source. Outside the outline
of the target's face every pixel is bit-equal to what it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from ..opencv.faces import Face, warp
from ..opencv.faces.landmarks import OVAL
from ..opencv.pictures import Picture, Pixels
from . import align, initializers
from .network import Network, pixels, planes

NUMBERS = 512  # that tell faces apart
SIDE = align.DRAWN
FINER = 2  # times as many pixels has the mask as the face
EDGE = 1.0  # pixels of the mask inside the outline that stay as they were
FEATHER = 0.08  # of the mask's side: from there to where the new face is all that is seen
SOFT = 2.5  # times that a drawn face may be enlarged before it looks soft


@dataclass(frozen=True, slots=True)
class Painter:
    """The networks of a face swap, checked; `matrix` (512, 512) takes what one says to what the other understands."""

    drawing: Network
    embedding: Network
    matrix: Pixels

    @classmethod
    def load(cls, face_swap: Path, face_embedding: Path) -> Painter:
        """Read both networks. Raises `TaskError` for files that are not such networks."""
        drawing = Network(face_swap, "face swap network")
        taken = [(1, 3, SIDE, SIDE), (1, NUMBERS)]
        if len(drawing.inputs) != 2 or not all(any(each.takes(*shape) for each in drawing.inputs) for shape in taken):
            takes = ", ".join(map(str, drawing.inputs))
            raise drawing.unfit(f"takes {takes}; a face swap network takes 1 x 3 x {SIDE} x {SIDE} and 1 x {NUMBERS}")
        try:
            matrix = initializers.last(face_swap)
        except ValueError as error:
            raise drawing.unfit(f"has no matrix for embeddings: {error}") from error
        if matrix.shape != (NUMBERS, NUMBERS):
            shape = " x ".join(map(str, matrix.shape))
            raise drawing.unfit(f"has {shape} as its last initializer, and not a matrix of {NUMBERS} x {NUMBERS}")
        embedding = Network(face_embedding, "face recognition network")
        side = align.EMBEDDED
        if len(embedding.inputs) != 1 or not embedding.inputs[0].takes(1, 3, side, side):
            takes = ", ".join(map(str, embedding.inputs))
            raise embedding.unfit(f"takes {takes}; a face recognition network takes 1 x 3 x {side} x {side}")
        return cls(drawing, embedding, matrix)

    def identity(self, picture: Picture, face: Face) -> Pixels:
        """Whose face it is, (1, 512) of length 1, as the drawing network understands it."""
        outward = align.inverse(align.for_embedding(face.landmarks))
        seen = align.sample(picture.rgb, outward, (align.EMBEDDED, align.EMBEDDED))
        numbers = self.embedding.run({self.embedding.inputs[0].name: (planes(seen) - 127.5) / 127.5})
        if numbers.size != NUMBERS:
            raise self.embedding.unfit(f"delivers {numbers.size} numbers for a face, and not {NUMBERS}")
        mapped = self._unit(numbers.reshape(1, NUMBERS)) @ self.matrix
        return self._unit(mapped)

    def draw(self, target: Pixels, identity: Pixels) -> Pixels:
        """The face of `identity` as the target, uint8 RGB (128, 128, 3), shows its own."""
        values = {
            each.name: identity if each.takes(1, NUMBERS) else planes(target) / 255 for each in self.drawing.inputs
        }
        drawn = self.drawing.run(values)
        if drawn.shape != (1, 3, SIDE, SIDE):
            raise self.drawing.unfit(f"delivers {' x '.join(map(str, drawn.shape))}, and not 1 x 3 x {SIDE} x {SIDE}")
        return pixels(drawn)

    def _unit(self, numbers: Pixels) -> Pixels:
        length = float(np.linalg.norm(numbers))
        if length == 0:
            raise self.embedding.unfit("delivers nothing but zeros for a face")
        unit: Pixels = numbers / length
        return unit


class Swapper:
    """A source face, ready to be drawn in any number of pictures or frames."""

    def __init__(self, painter: Painter, picture: Picture, face: Face) -> None:
        self._painter = painter
        self._identity = painter.identity(picture, face)

    def apply(self, picture: Picture, face: Face, strength: float = 1.0) -> Picture:
        """The picture with its `face` replaced; `strength` 0..1 blends with what was there."""
        placing = align.for_drawing(face.landmarks, SIDE)
        left, top, right, bottom = _window(picture, placing)
        if strength <= 0 or right <= left or bottom <= top:
            return picture
        target = align.sample(picture.rgb, align.inverse(placing), (SIDE, SIDE))
        drawn = self._painter.draw(target, self._identity)
        origin, size = np.array([left, top]), (right - left, bottom - top)
        here = align.sample(drawn, _from(origin, placing), size, cv2.BORDER_REPLICATE)
        opacity = _opacity(face.landmarks, origin, size)
        rgb = picture.rgb.copy()
        whole = rgb[top:bottom, left:right]
        mixed = whole + (here.astype(np.float32) - whole) * (opacity * np.float32(min(strength, 1)))[..., None]
        whole[...] = (mixed + 0.5).astype(np.uint8)
        return replace(picture, rgb=rgb)


def is_soft(face: Face) -> bool:
    """Whether a drawn face has to be enlarged so much for this place that it looks soft."""
    placing = align.for_drawing(face.landmarks, SIDE)
    return float(np.linalg.det(placing[:, :2])) < SOFT**-2


def _opacity(landmarks: Pixels, origin: Pixels, size: tuple[int, int]) -> Pixels:
    """1 in the middle of the face and 0 from its outline on, and where the square of the network ends."""
    side = SIDE * FINER
    placing = align.for_drawing(landmarks, side)
    inside = (warp.outline((side, side), align.moved(landmarks, placing), OVAL) > 0).astype(np.uint8)
    inside[[0, -1]] = inside[:, [0, -1]] = 0
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rise = ((depth - EDGE) / (FEATHER * side)).clip(0, 1)
    soft = align.sample(rise * rise * (3 - 2 * rise), _from(origin, placing), size)
    outline = warp.outline((size[1], size[0]), landmarks - origin.astype(np.float32), OVAL)
    opacity: Pixels = soft.clip(0, 1) * outline
    return opacity


def _from(origin: Pixels, placing: Pixels) -> Pixels:
    """The placing for a window of the picture that begins at `origin`."""
    shifted = placing.copy()
    shifted[:, 2] = align.moved(origin, placing)
    return shifted


def _window(picture: Picture, placing: Pixels) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the network's square, within the picture."""
    corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], np.float64)
    there = align.moved(corners, align.inverse(placing))
    left, top = np.floor(there.min(0)).clip(0).astype(int).tolist()
    right, bottom = np.ceil(there.max(0)).clip(0).astype(int).tolist()
    return left, top, min(right, picture.size[0]), min(bottom, picture.size[1])
