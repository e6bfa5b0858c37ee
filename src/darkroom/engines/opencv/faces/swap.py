"""Puts the face of one picture in the place of a face in another.

The source is bent to the target's landmarks, takes on its light, skin tone and sharpness, and is blended in with a mask
that keeps to skin: hair on the forehead and an open mouth stay the target's. Outside the face's outline every pixel is
bit-equal to what it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from .. import upscale
from ..filters import brush
from ..pictures import Picture, Pixels
from . import light, skin, warp
from .landmarks import INNER_LIPS, MOUTH, MOUTH_CORNERS, OVAL, Face

ROOM = 0.15  # around a face, in widths of the face
EDGE = 4  # pixels around a face, for what is between pixels
LARGEST = 1024  # pixels; wider faces are swapped at this width and enlarged
FEATHER = 0.05  # widths of the face
OPEN = 0.06  # height of an open mouth, in widths of the mouth
LIPS_FEATHER = 0.008
CLOSED_LIPS = 0.012  # half the width of the line between closed lips
SOFT = 1.2  # a source that is narrower than its place by more is enlarged with the network
TOO_LITTLE = 50  # pixels of skin, below which the whole face is looked at


@dataclass(frozen=True, slots=True)
class Patch:
    """A face cut out of its picture: uint8 RGB, its landmarks in these pixels, and its width."""

    rgb: Pixels
    landmarks: Pixels
    width: float

    def half(self) -> Patch:
        """The same at half the resolution."""
        height, width = self.rgb.shape[:2]
        size = ((width + 1) // 2, (height + 1) // 2)
        ratio = np.array([size[0] / width, size[1] / height], np.float32)
        smaller = cv2.resize(self.rgb, size, interpolation=cv2.INTER_AREA)
        return Patch(smaller, (self.landmarks + 0.5) * ratio - 0.5, self.width * float(ratio[0]))

    def twice(self) -> Patch:
        """The face alone at twice the resolution, with the detail that the upscaling network adds."""
        left, top = np.floor(self.landmarks.min(0) - EDGE).astype(int).clip(0).tolist()
        right, bottom = np.ceil(self.landmarks.max(0) + EDGE).astype(int).clip(1).tolist()
        larger = upscale.double(self.rgb[top:bottom, left:right], upscale.TILE, lambda: None)
        landmarks = self.landmarks - np.array([left, top], np.float32)
        return Patch(larger, (landmarks + 0.5) * 2 - 0.5, self.width * 2)


class Swapper:
    """A source face, ready to be put into any number of pictures or frames."""

    def __init__(self, picture: Picture, face: Face) -> None:
        left, top, right, bottom = _window(picture.rgb, face)
        origin = np.array([left, top], np.float32)
        patch = Patch(picture.rgb[top:bottom, left:right], face.landmarks - origin, face.width)
        self._levels = {0: _Source(patch)}
        self._net = warp.triangles(face)

    def apply(self, picture: Picture, face: Face, strength: float = 1.0) -> Picture:
        """The picture with its `face` replaced; `strength` 0..1 blends with what was there."""
        left, top, right, bottom = _window(picture.rgb, face)
        if strength <= 0 or right <= left or bottom <= top:
            return picture
        whole = picture.rgb[top:bottom, left:right]
        place = Patch(whole, face.landmarks - np.array([left, top], np.float32), face.width)
        while place.width > LARGEST:
            place = place.half()
        drawn, opacity = _draw(self._source(place.width), place, self._net)
        if drawn.shape != whole.shape:
            size = (right - left, bottom - top)
            drawn = cv2.resize(drawn, size, interpolation=cv2.INTER_CUBIC)
            opacity = cv2.resize(opacity, size, interpolation=cv2.INTER_LINEAR)
        rgb = picture.rgb.copy()
        rgb[top:bottom, left:right] = _mix(whole, drawn, opacity * np.float32(min(strength, 1)))
        return replace(picture, rgb=rgb)

    def _source(self, width: float) -> _Source:
        """The source at a resolution that neither aliases nor, if the network can help it, is soft at this width."""
        own = self._levels[0].patch.width
        if width > SOFT * own and own < LARGEST / 2:
            level = -1
        else:
            level = max(0, math.floor(math.log2(max(own / max(width, 1), 1))))
        for each in range(1, level + 1):
            if each not in self._levels:
                self._levels[each] = _Source(self._levels[each - 1].patch.half())
        if level == -1 and level not in self._levels:
            self._levels[level] = _Source(self._levels[0].patch.twice())
        return self._levels[level]


class _Source:
    """A source face at one resolution."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch

    @cached_property
    def likeness(self) -> skin.Likeness:
        """Where it is skin; see `skin.likeness`."""
        return skin.likeness(light.to_lab(self.patch.rgb), self.patch.landmarks, self.patch.width)


