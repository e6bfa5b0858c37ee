"""What sails and what flies: boats and ships, balloons, kites, lanterns and machines."""

from __future__ import annotations

import math

import numpy as np

from ..frame import Plane, mix
from ..palette import rgb
from .shape import Look, box, curve, moved, oval, path, polygon, stroke, turned

INK, WHITE = rgb("14161a"), rgb("ffffff")


def sailboat(look: Look) -> None:
    """A yacht with two sails."""
    sail = look.colour("f6f1e6", "f6f1e6", "e9dcc4")
    hull = rgb("3a4152") if not look.tints else mix(look.colour("f6f1e6"), INK, 0.55)
    look.add(stroke(path("4,8 4,100"), (0.014, 0.008)), "5a4434")
    look.add(curve("6.5,98! 16,66 34,38 42,19! 6.5,17!"), sail, "side")
    look.add(curve("1.5,88! -10,58 -24,34 -33,19! -10,17 1.5,21!"), mix(sail, INK, 0.1), "side")
    look.add(stroke(path("3,17 43,18"), (0.012,)), "5a4434")
    look.add(curve("-44,14! -36,2 -28,0! 30,0! 40,5 48,13! 10,10 -20,11"), hull)
    look.add(curve("-44,14! -20,11 10,10 48,13! 47,11.4! 10,8 -20,9 -43,12!"), mix(hull, WHITE, 0.65))


def boat(look: Look) -> None:
    """A rowing boat."""
    wood = look.colour("9a6238", "7f93a0")
    look.add(curve("-140,66! -96,46 -40,36 40,36 96,46 140,66! 90,58 0,48 -90,58"), mix(wood, INK, 0.6))
    look.add(curve("-140,66! -96,44 -40,34 40,34 96,44 140,66! 118,20 92,0! -92,0! -118,20"), wood)
    look.add(
        curve("-140,66! -96,44 -40,34 40,34 96,44 140,66! 134,56! 96,34 40,25 -40,25 -96,34 -134,56!"),
        mix(wood, WHITE, 0.35),
    )
    look.add(stroke(path("-20,44 30,70 66,92"), (0.05,)), mix(wood, INK, 0.3))
    look.add(stroke(path("20,44 -30,60 -86,70"), (0.05,)), mix(wood, INK, 0.3))


def ship(look: Look) -> None:
    """A steamer with two funnels."""
    hull = look.colour("2f3b4c")
    for x in (-0.32, 0.2):
        look.add(polygon(x - 0.07, 0.6, x - 0.1, 1.0, x + 0.05, 1.0, x + 0.09, 0.6), "c2543a", "side")
        look.add(polygon(x - 0.1, 0.94, x - 0.1, 1.0, x + 0.05, 1.0, x + 0.055, 0.94), "22242a")
    for x in (-0.85, 0.8):
        look.add(stroke(np.array([[x, 0.36], [x, 0.98]]), (0.018,)), "5a4a3c")
    look.add(polygon(-0.66, 0.5, -0.6, 0.66, 0.5, 0.66, 0.6, 0.5), "efebe2")
    look.add(polygon(-0.86, 0.34, -0.82, 0.52, 0.74, 0.52, 0.84, 0.34), "f6f3ec")
    lit = int(look.dark >= 0.3)
    for y, left, right in ((0.43, -0.74, 0.7), (0.57, -0.52, 0.44)):
        for x in np.arange(left, right, 0.12):
            look.add(box(x, y - 0.03, x + 0.05, y + 0.03), "ffd98a" if lit else "3c4856", "flat", lit)
    look.add(curve("-128,40! -60,34 60,34 150,46! 138,26 124,0! -108,0! -120,14"), hull)
    look.add(curve("-113,8! -108,0! 124,0! 127,8!"), mix(hull, rgb("b03a2e"), 0.8))
    look.add(curve("-128,40! -60,34 60,34 150,46! 148,42! 60,30 -60,30 -127,36!"), mix(hull, WHITE, 0.7))


def balloon(look: Look) -> None:
    """A toy balloon on its string."""
    skin = look.colour("d8383a", "f0b432", "3f86d0", "58a85a", "9b59c6", "ee7fb0")
    sway = look.random.uniform(-6, 6)
    look.add(stroke(path(f"0,50 {sway},34 {-sway},18 {sway * 0.6},0"), (0.008,)), "d8d4cc")
    look.add(polygon(-0.03, 0.495, 0, 0.53, 0.03, 0.495), mix(skin, INK, 0.25))
    look.add(curve("0,52! -12,58 -20.5,72 -20.5,84 -13,96 0,100 13,96 20.5,84 20.5,72 12,58"), skin, "ball")
    look.add(moved(turned(oval(0, 0, 0.026, 0.055), 0.5), -0.1, 0.88), mix(skin, WHITE, 0.65))


