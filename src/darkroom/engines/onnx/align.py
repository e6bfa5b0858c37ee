"""Where the networks expect a face: eyes, nose and corners of the mouth at five fixed points of a small square.

A placing is a matrix (2, 3) that takes (x, y, 1) of the picture to (x, y) of the square.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from ..opencv.faces.landmarks import LEFT_EYE, RIGHT_EYE
from ..opencv.pictures import Pixels, Size

# ArcFace's alignment, in a square of 112 pixels: left eye, right eye, nose, left and right corner of the mouth.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]]
)
EMBEDDED = 112  # pixels that face recognition sees
# Face swap networks see 8 pixels more on the left and on the right, and 16 more below.
DRAWN = 128
ASIDE = np.array([8.0, 0.0])

NOSE = 4
CORNERS = (61, 291)
ALIASED = 1.5  # pixels of the source for one of the result, from which on they are averaged first


def for_embedding(landmarks: Pixels) -> Pixels:
    """The placing in the square of face recognition."""
    return _placing(landmarks, TEMPLATE)


def for_drawing(landmarks: Pixels, side: int) -> Pixels:
    """The placing in the square of `side` pixels that a face swap network draws in."""
    return _placing(landmarks, (TEMPLATE + ASIDE) * (side / DRAWN))


def inverse(placing: Pixels) -> Pixels:
    """The matrix that takes the square to the picture."""
    return cv2.invertAffineTransform(placing)


def moved(landmarks: Pixels, placing: Pixels) -> Pixels:
    """Points (n, 2) of the picture in the square."""
    return landmarks @ placing[:, :2].T + placing[:, 2]


def sample(pixels: Pixels, outward: Pixels, size: Size, border: int = cv2.BORDER_CONSTANT) -> Pixels:
    """A picture of `size` whose pixel (x, y) is what lies at `outward` of it; pixels are averaged where many meet."""
    height, width = pixels.shape[:2]
    shrink = math.sqrt(abs(float(np.linalg.det(outward[:, :2]))))
    if shrink > ALIASED:
        smaller = (max(1, round(width / shrink)), max(1, round(height / shrink)))
        ratio = np.array([smaller[0] / width, smaller[1] / height])
        pixels = cv2.resize(pixels, smaller, interpolation=cv2.INTER_AREA)
        outward = outward * ratio[:, None]
        outward[:, 2] += ratio / 2 - 0.5  # pixels are counted from their middles
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_CUBIC if shrink < 1 else cv2.INTER_LINEAR)
    return cv2.warpAffine(pixels, outward, size, flags=flags, borderMode=border)


def _placing(landmarks: Pixels, wanted: Pixels) -> Pixels:
    """Turn, scale and shift the five points as near to where they are wanted as all together can be."""
    found = _complex(_five(landmarks))
    places = _complex(wanted)
    middle, goal = found.mean(), places.mean()
    around = found - middle
    turn = (around.conj() * (places - goal)).sum() / max(float((np.abs(around) ** 2).sum()), 1e-6)
    shift = goal - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _five(landmarks: Pixels) -> Pixels:
    eyes = [landmarks[list(eye)].mean(0) for eye in (LEFT_EYE, RIGHT_EYE)]
    return np.stack([*eyes, landmarks[NOSE], *landmarks[list(CORNERS)]])


def _complex(points: Pixels) -> Pixels:
    pairs: Pixels = points.astype(np.float64)
    return pairs[:, 0] + 1j * pairs[:, 1]
