"""Houses and whatever else people put up, with windows that are lit after dark."""

from __future__ import annotations

import math

import numpy as np

from ..frame import mix
from ..palette import rgb
from .shape import Look, box, curve, moved, oval, path, polygon, stroke, turned

INK, SNOW, LAMP, PANE = rgb("14161a"), rgb("f4f8fc"), "ffd184", "5b6b7c"


def _window(look: Look, left: float, bottom: float, right: float, top: float, frame: str = "efe8da") -> None:
    """A window with its frame and cross; it shines after dark."""
    rim = (right - left) * 0.12
    look.add(box(left - rim, bottom - rim, right + rim, top + rim), frame)
    look.add(box(left, bottom, right, top), PANE if look.dark < 0.3 else LAMP, "flat", 0 if look.dark < 0.3 else 1)
    middle, bar = (left + right) / 2, (right - left) * 0.05
    look.add(box(middle - bar, bottom, middle + bar, top), frame)
    look.add(box(left, (bottom + top) / 2 - bar, right, (bottom + top) / 2 + bar), frame)


def house(look: Look) -> None:
    """A cottage with a gable, seen from a corner."""
    wall = look.colour("e9dfcb", "d9c2a0", "c9d2d6", "d8a78a")
    roof = rgb("8d3f30" if not look.tints or look.tints[0] not in ("red", "brown", "orange") else "4a4650")
    if look.snow:
        roof = mix(roof, SNOW, 0.9)
    look.add(box(0.3, 0.5, 0.4, 0.98), mix(wall, rgb("7a4a3a"), 0.7), "side")
    look.add(polygon(-0.12, 0, -0.12, 0.47, 0.66, 0.47, 0.66, 0), mix(wall, INK, 0.2))  # the long side
    look.add(polygon(-0.6, 0, -0.6, 0.47, -0.36, 0.86, -0.12, 0.47, -0.12, 0), wall)  # the gable
    look.add(polygon(-0.36, 0.92, 0.5, 0.92, 0.74, 0.43, -0.1, 0.43, -0.36, 0.86), roof)
    look.add(polygon(-0.36, 0.92, -0.67, 0.43, -0.61, 0.4, -0.36, 0.81, -0.11, 0.4, -0.07, 0.43), mix(roof, INK, 0.3))
    look.add(box(-0.42, 0, -0.26, 0.3), mix(wall, rgb("4a2f22"), 0.85))
    look.add(oval(-0.29, 0.14, 0.012, 0.012), "e8c060")
    _window(look, -0.43, 0.5, -0.29, 0.64)
    for x in (0.02, 0.36):
        _window(look, x, 0.17, x + 0.16, 0.35)


def church(look: Look) -> None:
    """A village church with its steeple."""
    wall = look.colour("ece6d8")
    roof = mix(rgb("5a4a4a"), SNOW, 0.9 if look.snow else 0.0)
    look.add(box(-0.05, 0, 0.5, 0.32), mix(wall, INK, 0.15))
    look.add(polygon(-0.1, 0.31, 0.02, 0.5, 0.46, 0.5, 0.55, 0.31), roof)
    for x in (0.1, 0.26):
        _arch(look, x, 0.1, 0.075, 0.14)
    look.add(box(-0.26, 0, 0.02, 0.56), wall, "side")
    look.add(polygon(-0.29, 0.55, -0.12, 0.93, 0.05, 0.55), roof, "side")
    look.add(stroke(path("-12,92 -12,100"), (0.012,)), "3a3230")
    look.add(box(-0.145, 0.963, -0.095, 0.973), "3a3230")
    _arch(look, -0.16, 0.4, 0.08, 0.1)
    look.add(box(-0.175, 0, -0.065, 0.17), "5a3a28")


def _arch(look: Look, left: float, bottom: float, width: float, height: float) -> None:
    """A window with a round top."""
    turn = np.linspace(0, math.pi, 12)
    top = np.stack([left + width / 2 + np.cos(turn) * width / 2, bottom + height + np.sin(turn) * width / 2], 1)
    points = np.concatenate([[[left + width, bottom]], top, [[left, bottom]]])
    lit = look.dark >= 0.3
    look.add(points, LAMP if lit else "4a5866", "flat", int(lit))


