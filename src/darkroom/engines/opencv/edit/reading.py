"""Splits a prompt into clauses of known words: what each means, and how much of it; pure functions of text.

No word is dropped in silence: what the tables do not know comes back with its clause as `unknown`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field

from . import words

ENDS = frozenset(".,;:!?。，；：！？\n")  # of a clause


@dataclass(frozen=True, slots=True)
class Said:
    """One known word: its row's kind and name, the amount with its degree (0 where it is negated), and the word."""

    kind: str
    name: str
    amount: float
    word: str


@dataclass(slots=True)
class Clause:
    """What is said between two punctuation marks, in order; `unknown` are the words without a meaning."""

    said: list[Said] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Said]:
        """What is said of these kinds and not negated."""
        return [each for each in self.said if each.kind in kinds and each.amount]

    def take(self, *kinds: str) -> list[Said]:
        """The same, and it is said no more."""
        taken = self.of(*kinds)
        self.said = [each for each in self.said if each.kind not in kinds]
        return taken


def clauses(prompt: str) -> list[Clause]:
    """Read a prompt."""
    text = unicodedata.normalize("NFKC", prompt).casefold().replace("’", "'")
    text = NUMBERS.sub(lambda match: " ".join(f"picture {digit} " for digit in re.findall("[1-9]", match[1])), text)
    found = [Clause()]
    degree = 1.0
    for match in TOKEN.finditer(text):
        known = SEPARATORS.sub(" ", match["known"] or "")
        if not known:
            degree = 1.0  # "not my face, watercolor" forbids no watercolor
            if match["word"]:
                found[-1].unknown.append(match["word"])
            elif match[0] in ENDS:
                found.append(Clause())
        elif known in DEGREE_OF:
            degree = DEGREE_OF[known]
        elif known in MEANINGS:
            kind, name, amount = MEANINGS[known]
            # "Too dark" asks for light; but "too oily" asks for no other style.
            amount = amount * degree if kind == "adjust" else max(0.0, amount * degree)
            found[-1].said.append(Said(kind, name, amount, known))
            degree = 1.0 if kind not in PASSING else degree
    return [clause for clause in found if clause.said or clause.unknown]


MEANINGS = {word: (kind, name, amount) for kind, name, amount, word in words.rows()}
DEGREE_OF = dict(words.degrees())
PASSING = frozenset({"into", "tones", "replace", "add"})  # "do not change the background", "without any style"
# Such as "pictures 1 and 2".
NUMBERS = re.compile(r"(?:pictures|images|photos|图片?|照片)\s*([1-9](?:\s*(?:,|、|and|&|和|与)\s*[1-9](?![0-9]))+)")
SEPARATORS = re.compile(r"[\s_-]+")


def _pattern() -> re.Pattern[str]:
    """Tokens: the longest word or phrase of the tables, else any other word or run of Chinese, else punctuation."""
    known = sorted({*MEANINGS, *DEGREE_OF, *words.fillers()}, key=len, reverse=True)
    spelled = [re.escape(word).replace(r"\ ", r"[\s_-]+") for word in known]
    latin = "|".join(word for word in spelled if word.isascii())
    chinese = "|".join(word for word in spelled if not word.isascii())
    # Chinese has no spaces, so that "neon风格" ends a word where the script changes.
    letter = r"[^\W_\u4e00-\u9fff]"
    return re.compile(
        rf"(?P<known>(?<!{letter})(?:{latin})(?!{letter})|{chinese})"
        rf"|(?P<word>{letter}+(?:'{letter}+)*|(?:(?!{chinese})[\u4e00-\u9fff])+)"
        r"|[^\w\s]|\n"
    )


TOKEN = _pattern()
