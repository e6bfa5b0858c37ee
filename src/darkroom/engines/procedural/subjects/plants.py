"""Single trees, flowers and what else grows, in their season's colours."""

from __future__ import annotations

import math

import numpy as np

from ..frame import Plane, mix
from ..palette import rgb
from .shape import Look, curve, lobed, moved, oval, path, polygon, stroke, turned

INK, SNOW = rgb("14161a"), rgb("f4f8fc")
LEAVES = {"spring": "6f9a3c", "summer": "44702f", "autumn": "c0702a", "winter": "5a6b4a"}
BARK = rgb("4a3527")


def tree(look: Look) -> None:
    """A broad tree with its crown in leaf; bare in winter."""
    if look.season == "winter" and not look.tints:
        _bare(look)
    else:
        _leafy(look, look.colour(LEAVES[look.season]))


def blossom(look: Look) -> None:
    """A tree full of pink blossom."""
    _leafy(look, look.colour("eea9c0"))


def _leafy(look: Look, leaf: Plane) -> None:
    random = look.random
    lean = random.uniform(-0.05, 0.05)
    trunk = np.array([[0, 0], [lean * 0.3, 0.2], [lean, 0.42], [lean * 1.4, 0.6]])
    look.add(curve("-9,0! -5,4 -3.6,14 -3.2,30! 3.2,30! 3.6,14 5,4 9,0!"), BARK, "side")
    for x, y in ((-0.24, 0.62), (0.25, 0.6), (-0.1, 0.74), (0.12, 0.78)):
        limb = np.array([[lean * 0.3, 0.24], [x * 0.35 + lean * 0.5, 0.42], [x + lean, y]])
        look.add(stroke(_smooth(limb), (0.05, 0.035, 0.012)), BARK, "side")
    look.add(stroke(_smooth(trunk), (0.07, 0.055, 0.03)), BARK, "side")
    _crown(look, leaf, lean)


def _crown(look: Look, leaf: Plane, lean: float) -> None:
    """Foliage: dark clumps below, lit ones above, and leaves that stand out of the edge."""
    random = look.random
    count = 26 if look.fine else 18
    clumps = []
    for place in range(count):
        angle, far = place * 2.39996, math.sqrt((place + 0.5) / count)
        x = lean + math.cos(angle) * far * 0.32 + random.uniform(-0.025, 0.025)
        y = 0.665 + math.sin(angle) * far * 0.235 + random.uniform(-0.02, 0.02)
        clumps.append((x, y, random.uniform(0.075, 0.115) * (26 / count) ** 0.35))
    clumps.sort(key=lambda clump: clump[1])
    for x, y, size in clumps:
        look.add(lobed(random, x, y - 0.012, size * 1.12, size, 0.12), mix(leaf, INK, 0.45), "flat")
    warm = rgb("fff0b8")
    for x, y, size in clumps:
        height = (y - 0.43) / 0.47  # 0 at the lower edge of the crown, 1 at its top
        shade = mix(leaf, INK, 0.36 * (1 - height)) if height < 0.55 else mix(leaf, warm, 0.3 * (height - 0.55))
        look.add(lobed(random, x, y + 0.012, size * 0.9, size * 0.74, 0.14), shade, "flat")
        for _ in range(7 if look.fine else 2):
            angle, far = random.uniform(0, math.tau), size * random.uniform(0.2, 0.95)
            spot = (x + math.cos(angle) * far, y + math.sin(angle) * far * 0.9)
            tone = mix(shade, warm, 0.22) if math.sin(angle) > -0.2 else mix(shade, INK, 0.22)
            look.add(lobed(random, *spot, size * 0.2, size * 0.15, 0.2), tone, "flat")


def _bare(look: Look) -> None:
    """Branches that fork and fork again."""
    bark = rgb("3c2f28")

    def grow(x: float, y: float, angle: float, length: float, thick: float, depth: int) -> None:
        end_x, end_y = x + math.cos(angle) * length, y + math.sin(angle) * length
        bend = look.random.uniform(-0.06, 0.06) * length
        middle_x, middle_y = (x + end_x) / 2 - math.sin(angle) * bend, (y + end_y) / 2 + math.cos(angle) * bend
        look.add(_branch((x, y), (middle_x, middle_y), (end_x, end_y), thick, thick * 0.62), bark, "flat")
        if look.snow and (0 if look.fine else 2) <= depth < 4 and abs(math.cos(angle)) > 0.3:
            lines = ((x, y), (middle_x, middle_y), (end_x, end_y))
            first, second, third = ((a, b + thick * 0.3) for a, b in lines)
            look.add(_branch(first, second, third, thick * 0.3, thick * 0.2), SNOW, "flat")
        if depth == 0:
            return
        for side in (-1, 1):
            turn = side * look.random.uniform(0.24, 0.55) + (math.pi / 2 - angle) * 0.1
            grow(end_x, end_y, angle + turn, length * look.random.uniform(0.68, 0.84), thick * 0.64, depth - 1)
        if depth > 2:
            grow(end_x, end_y, angle + look.random.uniform(-0.12, 0.12), length * 0.72, thick * 0.6, depth - 2)

    look.add(curve("-8,0! -4.6,4 -3.4,14! 3.4,14! 4.6,4 8,0!"), bark, "side")
    grow(0, 0.05, math.pi / 2 + look.random.uniform(-0.05, 0.05), 0.24, 0.066, 6 if look.fine else 5)