def castle(look: Look) -> None:
    """A castle with round towers and pointed roofs."""
    stone = look.colour("b3a796")
    roof = rgb("4e5f86") if "blue" not in look.tints else rgb("8a3f3a")
    if look.snow:
        roof = mix(roof, SNOW, 0.75)

    def tower(x: float, half: float, height: float, point: float, shade: float) -> None:
        wall = mix(stone, INK, shade)
        look.add(box(x - half, 0, x + half, height), wall, "side")
        look.add(box(x - half * 1.22, height - 0.04, x + half * 1.22, height + 0.02), wall, "side")
        look.add(
            polygon(x - half * 1.32, height + 0.02, x, height + point, x + half * 1.32, height + 0.02), roof, "side"
        )
        look.add(
            stroke(path(f"{x * 100},{(height + point) * 100 - 1} {x * 100},{(height + point) * 100 + 7}"), (0.008,)),
            "3a3230",
        )
        look.add(moved(polygon(0, 0.07, 0.075, 0.05, 0, 0.028), x, height + point), "c0392b")
        _arch(look, x - half * 0.22, height * 0.62, half * 0.44, half * 0.6)

    def wall(left: float, right: float, height: float, shade: float) -> None:
        colour = mix(stone, INK, shade)
        look.add(box(left, 0, right, height), colour)
        count = max(2, round((right - left) / 0.07))
        step = (right - left) / count
        for number in range(count):
            look.add(
                box(left + step * (number + 0.15), height - 0.01, left + step * (number + 0.7), height + 0.035), colour
            )

    tower(-0.24, 0.07, 0.56, 0.2, 0.2)
    tower(0.26, 0.075, 0.52, 0.2, 0.2)
    wall(-0.3, 0.3, 0.42, 0.14)
    tower(0.02, 0.1, 0.68, 0.25, 0.06)
    wall(-0.52, 0.52, 0.26, 0.04)
    tower(-0.52, 0.085, 0.4, 0.19, 0.0)
    tower(0.52, 0.085, 0.4, 0.19, 0.0)
    look.add(curve("-8,0! -8,13! -5,19 0,21 5,19 8,13! 8,0!"), "3a2c22")


def tower(look: Look) -> None:
    """A round watch tower with battlements."""
    stone = look.colour("a89c8c")
    look.add(polygon(-0.16, 0, -0.125, 0.8, 0.125, 0.8, 0.16, 0), stone, "side")
    look.add(
        polygon(-0.125, 0.76, -0.175, 0.83, -0.175, 0.9, 0.175, 0.9, 0.175, 0.83, 0.125, 0.76),
        mix(stone, INK, 0.1),
        "side",
    )
    for x in (-0.15, -0.05, 0.05, 0.15):
        look.add(box(x - 0.026, 0.89, x + 0.026, 0.955), mix(stone, INK, 0.1 + 0.3 * max(0.0, x)))
    for y in (0.22, 0.44, 0.64):
        _arch(look, -0.024, y, 0.048, 0.06)
    look.add(curve("-5,0! -5,8! -3,12 0,13 3,12 5,8! 5,0!"), "3a2c22")


def lighthouse(look: Look) -> None:
    """A lighthouse with bands; its lamp is lit after dark."""
    band = look.colour("c23b32")
    bottom, top, height = 0.145, 0.085, 0.78
    look.add(polygon(-bottom, 0, -top, height, top, height, bottom, 0), "f2eee6", "side")
    for low in (0.1, 0.36, 0.62):
        a, b = (bottom + (top - bottom) * y / height for y in (low, low + 0.13))
        look.add(polygon(-a, low, -b, low + 0.13, b, low + 0.13, a, low), band, "side")
    for y in (0.28, 0.54):
        look.add(box(-0.014, y, 0.014, y + 0.045), "4a5562")
    look.add(curve("-3.5,0! -3.5,6! 0,9 3.5,6! 3.5,0!"), "4a3a30")
    look.add(box(-0.13, height - 0.005, 0.13, height + 0.022), "3a3f48", "side")
    for x in np.linspace(-0.125, 0.125, 9):
        look.add(box(x - 0.0035, height + 0.02, x + 0.0035, height + 0.075), "3a3f48")
    look.add(box(-0.128, height + 0.07, 0.128, height + 0.08), "3a3f48")
    lit = look.dark >= 0.3
    look.add(box(-0.06, height + 0.02, 0.06, height + 0.13), "fff0b8" if lit else "a9c0cc", "flat", 2 if lit else 0)
    for x in (-0.06, -0.02, 0.02, 0.06):
        look.add(box(x - 0.005, height + 0.02, x + 0.005, height + 0.13), "3a3f48")
    look.add(curve("-8,91! -6,96 0,98.5 6,96 8,91!"), band, "side")
    look.add(oval(0, 0.99, 0.012, 0.014), band)


