"""Marks result files with where they come from: software, model, task, and whether a generative model made them.

The mark is an XMP packet in the place that the file's format has for it, so that any reader of metadata finds it; what
it says is in `packet`. Guarantees: nothing is decoded and no pixel or sample changes; a file is replaced whole or not
touched at all; marking again replaces the mark; other facts in the file's metadata stay. Standard library only.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from . import boxes, pictures
from .packet import Mark, extended

__all__ = ["Mark", "SourceType", "mark", "source_type"]

VOCABULARY = "http://cv.iptc.org/newscodes/digitalsourcetype/"


class SourceType(StrEnum):
    """The terms of IPTC's vocabulary "Digital Source Type" that results here are, as the URIs that it writes."""

    GENERATED = VOCABULARY + "trainedAlgorithmicMedia"
    GENERATED_WITHOUT_AI = VOCABULARY + "algorithmicMedia"
    ALTERED = VOCABULARY + "compositeWithTrainedAlgorithmicMedia"
    ALTERED_WITHOUT_AI = VOCABULARY + "algorithmicallyEnhanced"
    COMPOSED_WITHOUT_AI = VOCABULARY + "composite"


# The engines without a generative model. Of any other, whatever it is, the mark says that it has one.
WITHOUT_AI = frozenset({"fake", "opencv", "procedural"})

Embed = Callable[[memoryview, Callable[[bytes | None], bytes]], list[bytes | memoryview]]
EMBED: dict[str, Embed] = {
    "image/png": pictures.png,
    "image/jpeg": pictures.jpeg,
    "image/webp": pictures.webp,
    "image/gif": pictures.gif,
    "image/avif": boxes.avif,
    "video/mp4": boxes.video,
    "video/quicktime": boxes.video,
}


def source_type(operation: str, engine: str, *, inputs: bool) -> SourceType:
    """The term for what an engine does; `inputs` says whether it was given pictures or videos."""
    work = operation.partition(".")[2]
    if engine not in WITHOUT_AI:
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
    with path.open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    try:
        parts = EMBED[media_type](data, lambda existing: extended(existing, facts))
    except (struct.error, IndexError, OverflowError) as error:
        raise ValueError("the file is damaged") from error
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".mark-", delete=False) as copy:
        new = Path(copy.name)
        try:
            copy.writelines(parts)
            copy.flush()
            shutil.copymode(path, new)
            new.replace(path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise
