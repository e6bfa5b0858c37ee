"""From a scene to a plan: what the prompt leaves open is decided by the seed, before the first pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from .frame import Frame
from .palette import TINTS
from .prompt import Hour, Scene, Season
from .sky import Disc, Sky
from .things import KINDS, Thing

HOURS: tuple[Hour, ...] = ("sunrise", "day", "sunset", "night")
SEASONS: tuple[Season, ...] = ("spring", "summer", "summer", "autumn")
LANDSCAPES = ("mountains", "lake", "forest", "hills", "sea", "desert")  # the first four in any weather
LIT = ("lantern", "meteor", "fire", "lamp")  # what is best seen in the dark
RELIEF = {"lake": "mountains", "sea": "coast", "forest": "hills", "desert": "dunes"}  # else of the same name

_LAND = frozenset(("mountains", "forest", "hills", "desert", "mountain", "island"))
MISSING = {  # what the painters of these scenes do not draw
    "city": _LAND,
    "desert": _LAND - {"desert"} | {"lake", "sea"},
    "space": _LAND | {"lake", "sea", "city", "cloud"},
    "abstract": _LAND | {"city", "space", "cloud", "moon", "sun", "star", "planet"},
}


@dataclass(frozen=True, slots=True)
class Plan:
    """A landscape. `kind` is a relief of `land`; `rough` is the water's (None: no water); `wood` is how many trees
    stand on the land per unit of width; `near` says whether trees frame the picture; `snow` (-1: not even on peaks),
    `haze` and `mist` are strengths; `peaks` is how many mountains or islands there are, if they are counted; `matter`
    is what the ground in front is made of, and `beach` says that there is some anyhow; `things`
    are what to draw."""

    horizon: int
    hour: Hour
    season: Season
    kind: str
    sky: Sky
    rough: float | None
    wood: int
    near: bool
    snow: float
    haze: float
    mist: float
    peaks: int | None = None
    matter: str = "grass"
    beach: bool = False
    things: tuple[Thing, ...] = ()

    @property
    def forest(self) -> bool:
        """True where trees are the subject."""
        return self.wood > 1000


def decide(frame: Frame, scene: Scene) -> Plan:
    """The plan of a landscape."""
    random = frame.stream("plan")
    hour = choose_hour(frame, scene, (0.2, 0.35, 0.33, 0.12))
    season = SEASONS[int(random.integers(len(SEASONS)))]
    season = scene.season or ("winter" if "snow" in scene.weather else season)
    cold = season == "winter" or bool(scene.weather & {"rain", "fog"})
    fitting: tuple[str, ...] = LANDSCAPES[:4] if cold else LANDSCAPES
    fitting = tuple(kind for kind in fitting if kind not in scene.without) or ("hills",)
    any_subject = fitting[int(random.integers(len(fitting)))]
    named = {scene.subject or habitat(scene) or any_subject, *scene.parts}
    kind = _kind(named, any_subject)
    floats = any(KINDS[thing.kind].place == "water" for thing in scene.things)
    lake = bool(named & {"lake", "mirror", "sea"}) or floats or (kind == "mountains" and random.random() < 0.55)
    lake = lake and ("lake" not in scene.without or floats)
    foggy, forest = "fog" in scene.weather, "forest" in named
    share = min(0.42 + random.uniform(-0.04, 0.03), 1.15 * frame.width / frame.height)
    horizon = int(frame.height * (1 - share))
    near = kind in ("mountains", "hills") and (forest or random.random() < 0.65)
    stands = any(KINDS[thing.kind].place == "ground" for thing in scene.things)
    counted = any(scene.thing(name) for name in ("tree", "pine", "blossom")) and not forest
    bare, clear = counted or "forest" in scene.without, "fog" in scene.without
    mist = 0.9 if foggy else 0.4 if forest or hour in ("sunrise", "sunset") else 0.0
    return Plan(
        horizon=horizon,
        hour=hour,
        season=season,
        kind=kind,
        sky=decide_sky(frame, scene, hour, horizon / frame.unit),
        rough=None if kind == "dunes" else 0.8 if kind == "coast" else 0.04 if lake else None,
        wood=0 if kind == "dunes" or bare else 60 if kind == "coast" else 1700 if forest else 260,
        near=near and not stands and not bare,
        snow=-1.0 if "snow" in scene.without else float(season == "winter" and kind != "dunes"),
        haze=(2.6 if foggy else 1.0) * (1.35 if forest else 1.0) * (1.5 if "rain" in scene.weather else 1.0),
        mist=0.0 if clear else mist,
        peaks=_peaks(scene, kind),
        matter=_matter(scene, kind),
        beach="beach" in scene.parts,
        things=tuple(drawn(thing, scene) for thing in scene.things),
    )


def drawn(thing: Thing, scene: Scene) -> Thing:
    """The thing as it is drawn: on paper, white birds would be lost."""
    on_paper = bool(scene.styles & {"ink", "pencil"})
    return replace(thing, tints=()) if on_paper and thing.kind == "bird" else thing


def habitat(scene: Scene) -> str | None:
    """The scene where the first of the things that are named is by itself, or None where it may be anywhere."""
    habitats = (KINDS[thing.kind].habitat for thing in scene.things if KINDS[thing.kind].place != "scene")
    return next((name for name in habitats if name != "any" and name not in scene.without), None)


def _kind(named: set[str], otherwise: str) -> str:
    """The relief for the subjects that are named; high land wins over gentle, the sea and the desert over both."""
    for subject in ("desert", "sea", "mountains", "forest", "lake", "hills"):
        if subject in named:
            return RELIEF.get(subject, subject)
    return RELIEF.get(otherwise, otherwise)


def _peaks(scene: Scene, kind: str) -> int | None:
    counted = scene.thing("mountain")
    if kind == "coast":
        counted = scene.thing("island") or counted
    return counted.count if counted is not None and kind in ("coast", "mountains") else None


def undrawn(scene: Scene) -> tuple[str, ...]:
    """What the scene's painter has no place for, in plain words."""
    if scene.subject is None:
        return ()
    missing = MISSING.get(scene.subject, frozenset())
    named = [*sorted(scene.parts), *(thing.kind for thing in scene.things)]
    names = dict.fromkeys(name for name in named if name in missing)
    return (f"Not drawn together with {scene.subject}: {', '.join(names)}.",) if names else ()