def windmill(look: Look) -> None:
    """A tower mill with four sails."""
    wall = look.colour("e6dcc8")
    look.add(polygon(-0.17, 0, -0.1, 0.56, 0.1, 0.56, 0.17, 0), wall, "side")
    look.add(curve("-12,55! -10,65 0,71 10,65 12,55!"), mix(rgb("6a4632"), SNOW, 0.8 if look.snow else 0.0), "side")
    look.add(box(-0.04, 0, 0.04, 0.14), "5a3a28")
    _window(look, -0.028, 0.28, 0.028, 0.36)
    turn = look.random.uniform(0.25, 1.1)
    for quarter in range(4):
        angle = turn + quarter * math.pi / 2
        arm = polygon(-0.008, 0, -0.005, 0.4, 0.005, 0.4, 0.008, 0)
        cloth = polygon(0.005, 0.09, 0.005, 0.395, 0.088, 0.395, 0.08, 0.09)
        look.add(moved(turned(cloth, angle), 0, 0.61), "efe7d6")
        for y in np.linspace(0.09, 0.395, 7):
            look.add(moved(turned(box(0, y - 0.003, 0.084, y + 0.003), angle), 0, 0.61), "6b5442")
        look.add(moved(turned(box(0.04, 0.09, 0.045, 0.395), angle), 0, 0.61), "6b5442")
        look.add(moved(turned(arm, angle), 0, 0.61), "4a382c")
    look.add(oval(0, 0.61, 0.022, 0.022), "3a2c24", "ball")


def pagoda(look: Look) -> None:
    """A pagoda of five storeys with upturned eaves."""
    body = look.colour("a8392e")
    tiles = mix(rgb("3d4a4c"), SNOW, 0.8 if look.snow else 0.0)
    look.add(box(-0.29, 0, 0.29, 0.035), "b0a698", "side")
    storeys, y = 5, 0.035
    for storey in range(storeys):
        half, high = 0.2 - 0.027 * storey, 0.105 - 0.008 * storey
        look.add(box(-half, y, half, y + high), body, "side")
        for x in np.linspace(-half * 0.62, half * 0.62, 3):
            _arch(look, x - half * 0.11, y + high * 0.2, half * 0.22, high * 0.36)
        for x in (-half, -half * 0.34, half * 0.34, half):
            look.add(box(x - 0.007, y, x + 0.007, y + high), mix(body, INK, 0.35))
        eave = half + 0.105
        roof = [
            (-eave, 5.6), (-eave * 0.82, 1.2), (-eave * 0.5, -0.4), (0, -0.8), (eave * 0.5, -0.4), (eave * 0.82, 1.2),
            (eave, 5.6), (eave * 0.74, 4.0), (half * 0.78, 7.4), (-half * 0.78, 7.4), (-eave * 0.74, 4.0),
        ]  # fmt: skip
        text = " ".join(
            f"{x * 100},{rise}{'!' if place in (0, 6, 8, 9) else ''}" for place, (x, rise) in enumerate(roof)
        )
        look.add(moved(curve(text), 0, y + high), tiles, "side")
        y += high + 0.066
    look.add(polygon(-0.07, y, 0, y + 0.075, 0.07, y), tiles, "side")
    look.add(stroke(path(f"0,{y * 100 + 5} 0,99"), (0.02, 0.006)), "c9a24a", "side")


def pyramid(look: Look) -> None:
    """A pyramid with a lit and a shaded side."""
    stone = look.colour("d9b27a")
    look.add(polygon(-0.85, 0, 0.16, 1, 0.34, 0), stone)
    look.add(polygon(0.34, 0, 0.16, 1, 0.86, 0.05), mix(stone, INK, 0.42))
    for step in range(1, 16):
        y = step / 16
        left, edge, right = -0.85 + 1.01 * y, 0.34 - 0.18 * y, 0.86 - 0.70 * y
        look.add(stroke(np.array([[left, y], [edge, y]]), (0.006,)), mix(stone, INK, 0.14))
        look.add(stroke(np.array([[edge, y], [right, y + 0.05 * (1 - y)]]), (0.006,)), mix(stone, INK, 0.5))


def tent(look: Look) -> None:
    """A tent that glows from inside after dark."""
    cloth = look.colour("e07a3a", "3f8f8a", "d8b23a")
    lit = int(look.dark >= 0.3)
    look.add(polygon(-0.62, 0, -0.1, 1, 0.72, 0.86, 1.0, 0), mix(cloth, INK, 0.28), "down")
    look.add(polygon(-0.62, 0, -0.1, 1, 0.36, 0), mix(cloth, rgb("ffd890"), 0.45 * lit), "flat" if lit else "down", lit)
    look.add(polygon(-0.2, 0, -0.1, 0.78, 0.05, 0), rgb("ffe2a0") if lit else mix(cloth, INK, 0.7), "flat", lit)
    for x, y, end in ((-0.1, 0.98, -0.85), (0.72, 0.85, 1.25)):
        look.add(stroke(np.array([[x, y], [end, 0]]), (0.014,)), "4a4038")