def airship(look: Look) -> None:
    """A hot-air balloon with coloured gores."""
    schemes = (
        ("d8483a", "f4e8d0"),
        ("2f6fa8", "f2c14a"),
        ("7a4aa8", "f0a84a"),
        ("2f8f7a", "f4efe0"),
        ("e08a2c", "8a2f3a"),
    )
    first, second = (
        rgb(text) for text in schemes[(look.number + int(look.random.integers(5)) * (look.number == 0)) % 5]
    )
    if look.tints:
        first, second = look.colour("d8483a"), mix(look.colour("d8483a"), WHITE, 0.72)
        if "white" in look.tints:
            second = rgb("c9d3de")
    outline = _envelope()
    for x in (-0.07, 0.07):
        look.add(stroke(np.array([[x * 1.3, 0.27], [x * 0.75, 0.13]]), (0.008,)), "4a3a2e")
    look.add(outline, first, "ball")
    for left, right in ((-0.78, -0.5), (-0.2, 0.2), (0.5, 0.78)):
        gore = _gore(outline, left, right)
        look.add(gore, second, "ball")
    for share, colour in ((0.56, mix(first, INK, 0.3)),):
        y = 0.26 + 0.74 * share
        half = np.interp(y, outline[:40, 1], np.abs(outline[:40, 0]))
        turn = np.linspace(-1, 1, 20)
        low = np.stack([turn * half, y - 0.03 * (1 - turn**2)], 1)
        look.add(np.concatenate([low, moved(low, 0, 0.05)[::-1]]), colour, "side")
    look.add(polygon(-0.095, 0.28, -0.075, 0.235, 0.075, 0.235, 0.095, 0.28), mix(first, INK, 0.35))
    look.add(curve("-7,14! -6,1 -4,0! 4,0! 6,1 7,14!"), "7a5434", "side")
    look.add(box(-0.076, 0.122, 0.076, 0.145), "5a3c24")
    if look.dark >= 0.3:
        look.add(oval(0, 0.225, 0.025, 0.04), rgb("ffd070"), "flat", 2)


def _envelope() -> Plane:
    """The outline of a hot-air balloon's skin: 40 points up the left side and 40 down the right."""
    left = path("-9,27 -20,40 -33,56 -37.5,70 -35,84 -25,94.5 -12,99 0,100")
    y = np.linspace(0.27, 1, 40)
    y = 0.27 + 0.73 * np.sin(np.linspace(0, math.pi / 2, 40))
    x = np.interp(y, left[:, 1], left[:, 0])
    return np.concatenate([np.stack([x, y], 1), np.stack([-x, y], 1)[::-1]])


def _gore(outline: Plane, left: float, right: float) -> Plane:
    """The stripe between two meridians."""
    half, y = -outline[:40, 0], outline[:40, 1]
    edges = [np.stack([half * math.sin(turn * math.pi / 2), y], 1) for turn in (left, right)]
    return np.concatenate([edges[0], edges[1][::-1]])


def kite(look: Look) -> None:
    """A kite with its tail."""
    first = look.colour("d8423a", "f0b432", "3f86d0")
    second = mix(first, WHITE, 0.6)
    corners = {"top": (0.0, 1.0), "left": (-0.2, 0.74), "right": (0.2, 0.74), "foot": (0.0, 0.4), "middle": (0.0, 0.74)}
    for names, colour in (
        (("top", "left", "middle"), first), (("top", "right", "middle"), second),
        (("foot", "left", "middle"), second), (("foot", "right", "middle"), mix(first, INK, 0.12)),
    ):  # fmt: skip
        look.add(turned(np.array([corners[name] for name in names]), -0.25), colour)
    tail = turned(path("0,40 5,30 -3,20 4,10 -2,0"), -0.25)
    look.add(stroke(tail, (0.008,)), "efe8da")
    for place in (7, 14, 21, 27):
        for side in (-1, 1):
            bow = polygon(0, 0, 0.05 * side, 0.022, 0.05 * side, -0.022)
            look.add(bow + tail[place], first if side > 0 else second)


def lantern(look: Look) -> None:
    """A paper lantern with a flame inside."""
    paper = look.colour("f07a2a", "f2902e", "e8642a")
    look.add(
        curve("-22,14! -34,50 -32,80 -20,97 0,100 20,97 32,80 34,50 22,14! 0,10"),
        mix(paper, rgb("ffb35c"), 0.25),
        "ball",
        2,
    )
    look.add(curve("-19,14! -26,40 -16,62 0,68 16,62 26,40 19,14! 0,10"), rgb("ffc66a"), "flat", 2)
    look.add(curve("-12,14! -14,28 0,44 14,28 12,14! 0,11"), rgb("fff0b8"), "flat", 2)
    look.add(curve("-22,14! 0,10 22,14! 20,8! 0,4 -20,8!"), "8a4420")


