"""The ground in the foreground that things stand on: a grassy hill, a beach, a dune, snow or a quay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..frame import Frame, Plane, mix, smoothstep
from ..land import DUNE, GRASS, SAND, SNOW
from ..noise import Noise
from ..palette import Palette, rgb

STONE = "6f6f72"


@dataclass(frozen=True, slots=True)
class Bank:
    """Ground along the lower edge. `matter` is grass, sand, dune, snow or stone; `crest` and `base` are heights in
    units above the edge, the first at `centre`, the other far from it."""

    frame: Frame
    matter: str
    season: str
    crest: float
    base: float
    centre: float

    def edge(self) -> Plane:
        """Its upper edge in units from the top of the picture, as one row."""
        across = self.frame.across()
        height = self.base + (self.crest - self.base) * np.exp(-(((across - self.centre) / 0.46) ** 2))
        if self.matter != "stone":
            noise = Noise(self.frame, "ground")
            height = height + noise.fbm(across * 1.7, np.full((1, 1), 3, np.float32), 3) * 0.012
            if self.matter == "grass":
                height = height + np.abs(noise.fbm(across * 34, np.zeros((1, 1), np.float32), 3, 0.7)) * 0.007
        edge: Plane = self.frame.height / self.frame.unit - height
        return edge

    def paint(self, picture: Plane, palette: Palette) -> None:
        """Lay the ground over the lower rows of a picture."""
        frame, edge = self.frame, self.edge()
        top = int(max(0, edge.min() * frame.unit - 2))
        noise = Noise(frame, "turf")
        for start, end in frame.bands(frame.height - top):
            down = frame.down(top + start, top + end)
            cover = np.clip((down - edge) * frame.unit + 0.5, 0, 1)
            deep = np.clip((down - edge) * 5, 0, 1)
            band = picture[top + start : top + end]
            band[:] = mix(band, self._colour(noise, palette, down, deep), cover)

    def _colour(self, noise: Noise, palette: Palette, down: Plane, deep: Plane) -> Plane:
        across = self.frame.across()
        wide, high = {"grass": (30.0, 15.0), "sand": (5.0, 22.0), "dune": (4.0, 26.0)}.get(self.matter, (7.0, 16.0))
        grain = noise.fbm(across * wide, down * high, 5, 0.72)
        patches = noise.fbm(across * 2.1 + 5, down * 7, 3)
        texts = {"sand": SAND, "dune": DUNE, "snow": SNOW, "stone": STONE}
        matter = rgb(texts.get(self.matter) or GRASS[self.season])
        strength = {"grass": 0.26, "stone": 0.1, "sand": 0.06, "dune": 0.05, "snow": 0.04}[self.matter]
        tone = 1 + grain * strength + patches * strength * 0.45
        # The crest catches the light of the sky; towards us it gets darker, so that what stands on it is seen.
        light = palette.ambient * 0.68 + palette.light * 0.46
        shade = palette.ambient * 0.46 + palette.light * 0.17
        shine = mix(light, shade, np.broadcast_to(smoothstep(0.0, 1.0, deep), tone.shape)[..., None])
        return matter * tone[..., None] * shine
