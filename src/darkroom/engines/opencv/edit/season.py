"""Renders the seasons on a picture: what grows takes on their colours, and in winter snow lies on it.

Leaves and grass are what is green in the picture; people and what they wear stay as they are, but for the light.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import cv2
import numpy as np

from ..filters import brush, texture
from ..pictures import Pixels
from .scene import Scene, ramp

Render = Callable[[Pixels, Scene, np.random.Generator], Pixels]

BLOSSOM = np.array([0.98, 0.76, 0.85], np.float32)
SNOW = np.array([0.93, 0.955, 1.0], np.float32)
OVERCAST = ("9fb0c2", "c3cfda", "e2e8ee")  # a winter sky from the top to the horizon
AUTUMN = ("7d2417", "b8431c", "dd7a1f", "e9a92f", "c9a23a")  # from the deepest leaves to the lightest


def render(rgb: Pixels, name: str, amount: float, scene: Scene, random: np.random.Generator) -> Pixels:
    """The picture in another season; float32 RGB in 0..1 both ways, `amount` 0..1 of the change."""
    changed: Pixels = rgb + amount * (SEASONS[name](rgb, scene, random).clip(0, 1) - rgb)
    return changed


def spring(rgb: Pixels, scene: Scene, random: np.random.Generator) -> Pixels:
    """Fresh green, blossoms on what is rough and green, and soft light."""
    unit = brush.unit(rgb)
    leaves = scene.leaves[..., None]
    fresh = _hued(rgb, 88, 0.9, 1.18, 0.08)
    grown = rgb + (fresh - rgb) * leaves * 0.85
    boughs = _rough(rgb, unit) * ramp(texture.noise(rgb.shape[:2], 14 * unit, random), 0.15, 0.8)
    petals = 0.75 + 0.25 * ramp(texture.noise(rgb.shape[:2], 1.6 * unit, random), -0.8, 0.8)
    blossom = BLOSSOM * (petals * (0.55 + 0.65 * brush.grey(grown)))[..., None]
    grown += (blossom - grown) * (scene.leaves * boughs * 0.85)[..., None]
    return _graded(grown, scene, (1.03, 1.02, 0.99), 1.06, 0.05)


def summer(rgb: Pixels, scene: Scene, random: np.random.Generator) -> Pixels:  # noqa: ARG001 - the sun shines evenly
    """Deep green, blue sky, warm and hard light."""
    leaves, sky = scene.leaves[..., None], scene.sky[..., None]
    grown = rgb + (_hued(rgb, 105, 1.3, 1.05, 0.12) - rgb) * leaves * 0.8
    blue = brush.vibrant(grown, 0.9) * np.array([0.9, 0.99, 1.04], np.float32)
    grown = grown + (blue - grown) * sky * 0.8
    lit = grown + 0.3 * (grown * grown * (3 - 2 * grown) - grown)
    return _graded(lit, scene, (1.06, 1.01, 0.93), 1.12, 0.03)


def autumn(rgb: Pixels, scene: Scene, random: np.random.Generator) -> Pixels:
    """Leaves from dark red to gold, grass that fades, warm and low light."""
    unit = brush.unit(rgb)
    luma = brush.grey(rgb)
    rough = _rough(rgb, unit)
    kind = 0.42 + 0.2 * texture.noise(rgb.shape[:2], 26 * unit, random)
    kind += 0.1 * texture.noise(rgb.shape[:2], 4 * unit, random)
    local = (luma - brush.blur(luma, 8 * unit)).clip(-0.1, 0.06)
    turned = brush.ramp((kind + 1.2 * local).clip(0, 1), AUTUMN)
    # As light and dark as the leaves were, and somewhat lighter in deep shade: leaves let light through.
    level = (luma * 1.25 + 0.05) / (brush.grey(turned) + 0.02)
    turned = (turned * level[..., None]).clip(0, 1)
    grass = _hued(rgb, 58, 0.75, 1.1, 0.04)
    grown = turned * rough[..., None] + (0.2 * turned + 0.8 * grass) * (1 - rough[..., None])
    leafy = rgb + (grown - rgb) * scene.leaves[..., None]
    return _graded(leafy, scene, (1.07, 1.0, 0.88), 1.02, 0.02)


def winter(rgb: Pixels, scene: Scene, random: np.random.Generator) -> Pixels:
    """Snow on the ground and on whatever faces up, bare colours, a white sky and cold light."""
    unit, luma = brush.unit(rgb), brush.grey(rgb)
    rough = _rough(rgb, unit)
    soil = _ground(rgb, scene)
    drift = 0.86 + 0.14 * ramp(texture.noise(rgb.shape[:2], 20 * unit, random), -1.2, 0.6)
    lying = np.maximum(scene.leaves * (1 - rough), soil) * drift
    # Boughs hold snow where light falls on them from above.
    above = cv2.warpAffine(luma, np.array([[1, 0, 0], [0, 1, 1.6 * unit]], np.float32), luma.shape[::-1])
    upward = ramp(luma - above, -0.01, 0.05)
    held = (scene.leaves * rough + 0.35 * (1 - scene.sky) * (1 - scene.leaves)) * (0.25 + 0.75 * upward)
    cover = (np.maximum(lying * 0.95, held * 0.85) * (1 - scene.people) * (1 - scene.water)).clip(0, 1)
    level = 0.84 + 0.7 * (luma - brush.blur(luma, 30 * unit)) + 0.03 * texture.noise(luma.shape, 50 * unit, random)
    level *= 0.72 + 0.5 * ramp(brush.blur(luma, 60 * unit), 0.0, 0.5)
    snow = SNOW * level.clip(0.4, 1.02)[..., None]
    bare = luma[..., None] + (rgb - luma[..., None]) * (1 - 0.7 * scene.leaves[..., None])
    covered = bare + (snow - bare) * cover[..., None]
    if scene.has_sky:
        down = np.linspace(0, 1, rgb.shape[0], dtype=np.float32) / max(scene.horizon, 0.2)
        cloudy = brush.ramp(down.clip(0, 1), OVERCAST)[:, None] + 0.35 * (luma - brush.blur(luma, 60 * unit))[..., None]
        covered += (cloudy - covered) * (0.8 * scene.sky)[..., None]
    return _graded(covered, scene, (0.95, 1.0, 1.09), 0.72, 0.03)


SEASONS: Mapping[str, Render] = {"spring": spring, "summer": summer, "autumn": autumn, "winter": winter}


def _hued(rgb: Pixels, hue: float, saturation: float, value: float, least: float) -> Pixels:
    """The pixels with hues drawn to `hue` (degrees), and other saturation and value; `least` is of saturation."""
    hsv = cv2.cvtColor(rgb.clip(0, 1), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hue + 0.25 * (hsv[..., 0] - 110)).clip(0, 360)
    hsv[..., 1] = (hsv[..., 1] * saturation + least).clip(0, 0.92)
    hsv[..., 2] = (hsv[..., 2] * value).clip(0, 1)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _rough(rgb: Pixels, unit: float) -> Pixels:
    """1 where there is texture, as in trees; 0 where it is calm, as on a meadow."""
    luma = brush.grey(rgb)
    detail = np.abs(luma - brush.blur(luma, 1.1 * unit)) / (brush.blur(luma, 6 * unit) + 0.06)
    return ramp(brush.blur(detail, 3 * unit), 0.016, 0.042)


def _ground(rgb: Pixels, scene: Scene) -> Pixels:
    """Bare ground that snow would cover: calm and neither grey nor blue, below the horizon."""
    rows = np.linspace(0, 1, rgb.shape[0], dtype=np.float32)[:, None]
    brown = ramp(rgb[..., 0] - rgb[..., 2], 0.03, 0.12) * (1 - _rough(rgb, brush.unit(rgb)))
    bare: Pixels = brown * ramp(rows, scene.horizon, scene.horizon + 0.1) * (1 - scene.sky) * (1 - scene.people)
    return bare


def _graded(rgb: Pixels, scene: Scene, tint: tuple[float, float, float], colour: float, lift: float) -> Pixels:
    """The season's light on everything, and less of it on people."""
    share = (1 - 0.6 * scene.people)[..., None]
    luma = brush.grey(rgb)[..., None]
    toned = (luma + (rgb - luma) * (1 + (colour - 1) * share)) * np.array(tint, np.float32) ** share
    graded: Pixels = toned + lift * (1 - toned) * share
    return graded