def _draw(source: _Source, place: Patch, net: Pixels) -> tuple[Pixels, Pixels]:
    """The source bent and lit for its place, uint8 RGB, and its opacity 0..1."""
    shape = place.rgb.shape[:2]
    places, covered = warp.dense(source.patch.landmarks, place.landmarks, net, shape)
    bent = _remap(source.patch.rgb, places, cv2.INTER_CUBIC)
    own = light.to_lab(place.rgb)
    there = skin.likeness(own, place.landmarks, place.width)
    oval = warp.outline(shape, place.landmarks, OVAL) * covered
    core = _shrunk(oval, FEATHER * place.width)
    opacity = brush.blur(core, max(0.5, 0.6 * FEATHER * place.width)) * oval
    opacity *= _remap(source.likeness.forehead, places, cv2.INTER_LINEAR) * there.forehead
    # Light and skin tone are compared where both are skin, so that glasses and teeth have no say.
    comparable = core * _remap(source.likeness.everywhere, places, cv2.INTER_LINEAR) * there.everywhere
    if comparable.sum() < TOO_LITTLE:
        comparable = oval
    lit = light.match(light.to_lab(bent), own, comparable, place.width)
    if _is_open(place.landmarks) or _is_open(source.patch.landmarks):
        opacity *= 1 - _mouth(shape, place)
    drawn: Pixels = (light.to_rgb(lit) + 0.5).clip(0, 255).astype(np.uint8)
    return drawn, opacity


def _grown(mask: Pixels, distance: float) -> Pixels:
    side = 2 * max(1, round(distance)) + 1
    return cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))


def _shrunk(mask: Pixels, distance: float) -> Pixels:
    side = 2 * max(1, round(distance)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.erode(mask, kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def _remap(pixels: Pixels, places: Pixels, interpolation: int) -> Pixels:
    across, down = cv2.split(places)
    return cv2.remap(pixels, across, down, interpolation, borderMode=cv2.BORDER_REPLICATE)


def _mouth(shape: tuple[int, int], place: Patch) -> Pixels:
    """1 between the lips: there the target keeps its teeth, or its lips' line where the source shows teeth."""
    between = warp.outline(shape, place.landmarks, MOUTH)
    if not _is_open(place.landmarks):
        between = _grown(between, CLOSED_LIPS * place.width)
    return brush.blur(between, max(0.5, LIPS_FEATHER * place.width))


def _is_open(landmarks: Pixels) -> bool:
    left, right = landmarks[list(MOUTH_CORNERS)]
    upper, lower = landmarks[list(INNER_LIPS)]
    return float(np.linalg.norm(lower - upper)) > OPEN * float(np.linalg.norm(right - left))


def _mix(below: Pixels, above: Pixels, opacity: Pixels) -> Pixels:
    """Blend uint8 pixels; where the opacity is 0 the result is exactly `below`."""
    mixed = below + (above.astype(np.float32) - below) * opacity[..., None]
    result: Pixels = (mixed + 0.5).astype(np.uint8)
    return result


def _window(rgb: Pixels, face: Face) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the face with some room, within the picture."""
    height, width = rgb.shape[:2]
    room = ROOM * face.width
    left, top = np.floor(face.landmarks.min(0) - room).astype(int).tolist()
    right, bottom = np.ceil(face.landmarks.max(0) + room).astype(int).tolist()
    return max(0, left), max(0, top), min(width, right), min(height, bottom)
