"""Reads a prompt, English or Chinese, into a scene; says honestly which words it did not understand.

Pure Python: needs no picture library. Numbers, colours and sizes belong to the thing that they precede; a colour that
precedes no thing is the picture's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from .things import ALL, COUNTED, KINDS, MANY, MEASURES, NAMES, NUMBERS, ONE_OR_WOOD, SIZES, Thing, number
from .tokens import BREAK, forms, is_chinese, is_plural, split
from .words import BACKDROPS, COMPOUNDS, ENDS, FILLERS, JOINS, LISTS, NEGATIONS, WORDS

Subject = Literal["mountains", "lake", "sea", "forest", "hills", "desert", "city", "abstract", "space"]
Hour = Literal["sunrise", "day", "sunset", "night"]
Season = Literal["spring", "summer", "autumn", "winter"]
Meaning = tuple[tuple[str, str], ...]

# When several subjects are named, the first of this list is the picture's kind and the others are its parts.
RANK: tuple[Subject, ...] = ("abstract", "space", "city", "desert", "sea", "forest", "mountains", "lake", "hills")
LIGHT = frozenset(("hour", "season", "tint", "style"))  # groups that change a picture's look and not what is where
MOST_THINGS = 72  # in one picture
FOREST: Meaning = (("subject", "forest"),)
STARS: Meaning = (("weather", "stars"),)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a prompt asks for. None leaves the choice to the seed; `without` are names of things and parts that must not
    be there; `unknown` are the words that said nothing to us, in the order of the prompt; `notes` say what else is not
    as the prompt asks. `layout` and `air` are the words that have a say in where things are and in the weather: they
    give every prompt a picture of its own."""

    subject: Subject | None = None
    parts: frozenset[str] = frozenset()
    hour: Hour | None = None
    season: Season | None = None
    weather: frozenset[str] = frozenset()
    tints: tuple[str, ...] = ()
    styles: frozenset[str] = frozenset()
    things: tuple[Thing, ...] = ()
    without: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    layout: str = field(default="", compare=False)
    air: str = field(default="", compare=False)

    def thing(self, kind: str) -> Thing | None:
        """All that is asked for of a kind, or None."""
        found = [thing for thing in self.things if thing.kind == kind]
        if not found:
            return None
        count = sum(thing.count for thing in found)
        tints = tuple(tint for thing in found for tint in thing.tints)
        return Thing(kind, count, tints, max(thing.scale for thing in found))


def parse(prompt: str, negative: str = "") -> Scene:
    """The scene that a prompt describes, without what the negative one names."""
    reading = Reading(split(prompt))
    reading.read()
    unwanted = Reading(split(negative))
    unwanted.negated = True
    unwanted.read()
    return _scene(reading, reading.without | unwanted.without)


def _scene(reading: Reading, without: set[str]) -> Scene:
    by_group: dict[str, list[str]] = {}
    for group, value in reading.meanings:
        if value not in without:
            by_group.setdefault(group, []).append(value)
    subjects = set(by_group.get("subject", ()))
    subject = next((kind for kind in RANK if kind in subjects), None)
    things = tuple(thing for thing in reading.things if thing.kind not in without)
    return Scene(
        subject=subject,
        parts=frozenset({*subjects, *by_group.get("part", ())} - {subject}),
        hour=cast("Hour | None", _first(by_group, "hour")),
        season=cast("Season | None", _first(by_group, "season")),
        weather=frozenset(by_group.get("weather", ())),
        tints=tuple(dict.fromkeys(by_group.get("tint", ()))),
        styles=frozenset(by_group.get("style", ())),
        things=things,
        without=frozenset(without),
        unknown=tuple(dict.fromkeys(reading.unknown)),
        notes=tuple(dict.fromkeys(reading.notes)),
        layout=" ".join(reading.layout),
        air=" ".join(reading.air),
    )


def _first(by_group: dict[str, list[str]], group: str) -> str | None:
    values = by_group.get(group)
    return values[0] if values else None