def _branch(
    start: tuple[float, float], middle: tuple[float, float], end: tuple[float, float], thick: float, thin: float
) -> Plane:
    """A branch with a bend: six points."""
    along = math.hypot(end[0] - start[0], end[1] - start[1]) or 1.0
    x, y = -(end[1] - start[1]) / along / 2, (end[0] - start[0]) / along / 2
    widths = (thick, (thick + thin) / 2, thin)
    left = [(p[0] + x * w, p[1] + y * w) for p, w in zip((start, middle, end), widths, strict=True)]
    right = [(p[0] - x * w, p[1] - y * w) for p, w in zip((start, middle, end), widths, strict=True)]
    return np.array([*left, *right[::-1]])


def pine(look: Look) -> None:
    """A conifer in tiers."""
    random, leaf = look.random, look.colour("2d5138")
    look.add(polygon(-0.028, 0, -0.016, 0.3, 0.016, 0.3, 0.028, 0), BARK, "side")
    tiers = 10
    for tier in range(tiers):
        share = tier / (tiers - 1)
        low, high = 0.08 + 0.76 * share, 0.08 + 0.76 * share + 0.2 - 0.04 * share
        reach = 0.265 * (1 - share) ** 0.9 + 0.035
        points = [(0.0, min(high, 1.0))]
        for step in range(9):
            x = reach * (1 - step / 4)
            drop = 0.03 * abs(1 - step / 4) - (0.022 if step % 2 else 0.0)
            points.append((x * random.uniform(0.9, 1.08), low - drop + random.uniform(-0.006, 0.006)))
        look.add(np.array(points), mix(leaf, INK, 0.34 * (1 - share)), "side")
        if look.snow:
            cap = np.array(
                [(0.0, min(high, 1.0)), (reach * 0.7, low + 0.03), (0.0, low + 0.055), (-reach * 0.75, low + 0.03)]
            )
            look.add(cap, SNOW)


def palm(look: Look) -> None:
    """A palm that leans a little, with drooping fronds."""
    random, leaf = look.random, look.colour("4c7a3a")
    lean = random.choice((-1, 1)) * random.uniform(0.08, 0.2)
    trunk = _smooth(np.array([[0, 0], [lean * 0.25, 0.26], [lean * 0.6, 0.5], [lean, 0.76]]))
    look.add(stroke(trunk, (0.075, 0.05, 0.042, 0.036)), rgb("7a6048"), "side")
    for place in range(4, len(trunk) - 1, 2):
        x, y = trunk[place]
        look.add(oval(x, y, 0.022, 0.0035, 0.1), rgb("5c4634"))
    for back in (True, False):
        for angle in np.linspace(-0.25, math.pi + 0.25, 8 if back else 7) + (0.2 if back else 0.0):
            _frond(look, (lean, 0.77), angle + random.uniform(-0.12, 0.12), mix(leaf, INK, 0.4 if back else 0.0))
    for x in (-0.02, 0.018):
        look.add(oval(lean + x, 0.75, 0.021, 0.023), rgb("6a4a2c"), "ball")


def _frond(look: Look, root: tuple[float, float], angle: float, leaf: Plane) -> None:
    length = look.random.uniform(0.32, 0.4)
    t = np.linspace(0, 1, 22)
    rib = np.stack(
        [
            root[0] + math.cos(angle) * length * t * (1 - 0.12 * t),
            root[1] + math.sin(angle) * length * t * 0.72 - 0.2 * t**2.2,
        ],
        1,
    )
    along = np.gradient(rib, axis=0)
    along /= np.hypot(along[:, 0], along[:, 1])[:, None]
    width = 0.07 * np.sin(np.clip(t * 1.02 + 0.06, 0, 1) * math.pi) ** 0.7
    edges = []
    for side in (1, -1):
        out = np.stack([-along[:, 1], along[:, 0]], 1) * side
        tips = rib + (out * 0.72 + along * 0.7 + [0, -0.35]) * width[:, None]
        teeth = np.empty((len(t) * 2, 2))
        teeth[0::2], teeth[1::2] = rib + out * 0.006, tips
        edges.append(teeth)
    look.add(np.concatenate([edges[0], edges[1][::-1]]), leaf)


def cactus(look: Look) -> None:
    """A saguaro with its arms up."""
    green, random = look.colour("4d7a4a"), look.random
    arms = ("0,30 -22,32 -24,46 -24,64", "0,44 20,45 22,56 22,82")
    for number, arm in enumerate(arms):
        if number == 0 or random.random() < 0.8:
            _limb(look, path(arm) * [1 if random.random() < 0.9 else -1, random.uniform(0.92, 1.04)], 0.11, green)
    _limb(look, path("0,0 0,50 0,93"), 0.17, green)


