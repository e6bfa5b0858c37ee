"""What a face is here: its box and the 468 points of MediaPipe's face mesh, and which of them make up its parts.

Points are (x, y) in pixels of the picture. "Left" and "right" are the viewer's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..pictures import Pixels

COUNT = 468

# Outlines, in order around the part.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
LEFT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
RIGHT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95)

# Single points.
CHEEKS = (50, 280, 101, 330, 36, 266, 117, 346, 118, 347, 123, 352, 187, 411, 205, 425, 5, 195, 4)
EYE_CORNERS = ((33, 133), (362, 263))
FOREHEAD = 10
CHIN = 152
BETWEEN_BROWS = 9
LEFT_SIDE = 234
RIGHT_SIDE = 454
MOUTH_CORNERS = (78, 308)
INNER_LIPS = (13, 14)  # the middles of the upper and the lower one


@dataclass(frozen=True, slots=True)
class Face:
    """A face in a picture.

    `box` is x, y, width and height around the landmarks; `landmarks` is (468, 2) of float32; `depth` is (468,) of
    float32, in pixels away from the viewer and relative to the middle of the head; `confidence` is 0 to 1.
    """

    box: tuple[float, float, float, float]
    landmarks: Pixels
    depth: Pixels
    confidence: float

    @property
    def width(self) -> float:
        """Extent along the line of the eyes, in pixels: the same however the head leans."""
        return float(np.ptp(self.landmarks @ direction(self.landmarks)))

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return self.box[2] * self.box[3]

    @property
    def yaw(self) -> float:
        """How far the head is turned from the viewer, in degrees; positive towards the right side of the picture."""
        across = (self.landmarks[RIGHT_SIDE] - self.landmarks[LEFT_SIDE]) @ direction(self.landmarks)
        away = self.depth[RIGHT_SIDE] - self.depth[LEFT_SIDE]
        return math.degrees(math.atan2(float(away), float(across)))


def from_points(points: Pixels, confidence: float) -> Face:
    """The face of mesh points, (468, 3) of float32."""
    left, top = points[:, :2].min(0).tolist()
    right, bottom = points[:, :2].max(0).tolist()
    box = (left, top, right - left, bottom - top)
    return Face(box, np.ascontiguousarray(points[:, :2]), np.ascontiguousarray(points[:, 2]), confidence)


def direction(landmarks: Pixels) -> Pixels:
    """Unit vector (x, y) from the left eye to the right one."""
    left, right = (landmarks[list(corners)].mean(0) for corners in EYE_CORNERS)
    line = (right - left).astype(np.float32)
    unit: Pixels = line / max(float(np.linalg.norm(line)), 1e-6)
    return unit
