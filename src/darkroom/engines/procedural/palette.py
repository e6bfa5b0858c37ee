"""Colours of a picture: what the light of the hour paints sky, clouds, land and water with.

Colours are display values, 0 to 1, red green blue.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from .frame import Frame, Plane, mix

TINTS = {
    "red": "d8322f", "orange": "f08a24", "yellow": "f2cf3a", "green": "3f9a52", "teal": "1fa39a", "blue": "2f6fd0",
    "purple": "8a4fc7", "pink": "ee7fb0", "brown": "8a5a36", "gold": "e0b04a", "white": "f4f4f2", "black": "2a2c31",
    "gray": "8d9299",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Palette:
    """The light of an hour: four colours of the sky from top to horizon, the sun or moon, direct and ambient light, the
    haze of distance, and lit and shaded cloud."""

    zenith: Plane
    upper: Plane
    lower: Plane
    horizon: Plane
    disc: Plane
    light: Plane
    ambient: Plane
    haze: Plane
    cloud: Plane
    shade: Plane

    def dulled(self, share: float) -> Palette:
        """The palette under a covered sky: greyer and a little darker by `share`."""
        changed = {}
        for field in fields(self):
            colour = getattr(self, field.name)
            grey = luma(colour)[..., None] * np.array([0.9, 0.97, 1.05], np.float32)
            changed[field.name] = (colour + (grey - colour) * share) * (1 - 0.3 * share)
        return Palette(**changed)


# One text per variant: the colours in the order of the fields; `light` and `ambient` are doubled.
HOURS = {
    "sunrise": (
        "3f6aa8 8fa6cf f3c3b4 ffe3b0 fff3d6 a8806a 4a5578 f2cdb8 ffe6d2 a795b4",
        "4a6fae b7a6d0 f7b7b0 ffd9a0 fff0c8 a97f68 4c5078 f0c2b6 ffdcc8 9d86ae",
        "2f7f9e 8fc3c0 f6dcae ffe9b8 fff6d8 a48a66 46606c efdcb6 fff0d4 9aa7ae",
    ),
    "day": (
        "1f5fb4 4f92d6 a3cdea dcecf2 fffdf0 8c8272 42546e bcd5e6 ffffff 9fb2c6",
        "2a6cc0 66a6dc b5d9ee e8f2f2 fffdf0 8c8474 44566e c6dcea ffffff a6b8ca",
        "1a6fb0 45a2cf 9fd6e2 e2f2ea fffdf0 8e8670 40586a bcdde2 ffffff 9cb6c2",
    ),
    "sunset": (
        "1c2a5e 6b4a8c e8795a ffc46a fff0c0 b0683c 4a3c62 e08f68 ff9f6a 5c4274",
        "27224f 8a3f78 f0605a ffa95a ffe9b0 b05c40 48365e d87a66 ff8266 4e3566",
        "2d4a7c 8c7fa4 f4ad6c ffd97a fff4c8 ac7844 4c4a66 e8b07c ffc080 75658a",
        "1a2f66 4a5fa0 d98aa0 ffb98c fff0d0 a4705c 463f68 d79a9a ffa694 5a4a80",
    ),
    "night": (
        "040816 0b1734 1b3260 3b5a86 f2f4ff 3c4c70 141d36 2b4468 4a5f86 10192f",
        "050a14 0a1f33 174653 3a7480 f0f8f4 365260 12232e 285460 48707a 0e1f2b",
        "080618 17123c 372a68 6a528e f6f0ff 46406e 1a1836 443a70 655a92 151230",
    ),
}


def rgb(text: str) -> Plane:
    """A colour from six hexadecimal digits."""
    return np.array([int(text[place : place + 2], 16) for place in (0, 2, 4)], np.float32) / 255


def choose(frame: Frame, hour: str, tints: tuple[str, ...]) -> Palette:
    """The palette of an hour: a variant by the picture's seed, coloured by the tints that the caller named."""
    variants = HOURS[hour]
    text = variants[int(frame.stream("palette").integers(len(variants)))]
    palette = Palette(*(rgb(part) for part in text.split()))
    palette = replace(palette, light=palette.light * 2, ambient=palette.ambient * 2)
    for name in tints[:2]:
        palette = Palette(*(tinted(getattr(palette, field.name), name, 0.38) for field in fields(Palette)))
    return palette


def tinted(colour: Plane, name: str, share: float) -> Plane:
    """The colour or picture moved towards a tint's hue, about as bright as it was."""
    target = rgb(TINTS[name])
    brightness = luma(colour)[..., None]
    hue = target / max(float(luma(target)), 0.12)
    # A hue that cannot be so bright goes towards white instead of clipping to another hue.
    wished = brightness * hue
    excess = np.clip(wished.max(-1, keepdims=True) - 1, 0, None)
    wished = np.minimum(wished, 1) + excess * 0.25
    return mix(colour, np.clip(wished, 0, 2), share)


def luma(colour: Plane) -> Plane:
    """Brightness of a colour or of a picture."""
    brightness: Plane = colour[..., 0] * 0.299 + colour[..., 1] * 0.587 + colour[..., 2] * 0.114
    return brightness