def _limb(look: Look, line: Plane, width: float, green: Plane) -> None:
    look.add(oval(float(line[-1, 0]), float(line[-1, 1]), width / 2, width / 2), green, "side")
    look.add(stroke(line, (width,)), green, "side")
    for shift in (-0.27, 0.02, 0.3):
        rib = np.stack([line[:, 0] + shift * width, line[:, 1]], 1)
        look.add(stroke(rib[: max(3, len(rib) - 1)], (width * 0.06,)), mix(green, INK, 0.4))


def flower(look: Look) -> None:
    """A flower with round petals."""
    petal = look.colour("f4f1ea", "f2b23a", "e8697c", "a77fd6", "f4f1ea", "6f9be8")
    x, y = _stem(look, leaves=2)
    count = 9
    for ring, tone in ((0.0, 0.16), (0.5, 0.0)):
        for place in range(count):
            angle = math.tau * (place + ring) / count + look.random.uniform(-0.06, 0.06)
            leaf = oval(0.098, 0, 0.078, 0.036)
            look.add(turned(leaf, angle) * [1, 0.93] + np.array([x, y]), mix(petal, rgb("6a4a7a"), tone))
    heart = "f0b429" if float(petal[2]) > 0.35 or look.tints else "6b3f1d"
    look.add(oval(x, y, 0.047, 0.045), rgb(heart), "ball")


def tulip(look: Look) -> None:
    """A tulip."""
    petal = look.colour("d8344a", "f2b632", "e77fae", "8e4fb8", "f3ede4", "ee7a36")
    x, y = _stem(look, leaves=0, top=0.8)
    for side in (-1, 1):
        blade = curve("0,0! 6,14 16,32 20,56! 12,44 4,26 -2,8") * [side, look.random.uniform(0.8, 1.1)]
        look.add(blade, mix(rgb("5d8a4a"), INK, 0.1 if side > 0 else 0.25))
    cup = curve("-8,14 -11,6 -8,-3 0,-6 8,-3 11,6 8,14 10,20! 0,12")
    look.add(moved(cup, x, y), mix(petal, INK, 0.22))
    for side in (-1, 1):
        look.add(moved(curve("0,-6 9,-3 11.5,6 9,14 8,22! 1,14 -2,4") * [side, 1], x, y), mix(petal, INK, 0.1))
    look.add(moved(curve("0,-6 6,-2 7,8 0,20! -7,8 -6,-2"), x, y), petal)


def sunflower(look: Look) -> None:
    """A sunflower."""
    petal = look.colour("f2b51e")
    x, y = _stem(look, leaves=3, top=0.83)
    for ring, tone, reach in ((0.5, 0.25, 1.0), (0.0, 0.0, 0.93)):
        for place in range(17):
            angle = math.tau * (place + ring) / 17
            leaf = curve("6,-2.4 11,-3 17.5,0! 11,3 6,2.4") * reach
            look.add(turned(leaf, angle) * [1, 0.95] + np.array([x, y]), mix(petal, rgb("b0641a"), tone))
    look.add(oval(x, y, 0.085, 0.082), rgb("4a2c16"), "ball")
    look.add(oval(x, y, 0.05, 0.048), rgb("33200f"), "ball")


def _stem(look: Look, leaves: int, top: float = 0.84) -> tuple[float, float]:
    """Draw a stem with leaves; returns where its blossom sits."""
    bend = look.random.uniform(-0.08, 0.08)
    green = rgb("4f7d3e")
    line = _smooth(np.array([[0, -0.06], [bend * 0.2, 0.3], [bend, top]]))
    for number in range(leaves):
        side = 1 if number % 2 else -1
        foot = line[len(line) * (2 + number) // 8]
        look.add(
            moved(curve("0,0! 7,5 15,6 24,14! 14,14 5,9") * [side, 1], float(foot[0]), float(foot[1])),
            mix(green, INK, 0.12 * number),
        )
    look.add(stroke(line, (0.026, 0.02, 0.018)), green)
    return float(line[-1, 0]), float(line[-1, 1])


def mushroom(look: Look) -> None:
    """A toadstool."""
    cap = look.colour("c8342c")
    look.add(curve("-12,0! -11,12 -9,40 -10,56! 10,56! 9,40 11,12 12,0!"), rgb("efe6d6"), "side")
    look.add(curve("-44,54! -30,48 0,46 30,48 44,54! 30,60 -30,60"), rgb("e4d4bc"))
    look.add(curve("-46,54! -46,70 -30,90 0,99 30,90 46,70 46,54! 24,60 0,61 -24,60"), cap, "ball")
    for x, y, size in (
        (-0.24, 0.7, 0.05),
        (0.0, 0.84, 0.065),
        (0.24, 0.72, 0.055),
        (-0.05, 0.67, 0.035),
        (0.36, 0.63, 0.03),
        (-0.37, 0.63, 0.03),
    ):
        look.add(oval(x, y, size, size * 0.8), rgb("f8f2e8"))


def _smooth(points: Plane) -> Plane:
    return path(" ".join(f"{x},{y}" for x, y in points), 1.0)