def lamp(look: Look) -> None:
    """A street lamp."""
    iron = look.colour("2a2d33")
    look.add(
        polygon(-0.035, 0, -0.03, 0.05, -0.012, 0.08, -0.009, 0.8, 0.009, 0.8, 0.012, 0.08, 0.03, 0.05, 0.035, 0),
        iron,
        "side",
    )
    look.add(polygon(-0.035, 0.8, -0.06, 0.92, 0.06, 0.92, 0.035, 0.8), "ffe2a0", "flat", 2 if look.dark >= 0.3 else 0)
    look.add(box(-0.045, 0.785, 0.045, 0.805), iron)
    look.add(polygon(-0.075, 0.915, 0, 0.98, 0.075, 0.915), iron, "side")
    look.add(oval(0, 0.985, 0.012, 0.015), iron)


def bridge(look: Look) -> None:
    """A hanging bridge that reaches from one edge of the picture to the other."""
    steel = look.colour("a8493a")
    for x in (-0.9, 0.9):
        for side in (-0.045, 0.045):
            look.add(box(x + side - 0.016, -0.02, x + side + 0.016, 1), steel, "side")
        for y in (0.42, 0.66, 0.9):
            look.add(box(x - 0.05, y, x + 0.05, y + 0.035), steel)
    turn = np.linspace(-0.9, 0.9, 40)
    cables = [np.stack([turn, 0.36 + 0.62 * (turn / 0.9) ** 2], 1)]
    for side in (-1, 1):
        out = np.linspace(0.9, 2.7, 40)
        cables.append(np.stack([out * side, 0.36 + 0.62 * ((out - 1.8) / 0.9) ** 2], 1))
    for cable in cables:
        for x, y in cable[::2]:
            look.add(box(x - 0.003, 0.3, x + 0.003, y), mix(steel, INK, 0.25))
        look.add(stroke(cable, (0.018,)), steel)
    look.add(box(-3.5, 0.27, 3.5, 0.315), mix(steel, INK, 0.3))
    look.add(box(-3.5, 0.315, 3.5, 0.33), steel)


def snowman(look: Look) -> None:
    """A snowman with hat, scarf and a carrot."""
    scarf = look.colour("c23b32")
    for y, size in ((0.24, 0.26), (0.57, 0.185), (0.8, 0.13)):
        look.add(oval(0, y, size * 1.04, size), "f6f8fa", "ball")
    for side in (-1, 1):
        look.add(stroke(path(f"{side * 15},60 {side * 30},68 {side * 40},80"), (0.02, 0.012)), "4a3527")
    look.add(curve("-15,72! -8,67 8,67 15,72! 14,66 8,62 -8,62 -14,66"), scarf)
    look.add(polygon(0.05, 0.66, 0.13, 0.64, 0.15, 0.46, 0.07, 0.47), mix(scarf, INK, 0.15))
    look.add(box(-0.15, 0.885, 0.15, 0.912), "22242a")
    look.add(box(-0.095, 0.9, 0.095, 1.03), "22242a", "side")
    look.add(polygon(0, 0.805, 0.17, 0.775, 0, 0.77), "e8802c")
    for x in (-0.045, 0.045):
        look.add(oval(x, 0.84, 0.014, 0.017), "1c1c20")
    for y in (0.6, 0.53, 0.46):
        look.add(oval(0.0, y - 0.04, 0.016, 0.016), "1c1c20")


def fire(look: Look) -> None:
    """A fire of logs."""
    for turn in (0.32, -0.32):
        look.add(moved(turned(box(-0.6, -0.09, 0.6, 0.09), turn), 0, 0.12), "4a3020", "side")
    flame = "0,100! -10,80 -34,60 -40,36 -26,14 0,8 26,14 40,36 30,56 20,64 22,78!"
    for scale, colour in ((1.0, "f0641e"), (0.72, "ffa22e"), (0.42, "ffe58a")):
        look.add(moved(curve(flame), 0, 0.08 * (1 - scale), scale), rgb(colour), "flat", 2)


def car(look: Look) -> None:
    """A small car."""
    paint = look.colour("c4473a", "3f6f9a", "d9b23a")
    look.add(
        curve("-74,46! -56,52 -36,92 -26,98 34,98 46,90 62,56! 98,46 110,38! 112,18! -106,18! -106,40 -92,48"), paint
    )
    for pane in ("-46,54! -31,88 -6,88! -6,54!", "2,54! 2,88! 32,88 50,54!"):
        look.add(curve(pane), "33404e" if look.dark < 0.3 else "1d2530")
    look.add(box(-1.04, 0.18, 1.1, 0.25), mix(paint, INK, 0.5))
    for x in (-0.62, 0.66):
        look.add(oval(x, 0.19, 0.235, 0.235), mix(paint, INK, 0.7))
        look.add(oval(x, 0.19, 0.195, 0.195), "1c1d22")
        look.add(oval(x, 0.19, 0.095, 0.095), "b8bcc4")
    look.add(oval(1.06, 0.35, 0.045, 0.06), "fff0c0", "flat", 2 if look.dark >= 0.3 else 0)
