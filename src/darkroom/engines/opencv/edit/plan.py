"""What a prompt asks of a picture, as data: pure functions of text.

Each clause is settled by itself: "blur the background, brighter" blurs behind people and brightens everything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from .reading import Clause, Said, clauses
from .words import FAULTS, FAULTS_BESIDE

DEFAULT_STYLE = "film"
MAX_STYLES = 3
MAX_COLOURS = 3
MAX_WORDS_SHOWN = 8
SEASONS = ("spring", "summer", "autumn", "winter")
HOURS = ("noon", "golden_hour", "sunrise", "sunset", "blue_hour", "night")
WEATHERS = ("fog", "rain", "snowfall")  # after the light, which would colour drops and flakes
SNOW_OF_WINTER = 0.6  # how heavily it snows where only winter is named
NO_PALETTE = ("white", "black")


@dataclass(frozen=True, slots=True)
class Look:
    """How pixels change: the styles, then what is rendered (a season, an hour, weather) with its amount 0..1, the
    palette, and adjustments, each about -1..1 with 0 for none."""

    styles: tuple[str, ...] = ()
    renders: tuple[tuple[str, float], ...] = ()
    palette: tuple[str, ...] = ()
    brightness: float = 0.0
    contrast: float = 0.0
    warmth: float = 0.0
    saturation: float = 0.0
    blur: float = 0.0
    sharpness: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """How several pictures become one.

    `kind` is `collage` or `row` (all of them, side by side), `blend`, `put` (somebody onto another picture),
    `background` (another picture behind somebody), `colours` (those of one picture for another), or `compose` for what
    suits the pictures best. `subjects` are the numbers, from 0, of the pictures that somebody or the colours are taken
    from; `ground` is that of the picture behind them. Empty and None leave the choice to what the pictures show.
    """

    kind: str
    subjects: tuple[int, ...] = ()
    ground: int | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """All that a prompt asks for; `behind` is the look of what is behind people, where it has one of its own.

    `repair`, `retouch` and `bokeh` are 0..1; `backdrop` is a colour's name, or `transparent`.
    """

    look: Look = Look()
    behind: Look = Look()
    repair: float = 0.0
    retouch: float = 0.0
    bokeh: float = 0.0
    backdrop: str = ""
    layout: Layout | None = None
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is to be done beside putting pictures together."""
        return replace(self, layout=None, warnings=()) != Edit()


@dataclass(slots=True)
class _Wishes:
    """What the clauses have asked for so far."""

    front: list[Said] = field(default_factory=list)
    behind: list[Said] = field(default_factory=list)
    amounts: dict[str, float] = field(default_factory=dict)
    backdrop: str = ""
    layouts: list[str] = field(default_factory=list)
    pictures: list[tuple[int, str]] = field(default_factory=list)  # numbers in order, and where each stands
    elsewhere: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def plan(prompt: str, *, several: bool = False) -> Edit:
    """Read a prompt.

    One without any edit that the tables know asks for a light film look, and says so; with `several` pictures it asks
    for nothing more than to put them together.
    """
    wishes = _Wishes()
    read = clauses(prompt)
    repairs = any(clause.of("repair", "enhance") for clause in read)
    for clause in read:
        if repairs:
            _without_faults(clause)
        _settle_colours(clause)
        _settle_pictures(clause, wishes)
        _settle_background(clause, wishes)
        _settle_repairs(clause, wishes)
        wishes.front += clause.said
        wishes.unknown += clause.unknown
    edit = Edit(
        look=_look(wishes.front),
        behind=_look(wishes.behind),
        repair=min(1.0, wishes.amounts.get("repair", 0.0)),
        retouch=min(1.0, wishes.amounts.get("retouch", 0.0)),
        bokeh=min(1.0, wishes.amounts.get("bokeh", 0.0)),
        backdrop=wishes.backdrop,
        layout=_layout(wishes),
    )
    elsewhere = tuple(f"This model does not do that: ask for {name}." for name in dict.fromkeys(wishes.elsewhere))
    if edit.changes or edit.layout or several:
        return replace(edit, warnings=(*elsewhere, *_not_understood(wishes.unknown)))
    return replace(edit, look=Look(styles=(DEFAULT_STYLE,)), warnings=(*elsewhere, _nothing_understood(wishes.unknown)))