@dataclass(slots=True)
class Noun:
    """A word for something that can be seen: what it says of the scene, and the thing that it may be."""

    says: Meaning = ()
    kind: str | None = None
    count: int | None = None  # None: one, unless the word is a plural or a number says otherwise
    plural: bool = False
    bare: bool = False  # without a number it is a part of the scene and no thing


class Reading:
    """Goes through the pieces of a prompt from the first to the last."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces
        self.negated = False
        self.meanings: list[tuple[str, str]] = []
        self.things: list[Thing] = []
        self.without: set[str] = set()
        self.unknown: list[str] = []
        self.notes: list[str] = []
        self.layout: list[str] = []
        self.air: list[str] = []
        self._denying = False
        self._last: Thing | None = None  # the thing that a colour after "is" belongs to
        self._begin()

    def read(self) -> None:
        """Read all pieces."""
        for place, piece in enumerate(self.pieces):
            following = self.pieces[place + 1] if place + 1 < len(self.pieces) else BREAK
            self._piece(piece, following)
        self._end()

    def _begin(self) -> None:
        self._strayed = False  # an unknown word has come since the number or the colour
        self._number: tuple[int, str] | None = None
        self._one = False  # after "a": one thing, but no number
        self._tints: list[str] = []
        self._scale = 1.0

    def _end(self) -> None:
        """The group of words is over: its colours are the picture's, or those of the thing that they follow."""
        if self._tints and self._last is not None and self.things and self.things[-1] is self._last:
            self.things[-1] = Thing(self._last.kind, self._last.count, tuple(self._tints), self._last.scale)
        elif not self.negated:
            self.meanings.extend(("tint", tint) for tint in self._tints)
        if self._number is not None and self._number[1].isdigit():
            self.unknown.append(self._number[1])
        self._last = None
        self._begin()

    def _piece(self, piece: str, following: str) -> None:
        if piece == BREAK:
            self._end()
            self._denying = False
        elif piece in COMPOUNDS:
            self._say_unknown(piece)
        elif (said := _said(piece)) is not None:
            self._count(said, piece)
        elif piece in NEGATIONS:
            self._end()
            self._denying = True
        elif piece in SIZES:
            self._scale = SIZES[piece]
            self.layout.append(piece)
        elif (noun := _noun(piece)) is not None:
            self._keep(piece, noun.says)
            self._name(piece, noun, _noun(following))
        elif piece in FILLERS or piece in MEASURES:
            self._filler(piece)
        else:
            self._modify(piece)

    def _filler(self, piece: str) -> None:
        last = self.things[-1] if self.things and self._last is None else None
        if piece in BACKDROPS or piece in ENDS or (self._strayed and piece in LISTS):
            self._end()
        if piece in JOINS:
            self._last = last
        self._one = self._one or piece in ("a", "an")
        if piece not in LISTS:
            self._denying = False

    def _modify(self, piece: str) -> None:
        """A word that is said of something, or one that is not known."""
        says = next((WORDS[form] for form in forms(piece) if form in WORDS), None)
        if says is None:
            self._say_unknown(piece)
            return
        self._keep(piece, says)
        if self._unwanted:
            self.without.update(value for _, value in says)
            self._denying = False
            return
        self.meanings.extend(pair for pair in says if pair[0] != "tint")
        self._tints.extend(value for group, value in says if group == "tint")

    def _name(self, piece: str, noun: Noun, following: Noun | None) -> None:
        """Something that can be seen; where another one is `following`, the number is for that."""
        if self._unwanted:
            self.without.update({noun.kind or "", *(value for _, value in noun.says)} - {""})
            return
        attributive = following is not None
        counted = not self._vague(noun) and (self._number is not None or (self._one and not noun.plural))
        if noun.kind is None or (noun.bare and (attributive or not (counted or self._described(noun)))):
            self.meanings.extend(noun.says)
            if not attributive:
                self._spend(piece, noun)
            return
        said = None if attributive else self._number
        if said is None:
            several = noun.plural or (following is not None and ("subject", "hills") in following.says)
            count = noun.count or (KINDS[noun.kind].some if several else 1)
        else:
            count = number(noun.kind, said[0]) * (noun.count or 1 if said[0] > 0 else 1)  # two villages, many couples
        self._add(noun, count)
        if not attributive:
            self._spend(piece, None)

    def _add(self, noun: Noun, count: int) -> None:
        assert noun.kind is not None
        kind, most = noun.kind, KINDS[noun.kind].most
        if count < 1:
            self.without.add(kind)
            return
        room = most - sum(thing.count for thing in self.things if thing.kind == kind)
        if count > room:
            self.notes.append(f"At most {most} of '{kind}' are drawn; more were asked for.")
        space = MOST_THINGS - sum(thing.count for thing in self.things)
        if min(count, room) > space:
            self.notes.append(f"At most {MOST_THINGS} things are drawn in one picture.")
        count = min(count, room, space)
        if noun.says not in (FOREST, STARS) and kind != "cloud":
            self.meanings.extend(noun.says)
        thing = Thing(kind, count, tuple(dict.fromkeys(self._tints)), self._scale)
        if count > 0 and (
            noun.count is None or all(other.kind != kind for other in self.things)
        ):  # else "five houses in a village"
            self.things.append(thing)
        self._tints = []

    def _vague(self, noun: Noun) -> bool:
        """True where the number makes no things: many trees are a wood, and some mountains are just mountains."""
        said = 1 if self._number is None else self._number[0]
        if noun.says == FOREST:
            return said > KINDS["tree"].most or said in (MANY, ALL)
        return said < 0 and (
            noun.kind in ("star", "mountain", "island") or (said in (MANY, ALL) and noun.kind == "cloud")
        )

    def _described(self, noun: Noun) -> bool:
        """True where a colour or a size makes the sun, the moon or a planet a thing of its own."""
        return noun.kind in ("moon", "sun", "planet") and bool(self._tints or self._scale != 1)

    def _spend(self, piece: str, noun: Noun | None) -> None:
        """The number, the colours and the size before a noun are used."""
        if noun is not None and self._number is not None:
            said, word = self._number
            if said > 1 and not self._vague(noun):
                self.notes.append(f"Not counted: {word} {piece}.")
            self._number = None
        self.meanings.extend(("tint", tint) for tint in self._tints)
        self._begin()

    def _count(self, said: int, piece: str) -> None:
        before = self._number
        if before is not None and is_chinese(piece) and is_chinese(before[1]):
            ten = said == 10 and 1 < before[0] < 10
            if ten or (before[0] % 10 == 0 and before[0] >= 10 and 0 < said < 10):
                said = before[0] * 10 if ten else before[0] + said
            piece = before[1] + piece
        self._number = (said, piece)
        self.layout.append(piece)

    def _say_unknown(self, piece: str) -> None:
        if not self._unwanted:
            self.unknown.append(piece)
        self.layout.append(piece)
        self.air.append(piece)
        self._denying = False
        self._strayed = True

    def _keep(self, piece: str, says: Meaning) -> None:
        groups = {group for group, _ in says}
        if not says or not groups <= LIGHT:
            self.layout.append(piece)
        if "style" not in groups:
            self.air.append(piece)

    @property
    def _unwanted(self) -> bool:
        return self.negated or self._denying


def _said(piece: str) -> int | None:
    """The number that a piece says."""
    if piece.isdigit() and piece.isascii() and len(piece) < 7:
        return int(piece)
    return NUMBERS.get(piece)


def _noun(piece: str) -> Noun | None:
    """What can be seen of a piece, or None where it is another sort of word."""
    if piece in COMPOUNDS or (piece in FILLERS and piece not in NAMES):
        return None
    for form in forms(piece):
        says, plural = WORDS.get(form, ()), is_plural(piece, form)
        if form in NAMES:
            kind, count = NAMES[form]
            return Noun(says, kind, count, plural)
        if form in ONE_OR_WOOD:
            return Noun(FOREST, ONE_OR_WOOD[form], None, plural, bare=True)
        if form in COUNTED:
            return Noun(says, COUNTED[form], None, plural, bare=True)
        if any(group == "subject" or (group == "part" and value == "aurora") for group, value in says):
            return Noun(says)
    return None
