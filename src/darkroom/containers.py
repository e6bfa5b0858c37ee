"""Reads the structure of MP4, MOV and WebM files: whether they are whole, and the size and length that they tell.

Only headers are read and nothing is decoded. Work stays bounded whatever a file claims, and what it claims is not
believed beyond that: the size and the length are for display and for a first look, a decoder has the last word.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_PARTS = 20_000  # boxes of the top level: the most fragmented real files have fewer
FEW = 64  # parts of one level inside of a header, where levels multiply
MOST_SIDE = 1 << 16
UNKNOWN = {0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0}  # durations of MP4 that say nothing
EBML, SEGMENT, INFO, TRACKS, CLUSTER = 0x1A45DFA3, 0x18538067, 0x1549A966, 0x1654AE6B, 0x1F43B675
SCALE, DURATION, TRACK, KIND, VIDEO, WIDTH, HEIGHT = 0x2AD7B1, 0x4489, 0xAE, 0x83, 0xE0, 0xB0, 0xBA
FILM = 1  # the KIND of a track of pictures


@dataclass(frozen=True, slots=True)
class Part:
    """A box of MP4 (its `kind` is four bytes as a number) or an element of EBML: where its content starts and ends.

    The end may lie beyond the end of a file that was cut; for an element of unknown length it is the end of its parent.
    """

    kind: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Film:
    """What the header of a video tells: pixels as stored, 0 when it does not say, and seconds or None."""

    width: int = 0
    height: int = 0
    seconds: float | None = None


def kind_of(text: bytes) -> int:
    """The kind of an MP4 box by its four letters."""
    return int.from_bytes(text)


def boxes(file: BinaryIO, start: int, end: int, most: int = FEW) -> Iterator[Part]:
    """At most so many MP4 boxes between two places, in order; stops behind the first that goes beyond the end."""
    position = start
    for _ in range(most):
        file.seek(position)
        head = file.read(min(16, max(0, end - position)))
        if len(head) < 8:  # the end, or padding
            return
        length, content = int.from_bytes(head[:4]), position + 8
        if length == 1:
            length, content = max(int.from_bytes(head[8:]), 16), position + 16
        elif length == 0:  # to the end of the file
            length = end - position
        position += max(length, 8)
        yield Part(int.from_bytes(head[4:8]), content, position)
        if position > end:
            return


def mp4_whole(file: BinaryIO, size: int) -> bool:
    """True when the file has its directory and its media, and ends where its boxes do."""
    found = {box.kind: box.end for box in boxes(file, 0, size, MOST_PARTS)}
    media = {kind_of(b"mdat"), kind_of(b"moof")}
    return kind_of(b"moov") in found and not media.isdisjoint(found) and max(found.values()) <= size


def mp4_film(file: BinaryIO, size: int) -> Film:
    """What the directory of an MP4 or MOV file tells of its first track of pictures."""
    directory = _first(boxes(file, 0, size, MOST_PARTS), kind_of(b"moov"))
    if directory is None:
        return Film()
    width = height = 0
    seconds: float | None = None
    for box in boxes(file, directory.start, directory.end):
        if box.kind == kind_of(b"mvhd"):
            seconds = _seconds(file, box)
        elif box.kind == kind_of(b"trak") and not width:
            width, height = _track_size(file, box)
    return Film(width, height, seconds)


def _seconds(file: BinaryIO, box: Part) -> float | None:
    """The length in a movie header, whose numbers have 4 or, in version 1, 8 bytes."""
    file.seek(box.start)
    content = file.read(min(32, box.end - box.start))
    layout = ">20xIQ" if content[:1] == b"\x01" else ">12xII"
    if len(content) < struct.calcsize(layout):
        return None
    scale, duration = struct.unpack_from(layout, content)
    return duration / scale if scale and duration not in UNKNOWN else None


def _track_size(file: BinaryIO, track: Part) -> tuple[int, int]:
    """Width and height of a track of pictures; 0 for any other."""
    sides, pictures = (0, 0), False
    for box in boxes(file, track.start, track.end):
        if box.kind == kind_of(b"tkhd") and box.end - box.start >= 84:
            file.seek(box.end - 8)  # the last two numbers, in 65536ths of a pixel
            content = file.read(8)
            if len(content) == 8:
                sides = (int.from_bytes(content[:2]), int.from_bytes(content[4:6]))
        elif box.kind == kind_of(b"mdia"):
            handler = _first(boxes(file, box.start, box.end), kind_of(b"hdlr"))
            if handler is not None:
                file.seek(handler.start + 8)
                pictures = file.read(4) == b"vide"
    return sides if pictures else (0, 0)


def elements(file: BinaryIO, start: int, end: int) -> Iterator[Part]:
    """The EBML elements between two places, in order; stops behind the first that goes beyond the end."""
    position = start
    for _ in range(FEW):
        if position >= end:
            return
        file.seek(position)
        kind, _ = _number(file, keep_mark=True)
        length, unknown = _number(file)
        if not kind:
            return
        content = file.tell()
        position = end if unknown else content + length
        yield Part(kind, content, position)


def webm_whole(file: BinaryIO, size: int) -> bool:
    """True when the file is a header and a segment that ends, where it says how long it is, within the file."""
    header, segment = (*elements(file, 0, size), None, None)[:2]
    if header is None or segment is None or segment.kind != SEGMENT:
        return False
    return segment.start < size and segment.end <= size


def webm_film(file: BinaryIO, size: int) -> Film:
    """What the segment of a WebM file tells of its first track of pictures."""
    segment = _first(elements(file, 0, size), SEGMENT)
    film = Film()
    for part in elements(file, segment.start, min(segment.end, size)) if segment else ():
        if part.kind == CLUSTER:  # the pictures begin
            break
        if part.kind == INFO:
            film = Film(film.width, film.height, _webm_seconds(file, part))
        elif part.kind == TRACKS:
            film = Film(*_webm_size(file, part), film.seconds)
    return film


def _webm_seconds(file: BinaryIO, info: Part) -> float | None:
    scale, duration = 1_000_000, 0.0
    for part in elements(file, info.start, info.end):
        length = part.end - part.start
        if part.kind == SCALE:
            scale = _integer(file, part)
        elif part.kind == DURATION and length in (4, 8):
            file.seek(part.start)
            content = file.read(length)
            if len(content) == length:
                (duration,) = struct.unpack(">f" if length == 4 else ">d", content)
    seconds = duration * scale / 1e9
    return seconds if 0 < seconds < math.inf else None


def _webm_size(file: BinaryIO, tracks: Part) -> tuple[int, int]:
    for track in elements(file, tracks.start, tracks.end):
        if track.kind != TRACK:
            continue
        parts = {part.kind: part for part in elements(file, track.start, track.end)}
        if KIND in parts and VIDEO in parts and _integer(file, parts[KIND]) == FILM:
            video = parts[VIDEO]
            sides = {part.kind: _integer(file, part) for part in elements(file, video.start, video.end)}
            width, height = sides.get(WIDTH, 0), sides.get(HEIGHT, 0)
            return (width, height) if max(width, height) < MOST_SIDE else (0, 0)
    return 0, 0


def _integer(file: BinaryIO, part: Part) -> int:
    file.seek(part.start)
    return int.from_bytes(file.read(min(8, part.end - part.start)))


def _number(file: BinaryIO, *, keep_mark: bool = False) -> tuple[int, bool]:
    """A length of EBML, and whether it is the one that stands for an unknown length; or, with its mark, a kind."""
    first = file.read(1)
    width = 9 - first[0].bit_length() if first else 9
    if width > 8:
        return 0, False
    value = int.from_bytes(first + file.read(width - 1))
    if keep_mark:
        return value, False
    most = (1 << 7 * width) - 1
    return value & most, value & most == most


def _first(parts: Iterator[Part], kind: int) -> Part | None:
    return next((part for part in parts if part.kind == kind), None)
