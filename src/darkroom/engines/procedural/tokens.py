"""Splits a prompt, English or Chinese, into the pieces that it is read by.

Pure Python. English is matched by word (simple plurals too), Chinese by substring, the longest first.
"""

from __future__ import annotations

import re
import unicodedata

from .things import COUNTED, MEASURES, NAMES, NUMBERS, ONE_OR_WOOD, PLURALS, SIZES
from .words import COMPOUNDS, FILLERS, NEGATIONS, WORDS

BREAK = ","  # the piece that stands for every mark between parts of a sentence
CHINESE = re.compile(r"[\u3400-\u9fff]+")
PIECES = re.compile(
    CHINESE.pattern
    + r"|\d+-?bit\b"
    + r"|[^\W\d_\u3400-\u9fff]+(?:['’-][^\W\d_\u3400-\u9fff]+)*"  # words of every alphabet
    + r"|\d+[^\W_\u3400-\u9fff]*"
    + r"|[\u2190-\u2bff\U0001f000-\U0001faff]+"  # symbols and emoji
    + r"|[,;.:!?，。；、：！？\n()（）/|]"
)
KNOWN = (
    WORDS.keys()
    | FILLERS
    | NAMES.keys()
    | NUMBERS.keys()
    | MEASURES
    | SIZES.keys()
    | COUNTED.keys()
    | ONE_OR_WOOD.keys()
    | NEGATIONS
    | COMPOUNDS
)
PHRASES = frozenset(word for word in KNOWN if " " in word)
LONGEST = max(len(word) for word in KNOWN if CHINESE.match(word))


def split(prompt: str) -> list[str]:
    """The prompt's words and breaks; known phrases and known Chinese words are one piece each."""
    text = unicodedata.normalize("NFKC", prompt).casefold()
    pieces: list[str] = []
    for piece in PIECES.findall(text):
        if CHINESE.match(piece):
            pieces.extend(_split_chinese(piece))
        elif not piece[0].isalnum() and piece.isascii():
            pieces.append(BREAK)
        else:
            pieces.extend(_parts(piece))
            for count in (3, 2):
                if phrase := _phrase(pieces[-count:]):
                    pieces[-count:] = [phrase]
    return pieces


def forms(word: str) -> tuple[str, ...]:
    """The word, and what it may be the plural of."""
    if not word.isascii() or len(word) < 4 or not word.endswith("s"):
        return (word,)
    found = [word, word[:-1]]
    if word.endswith("ies"):
        found.append(word[:-3] + "y")
    elif word.endswith("ves"):
        found.append(word[:-3] + "f")
    elif word.endswith("es"):
        found.append(word[:-2])
    return tuple(found)


def is_plural(word: str, singular: str) -> bool:
    """True where the word, found as `singular`, means several."""
    return word != singular or word in PLURALS


def is_chinese(word: str) -> bool:
    """True for a piece of Chinese text."""
    return CHINESE.match(word) is not None


def _parts(word: str) -> list[str]:
    """A word; one with hyphens that is not known as a whole falls into its parts where they are known."""
    if "-" not in word or any(form in KNOWN for form in forms(word)):
        return [word]
    parts = word.split("-")
    return parts if all(any(form in KNOWN for form in forms(part)) for part in parts) else [word]


def _phrase(words: list[str]) -> str | None:
    """The known phrase that the words are, in the plural as they may be."""
    text = " ".join(words)
    return text if any(form in PHRASES for form in forms(text)) else None


def _split_chinese(text: str) -> list[str]:
    """Known words, longest first, and the stretches between them that are not known."""
    pieces: list[str] = []
    rest = ""
    place = 0
    while place < len(text):
        for length in range(min(LONGEST, len(text) - place), 0, -1):
            word = text[place : place + length]
            if word in KNOWN:
                pieces.extend(filter(None, (rest, word)))
                rest = ""
                place += length
                break
        else:
            rest += text[place]
            place += 1
    return [*pieces, rest] if rest else pieces
