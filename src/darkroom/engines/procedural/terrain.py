"""Land as a height field seen in perspective: mountains, hills and dunes with light, snow, haze and a water level.

The camera stands at height `EYE` over a plain and sees one world unit at distance 1 as one unit of the picture. Each
column of pixels looks along its own line over the land: heights are taken at distances that grow geometrically, and the
first one that reaches a row is what the row shows. The same land seen from below the water level is its mirror image.
Columns are worked on in strips, so memory does not grow with the width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame, Plane

EYE = 0.30
NEAR, FAR = 0.55, 60.0
STRIP = 512


@dataclass(frozen=True, slots=True)
class Ground:
    """The land along some columns: `distance` (slices, 1) and `height` above the water (slices, columns) in world
    units, and its `colour` (slices, columns, 3) with haze in it."""

    distance: Plane
    height: Plane
    colour: Plane


@dataclass(frozen=True, slots=True)
class View:
    """What is seen from row `top` down to the lower edge: `colour`, how far dry land covers the pixel (`cover`, 0 to
    1), and `distance` in world units."""

    top: int
    colour: Plane
    cover: Plane
    distance: Plane


Indices = NDArray[np.intp]
Survey = Callable[[Plane, Plane], tuple[Plane, Plane]]  # bearings and distances of points -> heights, colours


def distances(frame: Frame, horizon: int) -> Plane:
    """The distances at which heights are taken, near to far, as one column; about one per row of the plain."""
    count = int(np.clip(0.75 * frame.unit, 96, 3600))
    near = min(NEAR, EYE * frame.unit / max(frame.height - horizon, 1) * 0.9)
    return np.geomspace(near, FAR, count, dtype=np.float32)[:, None]


def look(
    frame: Frame, horizon: int, survey: Survey, *, water: bool, mirrored: bool = False
) -> Iterator[tuple[slice, View]]:
    """The view of each strip of columns. With `water`, land below height 0 is under it and not seen; `mirrored` shows
    the land as still water does, upside up."""
    distance = distances(frame, horizon)
    across = frame.across()
    for left in range(0, frame.width, STRIP):
        columns = slice(left, min(frame.width, left + STRIP))
        height, colour = survey(across[:, columns], distance)
        yield columns, see(frame, horizon, Ground(distance, height, colour), water=water, mirrored=mirrored)


def see(frame: Frame, horizon: int, ground: Ground, *, water: bool, mirrored: bool) -> View:
    """What the columns of `ground` show."""
    eye = -EYE if mirrored else EYE
    surface = ground.height
    if water:
        surface = np.where(surface < 0, np.float32(eye if mirrored else 0), surface)
    screen = horizon - (surface - eye) * (frame.unit / ground.distance)
    ceiling = np.minimum.accumulate(screen, axis=0)
    top = int(np.clip(np.floor(ceiling[-1].min()) - 1, 0, frame.height - 1))
    rows = np.arange(top, frame.height, dtype=np.float32) + 0.5
    hits = _first_hits(ceiling, rows)
    slices = _between(screen, hits, rows)
    columns = np.tile(np.arange(screen.shape[1], dtype=np.float32), (len(rows), 1))
    colour = _at(ground.colour, columns, slices)
    _smooth_ridges(colour, screen, ceiling, hits, rows)
    cover = np.clip(rows[:, None] - ceiling[-1][None] + 0.5, 0, 1)
    if water and not mirrored:
        dry = (ground.height >= 0).astype(np.float32)
        cover *= _at(dry, columns, slices)
    growth = math.log(ground.distance[-1, 0] / ground.distance[0, 0]) / (len(ground.distance) - 1)
    distance = np.exp(slices * growth) * ground.distance[0, 0]
    return View(top, colour, cover, distance)


def _first_hits(ceiling: Plane, rows: Plane) -> Indices:
    """For each row and column the first slice whose land reaches up to the row; at least 1."""
    last = len(ceiling) - 1
    rising = np.ascontiguousarray(-ceiling.T)
    hits = np.empty((ceiling.shape[1], len(rows)), np.intp)
    for column, profile in enumerate(rising):
        hits[column] = np.searchsorted(profile, -rows)
    return np.clip(hits.T, 1, last)


def _between(screen: Plane, hits: Indices, rows: Plane) -> Plane:
    """The hits with their fractions: where the land between a hit's slice and the one before it meets the row."""
    columns = np.arange(screen.shape[1])[None]
    before, behind = screen[hits - 1, columns], screen[hits, columns]
    part = (before - rows[:, None]) / np.maximum(before - behind, 1e-3)
    return (hits - 1 + np.clip(part, 0, 1)).astype(np.float32)


def _smooth_ridges(colour: Plane, screen: Plane, ceiling: Plane, hits: Indices, rows: Plane) -> None:
    """Blend the two pixels where a ridge ends before land far behind it, by where its edge lies between them."""
    upper, column = np.nonzero(hits[:-1] - hits[1:] > 2)
    slot = hits[upper, column] - 1
    hidden = screen[slot, column] > ceiling[slot, column]
    upper, column, slot = upper[hidden], column[hidden], slot[hidden]
    share = (ceiling[slot, column] - (rows[upper] + 0.5))[:, None]
    behind, ridge = colour[upper, column], colour[upper + 1, column]
    colour[upper, column] += (ridge - behind) * np.clip(-share, 0, 0.5)
    colour[upper + 1, column] += (behind - ridge) * np.clip(share, 0, 0.5)


def _at(plane: Plane, columns: Plane, slices: Plane) -> Plane:
    found = cv2.remap(plane, columns, slices, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.float32, copy=False)