def _matter(scene: Scene, kind: str) -> str:
    """What the ground in front is made of."""
    if kind == "dunes":
        return "dune"
    strollers = {"person", "palm", "dog", "camel", "horse", "fire", "boat"}
    ashore = [thing.kind for thing in scene.things if KINDS[thing.kind].place == "ground"]
    sandy = kind == "coast" and all(name in strollers for name in ashore)
    return "sand" if sandy or "beach" in scene.parts else "grass"


def choose_hour(frame: Frame, scene: Scene, shares: tuple[float, float, float, float]) -> Hour:
    """The hour that the scene names or implies, or else one by the seed with these shares."""
    if scene.hour is not None:
        return scene.hour
    if "moon" in scene.parts or "stars" in scene.weather or scene.thing("star"):
        return "night"
    if "sun" in scene.parts or "rainbow" in scene.parts:
        return "day"
    if any(thing.kind in LIT for thing in scene.things):
        shares = (0.0, 0.0, 0.35, 0.65)
    hour = cast("Hour", str(frame.stream("hour").choice(HOURS, p=shares)))
    if hour in scene.without:
        return next((other for other in ("day", "sunset", "night") if other not in scene.without), hour)
    return hour


def decide_sky(frame: Frame, scene: Scene, hour: Hour, room: float) -> Sky:
    """The sky of an hour, `room` units high from the horizon to the top."""
    random = frame.stream("sky")
    night, low = hour == "night", hour in ("sunrise", "sunset")
    height = random.uniform(0.035, 0.12) if low else random.uniform(0.62, 0.86) * min(room, 0.6)
    if scene.thing("sun") or scene.thing("moon"):  # those that were asked for must not set behind mountains
        height = max(height, 0.32 * min(room, 0.6))
    side = 1 if random.random() < 0.5 else -1
    x = side * random.uniform(0.08, 0.36) * min(1.0, frame.span)
    cover = _cover(scene, night, random.random())
    radius = random.uniform(0.034, 0.05) if night else random.uniform(0.024, 0.034) if low else 0.02
    star = scene.thing("star")
    stars = 1.35 if "stars" in scene.weather else 0.3 if cover > 0.7 else 0.9
    if star is not None or "stars" in scene.without:
        stars = 0.0
    return Sky(
        x=x,
        height=height,
        moon=night,
        cover=cover,
        stars=stars if night else 0.0,
        glow=(0.3 if night else 1.0 if low else 0.75) * (0.35 if "rain" in scene.weather else 1.0),
        discs=_discs(frame, scene, hour, room, Disc(x, height, radius, night)),
        aurora="aurora" in scene.parts,
        rainbow="rainbow" in scene.parts,
        beacons=star.count if star is not None else 0,
        puffs=_puffs(frame, scene.thing("cloud"), room),
        air=scene.air,
    )


