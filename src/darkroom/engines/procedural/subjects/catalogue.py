"""Which function draws a kind of thing, how wide it is, and how near to us it stands on the ground."""

from __future__ import annotations

import re
from collections.abc import Callable

from . import animals, craft, plants, structures
from .shape import Look

DRAW: dict[str, Callable[[Look], None]] = {
    "airplane": craft.airplane,
    "airship": craft.airship,
    "balloon": craft.balloon,
    "bird": animals.bird,
    "blossom": plants.blossom,
    "boat": craft.boat,
    "bridge": structures.bridge,
    "butterfly": animals.butterfly,
    "cactus": plants.cactus,
    "camel": animals.camel,
    "car": structures.car,
    "castle": structures.castle,
    "cat": animals.cat,
    "child": animals.child,
    "church": structures.church,
    "cow": animals.cow,
    "deer": animals.deer,
    "dog": animals.dog,
    "dolphin": animals.dolphin,
    "duck": animals.duck,
    "elephant": animals.elephant,
    "fire": structures.fire,
    "flower": plants.flower,
    "heart": craft.heart,
    "horse": animals.horse,
    "house": structures.house,
    "kite": craft.kite,
    "lamp": structures.lamp,
    "lantern": craft.lantern,
    "lighthouse": structures.lighthouse,
    "man": animals.man,
    "meteor": craft.meteor,
    "mushroom": plants.mushroom,
    "pagoda": structures.pagoda,
    "palm": plants.palm,
    "person": animals.person,
    "pine": plants.pine,
    "pyramid": structures.pyramid,
    "rabbit": animals.rabbit,
    "rocket": craft.rocket,
    "sailboat": craft.sailboat,
    "saucer": craft.saucer,
    "sheep": animals.sheep,
    "ship": craft.ship,
    "snowman": structures.snowman,
    "sunflower": plants.sunflower,
    "swan": animals.swan,
    "tent": structures.tent,
    "tower": structures.tower,
    "tree": plants.tree,
    "tulip": plants.tulip,
    "windmill": structures.windmill,
    "woman": animals.woman,
}
_WIDTHS = """
    airplane 3.4 airship .76 balloon .45 bird 1.8 blossom .8 boat 2.8 bridge 3 butterfly 1 cactus .6 camel 1.1 car 2.2
    castle 1.3 cat .85 child .45 church .85 cow 1.5 deer .85 dog 1.25 dolphin 1.5 duck 1.6 elephant 1.35 fire
    1.2 flower .42 heart 1 horse 1.2 house 1.4 kite .5 lamp .16 lantern .68 lighthouse .3 man .4 meteor 1
    mushroom .95 pagoda .62 palm .9 person .4 pine .55 pyramid 1.75 rabbit .75 rocket .55 sailboat .95 saucer
    2.6 sheep 1.35 ship 2.8 snowman .8 sunflower .45 swan 1.4 tent 2.1 tower .35 tree .85 tulip .4 windmill .85
    woman .45
"""
_PAIRS = re.findall(r"(\w+)\s+([\d.]+)", _WIDTHS)
WIDTHS = {kind: float(width) for kind, width in _PAIRS}  # as shares of the height
_TURNING = """
    airplane bird boat camel car child church cow deer dog dolphin duck elephant horse house kite man meteor person
    rabbit sailboat sheep ship swan woman
"""
TURNS = frozenset(_TURNING.split())  # they face one way, and look the other way in some pictures
BACK, MIDDLE, FRONT = 0, 1, 2
_BEHIND = "house church castle tower lighthouse windmill pagoda pyramid tree pine blossom palm"
_BEFORE = "flower tulip sunflower mushroom rabbit"
DEPTHS = (
    dict.fromkeys(DRAW, MIDDLE) | dict.fromkeys(_BEHIND.split(), BACK) | dict.fromkeys(_BEFORE.split(), FRONT)
)  # how near to us they stand
