"""468 landmarks of a face: MediaPipe's face mesh on a crop that is turned upright.

The network also says whether the crop holds a face at all. On half a face, or one on its head, it may err; but then it
does not say the same again from the crop that its own landmarks ask for. Both together make an end of false hits.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .. import networks
from ..pictures import Picture, Pixels
from .detect import Candidate
from .landmarks import COUNT, Face, direction, from_points

SIDE = 192  # of the network's input
ROOM = 1.5  # side of the crop for a face of 1
LOOKS, MOST_LOOKS = 3, 5  # what certainly is a tiny face may still move when it is seen for the third time
SURE, CERTAIN = 0.8, 0.98  # a found face, and one that is worth further looks
STEADY = 0.025  # how far landmarks may move between the last two looks, in widths of the face
STILL_THERE = 0.7  # a face that was there a frame ago


def fit(rgb: Pixels, candidate: Candidate) -> Face | None:
    """The face at a candidate's place in uint8 RGB, or None if there is none."""
    face = _look(rgb, candidate.centre, candidate.side * ROOM, candidate.angle)
    least = face.confidence
    for look in range(2, MOST_LOOKS + 1):
        if least <= (SURE if look <= LOOKS else CERTAIN):
            return None
        before, face = face, _look_again(rgb, face.landmarks)
        least = min(least, face.confidence)
        moved = float(np.linalg.norm(face.landmarks - before.landmarks, axis=1).mean())
        if look >= LOOKS and least > SURE and moved <= STEADY * face.width:
            return face
    return None


def track(picture: Picture, previous_landmarks: Pixels) -> Face | None:
    """The same face a frame later, without detection; None if it is lost. `previous_landmarks` is (468, 2)."""
    face = _look_again(picture.rgb, previous_landmarks)
    return face if face.confidence > STILL_THERE else None


def _look_again(rgb: Pixels, landmarks: Pixels) -> Face:
    across = direction(landmarks)
    axes = np.stack([across, np.array([-across[1], across[0]])])
    upright = landmarks @ axes.T
    low, high = upright.min(0), upright.max(0)
    x, y = ((low + high) / 2 @ axes).tolist()
    angle = math.atan2(float(across[1]), float(across[0]))
    return _look(rgb, (x, y), float((high - low).max()) * ROOM, angle)


def _look(rgb: Pixels, centre: tuple[float, float], side: float, angle: float) -> Face:
    """Run the network on a square crop, turned by `angle` so that the eyes are level."""
    shrink = max(side, 1) / SIDE
    cos, sin = math.cos(angle) * shrink, math.sin(angle) * shrink
    middle = SIDE / 2
    # From the crop's pixels to the picture's.
    outward = np.array(
        [
            [cos, -sin, centre[0] - middle * cos + middle * sin],
            [sin, cos, centre[1] - middle * sin - middle * cos],
        ]
    )
    crop = _upright(rgb, outward, shrink)
    points, logit = networks.infer(networks.FACE_LANDMARKS, crop, ("conv2d_21", "conv2d_31"), scale=1 / 255)
    points = points.reshape(COUNT, 3)
    flat = points[:, :2] @ outward[:, :2].T + outward[:, 2]
    confidence = 1 / (1 + math.exp(-max(-80.0, min(80.0, float(logit.reshape(-1)[0])))))
    return from_points(np.column_stack([flat, points[:, 2] * shrink]).astype(np.float32), confidence)


def _upright(rgb: Pixels, outward: Pixels, shrink: float) -> Pixels:
    """The crop in uint8; where it is much smaller than its part of the picture, that is averaged down first."""
    corners = np.array([[0, 0, 1], [SIDE, 0, 1], [0, SIDE, 1], [SIDE, SIDE, 1]]) @ outward.T
    left, top = np.floor(corners.min(0)).clip(0).astype(int).tolist()
    right, bottom = np.ceil(corners.max(0)).clip(0).astype(int).tolist()
    window = rgb[top:bottom, left:right]
    if shrink <= 2 or not window.size:
        return _warp(rgb, outward)
    height, width = window.shape[:2]
    size = (max(1, round(width / shrink * 2)), max(1, round(height / shrink * 2)))
    ratio = np.array([size[0] / width, size[1] / height])
    inner = outward.copy()
    inner[:, 2] -= (left, top)
    inner = inner * ratio[:, None]
    inner[:, 2] += ratio / 2 - 0.5  # pixel centres
    return _warp(cv2.resize(window, size, interpolation=cv2.INTER_AREA), inner)


def _warp(rgb: Pixels, outward: Pixels) -> Pixels:
    return cv2.warpAffine(
        rgb, outward, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
