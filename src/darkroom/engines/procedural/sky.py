"""The sky: gradient, glow, stars, sun or moon, aurora, and clouds in perspective; from the top to the horizon."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .frame import Frame, Plane, mix, on_map, smoothstep
from .noise import Noise
from .palette import Palette, rgb


@dataclass(frozen=True, slots=True)
class Sky:
    """What the sky shows. `x` and `height` place the disc in units from the middle and above the horizon; `cover` is
    the share of clouds, 0 to 1; `stars` and `glow` are strengths."""

    x: float
    height: float
    radius: float
    moon: bool
    cover: float
    stars: float
    glow: float
    aurora: bool = False


def paint(frame: Frame, horizon: int, sky: Sky, palette: Palette) -> Plane:
    """The sky's rows from the top of the picture down to row `horizon`, as (horizon, width, 3)."""
    picture = np.empty((horizon, frame.width, 3), np.float32)
    dome = Dome(frame, horizon, sky, palette, Noise(frame, "clouds"))
    lights = stars(frame, horizon, sky.stars) if sky.stars else None
    air = dome.air()
    for top, bottom in frame.bands(horizon):
        band = picture[top:bottom]
        elevation = horizon / frame.unit - frame.down(top, bottom)
        band[:] = air[top:bottom]
        dome.glow(elevation, band)
        if lights is not None:
            band += lights[top:bottom, :, None] * rgb("f2f7ff")
        if sky.aurora:
            dome.aurora(elevation, band)
        dome.disc(elevation, band)
        if sky.cover > 0:
            dome.clouds(elevation, band)
    return picture


@dataclass(frozen=True, slots=True)
class Dome:
    """Paints onto bands of the sky; `elevation` is the rows' height above the horizon in units, as one column."""

    frame: Frame
    horizon: int
    sky: Sky
    palette: Palette
    noise: Noise

    def air(self) -> Plane:
        """The gradient from zenith to horizon as one column of colours."""
        room = self.horizon / self.frame.unit
        reach = min(room, 0.9 + 0.7 * max(0.0, room - 0.9))
        stops = [0, 0.22 * reach, 0.58 * reach, reach]
        colours = np.stack([self.palette.horizon, self.palette.lower, self.palette.upper, self.palette.zenith])
        heights = np.linspace(0, 1.2 * reach, 512)
        ramp = np.stack([np.interp(heights, stops, colours[:, part]) for part in range(3)], -1)
        smooth = cv2.GaussianBlur(ramp, (1, 0), sigmaX=1, sigmaY=28, borderType=cv2.BORDER_REPLICATE)
        elevation = self.horizon / self.frame.unit - self.frame.down(0, self.horizon)[:, 0]
        column = [np.interp(elevation, heights, smooth[:, part]) for part in range(3)]
        return np.stack(column, -1).astype(np.float32)[:, None]

    def glow(self, elevation: Plane, band: Plane) -> None:
        """The light around the disc; a screen, not a sum, so that it fades into white without an edge."""
        far = np.hypot(self.frame.across() - self.sky.x, (elevation - self.sky.height) * 1.15)
        light = (np.exp(far * -9) * 0.5 + np.exp(far * -2.6) * 0.34) * self.sky.glow
        for part in range(3):
            band[..., part] = 1 - (1 - band[..., part]) * (1 - np.clip(light * self.palette.disc[part], 0, 1))

    def disc(self, elevation: Plane, band: Plane) -> None:
        """The sun, or the moon with its seas."""
        sky = self.sky
        if sky.height - sky.radius > elevation[0, 0] or sky.height + sky.radius < elevation[-1, 0]:
            return
        x, y = self.frame.across() - sky.x, elevation - sky.height
        away = np.hypot(x, y)
        inside = np.clip((sky.radius - away) * self.frame.unit + 0.5, 0, 1)
        colour = np.maximum(band, self.palette.disc * 1.04)
        if sky.moon:
            scale = 1.6 / sky.radius
            seas = smoothstep(-0.15, 0.55, self.noise.fbm(x * scale, y * scale, 4))
            limb = 0.95 - 0.22 * np.clip(away / sky.radius, 0, 1) ** 3
            colour = self.palette.disc * ((1 - 0.32 * seas) * limb)[..., None]
        band[:] = mix(band, colour, inside)

    def clouds(self, elevation: Plane, band: Plane) -> None:
        """Clouds on a plane overhead: flat near the horizon, large above; bright where thin or turned to the sun."""
        across, noise, sky = self.frame.across(), self.noise, self.sky
        x, z = on_map(across, 1 / (np.maximum(elevation, 0) + 0.16))
        z = z * 1.25
        warp = noise.fbm(x * 0.7, z * 0.7, 3)
        x, z = x + warp * 0.3, z + warp * 0.2
        density = noise.fbm(x * 0.7, z * 0.95, 8, 0.55)
        low = 0.42 - 0.85 * sky.cover
        amount = smoothstep(low, low + 0.55, density)
        toward = np.tanh((sky.x - across) * 3) * 0.12
        behind = noise.fbm((x + toward) * 0.7, (z - 0.14) * 0.95, 5, 0.55)
        near_sun = np.exp(np.hypot(across - sky.x, elevation - sky.height) * -2.2) * min(1.0, sky.glow)
        edge = np.clip(0.55 + (density - behind) * 0.9 - amount * 0.35 + near_sun * 0.35, 0, 1)
        lit = mix(self.palette.cloud, self.palette.disc, (near_sun * 0.6)[..., None])
        colour = mix(self.palette.shade, lit, edge[..., None])
        colour = mix(colour, band, np.broadcast_to(smoothstep(0.16, 0.0, elevation) * 0.75, amount.shape))
        band[:] = mix(band, colour, amount * smoothstep(0.0, 0.05, elevation) * 0.92)

    def aurora(self, elevation: Plane, band: Plane) -> None:
        """Curtains of green and violet light that hang from winding lines."""
        across, noise = self.frame.across(), self.noise
        for foot, strength in ((0.16, 0.8), (0.27, 0.55)):
            shift = np.full((1, 1), 11 * foot, np.float32)
            above = (elevation - foot - noise.fbm(across * 1.3, shift, 3) * 0.10) / 0.3
            rays = noise.fbm(across * 9 + above * 0.4, shift + above * 0.3, 4, 0.6)
            body = smoothstep(-0.05, 0.06, above) * np.exp(np.maximum(above, 0) * -2.6)
            gaps = smoothstep(-0.6, 0.3, noise.value(across * 0.9, shift + 5))
            light = np.clip(body * gaps * strength * (0.6 + 0.5 * rays), 0, 1)
            colour = mix(rgb("48f0a0"), rgb("8a5cf0"), smoothstep(0.1, 0.9, above)[..., None])
            band += light[..., None] * colour * 0.9


