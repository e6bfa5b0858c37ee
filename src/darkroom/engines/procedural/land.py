"""The kinds of land: how high it is, and what colour it has in the light of the hour."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .frame import Frame, Plane, mix, on_map, smoothstep
from .noise import Noise
from .palette import Palette, rgb

GRASS = {"spring": "74904a", "summer": "566e42", "autumn": "b08a3e", "winter": "8f927c"}
WOOD = {"spring": "39632f", "summer": "2c5230", "autumn": "8a4f24", "winter": "3c4c44"}
ROCK, SAND, DUNE, SNOW = "8a8078", "b9a67c", "dba267", "f4f8fc"
VALLEY = 1.7  # width in units from one valley to the next in a panorama


@dataclass(frozen=True, slots=True)
class Relief:
    """A kind of land. Lengths are world units (see `terrain`).

    `near` and `far` are heights as shares of the distance, `rise` says between which distances the second takes over
    from the first; `scale` is the size of the largest forms, `wear` how worn they are, `lift` how far they stand above
    the plain's level `plain`.
    """

    near: float
    far: float
    rise: tuple[float, float]
    scale: float
    wear: float
    lift: float
    plain: float


RELIEFS = {
    "mountains": Relief(0.015, 0.34, (4, 30), 23.0, 0.6, 0.32, 0.05),
    "hills": Relief(0.05, 0.17, (1, 24), 10.0, 0.3, 0.30, 0.0),
    "dunes": Relief(0.22, 0.12, (2, 24), 6.5, 0.0, -0.5, 0.0),
    "coast": Relief(0.0, 0.20, (8, 30), 14.0, 0.5, -0.22, -0.2),
}
SNOW_LINE = 0.15  # of mountains, as a share of the distance


@dataclass(frozen=True, slots=True)
class Land:
    """The land of one picture. `water` sinks the plain below the water level, `snow` (0 to 1) covers the land, `haze`
    is the strength of the distance's haze; the light comes from `side` (-1 or 1) at the sine of elevation `rise`;
    `peaks` are the bearings of the only mountains or islands, if they are counted."""

    frame: Frame
    palette: Palette
    kind: str
    season: str
    water: bool
    snow: float
    haze: float
    side: float
    rise: float
    noise: Noise
    peaks: tuple[float, ...] = ()

    def heights(self, across: Plane, distance: Plane) -> tuple[Plane, Plane, Plane]:
        """Heights above the water level, and slopes along the map's x and z, of points at a bearing and a distance."""
        relief = RELIEFS[self.kind]
        scale = 1 / relief.scale
        x, z = on_map(across, distance)
        if self.kind == "dunes":
            form, slope_x, slope_z = self._dunes(x * scale, z * scale)
        else:
            form, slope_x, slope_z = self.noise.eroded(x * scale, z * scale, 9, relief.wear)
        flank = self._flank(across)
        start, end = relief.rise
        rise = np.clip((distance - start * (2 - flank)) / (end - start * (2 - flank)), 0, 1)
        rise = rise * rise * (3 - 2 * rise)
        share = (relief.near + (relief.far - relief.near) * rise) * (1 + flank * 0.12)
        amplitude = share * np.minimum(distance, 36)
        lift: Plane | float = relief.lift
        if self.peaks:
            form, lift = self._counted(across, distance, form)
        height = relief.plain + amplitude * (form + lift)
        if self.water:
            bays = self.noise.value(x * 0.16 + 7, z * 0.16) * 3.5
            inland = smoothstep(6.0, 16.0, distance + bays + flank * 4.5)
            height -= (1 - inland) * (relief.plain + 0.3)
        steep = amplitude * scale
        return height, slope_x * steep, slope_z * steep

    def survey(self, across: Plane, distance: Plane) -> tuple[Plane, Plane]:
        """Heights and colours of points of the land, as `terrain.look` asks for them."""
        height, slope_x, slope_z = self.heights(across, distance)
        level = 1 / np.sqrt(1 + slope_x * slope_x + slope_z * slope_z)
        flat = math.sqrt(max(0.0, 1 - self.rise**2))
        light = (self.rise - slope_x * (0.9 * flat * self.side) - slope_z * (0.4 * flat)) * level
        x, z = on_map(across, distance)
        grain = self.noise.fbm(x * 2.3, z * 2.3, 7, 0.66)
        patches = self.noise.fbm(x * 0.35, z * 0.35, 3) + grain * 0.3
        colour = self._matter(distance, height / distance, level, patches, grain)
        shine = self.palette.ambient * level[..., None] + np.clip(light, 0, 1)[..., None] * self.palette.light
        # Haze lies low: peaks stand out of it.
        sink = 1 - np.clip(height / distance, 0, 0.3) * 1.2
        return height, mix(colour * shine, self.palette.haze, self.thickness(distance) * sink)

    def thickness(self, distance: Plane) -> Plane:
        """How much of what stands at a distance the haze hides, 0 to 1."""
        thick: Plane = (1 - np.exp(-((distance * (self.haze / 34)) ** 1.5))) * 0.92
        return thick

    def _counted(self, across: Plane, distance: Plane, form: Plane) -> tuple[Plane, Plane]:
        """Form and lift that leave one massif at each of the counted bearings, and low land or water between them."""
        width = min(0.32, 0.42 * self.frame.span / len(self.peaks))
        crags = self.noise.fbm(across * (2.6 / width), distance * 0.12, 5, 0.6)
        ragged = across + (form * 0.22 + crags * 0.06) * width  # else every mountain were as even as a cone
        own = self.frame.stream("massifs").uniform(0.8, 1.0, (len(self.peaks), 2))
        bumps = np.stack(
            [
                np.clip(1 - np.abs(ragged - peak) / (width * wide), 0, 1) * high
                for peak, (wide, high) in zip(self.peaks, own.tolist(), strict=True)
            ]
        ).max(0)
        slender = min(1.0, (width / 0.3) ** 0.7)
        if self.kind == "coast":
            rise = np.sin(bumps * (math.pi / 2)) ** 1.2
            return (form * 0.36 + crags * 0.24) * rise * slender, (0.42 * slender + 0.75) * rise - 0.75
        rise = bumps**0.85
        return (form * 0.62 + crags * 0.26) * (0.1 + rise * slender), 0.03 + 0.5 * slender * rise

    def _flank(self, across: Plane) -> Plane:
        """0 in the middle of the valley that the picture looks into, 1 at its sides; repeated in a panorama."""
        if self.kind not in ("mountains", "hills"):
            return np.zeros_like(across)
        offset = self.frame.stream("valley").uniform(-0.22, 0.22)
        wave: Plane = np.cos((across - offset) * (math.tau / VALLEY))
        return 0.5 - wave * 0.5

    def _matter(self, distance: Plane, share: Plane, level: Plane, patches: Plane, grain: Plane) -> Plane:
        """What the land is made of, by its height as a share of the distance and by how level it is."""
        if self.kind == "dunes":
            return rgb(DUNE) * (0.97 + grain * 0.06)[..., None]
        grass = rgb(GRASS[self.season]) * (0.9 + grain * 0.3)[..., None]
        wood = rgb(WOOD[self.season]) * (0.85 + grain * 0.55)[..., None]
        colour = mix(grass, wood, smoothstep(-0.12, 0.12, patches) * smoothstep(2.5, 7.0, distance))
        rock = rgb(ROCK) * (0.85 + grain * 0.24)[..., None]
        bare = smoothstep(0.90, 0.66, level + grain * 0.08)
        if self.kind == "mountains":
            bare = np.maximum(bare, smoothstep(0.06, 0.14, share + grain * 0.03))
        colour = mix(colour, rock, bare)
        if self.water:
            colour = mix(rgb(SAND) * np.ones_like(colour), colour, smoothstep(0.001, 0.007, share))
        line = (SNOW_LINE if self.kind == "mountains" else 1.0) * (1 - self.snow) - 0.1 * self.snow
        above = smoothstep(line - 0.03, line + 0.04, share + grain * 0.03)
        lying = above * smoothstep(0.5, 0.8, level + grain * 0.12)
        return mix(colour, np.broadcast_to(rgb(SNOW), colour.shape), lying)

    def _dunes(self, x: Plane, z: Plane) -> tuple[Plane, Plane, Plane]:
        """Long crests at two sizes, sharp along the top; and their slopes."""
        warp = self.noise.fbm(x * 0.5, z * 0.5, 3) * 0.5
        total, slope_x, slope_z = (np.zeros_like(warp) for _ in range(3))
        for size, weight in ((1.0, 0.7), (2.3, 0.22)):
            found = self.noise.slopes(*self.noise.octave((x + warp) * (size * 0.6), z * size, 0))
            folded = np.sqrt(found[..., 0] ** 2 + 0.0008)
            slant = found[..., 0] / folded * (2.4 * weight * size)
            total += weight * (1 - 2.4 * folded)
            slope_x -= slant * found[..., 1] * 0.6
            slope_z -= slant * found[..., 2]
        return total, slope_x, slope_z
