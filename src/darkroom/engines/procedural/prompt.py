"""Reads a prompt, English or Chinese, into a scene; says honestly which words it did not understand.

Pure Python: needs no picture library. English is matched by word (simple plurals too), Chinese by substring, the
longest first.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, cast

from .words import FILLERS, PHRASES, WORDS

Subject = Literal["mountains", "lake", "sea", "forest", "hills", "desert", "city", "abstract", "space"]
Hour = Literal["sunrise", "day", "sunset", "night"]
Season = Literal["spring", "summer", "autumn", "winter"]

# When several subjects are named, the first of this list is the picture's kind and the others are its parts.
RANK: tuple[Subject, ...] = ("abstract", "space", "city", "desert", "sea", "forest", "mountains", "lake", "hills")
CHINESE = re.compile(r"[\u3400-\u9fff]+")
PIECES = re.compile(
    CHINESE.pattern
    + r"|[^\W\d_\u3400-\u9fff]+(?:['’][^\W\d_\u3400-\u9fff]+)*"  # words of every alphabet
    + r"|\d+[^\W_\u3400-\u9fff]*"
    + r"|[\u2190-\u2bff\U0001f000-\U0001faff]+"  # symbols and emoji
)


@dataclass(frozen=True, slots=True)
class Scene:
    """What a prompt asks for. None leaves the choice to the seed; `unknown` are the words that said nothing to us, in
    the order of the prompt."""

    subject: Subject | None = None
    parts: frozenset[str] = frozenset()
    hour: Hour | None = None
    season: Season | None = None
    weather: frozenset[str] = frozenset()
    tints: tuple[str, ...] = ()
    styles: frozenset[str] = frozenset()
    unknown: tuple[str, ...] = ()


def parse(prompt: str) -> Scene:
    """The scene that a prompt describes."""
    meanings: list[tuple[str, str]] = []
    unknown: list[str] = []
    for word in _split(prompt):
        found = meaning(word)
        if found is None:
            unknown.append(word)
        else:
            meanings.extend(found)
    by_group: dict[str, list[str]] = {}
    for group, value in meanings:
        by_group.setdefault(group, []).append(value)
    subjects = set(by_group.get("subject", ()))
    subject = next((kind for kind in RANK if kind in subjects), None)
    return Scene(
        subject=subject,
        parts=frozenset({*subjects, *by_group.get("part", ())} - {subject}),
        hour=cast("Hour | None", _first(by_group, "hour")),
        season=cast("Season | None", _first(by_group, "season")),
        weather=frozenset(by_group.get("weather", ())),
        tints=tuple(dict.fromkeys(by_group.get("tint", ()))),
        styles=frozenset(by_group.get("style", ())),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def meaning(word: str) -> tuple[tuple[str, str], ...] | None:
    """What a word says as (group, value) pairs: empty for a filler word, None when it is unknown."""
    for form in (word, *_singulars(word)):
        if form in FILLERS:
            return ()
        if form in WORDS:
            return WORDS[form]
    return None


def _singulars(word: str) -> tuple[str, ...]:
    if not word.isascii() or len(word) < 4 or not word.endswith("s"):
        return ()
    forms = [word[:-1]]
    if word.endswith("ies"):
        forms.append(word[:-3] + "y")
    elif word.endswith("ves"):
        forms.append(word[:-3] + "f")
    elif word.endswith("es"):
        forms.append(word[:-2])
    return tuple(forms)


def _first(by_group: dict[str, list[str]], group: str) -> str | None:
    values = by_group.get(group)
    return values[0] if values else None


def _split(prompt: str) -> list[str]:
    """The prompt's words; known phrases and known Chinese words are one piece each."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    pieces: list[str] = []
    for piece in PIECES.findall(text):
        if CHINESE.match(piece):
            pieces.extend(_split_chinese(piece))
        else:
            pieces.append(piece)
            for count in (3, 2):
                if (phrase := " ".join(pieces[-count:])) in PHRASES:
                    pieces[-count:] = [phrase]
    return pieces


LONGEST = max(len(word) for word in (*WORDS, *FILLERS) if CHINESE.match(word))


def _split_chinese(text: str) -> list[str]:
    """Known words, longest first, and the stretches between them that are not known."""
    pieces: list[str] = []
    rest = ""
    place = 0
    while place < len(text):
        for length in range(min(LONGEST, len(text) - place), 0, -1):
            word = text[place : place + length]
            if word in WORDS or word in FILLERS:
                pieces.extend(filter(None, (rest, word)))
                rest = ""
                place += length
                break
        else:
            rest += text[place]
            place += 1
    return [*pieces, rest] if rest else pieces
