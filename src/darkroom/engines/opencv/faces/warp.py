"""Bends one face into the shape of another: a fixed net of triangles over the landmarks, and one dense map."""

from __future__ import annotations

import cv2
import numpy as np

from ..pictures import Pixels
from .landmarks import CHIN, FOREHEAD, LEFT_SIDE, RIGHT_SIDE, Face, direction

SUBPIXEL = 4  # bits: triangles are drawn to a sixteenth of a pixel
FLAT = 1e-3  # square pixels; a triangle seen from its edge


def triangles(face: Face) -> Pixels:
    """The net, (n, 3) of indexes into the landmarks: Delaunay on the face as seen from the front."""
    points = frontal(face)
    points = (points - points.min(0)) / np.ptp(points, axis=0).max() * 1000 + 10
    plane = cv2.Subdiv2D((0, 0, 1024, 1024))
    points = points.astype(np.float32)  # as the plane keeps them: what it returns can be looked up
    plane.insert(points)
    corners = np.asarray(plane.getTriangleList(), np.float32).reshape(-1, 2)
    known, wanted = (each.view(np.complex64).reshape(-1) for each in (points, corners))  # x and y as one number
    order = known.argsort()
    index = order[np.searchsorted(known, wanted, sorter=order) % len(known)]
    # Others touch the corners of the plane, which are no landmarks.
    real: Pixels = index.reshape(-1, 3)[(known[index] == wanted).reshape(-1, 3).all(1)]
    return real


def frontal(face: Face) -> Pixels:
    """The landmarks (468, 2) as if the head were turned to the viewer, with level eyes."""
    points = np.column_stack([face.landmarks, face.depth]).astype(np.float64)
    across = points[RIGHT_SIDE] - points[LEFT_SIDE]
    across /= np.linalg.norm(across)
    down = points[CHIN] - points[FOREHEAD]
    down -= (down @ across) * across
    down /= np.linalg.norm(down)
    seen: Pixels = points @ np.stack([across, down], 1)
    return seen


def dense(source: Pixels, target: Pixels, net: Pixels, shape: tuple[int, int]) -> tuple[Pixels, Pixels]:
    """Where each target pixel comes from, and where there is anything.

    `source` and `target` are landmarks (468, 2); `shape` is (height, width) of the target. Returns float32 of
    (height, width, 2), x and y, and a mask (height, width) of bool.
    """
    corners = target[net].astype(np.float64)
    homogeneous = np.concatenate([corners, np.ones((len(net), 3, 1))], 2)
    solid = np.abs(np.linalg.det(homogeneous)) > FLAT
    affine = np.zeros((len(net) + 1, 3, 2), np.float32)  # the last is for pixels without a triangle
    affine[:-1][solid] = np.linalg.solve(homogeneous[solid], source[net[solid]].astype(np.float64))
    label = np.full(shape, len(net), np.int32)
    drawn = np.round(corners * (1 << SUBPIXEL)).astype(np.int32)
    for index in np.flatnonzero(solid).tolist():
        cv2.fillConvexPoly(label, drawn[index], index, shift=SUBPIXEL)
    rows, columns = (np.arange(length, dtype=np.float32) for length in shape)
    across, down, offset = (part.take(label, axis=0) for part in affine.transpose(1, 0, 2).copy())
    mapped: Pixels = columns[:, None] * across + rows[:, None, None] * down + offset
    return mapped, label < len(net)


def outline(shape: tuple[int, int], landmarks: Pixels, part: tuple[int, ...]) -> Pixels:
    """A part of the face filled with 1, float32 of `shape` (height, width)."""
    filled = np.zeros(shape, np.float32)
    points = np.round(landmarks[list(part)] * (1 << SUBPIXEL)).astype(np.int32)
    cv2.fillPoly(filled, [points], 1.0, shift=SUBPIXEL)
    return filled


def upward(landmarks: Pixels) -> Pixels:
    """Unit vector (x, y) from the chin to the forehead, square to the line of the eyes."""
    across = direction(landmarks)
    up = np.array([across[1], -across[0]], np.float32)
    return up if (landmarks[FOREHEAD] - landmarks[CHIN]) @ up >= 0 else -up
