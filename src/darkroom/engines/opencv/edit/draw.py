"""Carries an edit out on one picture: repairs, then the looks, then what is done behind people."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from .. import enhance, filters, portrait
from ..adjust import adjust
from ..pictures import Picture, Pixels
from . import compose, cutout, light, palette, scene, season, weather
from .plan import HOURS, SEASONS, Edit, Look, variation
from .scene import Scene

# Larger pictures are rendered at this size; what changed is enlarged, and their own fine detail is kept.
WORKING_PIXELS = 8_000_000
NOBODY_THERE = "Nobody was found in the picture, so that all of it counts as background."
NOBODY_TO_SPARE = "Nobody was found in the picture, so that its background was left as it is."


class Drawing:
    """A picture that an edit is drawn on, once or in several variations."""

    def __init__(self, picture: Picture, edit: Edit) -> None:
        self._edit = edit
        self.warnings: tuple[str, ...] = ()
        if edit.repair or edit.retouch:
            picture = enhance.enhance(picture, enhance.Options(edit.repair, edit.retouch, 0.0))
        self._opacity: Pixels | None = None
        if edit.behind != Look() or edit.bokeh or edit.backdrop:
            self._opacity = cutout.opacity_of(replace(picture, alpha=None))
            if self._opacity is None:
                self.warnings = (NOBODY_THERE if edit.behind != Look() else NOBODY_TO_SPARE,)
        if edit.bokeh:
            picture = portrait.blur_background(picture, edit.bokeh)
        self._picture = picture
        rendered = any(look.renders or look.palette for look in (edit.look, edit.behind))
        self._scene = scene.survey(picture) if rendered else None
        self._faces: tuple[Pixels, ...] = ()
        if self._scene is not None:
            self._faces = self._scene.outlines
        elif edit.look.styles or edit.behind.styles:
            self._faces = tuple(portrait.face_outlines(picture))

    def draw(self, index: int, seed: int) -> Picture:
        """The variation of this index, from 0; the first is the edit itself."""
        edit, picture = self._edit, self._picture
        rgb = self._looking(picture.rgb, variation(edit.look, index), seed)
        if edit.behind != Look():
            other = self._looking(rgb, variation(edit.behind, index) if edit.look == Look() else edit.behind, seed)
            rgb = other if self._opacity is None else portrait.over(rgb, other, self._opacity)
        changed = replace(picture, rgb=rgb)
        if edit.backdrop and self._opacity is not None:
            changed = _before(changed, edit.backdrop, self._opacity)
        return changed

    def _looking(self, rgb: Pixels, look: Look, seed: int) -> Pixels:
        """The pixels with a look: what is rendered, then colours, then styles, then adjustments."""
        if self._scene is not None and (look.renders or look.palette):
            survey = self._scene
            rgb = _at_working_size(rgb, lambda pixels: _rendered(pixels, look, survey.at(pixels.shape), seed))
        for style in look.styles:
            rgb = filters.apply(style, rgb, seed=seed, faces=self._faces)
        # A monochrome palette is grey before it is coloured, and not after.
        return adjust(rgb, replace(look, saturation=0.0) if look.palette and look.saturation <= -1 else look)


def _before(picture: Picture, backdrop: str, opacity: Pixels) -> Picture:
    """People before a plain colour, or cut out."""
    if backdrop != "transparent":
        return compose.in_front_of(picture, palette.solid(backdrop), opacity)
    alpha = opacity if picture.alpha is None else opacity * (picture.alpha.astype(np.float32) / 255)
    rgb = cutout.without_fringe(picture.rgb, opacity)
    return replace(picture, rgb=rgb, alpha=(alpha * 255 + 0.5).astype(np.uint8))


def _rendered(rgb: Pixels, look: Look, survey: Scene, seed: int) -> Pixels:
    """Everything that depends on what the picture shows, on uint8 pixels of at most the working size."""
    floats = rgb.astype(np.float32) / 255
    random = np.random.default_rng(seed)
    coloured = not look.palette
    for name, amount in look.renders:
        if name in SEASONS:
            floats = season.render(floats, name, amount, survey, random)
        elif name in HOURS:
            floats = light.render(floats, name, amount, survey, random)
        else:
            if not coloured:
                floats, coloured = _regraded(floats, look, survey), True
            floats = weather.render(floats, name, amount, survey, random)
    if not coloured:
        floats = _regraded(floats, look, survey)
    result: Pixels = (floats.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return result


def _regraded(floats: Pixels, look: Look, survey: Scene) -> Pixels:
    if look.saturation <= -1:  # a monochrome in these colours
        grey = cv2.cvtColor(floats.clip(0, 1), cv2.COLOR_RGB2GRAY)
        floats = cv2.merge([grey, grey, grey])
    return palette.regrade(floats, look.palette, 1.0, survey)


def _at_working_size(rgb: Pixels, render: Callable[[Pixels], Pixels]) -> Pixels:
    """Render a large picture small, and add what changed to its own pixels."""
    height, width = rgb.shape[:2]
    excess = math.sqrt(height * width / WORKING_PIXELS)
    if excess <= 1:
        return render(rgb)
    size = (round(width / excess), round(height / excess))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    change = render(small).astype(np.int16) - small
    larger = cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.add(rgb, larger, dtype=cv2.CV_8U)