def variation(look: Look, index: int) -> Look:
    """Another take on the same look, in other light; the one of index 0 is the look itself."""
    if index == 0:
        return look
    colour = 0 if look.saturation <= -1 else 1  # black and white stays so
    turn = index * math.pi * (3 - math.sqrt(5))  # the golden angle: no two takes are near each other
    return replace(
        look,
        brightness=look.brightness + 0.2 * math.sin(turn),
        warmth=look.warmth + 0.45 * colour * math.cos(turn),
        saturation=max(-1.0, look.saturation + 0.2 * colour * math.cos(2 * turn)),
        contrast=look.contrast + 0.2 * math.sin(2 * turn),
    )


def _without_faults(clause: Clause) -> None:
    """In "restore this old, faded photo" the photo is old and faded: it should not become so."""
    faults = FAULTS | FAULTS_BESIDE if clause.of("repair", "enhance") else FAULTS
    clause.said = [each for each in clause.said if each.word not in faults]
    clause.unknown = [word for word in clause.unknown if word not in faults]


def _settle_colours(clause: Clause) -> None:
    """A colour beside a word that is not known is that thing's, as in "a blue hat"; it is not understood either."""
    sure = clause.of("tones", "toned", "backdrop", "background")
    said: list[Said] = []
    for each in clause.said:
        if each.kind == "colour" and not sure and (clause.unknown or each.name in NO_PALETTE):
            clause.unknown.insert(0, each.word)
        else:
            said.append(each)
    clause.said = said


def _settle_pictures(clause: Clause, wishes: _Wishes) -> None:
    """Which pictures are named, and what is to be done with them."""
    named: list[tuple[int, str]] = []
    for before, each in zip([None, *clause.said], clause.said, strict=False):
        if each.kind == "picture":
            named.append((int(each.name), _place(before)))
    wishes.elsewhere += [each.name for each in clause.take("elsewhere")]
    layouts = [each.name for each in clause.take("layout")]
    if not layouts and clause.of("add") and (named or (clause.of("person") and not _has_look(clause))):
        layouts = ["put"]
    if not layouts and named and clause.of("manner", "tones"):
        layouts = ["colours"]
    if clause.of("background") and (number := _used_as_background(clause)) is not None:
        layouts = layouts or ["background"]
        named = [(other, "ground" if other == number else "") for other, _ in named]
    wishes.layouts += layouts
    wishes.pictures += named


def _place(before: Said | None) -> str:
    """How surely the word before a picture's number makes that picture the ground: `strong`, `weak` or not."""
    if before is None:
        return ""
    if before.kind == "replace":
        return "weak" if before.word.endswith(("成", "为", "到")) else ""
    return before.name if before.kind == "into" else ""


def _used_as_background(clause: Clause) -> int | None:
    """The number of the picture in "use picture 2 as the background" and "the background of picture 2"."""
    if any(each.kind == "replace" and each.word not in ("use", "用") for each in clause.said):
        return None
    kinds = [each.kind for each in clause.said]
    place = kinds.index("background")
    before, after = clause.said[:place], clause.said[place + 1 : place + 2]
    if "as" not in kinds and after and after[0].kind == "picture":
        return int(after[0].name)
    return next((int(each.name) for each in reversed(before[-2:]) if each.kind == "picture"), None)


def _settle_background(clause: Clause, wishes: _Wishes) -> None:
    """What is to be done behind people alone."""
    for each in clause.take("bokeh"):
        wishes.amounts["bokeh"] = each.amount
    for each in clause.take("backdrop"):
        wishes.backdrop = each.name
    if clause.take("cutout"):
        wishes.backdrop = "transparent"
    if not clause.of("background"):
        return
    blurs = [each for each in clause.of("adjust") if each.name == "blur"]
    colours = clause.take("colour", "toned")
    if blurs:
        wishes.amounts["bokeh"] = blurs[0].amount
        clause.said = [each for each in clause.said if each not in blurs]
    elif clause.of("remove"):
        wishes.backdrop = "transparent"
        clause.take("remove")
    elif colours:
        wishes.backdrop = colours[0].name
    elif clause.of("picture") or (clause.of("replace", "layout") and not _has_look(clause)):
        if not wishes.layouts:
            wishes.layouts.append("background")
    else:
        wishes.behind += clause.said
        clause.said = []