def stars(frame: Frame, horizon: int, strength: float, *, fading: bool = True) -> Plane:
    """Stars of many magnitudes down to row `horizon`, each a round spot, `fading` towards the horizon's haze."""
    random = frame.stream("stars")
    area = frame.span * horizon / frame.unit
    count = int(min(1100 * area, 6000))
    plane = np.zeros((horizon, frame.width), np.float32)
    size = max(frame.unit / 1000, 0.45)
    for x, y, magnitude in random.random((count, 3)).tolist():
        bright = 0.16 + 0.95 * magnitude**7
        fade = min(1.0, (1 - y) * 2.2) if fading else 1.0
        radius = size * (0.55 + magnitude**5)
        spot(plane, x * frame.width, y * horizon, radius, bright * fade * strength)
    return plane


def spot(plane: Plane, x: float, y: float, radius: float, bright: float, colour: Plane | None = None) -> None:
    """Add one round spot of light with soft edges, `x`, `y` and `radius` in pixels."""
    spread = max(radius, 0.5)
    reach = math.ceil(spread * 2.5)
    rows = slice(max(0, int(y) - reach), max(0, min(plane.shape[0], int(y) + reach + 1)))
    columns = slice(max(0, int(x) - reach), max(0, min(plane.shape[1], int(x) + reach + 1)))
    down = np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] + (0.5 - y)
    across = np.arange(columns.start, columns.stop, dtype=np.float32)[None] + (0.5 - x)
    peak = bright * min(1.0, (radius / 0.5) ** 2)
    light = peak * np.exp((down * down + across * across) * (-1 / spread**2))
    plane[rows, columns] += light if colour is None else light[..., None] * colour
