"""From a scene to a plan: what the prompt leaves open is decided by the seed, before the first pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from .frame import Frame
from .prompt import Hour, Scene, Season
from .sky import Sky

HOURS: tuple[Hour, ...] = ("sunrise", "day", "sunset", "night")
SEASONS: tuple[Season, ...] = ("spring", "summer", "summer", "autumn")
LANDSCAPES = ("mountains", "lake", "forest", "hills", "sea", "desert")  # the first four in any weather
RELIEF = {"lake": "mountains", "sea": "coast", "forest": "hills", "desert": "dunes"}  # else of the same name


@dataclass(frozen=True, slots=True)
class Plan:
    """A landscape. `kind` is a relief of `land`; `rough` is the water's (None: no water); `wood` is how many trees
    stand on the land per unit of width; `near` says whether trees frame the picture; `snow`, `haze` and `mist` are
    strengths."""

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
    fitting = LANDSCAPES[:4] if season == "winter" or scene.weather & {"rain", "fog"} else LANDSCAPES
    any_subject = fitting[int(random.integers(len(fitting)))]
    named = {scene.subject or any_subject, *scene.parts}
    kind = _kind(named, any_subject)
    lake = bool(named & {"lake", "mirror", "sea"}) or (kind == "mountains" and random.random() < 0.55)
    foggy, forest = "fog" in scene.weather, "forest" in named
    share = min(0.42 + random.uniform(-0.04, 0.03), 1.15 * frame.width / frame.height)
    horizon = int(frame.height * (1 - share))
    return Plan(
        horizon=horizon,
        hour=hour,
        season=season,
        kind=kind,
        sky=decide_sky(frame, scene, hour, horizon / frame.unit),
        rough=None if kind == "dunes" else 0.8 if kind == "coast" else 0.04 if lake else None,
        wood=0 if kind == "dunes" else 60 if kind == "coast" else 1700 if forest else 260,
        near=kind in ("mountains", "hills") and (forest or random.random() < 0.65),
        snow=float(season == "winter" and kind != "dunes"),
        haze=(2.6 if foggy else 1.0) * (1.35 if forest else 1.0) * (1.5 if "rain" in scene.weather else 1.0),
        mist=0.9 if foggy else 0.4 if forest or hour in ("sunrise", "sunset") else 0.0,
    )


def _kind(named: set[str], otherwise: str) -> str:
    """The relief for the subjects that are named; high land wins over gentle, the sea and the desert over both."""
    for subject in ("desert", "sea", "mountains", "forest", "lake", "hills"):
        if subject in named:
            return RELIEF.get(subject, subject)
    return RELIEF.get(otherwise, otherwise)


def choose_hour(frame: Frame, scene: Scene, shares: tuple[float, float, float, float]) -> Hour:
    """The hour that the scene names or implies, or else one by the seed with these shares."""
    if scene.hour is not None:
        return scene.hour
    if "moon" in scene.parts or "stars" in scene.weather:
        return "night"
    if "sun" in scene.parts:
        return "day"
    return cast("Hour", str(frame.stream("hour").choice(HOURS, p=shares)))


def decide_sky(frame: Frame, scene: Scene, hour: Hour, room: float) -> Sky:
    """The sky of an hour, `room` units high from the horizon to the top."""
    random = frame.stream("sky")
    night, low = hour == "night", hour in ("sunrise", "sunset")
    height = random.uniform(0.035, 0.12) if low else random.uniform(0.62, 0.86) * min(room, 0.6)
    side = 1 if random.random() < 0.5 else -1
    x = side * random.uniform(0.08, 0.36) * min(1.0, frame.span)
    cover = _cover(scene, night, random.random())
    stars = 1.35 if "stars" in scene.weather else 0.3 if cover > 0.7 else 0.9
    return Sky(
        x=x,
        height=height,
        radius=random.uniform(0.034, 0.05) if night else random.uniform(0.024, 0.034) if low else 0.02,
        moon=night,
        cover=cover,
        stars=stars if night else 0.0,
        glow=(0.3 if night else 1.0 if low else 0.75) * (0.35 if "rain" in scene.weather else 1.0),
        aurora="aurora" in scene.parts,
    )


def _cover(scene: Scene, night: bool, chance: float) -> float:
    """The share of clouds in the sky."""
    if scene.weather & {"clouds", "rain"}:
        return 0.75 + 0.2 * chance
    if scene.weather & {"clear", "stars"}:
        return 0.1 * chance
    if night:
        return 0.35 * chance
    return max(0.15 + 0.47 * chance, 0.5 if "snow" in scene.weather else 0.0)
