"""Puts an XMP packet into files of boxes: AVIF pictures, MP4 and MOV videos.

A picture gets an item of its own, and the places of all others are corrected. A video, and an AVIF sequence, gets a box
at its very end, so that nothing moves: a video that plays while it loads still does. Errors are those of `pictures`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .packet import MOST
from .pictures import Parts, SignedError, Write

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
CREDENTIALS = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
XMP_TYPE = b"application/rdf+xml\x00"
MOST_16, MOST_32 = 0xFFFF, 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Box:
    """Where a box starts, where its content starts, and where it ends. The kind of a `uuid` box is that UUID."""

    kind: bytes
    start: int
    content: int
    end: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item of a picture is: extents of (index, offset, length). Method 0 counts from the file's start."""

    item: int
    method: int
    source: int
    extents: tuple[tuple[int, int, int], ...]


def boxes(data: memoryview, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """The boxes between two places."""
    end = len(data) if end is None else end
    while start < end:
        length, kind = struct.unpack_from(">I4s", data, start)
        content = start + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, content)
            content += 8
        elif length == 0:
            length = end - start
        if kind == b"uuid":
            kind = bytes(data[content : content + 16])
            content += 16
        if not content <= start + length <= end:
            raise ValueError("the file is incomplete")
        yield Box(kind, start, content, start + length)
        start += length


def box(kind: bytes, *contents: bytes | memoryview) -> bytes:
    """A box with its header."""
    content = b"".join(contents)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def outline(data: memoryview) -> list[Box]:
    """The boxes of a whole file, which must have no signature."""
    found = list(boxes(data))
    if not found or found[0].kind != b"ftyp":
        raise ValueError("the file is damaged")
    if any(part.kind == CREDENTIALS for part in found):
        raise SignedError
    return found


def header(data: memoryview, part: Box) -> bytes:
    """A box's header, with its length if it says no more than that it ends with the file."""
    old = bytes(data[part.start : part.content])
    if old[:4] != bytes(4):
        return old
    if part.end - part.start > MOST_32:
        raise ValueError("its last part is too large")
    return struct.pack(">I", part.end - part.start) + old[4:]


def video(data: memoryview, write: Write) -> Parts:
    """A `uuid` box at the end. One in another place, which cannot go without moving the film, becomes a gap."""
    found = outline(data)
    if not any(part.kind == b"moov" for part in found):
        raise ValueError("it is no video")
    parts: Parts = []
    old = None
    for part in found:
        if part.kind != XMP:
            parts += [header(data, part), data[part.content : part.end]]
            continue
        old = old or bytes(data[part.content : part.end])
        if part is not found[-1]:
            parts += [data[part.start : part.start + 4], b"free", data[part.start + 8 : part.end]]
    return [*parts, box(b"uuid", XMP, write(old))]


def avif(data: memoryview, write: Write) -> Parts:
    """An item of the type `mime` that describes the picture; its content comes last in the file."""
    found = outline(data)
    if any(part.kind == b"moov" for part in found):
        return video(data, write)
    [meta] = [part for part in found if part.kind == b"meta"]
    inside = {part.kind: part for part in boxes(data, meta.content + 4, meta.end)}
    if not inside.keys() >= {b"pitm", b"iinf", b"iloc"}:
        raise ValueError("the file is damaged")
    places = _places(data[inside[b"iloc"].content : inside[b"iloc"].end])
    known = _xmp_item(data, inside[b"iinf"])
    old = next((place for place in places if place.item == known), None)
    packet = write(_content(data, old, inside))
    item = 1 + max(place.item for place in places) if known is None else known
    last = found[-1]
    if old and last.kind == b"mdat" and old.extents == ((0, last.content, last.end - last.content),):
        found.remove(last)  # an earlier mark
    places = [place for place in places if place.item != item]

    def directory(offset: int, moved: int) -> bytes:
        own = Place(item, 0, 0, ((0, offset, len(packet)),))
        table = _table([*(_moved(place, meta, moved) for place in places), own])
        return _directory(data, meta, table, item if known is None else None)

    moved = len(directory(0, 0)) - (meta.end - meta.start)
    parts: Parts = []
    for part in found:
        if part is meta:
            parts.append(directory(found[-1].end + moved + 8, moved))
        else:
            parts += [header(data, part), data[part.content : part.end]]
    return [*parts, box(b"mdat", packet)]


