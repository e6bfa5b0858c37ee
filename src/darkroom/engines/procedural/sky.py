"""The sky: gradient, glow, stars, sun or moon, aurora, and clouds in perspective; from the top to the horizon."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .frame import Frame, Plane, mix, on_map, smoothstep
from .noise import Noise
from .palette import Palette, rgb


@dataclass(frozen=True, slots=True)
class Disc:
    """A sun or moon: `x` from the middle, `height` above the horizon and `radius` in units; the colour (hexadecimal) if
    it is not that of the hour; how far the air pales it, 0 to 1."""

    x: float
    height: float
    radius: float
    moon: bool
    colour: str | None = None
    pale: float = 0.0


@dataclass(frozen=True, slots=True)
class Sky:
    """What the sky shows. `x` and `height` place the light in units from the middle and above the horizon, and `discs`
    are what can be seen of it; `cover` is the share of clouds, 0 to 1; `stars` and `glow` are strengths; `beacons` is a
    number of single stars, and `puffs` are single clouds (x, height, size); `air` gives every prompt its own clouds."""

    x: float
    height: float
    moon: bool
    cover: float
    stars: float
    glow: float
    discs: tuple[Disc, ...] = ()
    aurora: bool = False
    rainbow: bool = False
    beacons: int = 0
    puffs: tuple[tuple[float, float, float], ...] = ()
    air: str = ""

    @property
    def clouded(self) -> bool:
        """True where there is any cloud."""
        return self.cover > 0 or bool(self.puffs)

    def places(self, frame: Frame, horizon: int) -> list[tuple[float, float, float]]:
        """Where the discs are: x and y of their middles and their radii, in units from the upper left corner."""
        return [(disc.x + frame.span / 2, horizon / frame.unit - disc.height, disc.radius) for disc in self.discs]


def paint(frame: Frame, horizon: int, sky: Sky, palette: Palette) -> Plane:
    """The sky's rows from the top of the picture down to row `horizon`, as (horizon, width, 3)."""
    picture = np.empty((horizon, frame.width, 3), np.float32)
    dome = Dome(frame, horizon, sky, palette, Noise(frame, f"clouds {sky.air}"))
    lights = stars(frame, horizon, sky.stars) if sky.stars else None
    if sky.beacons:
        discs = [(x * frame.unit, y * frame.unit) for x, y, _ in sky.places(frame, horizon)]
        lights = beacons(frame, horizon, sky.beacons, lights, discs)
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
        for disc in sky.discs:
            dome.disc(disc, elevation, band)
        if sky.rainbow:
            dome.rainbow(elevation, band)
        if sky.clouded:
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

    def disc(self, disc: Disc, elevation: Plane, band: Plane) -> None:
        """A sun, or a moon with its seas."""
        if disc.height - disc.radius > elevation[0, 0] or disc.height + disc.radius < elevation[-1, 0]:
            return
        x, y = self.frame.across() - disc.x, elevation - disc.height
        away = np.hypot(x, y)
        inside = np.clip((disc.radius - away) * self.frame.unit + 0.5, 0, 1) * (1 - disc.pale)
        own = self.palette.disc if disc.colour is None else rgb(disc.colour) * 1.1
        colour = np.maximum(band, own * 1.04) if disc.colour is None else np.broadcast_to(own, band.shape)
        if disc.moon:
            scale = 1.6 / disc.radius
            seas = smoothstep(-0.15, 0.55, self.noise.fbm(x * scale, y * scale, 4))
            limb = 0.95 - 0.22 * np.clip(away / disc.radius, 0, 1) ** 3
            colour = own * ((1 - 0.32 * seas) * limb)[..., None]
        if disc.pale:  # by day the moon's dark parts are as blue as the air before them
            colour = np.maximum(colour, band)
        band[:] = mix(band, colour, inside)

    def rainbow(self, elevation: Plane, band: Plane) -> None:
        """A bow on the side away from the light, red outside."""
        away = np.hypot(self.frame.across() + self.sky.x * 0.5, elevation + 0.12)
        radius = min(0.52, 0.62 * self.horizon / self.frame.unit + 0.12, 0.75 * self.frame.span + 0.1)
        place = (away - radius) * (1 / 0.055)
        colours = np.stack([np.exp(-(((place - peak) / 0.26) ** 2)) for peak in (0.78, 0.5, 0.2)], -1)
        colours[..., 0] += np.exp(-(((place - 0.02) / 0.12) ** 2)) * 0.4  # violet
        band += colours * (smoothstep(0.0, 0.2, elevation) * 0.2 + 0.16)[..., None]

    def clouds(self, elevation: Plane, band: Plane) -> None:
        """The sky's clouds: its cover, and the single ones."""
        if self.sky.cover > 0:
            self._cover(elevation, band)
        for number, puff in enumerate(self.sky.puffs):
            self._puff(number, puff, elevation, band)

    def _cover(self, elevation: Plane, band: Plane) -> None:
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

    def _puff(self, number: int, puff: tuple[float, float, float], elevation: Plane, band: Plane) -> None:
        """A single fair-weather cloud with a flat base."""
        x0, y0, size = puff
        if y0 - size > elevation[0, 0] or y0 + size * 1.4 < elevation[-1, 0]:
            return
        x, y = (self.frame.across() - x0) / size, (elevation - y0) / size
        rough = self.noise.fbm(x * 1.5 + number * 7.3, y * 1.5 + number * 3.1, 6, 0.55)
        body = np.full(rough.shape, -9, np.float32)
        random = self.frame.stream("puff", number)
        heaps = [(place, random.uniform(0.3, 0.5) * (1 - 0.45 * abs(place))) for place in np.linspace(-0.85, 0.85, 6)]
        for middle, radius in heaps:
            heap = 1 - np.hypot(x - middle, (y - radius * 0.62) * 0.95) / radius
            body = np.maximum(body, heap)
        density = body + rough * 0.34
        amount = smoothstep(-0.04, 0.3, density) * smoothstep(-0.14, 0.06, y + rough * 0.05)
        light = np.clip(0.42 + y * 0.75 + rough * 0.42 + x * (0.12 if self.sky.x > x0 else -0.12), 0, 1)
        colour = mix(self.palette.shade, self.palette.cloud, np.broadcast_to(light, amount.shape)[..., None])
        band[:] = mix(band, colour, amount * 0.96)

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


def beacons(
    frame: Frame, horizon: int, count: int, lights: Plane | None, around: Sequence[tuple[float, float]] = ()
) -> Plane:
    """Single bright stars with rays, so many that they can be counted; over `lights`, away from what is `around`."""
    plane = np.zeros((horizon, frame.width), np.float32) if lights is None else lights
    random = frame.stream("beacons")
    radius = 0.0055 * frame.unit * max(0.55, count**-0.16)
    places = list(around)
    for _ in range(count):
        tried = (random.random((24, 2)) * (0.84, 0.56) + (0.08, 0.08)) * (frame.width, horizon)
        away = [min((math.hypot(x - a, y - b) for a, b in places), default=math.inf) for x, y in tried.tolist()]
        x, y = tried[int(np.argmax(away))] if places else tried[0]
        places.append((float(x), float(y)))
        spot(plane, x, y, radius, 1.5)
        spot(plane, x, y, radius * 4, 0.22)
        for turn in range(2):
            for share in np.linspace(-1, 1, 41):
                reach = radius * 7 * share
                bright = 0.5 * (1 - abs(share)) ** 2
                spot(plane, x + reach * (turn == 0), y + reach * (turn == 1), max(radius * 0.3, 0.5), bright)
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
