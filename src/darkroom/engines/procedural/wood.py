"""Where trees stand: woods on the land, and tall ones close to the viewer that frame the picture."""

from __future__ import annotations

import numpy as np

from . import trees
from .frame import Frame, Plane, mix, smoothstep
from .land import SNOW, WOOD, Land
from .noise import Noise
from .palette import Palette, rgb
from .plan import Plan
from .terrain import EYE
from .trees import Tree

FARTHEST = 22.0  # world units; beyond it the colour of the land stands for its trees
# How far the leaves' red, green and blue differ from tree to tree.
HUES = {"spring": (0.3, 0.1, 0.0), "summer": (0.3, 0.1, 0.0), "autumn": (0.5, 0.9, 0.2), "winter": (0.0, 0.0, 0.0)}


def form(frame: Frame, plan: Plan) -> str:
    """The form of the trees on the land: conifer or broad."""
    may_be_broad = plan.kind in ("hills", "coast") and not plan.snow
    return "broad" if may_be_broad and frame.stream("form").random() < 0.4 else "conifer"


def grow(land: Land, plan: Plan, *, mirrored: bool) -> list[Tree]:
    """Trees on dry, gentle, low land, farthest first; `mirrored` as still water shows them, upside up."""
    frame = land.frame
    count = int(min(plan.wood * frame.span, 5000)) + 1
    places = frame.stream("wood").random((count, 4), np.float32)
    nearest = 2.2 if plan.forest else 4.0
    distance = nearest * (FARTHEST / nearest) ** places[:, 0]
    across = (places[:, 1] - 0.5) * (frame.span + 0.2)
    height, slope_x, slope_z = (part[0] for part in land.heights(across[None], distance[None]))
    # A glade keeps the view open: near trees stand at the sides.
    glade = smoothstep(6.5, 2.5, distance) * min(0.34, 0.4 * frame.span)
    grows = np.abs(across) > glade * (0.7 + 0.6 * places[:, 3])
    grows &= (height < 0.11 * distance) & (np.hypot(slope_x, slope_z) < 0.9)
    if land.water:
        grows &= height > 0.03
    dark, lit = leaves(plan, land.palette)
    fade = land.thickness(distance)
    scale = frame.unit / distance
    feet = plan.horizon - (height - 0.01 - (-EYE if mirrored else EYE)) * scale
    tall = (0.24 + 0.26 * places[:, 3]) * scale * (0.8 if form(frame, plan) == "broad" else 1.0)
    tone = (0.75 + 0.5 * places[:, 2])[:, None] * (
        1 + np.array(HUES[plan.season], np.float32) * (places[:, 1:2] * 97 % 1 - 0.5)
    )
    return [
        Tree(
            x=frame.width / 2 + float(across[place]) * frame.unit,
            y=float(feet[place]),
            height=float(tall[place]),
            outline=int(place),
            dark=mix(dark * tone[place], land.palette.haze, float(fade[place])),
            lit=mix(lit * tone[place], land.palette.haze, float(fade[place])),
            distance=float(distance[place]),
        )
        for place in np.argsort(-distance, kind="stable")
        if grows[place]
    ]


def leaves(plan: Plan, palette: Palette) -> tuple[Plane, Plane]:
    """The trees' colour in the shade and in the light."""
    leaf = rgb(WOOD[plan.season])
    if plan.snow:
        leaf = mix(leaf, rgb(SNOW), 0.35)
    return leaf * palette.ambient * 0.8, leaf * (palette.ambient + palette.light * 0.5)


def enclose(frame: Frame, plan: Plan, palette: Palette, picture: Plane) -> None:
    """Draw a dark bank along the lower edge, with tall trees at the sides."""
    random = frame.stream("near")
    side = 1 if random.random() < 0.5 else -1
    bank = _bank(frame, side)
    top = int(max(0, bank.min() * frame.unit - 2))
    cover = np.clip((frame.down(top, frame.height) - bank) * frame.unit + 0.5, 0, 1)
    dark = mix(palette.ambient * 0.16, palette.zenith * 0.2, 0.4)
    if plan.hour == "day":
        dark = mix(dark, leaves(plan, palette)[0], 0.5)
    if plan.snow:
        dark = mix(dark, palette.ambient, 0.35)
    picture[top:] = mix(picture[top:], dark, cover)
    standing = []
    narrow = min(1.0, frame.span)
    for number in range(26):
        reach, size = random.random(), random.random()
        turn, width = (side, 0.42) if number % 3 else (-side, 0.2)
        x = frame.span / 2 + turn * (frame.span / 2 + 0.03 - width * narrow * reach**1.3)
        column = int(np.clip(x * frame.unit, 0, frame.width - 1))
        foot = float(bank[0, column]) + 0.006
        tall = (0.13 + 0.3 * size * (1 - reach) ** 0.8) * narrow
        shade = dark * (0.75 + 0.5 * reach)
        standing.append(Tree(x * frame.unit, foot * frame.unit, tall * frame.unit, number, shade, shade, 0))
    trees.plant(picture, None, standing, trees.outlines(frame, "conifer"), side)


def _bank(frame: Frame, side: int) -> Plane:
    """The upper edge of the bank in units from the top, as one row; it rises at both sides, more at `side`."""
    across, edge = frame.across() * side, frame.span / 2
    rise = np.exp(-(((across - edge) / min(0.5, 0.55 * frame.span)) ** 2)) * 0.10
    rise += np.exp(-(((across + edge) / 0.3) ** 2)) * 0.045
    rough = Noise(frame, "bank").fbm(across * 5, np.zeros((1, 1), np.float32), 7, 0.6)
    bank: Plane = frame.height / frame.unit - 0.012 - rise - rough * 0.018
    return bank