def airplane(look: Look) -> None:
    """An airliner that climbs, with its trail."""
    skin = look.colour("eef1f4")

    def add(text: str, colour: Plane) -> None:
        look.add(turned(curve(text), 0.12), colour)

    for y, reach in ((46, 360), (58, 330)):
        trail = polygon(
            -1.0, y / 100 - 0.03, -reach / 100, y / 100 - 0.05, -reach / 100, y / 100 + 0.07, -1.0, y / 100 + 0.03
        )
        look.add(turned(trail, 0.12), mix(WHITE, rgb("dfe8f0"), 0.4))
    add("20,54! -24,92 -44,98! -34,80 -14,54!", mix(skin, INK, 0.28))
    add("-120,64! -150,100! -132,100 -96,62!", mix(skin, rgb("3f6f9a"), 0.7))
    add("140,50 132,60 110,66 -60,66 -130,62 -146,56! -110,44 -60,40 100,40 128,43", skin)
    add("-116,52! -158,40! -144,38 -96,46!", mix(skin, INK, 0.2))
    add("24,46! -44,4 -66,-2! -52,18 -30,46!", mix(skin, INK, 0.12))
    for x in range(-80, 96, 16):
        look.add(turned(oval(x / 100, 0.565, 0.026, 0.026), 0.12), "4a5a6c")


def rocket(look: Look) -> None:
    """A rocket with its flame."""
    paint = look.colour("d8423a")
    for side in (-1, 1):
        look.add(curve("9,46! 24,34 27,20! 16,26 9,28!") * [side, 1], mix(paint, INK, 0.15 if side < 0 else 0.35))
    for scale, colour in ((1.0, "f0641e"), (0.7, "ffb02e"), (0.4, "fff0b0")):
        look.add(
            curve("-8,25! -7,14 0,-2! 7,14 8,25!") * [scale, 1] + [0, 0.25 * (1 - scale) * 0.7], rgb(colour), "flat", 2
        )
    look.add(curve("0,100! -9,86 -14,66 -13,44 -9,25! 9,25! 13,44 14,66 9,86"), "eef0f2", "side")
    look.add(curve("0,100! -7,89 -10,80! 0,77 10,80! 7,89"), paint, "side")
    look.add(oval(0, 0.63, 0.062, 0.062), "4a5560")
    look.add(oval(0, 0.63, 0.044, 0.044), "7fc4e0", "ball")
    look.add(curve("-10,29! 0,27 10,29! 9,25! -9,25!"), paint, "side")


def saucer(look: Look) -> None:
    """A flying saucer."""
    hull = look.colour("9aa6b4")
    look.add(curve("-44,54! -36,84 -14,100 14,100 36,84 44,54!"), "8fd0d8", "ball")
    look.add(oval(0, 0.42, 1.3, 0.24), hull)
    look.add(curve("-120,48! -60,60 60,60 120,48! 60,50 -60,50"), mix(hull, WHITE, 0.5))
    look.add(oval(0, 0.24, 0.5, 0.13), mix(hull, INK, 0.45))
    for x in (-0.95, -0.55, 0, 0.55, 0.95):
        look.add(oval(x, 0.4 - 0.08 * (1 - x * x), 0.07, 0.05), rgb("ffe27a"), "flat", 2)


def meteor(look: Look) -> None:
    """A shooting star."""
    light = look.colour("fff4dc")
    for width, reach, share in ((0.05, 1.0, 0.0), (0.028, 0.7, 0.4), (0.014, 0.42, 0.9)):
        tail = np.array([[0, 0], [0.9 * reach, reach]]) * [1, 1]
        look.add(stroke(tail, (width, 0.002)), mix(mix(light, rgb("4a6ac0"), 0.55), light, share), "flat", 2)
    look.add(oval(0, 0, 0.034, 0.034), mix(light, WHITE, 0.6), "flat", 2)


def heart(look: Look) -> None:
    """A heart."""
    skin = look.colour("d8304a", "e8607c")
    look.add(curve("0,2! -22,24 -46,50 -50,72 -38,92 -18,96 0,80! 18,96 38,92 50,72 46,50 22,24"), skin, "ball")
    look.add(moved(turned(oval(0, 0, 0.05, 0.1), 0.6), -0.27, 0.74), mix(skin, WHITE, 0.55))