def _has_look(clause: Clause) -> bool:
    return bool(clause.of("style", "vague", "adjust", "render", "palette", "toned", "colour"))


def _settle_repairs(clause: Clause, wishes: _Wishes) -> None:
    """Repairs; "enhance the contrast" asks for no more than contrast. What could be removed only is not understood."""
    plain = [each.amount for each in clause.take("repair")]
    vague = [each.amount for each in clause.take("enhance")]
    if plain or (vague and not clause.of("adjust")):
        wishes.amounts["repair"] = max(*plain, *vague, 0.0)
    if retouch := clause.take("retouch"):
        wishes.amounts["retouch"] = retouch[0].amount
    clause.unknown[:0] = [each.word for each in clause.take("remove")]


def _look(said: Sequence[Said]) -> Look:
    """The look that words ask for."""
    amounts: dict[str, float] = {}
    for each in said:
        if each.kind == "adjust":
            amounts[each.name] = amounts.get(each.name, 0.0) + each.amount
    if amounts.get("blur", 0.0) < 0:  # "too blurry"
        amounts["sharpness"] = amounts.get("sharpness", 0.0) - amounts.pop("blur")
    wanted = {name: max(-1.0, min(1.0, amount)) for name, amount in amounts.items() if amount}
    styles = tuple(dict.fromkeys(each.name for each in said if each.kind == "style" and each.amount))
    vague = tuple(each.name for each in said if each.kind == "vague" and each.amount)
    palettes = [each.name for each in said if each.kind == "palette" and each.amount]
    colours = tuple(dict.fromkeys(each.name for each in said if each.kind in ("colour", "toned") and each.amount))
    look = Look(
        styles=(styles or vague[:1])[:MAX_STYLES],
        renders=_renders(said),
        palette=tuple(palettes[:1]) or colours[:MAX_COLOURS],
    )
    return replace(look, **wanted)  # type: ignore[arg-type]


def _renders(said: Sequence[Said]) -> tuple[tuple[str, float], ...]:
    """One season, one hour and any weather, in the order in which they are rendered."""
    amounts: dict[str, float] = {}
    for each in said:
        if each.kind == "render" and each.amount:
            amounts.setdefault(each.name, min(1.0, each.amount))
    snows = any("snow" in each.word or "雪" in each.word for each in said if each.kind == "render")
    if "winter" in amounts:
        amounts.setdefault("snowfall", amounts["winter"] * (1.0 if snows else SNOW_OF_WINTER))
    elif "snowfall" in amounts:
        amounts["winter"] = 0.8 * amounts["snowfall"]
    season, hour = (next((name for name in amounts if name in group), None) for group in (SEASONS, HOURS))
    order = [season, hour, *(name for name in WEATHERS if name in amounts)]
    return tuple((name, amounts[name]) for name in order if name)


def _layout(wishes: _Wishes) -> Layout | None:
    """How the pictures are put together, or None where nothing says so."""
    if not wishes.layouts:
        return None
    kind = wishes.layouts[0]
    numbers = list(dict.fromkeys(number for number, _ in wishes.pictures))
    if kind not in ("put", "background", "colours"):
        return Layout(kind)
    if kind == "colours":
        return Layout(kind, tuple(numbers[-1:]))
    places = {place: number for number, place in wishes.pictures if place}  # the last of each
    ground = next((places[place] for place in ("ground", "strong", "weak") if place in places), None)
    if ground is None and len(numbers) > 1:
        ground = numbers[-1]
    return Layout(kind, tuple(number for number in numbers if number != ground), ground)


def _nothing_understood(unknown: list[str]) -> str:
    words = f" Not understood: {_shown(unknown)}." if unknown else ""
    return (
        f"The prompt names no edit that this model knows, so the picture got a light film look.{words} "
        "It knows styles such as cartoon or watercolor, and words for light, colour, season, weather and blur."
    )


def _not_understood(unknown: list[str]) -> tuple[str, ...]:
    return (
        (f"These words of the prompt were not understood and changed nothing: {_shown(unknown)}.",) if unknown else ()
    )


def _shown(unknown: list[str]) -> str:
    words = list(dict.fromkeys(unknown))
    more = f" and {len(words) - MAX_WORDS_SHOWN} more" if len(words) > MAX_WORDS_SHOWN else ""
    return ", ".join(word[:40] for word in words[:MAX_WORDS_SHOWN]) + more
