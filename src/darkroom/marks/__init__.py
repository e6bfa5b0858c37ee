"""Marks result files with where they come from: software, model, task, and whether a generative model made them.

The mark is an XMP packet in the place that the file's format has for it, so that any reader of metadata finds it; what
it says is in `packet`. Guarantees: nothing is decoded and no pixel or sample changes; a file is replaced whole or not
touched at all; marking again replaces the mark; other facts in the file's metadata stay. Standard library only.

What an operator may want beyond the mark is in `label` (seen by people), `credentials` (signed) and `aigc` (China's).
"""

from __future__ import annotations

import mmap
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from . import aigc, boxes, pictures
from .credentials import Credentials, SigningError, sign
from .label import Label
from .packet import Mark, extended
from .pictures import Parts, SignedError
from .replacing import replacing

__all__ = [
    "MOVIES",
    "Credentials",
    "Label",
    "Mark",
    "Provenance",
    "SignedError",
    "SigningError",
    "SourceType",
    "embed",
    "field_of",
    "mark",
    "packet_of",
    "sign",
    "source_type",
    "state",
]

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class SourceType(StrEnum):
    """The terms of IPTC's vocabulary "Digital Source Type" that results here are, as the URIs that it writes."""

    GENERATED = VOCABULARY + "trainedAlgorithmicMedia"
    GENERATED_WITHOUT_AI = VOCABULARY + "algorithmicMedia"
    ALTERED = VOCABULARY + "compositeWithTrainedAlgorithmicMedia"
    ALTERED_WITHOUT_AI = VOCABULARY + "algorithmicallyEnhanced"
    COMPOSED_WITHOUT_AI = VOCABULARY + "composite"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What results are to tell: in the mark the prompts of the accounts that allow it (`*` for all), and, of every
    result, China's field with the provider's code, a visible label, signed content credentials."""

    prompts: tuple[str, ...] = ()
    producer: str = ""
    label: Label | None = None
    credentials: Credentials | None = None


Embed = Callable[[memoryview, Callable[[bytes | None], bytes]], Parts]
EMBED: dict[str, Embed] = {
    "image/png": pictures.png,
    "image/jpeg": pictures.jpeg,
    "image/webp": pictures.webp,
    "image/gif": pictures.gif,
    "image/avif": boxes.avif,
    "video/mp4": boxes.video,
    "video/quicktime": boxes.video,
}
DAMAGED = (struct.error, IndexError, OverflowError)
MOVIES = frozenset({"video/mp4", "video/quicktime"})


def source_type(operation: str, *, generative: bool, inputs: bool) -> SourceType:
    """The term for what a model does; `inputs` says whether it was given pictures or videos."""
    work = operation.partition(".")[2]
    if generative:
        return SourceType.GENERATED if work == "generate" else SourceType.ALTERED
    if work == "face_swap":
        return SourceType.COMPOSED_WITHOUT_AI
    if work == "generate" and not inputs:
        return SourceType.GENERATED_WITHOUT_AI
    return SourceType.ALTERED_WITHOUT_AI


def mark(path: Path, media_type: str, facts: Mark) -> None:
    """Put the mark into a file. `ValueError` says why that cannot be done; the file is then as it was."""
    if media_type not in EMBED:
        raise ValueError(f"{media_type} has no place for it")
    if facts.aigc and media_type in MOVIES:
        with suppress(ValueError):  # then it goes into the packet, or that says what is wrong
            state(path, facts.aigc)
            facts = replace(facts, aigc=None)
    elif facts.aigc and stated_elsewhere(path, media_type):
        facts = replace(facts, aigc=None)
    embed(path, media_type, lambda existing: extended(existing, facts))


def embed(path: Path, media_type: str, write: Callable[[bytes | None], bytes]) -> None:
    """Put an XMP packet into a file; `write` makes it of the one that is there. Errors are those of `mark`."""
    with rewriting(path) as (data, parts):
        parts += EMBED[media_type](data, write)


def state(path: Path, field: str) -> None:
    """Put China's field among a video's properties. Errors are those of `mark`."""
    with rewriting(path) as (data, parts):
        parts += aigc.movie(data, field)


def stated_elsewhere(path: Path, media_type: str) -> bool:
    """Whether a picture has China's field outside of its packet, as some programs write it."""
    inside = (packet_of(path, media_type) or b"").count(aigc.SIGN)
    return sum(1 for _ in re.finditer(aigc.SIGN, mapped(path))) > inside


def packet_of(path: Path, media_type: str) -> bytes | None:
    """The XMP packet of a file; `SignedError` for one with content credentials, None for one that is damaged."""
    found: list[bytes | None] = [None]

    def look(existing: bytes | None) -> bytes:
        found[0] = existing
        return b""

    try:
        EMBED[media_type](mapped(path), look)
    except SignedError:
        raise
    except (*DAMAGED, ValueError):
        return None
    return found[0]


def field_of(path: Path) -> str | None:
    """China's field among a video's properties."""
    try:
        return aigc.stated(mapped(path))
    except (*DAMAGED, ValueError):
        return None


@contextmanager
def rewriting(path: Path) -> Iterator[tuple[memoryview, Parts]]:
    """A file's content, and the parts of the new one, which takes its place when the block ends well."""
    parts: Parts = []
    try:
        yield mapped(path), parts
    except DAMAGED as error:
        raise ValueError("the file is damaged") from error
    with replacing(path) as copy:
        copy.writelines(parts)


def mapped(path: Path) -> memoryview:
    """A file's content, of which only what is looked at is read."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