def _xmp_item(data: memoryview, infos: Box) -> int | None:
    """The item that is an XMP packet, by the list of items."""
    start = infos.content + (6 if data[infos.content] == 0 else 8)
    for part in boxes(data, start, infos.end):
        version = data[part.content]
        if part.kind == b"infe" and version >= 2:
            item, _, kind = struct.unpack_from(">HH4s" if version == 2 else ">IH4s", data, part.content + 4)
            if kind == b"mime" and XMP_TYPE in bytes(data[part.content : part.end]):
                return int(item)
    return None


def _content(data: memoryview, place: Place | None, inside: dict[bytes, Box]) -> bytes | None:
    """An item's content, if it is in this file and no larger than a packet is."""
    if place is None or place.source or place.method > 1 or sum(length for *_, length in place.extents) > MOST:
        return None
    origin = inside[b"idat"].content if place.method and b"idat" in inside else 0
    return b"".join(data[origin + offset :][:length] for _, offset, length in place.extents)


def _places(data: memoryview) -> list[Place]:
    """The places of all items, from the content of an `iloc` box."""
    version, sizes = struct.unpack_from(">B3xH", data)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    position = 6

    def number(size: int) -> int:
        nonlocal position
        position += size
        if position > len(data):
            raise ValueError("the file is damaged")
        return int.from_bytes(data[position - size : position])

    places = []
    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        source, base = number(2), number(base_size)
        extents = []
        for _ in range(number(2)):
            index = number(index_size if version else 0)
            extents.append((index, base + number(offset_size), number(length_size)))
        places.append(Place(item, method, source, tuple(extents)))
    return places


def _table(places: list[Place]) -> bytes:
    """An `iloc` box of these places, of the oldest version that can say them, with numbers of four bytes."""
    version = 2 if any(place.item > MOST_16 for place in places) else int(any(place.method for place in places))
    wide, indexed = ("I" if version == 2 else "H"), any(index for place in places for index, *_ in place.extents)
    content = struct.pack(f">B3xH{wide}", version, 0x4400 + (4 if indexed and version else 0), len(places))
    for place in places:
        content += struct.pack(f">{wide}", place.item) + (struct.pack(">H", place.method) if version else b"")
        content += struct.pack(">HH", place.source, len(place.extents))
        for index, offset, length in place.extents:
            content += (struct.pack(">I", index) if indexed and version else b"") + struct.pack(">II", offset, length)
    return box(b"iloc", content)


def _moved(place: Place, meta: Box, by: int) -> Place:
    """The place when all that is behind the directory moves."""
    if place.method or place.source:
        return place
    if any(offset < meta.end and offset + length > meta.start for _, offset, length in place.extents):
        raise ValueError("the file is damaged")
    extents = tuple((index, offset + by * (offset >= meta.end), length) for index, offset, length in place.extents)
    return replace(place, extents=extents)


def _directory(data: memoryview, meta: Box, table: bytes, new: int | None) -> bytes:
    """The `meta` box with another table of places, and with a new item for XMP if one is needed."""
    parts: list[bytes | memoryview] = [data[meta.content : meta.content + 4]]
    inside = list(boxes(data, meta.content + 4, meta.end))
    for part in inside:
        content = data[part.content : part.end]
        if part.kind == b"iloc":
            parts.append(table)
        elif new is not None and part.kind == b"iinf":
            parts.append(_infos(content, new))
        elif new is not None and part.kind == b"iref":
            parts.append(box(b"iref", content, _reference(data, inside, new, wide=content[0] > 0)))
        else:
            parts.append(data[part.start : part.end])
    if new is not None and all(part.kind != b"iref" for part in inside):
        wide = new > MOST_16
        parts.append(box(b"iref", struct.pack(">B3x", wide), _reference(data, inside, new, wide=wide)))
    return box(b"meta", *parts)


def _infos(content: memoryview, new: int) -> bytes:
    """The list of items with one for XMP."""
    layout = ">B3xI" if content[0] else ">B3xH"
    version, count = struct.unpack_from(layout, content)
    wide = new > MOST_16
    info = struct.pack(">B3xIH" if wide else ">B3xHH", 3 if wide else 2, new, 0) + b"mimeXMP\x00" + XMP_TYPE
    return box(b"iinf", struct.pack(layout, version, count + 1), content[struct.calcsize(layout) :], box(b"infe", info))


def _reference(data: memoryview, inside: list[Box], new: int, *, wide: bool) -> bytes:
    """Says that the new item describes the picture."""
    primary = next(part for part in inside if part.kind == b"pitm")
    (picture,) = struct.unpack_from(">I" if data[primary.content] else ">H", data, primary.content + 4)
    return box(b"cdsc", struct.pack(">IHI" if wide else ">HHH", new, 1, picture))