def _discs(frame: Frame, scene: Scene, hour: Hour, room: float, first: Disc) -> tuple[Disc, ...]:
    """The sun or the moon, as many as were asked for; a moon may stand in the sky by day, too."""
    found: list[Disc] = []
    for name, own in (("moon", hour == "night"), ("sun", hour != "night")):
        thing = scene.thing(name) or Thing(name)
        if name in scene.without or not (own or name in scene.parts):
            continue
        if name == "sun" and not own:  # no sun shines by night
            continue
        random = frame.stream("discs", name)
        radius = (first.radius if own else 0.04) * thing.scale**2
        for number in range(thing.count):
            colour = TINTS[thing.tints[number % len(thing.tints)]] if thing.tints else None
            if own and number == 0:
                found.append(Disc(first.x, first.height, radius, name == "moon", colour))
                continue
            x, height = _apart(random, found, (0.38 * frame.span, 0.12, 0.86 * room))
            size = radius * (1.0 if not own else random.uniform(0.55, 0.85))
            pale = 0.0 if hour == "night" or name == "sun" else 0.35
            found.append(Disc(x, height, size, name == "moon", colour, pale))
    return tuple(found)


def _apart(
    random: np.random.Generator, others: Sequence[Disc], room: tuple[float, float, float]
) -> tuple[float, float]:
    """A place (x, height) in the sky away from the others; `room` is how far to the sides, and from and up to where."""
    side, low, high = room
    tried = [(random.uniform(-side, side), random.uniform(low, max(low, high))) for _ in range(24)]
    return max(
        tried, key=lambda spot: min((math.hypot(spot[0] - o.x, spot[1] - o.height) for o in others), default=0.0)
    )


def _puffs(frame: Frame, clouds: Thing | None, room: float) -> tuple[tuple[float, float, float], ...]:
    """Single clouds as (x, height, size), none before another."""
    if clouds is None:
        return ()
    random = frame.stream("puffs")
    size = min(0.17 * clouds.scale * clouds.count**-0.35, 0.36 * frame.span)
    found: list[Disc] = []
    for _ in range(clouds.count):
        own = size * random.uniform(0.8, 1.0)
        x, height = _apart(
            random, found, (max(0.0, frame.span / 2 - own), min(0.3, 0.5 * room), 0.88 * room - own * 0.6)
        )
        found.append(Disc(x, height, own, moon=False))
    return tuple((disc.x, disc.height, disc.radius) for disc in found)


def _cover(scene: Scene, night: bool, chance: float) -> float:
    """The share of clouds in the sky."""
    if "clouds" in scene.without or scene.thing("cloud") is not None or scene.thing("star") is not None:
        return 0.0
    if scene.weather & {"clouds", "rain"}:
        return 0.75 + 0.2 * chance
    if "clear" in scene.weather:
        return 0.0
    if "stars" in scene.weather:
        return 0.1 * chance
    if night:
        return 0.35 * chance
    return max(0.15 + 0.47 * chance, 0.5 if "snow" in scene.weather else 0.0)
