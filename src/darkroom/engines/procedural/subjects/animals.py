"""Animals and people as quiet outlines, seen from the side and turned to the right."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ..frame import mix
from ..palette import rgb
from .shape import Look, curve, moved, oval, path, polygon, stroke, turned

INK = rgb("14141a")


def bird(look: Look) -> None:
    """A gull on its wings; each of a flock holds them another way."""
    raised = look.random.uniform(-0.25, 0.6)
    dark = look.colour("23262e" if look.dark < 0.8 else "c8d2e2")
    left = curve("0,8! -8,20 -26,30 -46,30 -66,20 -84,2! -64,12 -46,18 -28,14 -8,-2!")
    right = curve("0,8! 10,24 28,36 48,36 68,26 90,6! 66,18 48,24 28,18 8,-4!")
    for wing, side in ((left, -1), (right, 1)):
        lifted = wing.copy()
        lifted[:, 1] += abs(wing[:, 0]) * raised * 0.8
        look.add(moved(turned(lifted, 0.12 * side), 0, 0.4), dark)
    look.add(moved(turned(curve("-26,-4! -12,4 4,9 18,9 28,4! 16,-3 0,-8 -14,-7"), 0.08), 0, 0.4), mix(dark, INK, 0.25))


def butterfly(look: Look) -> None:
    """Two pairs of wings with dark rims, seen a little from the side."""
    colour = look.colour("f08a2c", "4b8fe0", "f2c53d", "d75fa0", "f4f1e6")
    upper = curve("2,50! 10,74 28,96 46,98 52,84 44,62 24,48!")
    lower = curve("2,48! 22,46 38,34 40,16 28,4 14,14 6,32!")
    for side, narrow in ((1, 1.0), (-1, 0.82)):
        for wing, (x, y) in ((upper, (0.3, 0.72)), (lower, (0.24, 0.28))):
            shape = wing * [side * narrow, 1]
            look.add(shape, mix(colour, INK, 0.85))
            centre = [x * side * narrow, y]
            look.add((shape - centre) * 0.74 + centre, colour)
            look.add((shape - centre) * 0.3 + centre, mix(colour, rgb("ffffff"), 0.35))
    look.add(oval(0, 0.46, 0.03, 0.24), INK)
    for turn in (-0.09, 0.09):
        look.add(stroke(path(f"0,68 {turn * 70},82 {turn * 150},96"), (0.016, 0.01)), INK)


def person(look: Look) -> None:
    """Somebody who stands and looks into the distance."""
    (man if look.random.random() < 0.5 else woman)(look)


def child(look: Look) -> None:
    """A child: its head is larger for its height."""
    person(look)
    for place, part in enumerate(look.parts):
        points = part.points.copy()
        points[:, 1] = np.where(points[:, 1] > 0.8, 0.8 + (points[:, 1] - 0.8) * 1.0, points[:, 1])
        high = points[:, 1].mean() > 0.84
        points = (points - [0, 0.84]) * (1.35 if high else 1.0) + [0, 0.84]
        look.parts[place] = replace(part, points=points.astype(np.float32) * [1.12, 0.94])


def man(look: Look) -> None:
    """A man in a coat."""
    coat = look.colour("2e3440", "5a2f33", "2f4a4a", "6a5a3c")
    dark, skin = mix(coat, INK, 0.65), rgb("8a6652")
    for x in (-0.055, 0.055):
        leg = (x - 0.045, 0.5, x - 0.036, 0.02, x - 0.05, 0, x + 0.045, 0, x + 0.036, 0.03, x + 0.045, 0.5)
        look.add(polygon(*leg), dark)
    look.add(curve("-13,44! -15,62 -16,78 -9,84! 9,84! 16,78 15,62 13,44!"), coat)
    for side in (-1, 1):
        arm = stroke(path("12,80 17,66 16,50 14,42"), (0.07, 0.06, 0.045))
        look.add(arm * [side, 1], mix(coat, INK, 0.25))
    look.add(oval(0, 0.925, 0.058, 0.073), skin)
    look.add(curve("-7,92! -7,98 0,101 7,98 7,92! 3,95 -3,95"), INK)


def woman(look: Look) -> None:
    """A woman in a dress."""
    dress = look.colour("8a3a3a", "2e4a66", "d8c8a8", "4a6a52")
    skin = rgb("8a6652")
    for x in (-0.035, 0.035):
        look.add(polygon(x - 0.022, 0.3, x - 0.016, 0, x + 0.03, 0, x + 0.022, 0.3), mix(skin, INK, 0.3))
    look.add(curve("-22,22! -14,44 -9,60 -12,76 -7,84! 7,84! 12,76 9,60 14,44 22,22! 8,19 -8,19"), dress)
    for side in (-1, 1):
        arm = stroke(path("10,80 15,68 17,54 15,44"), (0.055, 0.045, 0.035))
        look.add(arm * [side, 1], mix(skin, dress, 0.4))
    look.add(oval(0, 0.92, 0.056, 0.07), skin)
    look.add(curve("-7,90! -8,97 0,101 8,97 9,86 10,76 5,72 -5,72 -10,76 -9,86"), rgb("2a1c18"))


def cat(look: Look) -> None:
    """A cat that sits with its back to us."""
    fur = look.colour("26242a", "b5743a", "6e6a70", "e6ddd0")
    look.add(stroke(path("20,6 38,4 50,12 52,28 46,38 50,46"), (0.1, 0.085, 0.075, 0.04)), mix(fur, INK, 0.25))
    body = "-22,0! -31,7 -31,24 -24,40 -17,52 -16,58 -21,66 -22,78 -20,99! -9,90! 0,91 9,90! 20,99! 22,78 21,66 16,58 "
    look.add(curve(body + "17,52 24,40 31,24 31,7 22,0!"), fur)
    for side in (-1, 1):
        look.add(polygon(side * 0.185, 0.95, side * 0.19, 0.84, side * 0.12, 0.89), mix(fur, rgb("d08a80"), 0.4))
        look.add(curve("14,1! 30,4 30,16 20,22 14,12") * [side, 1], mix(fur, INK, 0.18))


def dog(look: Look) -> None:
    """A dog on its four legs."""
    fur = look.colour("5a3d28", "c99a5c", "2b2a2e", "e8e0d2")
    far = mix(fur, INK, 0.4)
    look.add(curve("-32,40! -35,26 -33,14 -36,0! -26,0! -26,14 -22,30 -20,44!"), far)
    look.add(curve("20,46! 22,26 22,0! 31,0! 31,26 34,48!"), far)
    look.add(stroke(path("-40,62 -54,70 -62,84 -60,98"), (0.09, 0.07, 0.03)), fur)
    body = (
        "58,78! 60,84 50,87 43,92 38,99 28,98 22,90 16,78 8,70 -14,67 -34,69 -45,62 -46,48 -42,38 -45,24 -41,12 -46,0! "
        "-33,0! -32,14 -28,26 -24,38 -12,41 8,36 13,30 13,0! 25,0! 25,26 31,44 34,60 40,70 50,73 "
    )
    look.add(curve(body), fur)
    look.add(curve("30,98! 22,96 18,84 20,72 26,70 31,80!"), mix(fur, INK, 0.45))
    look.add(oval(0.585, 0.81, 0.03, 0.028), INK)
    look.add(oval(0.43, 0.875, 0.016, 0.018), INK)


def horse(look: Look) -> None:
    """A horse that stands."""
    coat = look.colour("5f3d27", "2c2726", "8d6a48", "e9e4da")
    mane = mix(coat, INK, 0.75) if float(coat.mean()) < 0.7 else mix(coat, rgb("8a8580"), 0.45)
    far = mix(coat, INK, 0.4)
    look.add(curve("-34,46! -37,30 -33,18 -36,2 -34,0! -27,0! -27,16 -25,32 -20,46!"), far)
    look.add(curve("20,44! 20,24 21,3 19,0! 27,0! 27,22 30,46!"), far)
    look.add(stroke(path("-43,60 -52,52 -54,36 -50,20"), (0.07, 0.1, 0.1, 0.02)), mane)
    body = (
        "62,70! 60,66 55,66 46,73 42,74 37,66 33,56 29,48 27,40 26,22 27,4 26,0! 18,0! 18,5 18,24 16,40 4,37 -14,38 "
        "-24,42 -29,32 -33,24 -31,8 -31,0! -39,0! -39,6 -42,24 -41,38 -46,50 -44,62 -34,67 -18,65 0,64 14,67 22,78 "
        "30,90 37,95! 39,100! 42,95! 48,90 55,80"
    )
    look.add(curve(body), coat)
    look.add(curve("38,97! 30,93 21,82 12,69 15,66 22,71 30,82 38,91!"), mane)
    look.add(oval(0.455, 0.885, 0.011, 0.013), INK)


def deer(look: Look) -> None:
    """A stag with its antlers."""
    coat = look.colour("7a5233")
    far = mix(coat, INK, 0.4)
    look.add(curve("-27,36! -29,24 -26,14 -28,0! -24,0! -22,14 -20,26 -16,36!"), far)
    look.add(curve("14,34! 15,16 15,0! 19,0! 20,16 22,36!"), far)
    body = (
        "46,64! 45,61 40,61 33,64 29,60 26,50 23,40 20,32 19,16 20,0! 15.5,0! 14,16 12,30 2,29 -10,30 -18,32 -22,26 "
        "-26,18 -24,0! -29,0! -31,18 -30,30 -34,40 -33,47! -36,51! -32,51 -22,52 -6,50 8,51 16,55 21,64 25,70 22,76! "
        "29,73 34,71 40,67"
    )
    look.add(curve(body), coat)
    look.add(curve("-34,47! -31,51 -28,44 -31,38"), rgb("e8dccb"))
    for shift, shade in ((0.03, 0.35), (0.0, 0.0)):
        horn = mix(rgb("5a4330"), INK, shade)
        beam = stroke(moved(path("27,72 20,80 16,90 20,100"), shift, 0), (0.026, 0.018, 0.008))
        look.add(beam, horn)
        for tine in ("20,80 26,86 28,93", "17,86 11,92 10,98", "26,73 31,79 37,82"):
            look.add(stroke(moved(path(tine), shift, 0), (0.018, 0.007)), horn)
    look.add(oval(0.355, 0.685, 0.008, 0.01), INK)


def cow(look: Look) -> None:
    """A cow with patches."""
    coat = look.colour("efe8dc", "8a5a38")
    patch = mix(coat, rgb("2a2422"), 0.85) if float(coat.mean()) > 0.6 else mix(coat, rgb("f0e8dc"), 0.8)
    far = mix(coat, INK, 0.45)
    look.add(curve("-44,36! -46,16 -45,0! -35,0! -34,18 -32,36!"), far)
    look.add(curve("24,36! 25,16 24,0! 34,0! 34,18 36,36!"), far)
    look.add(stroke(path("-60,76 -66,60 -65,38 -66,28"), (0.03, 0.025, 0.02, 0.06)), mix(coat, INK, 0.3))
    body = (
        "-60,74! -52,82 -28,84 0,82 24,84 38,90 46,94 60,92 70,80 78,68 76,60 68,58 58,64 50,66 46,52 42,42 41,20 "
        "42,0! 31,0! 31,20 29,36 4,32 -20,34 -32,38 -37,26 -36,0! -47,0! -49,22 -50,40 -58,52"
    )
    look.add(curve(body), coat)
    for blot in (
        "-52,78! -34,82 -16,81! -16,66 -30,54 -46,60",
        "6,81! 24,83 32,76 28,60 14,52 2,62",
        "-8,36! 2,46 14,44 18,35!",
    ):
        look.add(curve(blot), patch)
    look.add(curve("-24,34! -20,26 -8,26 -4,33!"), rgb("d8a8a0"))
    look.add(curve("78,68! 76,60 68,58 66,66 72,74!"), rgb("d8b0a4"))
    look.add(curve("46,90! 36,86 32,80 40,78 50,84!"), mix(patch, INK, 0.2))
    for horn in ("50,92 48,100 52,106", "57,93 58,101 63,105"):
        look.add(stroke(path(horn), (0.035, 0.012)), rgb("e0d6c0"))
    look.add(oval(0.6, 0.82, 0.016, 0.018), INK)


def sheep(look: Look) -> None:
    """A round sheep with a dark face."""
    wool = look.colour("ece6da")
    for x in (-0.36, -0.16, 0.2, 0.36):
        look.add(polygon(x - 0.045, 0.4, x - 0.035, 0, x + 0.045, 0, x + 0.05, 0.4), rgb("2c2828"))
    for x, y, size in (
        (-0.36, 0.58, 0.28),
        (0.3, 0.6, 0.28),
        (-0.05, 0.54, 0.36),
        (-0.16, 0.68, 0.3),
        (0.14, 0.7, 0.28),
    ):
        look.add(oval(x, y, size, size * 0.86), wool)
    look.add(curve("44,92! 34,78 42,60 56,48 66,50 68,60 62,78 56,92"), rgb("2f2a2a"))
    look.add(oval(0.48, 0.92, 0.13, 0.09), wool)
    look.add(oval(0.37, 0.8, 0.1, 0.04, 0.5), rgb("3a3434"))


def rabbit(look: Look) -> None:
    """A rabbit that sits up."""
    fur = look.colour("8a705a", "b8a898", "e8e2d8")
    look.add(oval(-0.4, 0.2, 0.11, 0.11), mix(fur, rgb("ffffff"), 0.6))
    look.add(stroke(path("16,70 6,84 2,100"), (0.1, 0.12, 0.02)), mix(fur, INK, 0.2))
    look.add(curve("-38,6 -42,22 -34,42 -16,52 2,52 10,46 26,30 28,12 30,2! 8,0! -30,0!"), fur)
    look.add(curve("6,48 4,62 12,74 24,74 36,66 42,56 38,50 28,46 16,40"), fur)
    look.add(stroke(path("20,72 16,86 17,102"), (0.1, 0.12, 0.02)), fur)
    look.add(stroke(path("20,74 17.5,86 18,98"), (0.03, 0.05, 0.01)), mix(fur, rgb("d8a090"), 0.6))
    look.add(curve("-30,4 -32,18 -22,30 -8,26 -4,12 4,4! 8,0! -24,0!"), mix(fur, INK, 0.15))
    look.add(oval(0.28, 0.62, 0.02, 0.025), INK)


def camel(look: Look) -> None:
    """A camel with two humps."""
    coat = look.colour("a5774a", "8d6238")
    far = mix(coat, INK, 0.4)
    look.add(curve("-26,44! -28,24 -28,0! -22,0! -22,24 -18,46!"), far)
    look.add(curve("12,44! 14,24 13,0! 19,0! 20,24 22,46!"), far)
    body = (
        "62,88! 64,84 58,81 51,80 48,72 45,58 38,48 28,44 26,24 27,0! 20,0! 20,24 16,42 0,40 -16,42 -26,40 -32,28 "
        "-30,0! -37,0! -38,26 -40,44 -42,56 -36,66 -28,70 -24,84 -18,89 -12,84 -9,72 -1,71 3,84 9,90 15,85 18,70 "
        "28,64 34,62 38,74 40,88 45,97 51,97 57,92"
    )
    look.add(curve(body), coat)
    look.add(stroke(path("-41,62 -47,54 -47,42"), (0.03, 0.02, 0.04)), mix(coat, INK, 0.4))
    look.add(oval(0.505, 0.935, 0.011, 0.012), INK)


def elephant(look: Look) -> None:
    """An elephant."""
    skin = look.colour("77757c")
    far = mix(skin, INK, 0.4)
    look.add(curve("-34,36! -34,0! -20,0! -20,36!"), far)
    look.add(curve("14,36! 13,0! 26,0! 28,36!"), far)
    look.add(stroke(path("-55,62 -60,48 -58,34"), (0.04, 0.025, 0.05)), far)
    body = (
        "-56,66 -48,82 -28,92 0,94 22,92 34,97 50,94 60,84 64,68 66,48 68,30 70,16 76,9! 70,5 62,9 57,24 55,42 "
        "50,52 42,54 36,46 31,34 31,0! 15,0! 14,30 0,34 -20,32 -28,26 -29,0! -46,0! -46,26 -55,46"
    )
    look.add(curve(body), skin)
    look.add(curve("22,90! 12,80 10,60 18,44 28,46 36,60 38,78 32,90"), mix(skin, INK, 0.2))
    look.add(curve("52,52! 62,44 72,44 80,50! 72,40 62,39 52,46"), rgb("efe6d4"))
    look.add(oval(0.47, 0.8, 0.014, 0.016), INK)


def swan(look: Look) -> None:
    """A swan that swims."""
    white = look.colour("f4f1ec")
    look.add(stroke(path("34,22 54,30 56,50 44,68 40,84 50,96 62,94"), (0.2, 0.13, 0.1, 0.09, 0.09, 0.1, 0.07)), white)
    look.add(oval(0.56, 0.93, 0.09, 0.07, -0.25), white)
    look.add(polygon(0.61, 0.97, 0.76, 0.86, 0.73, 0.845, 0.62, 0.885), "d9772a")
    look.add(polygon(0.6, 0.975, 0.65, 0.95, 0.615, 0.9), INK)
    look.add(curve("56,2! 62,14 54,28 36,34 8,38 -22,40 -52,52! -60,40 -66,24 -50,4 -40,0!"), white)
    look.add(curve("38,18! 24,34 -4,46 -44,58! -58,44! -40,34 -30,20 -4,10 20,8"), mix(white, rgb("8fa0b8"), 0.18))


def duck(look: Look) -> None:
    """A duck that swims."""
    body = look.colour("8a6a4a", "6a5844")
    look.add(curve("58,4! 64,18 56,34 40,40 8,44 -28,46 -66,58! -72,40 -66,18 -48,0!"), body)
    look.add(curve("30,22! 10,40 -24,44 -56,46! -44,26 -16,14 12,12"), mix(body, INK, 0.3))
    look.add(stroke(path("46,24 52,46 52,62"), (0.3, 0.2, 0.18)), body)
    look.add(oval(0.54, 0.74, 0.17, 0.17), body if look.tints else rgb("1f5a44"))
    look.add(curve("68,80! 78,74 90,70 88,64 76,64 66,66!"), rgb("d99a2c"))
    look.add(oval(0.6, 0.78, 0.02, 0.02), INK)


def dolphin(look: Look) -> None:
    """A dolphin that leaps out of the water."""
    skin = look.colour("4f6478")
    back = curve(
        "78,30! 70,36 66,44 56,62 38,80 12,88 -16,80 -40,58 -54,30 -62,10 -72,-4! -52,2 -40,-10! -44,10 "
        "-38,28 -22,48 2,60 26,58 46,44 60,32 68,28"
    )
    look.add(back, skin)
    look.add(curve("66,32! 50,46 28,60 2,62 -24,48 -40,24! -22,46 2,58 26,56 46,42"), mix(skin, rgb("e8eef2"), 0.65))
    look.add(curve("10,86! -2,104 -16,110! -12,96 -14,80!"), mix(skin, INK, 0.2))
    look.add(curve("32,62! 24,46 10,38! 14,52 20,64"), mix(skin, INK, 0.25))
    look.add(oval(0.58, 0.49, 0.014, 0.014), INK)
    for angle in range(8):
        turn = math.pi * (0.12 + 0.11 * angle)
        look.add(oval(-0.52 + math.cos(turn) * 0.3, math.sin(turn) * 0.22, 0.022, 0.04, turn), rgb("eef4f8"))
