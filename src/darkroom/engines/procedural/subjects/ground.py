"""Where things stand: along the crest of the ground in the foreground, and before it where they are many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..frame import Plane
from ..things import Thing
from .bank import Bank
from .catalogue import BACK, DEPTHS, FRONT, MIDDLE
from .drawing import Item
from .setting import GROWN, Setting, Spot, width_of

LOWER = {BACK: (0.0, 0.3), MIDDLE: (0.12, 0.6), FRONT: (0.28, 0.75)}  # from where to how much further below the crest


def bank_for(setting: Setting, things: Sequence[Thing]) -> Bank:
    """The ground for these things: a hill for one alone, flatter for many."""
    frame = setting.frame
    narrow = min(1.0, setting.height)
    if setting.matter == "stone":
        return Bank(frame, "stone", setting.season, 0.08 * narrow, 0.08 * narrow, 0.0)
    many = sum(thing.count for thing in things)
    tallest = max(setting.size(thing) for thing in things)
    crest = min(max(0.4 - 0.55 * tallest, 0.1), 0.24) * narrow
    base = 0.045 * narrow if many == 1 else min(0.8 * crest, (0.05 + 0.02 * many) * narrow)
    side = 1 if frame.stream("bank").random() < 0.5 else -1
    centre = side * (0.2 * min(1.0, setting.span) if many == 1 else 0.05)
    return Bank(frame, "snow" if setting.snow else setting.matter, setting.season, crest, base, centre)


def place(setting: Setting, bank: Bank, things: Sequence[Thing], taken: list[Spot]) -> list[Item]:
    """The things on the ground, from the farthest to the nearest; their places are added to `taken`."""
    by_depth: dict[int, list[tuple[Thing, int]]] = {}
    for thing in things:
        for number in range(thing.count):
            by_depth.setdefault(DEPTHS[thing.kind], []).append((thing, number))
    edge = bank.edge()[0]
    items: list[Item] = []
    for depth, group in sorted(by_depth.items()):
        items.extend(_row(setting, bank, edge, depth, group, taken, len(by_depth) > 1))
    return sorted(items, key=lambda item: item.y)


def _row(
    setting: Setting,
    bank: Bank,
    edge: Plane,
    depth: int,
    group: list[tuple[Thing, int]],
    taken: list[Spot],
    several: bool,
) -> list[Item]:
    """Things that stand about as near as each other."""
    frame = setting.frame
    random = frame.stream("ground", depth)
    crowd = len(group) > (4 if depth == BACK else 3)
    rows = min(3, 1 + len(group) // 6) if crowd else 1
    if depth != FRONT:
        random.shuffle(group)
    wide = [width_of(thing.kind) * setting.size(thing) for thing, _ in group]
    shrink = min(1.0, 0.9 * setting.span * rows / (sum(wide) * 1.12)) * len(group) ** -0.12
    xs = _columns(setting, bank, random, [width * shrink for width in wide], depth, several)
    items = []
    for slot, ((thing, number), x) in enumerate(zip(group, xs, strict=True)):
        lower = _lower(setting, random, depth, slot % rows / rows if crowd else None, rows)
        crest = float(edge[int(np.clip(x * frame.unit, 0, frame.width - 1))])
        size = setting.size(thing) * shrink * (0.86 + 0.5 * lower if len(group) > 1 else 1.0)
        if thing.kind in GROWN:
            size *= random.uniform(0.85, 1.0)
        y = crest + 0.01 + (setting.height - crest) * lower
        items.append(setting.item(thing, number, (x, y), size))
        taken.append((x, y - size / 2, max(width_of(thing.kind), 1.0) * size / 2))
    return items


def _columns(
    setting: Setting, bank: Bank, random: np.random.Generator, wide: list[float], depth: int, several: bool
) -> list[float]:
    """Middles along the picture for things of these widths: a few stand together, many fill it. Where there are
    `several` depths, each has its own side."""
    span = setting.span
    count, total = len(wide), sum(wide)
    gap = max(0.0, 0.92 * span - total) / (count + 1)
    if count <= 3 and depth != FRONT:
        gap = min(gap, 0.1 * span)
    used = total + gap * (count - 1)
    if used >= 0.92 * span:  # in several rows: they overlap
        places = (np.arange(count) + 0.5) / count * 0.9 * span + 0.05 * span
        return [setting.left + float(x + random.uniform(-0.25, 0.25) * span / count) for x in places]
    shift = {BACK: -0.06, MIDDLE: 0.17, FRONT: -0.16}[depth] * span * (-1 if bank.centre > 0 else 1)
    middle = span / 2 + bank.centre + (shift if several else 0.0)
    edge = used / 2 + 0.03 * span
    x = float(np.clip(middle, edge, span - edge)) - used / 2
    found = []
    for width in wide:
        found.append(setting.left + x + width / 2 + random.uniform(-0.25, 0.25) * gap)
        x += width + gap
    return found


def _lower(setting: Setting, random: np.random.Generator, depth: int, row: float | None, rows: int) -> float:
    """How far below the crest a foot is, as a share of the ground's height; `row` is that of its row in a crowd."""
    first, reach = LOWER[depth]
    if setting.matter == "stone":
        first, reach = 0.3 + 0.2 * depth, 0.2
    if row is None:
        return first + random.uniform(0, 0.06)
    return first + (row + random.uniform(0, 0.9) / rows) * reach
