"""Regrades a picture towards named colours: in its shadows one, in its lights another, as a colourist does.

Works in L*a*b*, so that what is light stays light; black and white stay neutral, and skin keeps its own hue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from ..pictures import Pixels
from .scene import Scene, ramp

SKIN = 0.75  # how much of the change is kept from skin
OWN = 0.5  # how much of their own colours things keep beside a single one
OWN_BESIDE = 0.62  # and beside several

# What a colour is, as "rrggbb".
COLOURS: Mapping[str, str] = {
    "red": "c8322c", "orange": "e8822a", "yellow": "e8c63a", "gold": "d9a441", "green": "3f9650", "teal": "138a8a",
    "blue": "2b62c4", "purple": "7a45b8", "pink": "ea86b4", "brown": "8a5c38", "white": "f6f6f4", "gray": "8c9094",
    "black": "141416",
}  # fmt: skip
# Named palettes: colours from the shadows to the lights, how much of things' own colours is kept, how much contrast is
# taken, and how much lighter black becomes.
PALETTES: Mapping[str, tuple[tuple[str, ...], float, float, float]] = {
    "teal_orange": (("106d78", "4a6f78", "e08a48"), 0.75, 0.0, 0.0),
    "pastel": (("8f8fc8", "e6a9c0", "f6dcc0"), 0.55, 0.28, 0.14),
    "earth": (("4a3a28", "8f6f46", "d6bf94"), 0.5, 0.05, 0.02),
    "morandi": (("6d7378", "a3978c", "d8cdc0"), 0.38, 0.2, 0.08),
    "candy": (("6a6fd8", "f07ab4", "8fe0e8"), 0.8, 0.1, 0.06),
    "forest": (("16332a", "4b7a4a", "c8c68a"), 0.6, 0.0, 0.0),
    "ocean": (("0d2c4e", "1f7fa0", "bfe6dc"), 0.55, 0.0, 0.0),
}  # fmt: skip


def regrade(rgb: Pixels, names: Sequence[str], amount: float, scene: Scene) -> Pixels:
    """The picture in these colours, or in a named palette; float32 RGB in 0..1 both ways, `amount` 0..1.

    Several colours are laid from the shadows to the lights, the darkest first; a single one colours all tones.
    """
    lab = cv2.cvtColor(rgb.clip(0, 1), cv2.COLOR_RGB2LAB)
    stops, own, flatter, lift = _recipe(names)
    lightness = lab[..., 0]
    level = (lightness / 100).clip(0, 1)
    wanted = np.stack([_between(level, stops[:, channel]) for channel in (1, 2)], -1)
    # Neither black nor white can be colourful, and deep or bright tones look dyed if they are.
    room = ramp(level, 0.0, 0.3) * ramp(1.02 - level, 0.0, 0.3)
    share = (amount * (1 - SKIN * scene.skin))[..., None]
    # Colours near the wanted ones stay strong; others are muted by as much as they differ.
    chroma = lab[..., 1:]
    kept = chroma * own
    toned = kept + wanted * (room * (0.95 - 0.5 * own))[..., None]
    lab[..., 1:] = chroma + (toned - chroma) * share
    softer = lightness + flatter * (58 - lightness)
    softer = softer + lift * (100 - softer)
    lab[..., 0] = lightness + (softer - lightness) * share[..., 0]
    graded: Pixels = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return graded.clip(0, 1)


def solid(name: str) -> Pixels:
    """A colour as uint8 RGB of shape (3,)."""
    return np.array([int(COLOURS[name][place : place + 2], 16) for place in (0, 2, 4)], np.uint8)


def _recipe(names: Sequence[str]) -> tuple[Pixels, float, float, float]:
    """The stops in L*a*b* (n, 3) from the shadows to the lights, and how they are laid on."""
    if len(names) == 1 and names[0] in PALETTES:
        colours, own, flatter, lift = PALETTES[names[0]]
        return _lab(colours), own, flatter, lift
    stops = _lab([COLOURS[name] for name in names])
    if len(stops) == 1:
        return stops, OWN, 0.0, 0.0
    return stops[np.argsort(stops[:, 0])], OWN_BESIDE, 0.0, 0.0


def _lab(colours: Sequence[str]) -> Pixels:
    """Colours "rrggbb" as L*a*b*, (n, 3)."""
    rgb = np.array([[int(colour[place : place + 2], 16) for place in (0, 2, 4)] for colour in colours], np.float32)
    lab: Pixels = cv2.cvtColor(rgb[None] / 255, cv2.COLOR_RGB2LAB)[0]
    return lab


def _between(level: Pixels, values: Pixels) -> Pixels:
    """Values at levels 0..1, smooth between stops at equal distances."""
    if len(values) == 1:
        return np.full_like(level, values[0])
    table = np.interp(np.linspace(0, 1, 256), np.linspace(0.12, 0.88, len(values)), values).astype(np.float32)
    table = cv2.GaussianBlur(table[None], (0, 0), 18, borderType=cv2.BORDER_REPLICATE)[0]
    spread: Pixels = table[(level * 255 + 0.5).astype(np.uint8)]
    return spread
