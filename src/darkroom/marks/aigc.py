"""China's implicit label: the field `AIGC` that GB 45438-2025 asks for, and its place among a video's properties.

A picture has the field in its XMP packet (`packet`), an MP4 or MOV video in `moov.udta.meta` under the key `AIGC`, as
the practice guides say. Guarantees: a file has one such field; one that is there already stays as it is; no frame and
no sound changes. Errors are those of `pictures`.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator

from .boxes import XMP, Box, box, boxes, header, outline
from .packet import TC260
from .pictures import Parts

GENERATED = "1"  # of the standard's values the one for a provider, who knows that AI made or changed the content
# What the standard lets a value consist of: visible ASCII but for the quotation mark and the backslash.
VALUE = re.compile(r"[!#-\[\]-~]{1,128}")
NOT_VALUE = re.compile(r"[^!#-\[\]-~]")
KEY = b"AIGC"
SIGN = b"ContentProducer"  # nothing else has this word
PROPERTIES = b"mdta"  # the kind of list that names its keys
TEXT = 1  # the type of a value in UTF-8
MOST_32 = 0xFFFFFFFF
TABLES = {b"stco": ">I", b"co64": ">Q"}  # where a track's chunks are, and how wide each number is
MOVING = frozenset({b"moof", b"mfra", b"meta"})  # parts that tell places in the file in other ways
ON_THE_WAY = frozenset({b"trak", b"mdia", b"minf", b"stbl"})


def field(producer: str, number: str) -> str:
    """The field's text. Whoever generates is the first to pass on, so both parts of it say the same."""
    number = NOT_VALUE.sub("_", number)
    return json.dumps(
        {
            "Label": GENERATED,
            "ContentProducer": producer,
            "ProduceID": number,
            "ReservedCode1": "",
            "ContentPropagator": producer,
            "PropagateID": number,
            "ReservedCode2": "",
        },
        separators=(",", ":"),
    )


def movie(data: memoryview, text: str) -> Parts:
    """The video with the field among its properties. One that is made of fragments has to carry it elsewhere."""
    found = outline(data)
    kinds = {part.kind: part for part in found}
    if b"moov" not in kinds or kinds.keys() & MOVING:
        raise ValueError("its properties have no fixed place")
    if XMP in kinds and TC260.encode() in bytes(data[kinds[XMP].content : kinds[XMP].end]):
        return [data]
    moov = kinds[b"moov"]
    others = list(boxes(data, moov.content, moov.end))
    user = next((part for part in others if part.kind == b"udta"), None)
    if user:
        others.remove(user)
    properties = _user_data(data, user, text)
    if properties is None:
        return [data]
    grown = 8 + len(properties) + sum(part.end - part.start for part in others) - (moov.end - moov.start)
    inside = [_moved(data, part, moov.end, grown) for part in others]
    parts: Parts = []
    for part in found:
        if part is moov:
            parts.append(box(b"moov", *inside, properties))
        else:
            parts += [header(data, part), data[part.content : part.end]]
    return parts


def stated(data: memoryview) -> str | None:
    """The field among a video's properties, if there is one."""
    for path in _lists(data):
        value = _values(data, path).get(KEY)
        if value is not None:
            return value.decode("utf-8", "replace")
    return None


def _lists(data: memoryview) -> Iterator[Box]:
    """The lists of properties with named keys."""
    for moov in boxes(data):
        if moov.kind != b"moov":
            continue
        for user in boxes(data, moov.content, moov.end):
            if user.kind == b"udta":
                yield from (part for part in boxes(data, user.content, _end(data, user)) if _named(data, part))


def _end(data: memoryview, user: Box) -> int:
    """Where the parts of user data end: in files of QuickTime a zero of four bytes follows them."""
    return user.end - 4 if user.end - user.content >= 4 and not any(data[user.end - 4 : user.end]) else user.end


def _named(data: memoryview, part: Box) -> bool:
    if part.kind != b"meta":
        return False
    inside = {item.kind: item for item in boxes(data, part.content + 4, part.end)}
    handler = inside.get(b"hdlr")
    return (
        handler is not None
        and bytes(data[handler.content + 8 : handler.content + 12]) == PROPERTIES
        and inside.keys() >= {b"keys", b"ilst"}
    )


def _values(data: memoryview, meta: Box) -> dict[bytes, bytes]:
    """The properties of one list by their keys, as the bytes of their values."""
    inside = {item.kind: item for item in boxes(data, meta.content + 4, meta.end)}
    names = [
        bytes(data[key.content : key.end]) for key in boxes(data, inside[b"keys"].content + 8, inside[b"keys"].end)
    ]
    values = {}
    for item in boxes(data, inside[b"ilst"].content, inside[b"ilst"].end):
        (index,) = struct.unpack_from(">I", data, item.start + 4)
        for value in boxes(data, item.content, item.end):
            if value.kind == b"data" and 0 < index <= len(names):
                values[names[index - 1]] = bytes(data[value.content + 8 : value.end])
    return values


def _user_data(data: memoryview, user: Box | None, text: str) -> bytes | None:
    """A video's user data with the field; None if it is there already."""
    old: Parts = []
    made = None
    for part in boxes(data, user.content, _end(data, user)) if user else ():
        if made is None and _named(data, part):
            if KEY in _values(data, part):
                return None
            made = _extended(data, part, text)
            old.append(made)
        else:
            old.append(data[part.start : part.end])
    rest = [data[_end(data, user) : user.end]] if user else []
    return box(b"udta", *([] if made else [_list(text)]), *old, *rest)


def _list(text: str) -> bytes:
    """A list of properties with this one."""
    handler = box(b"hdlr", struct.pack(">8x4s13x", PROPERTIES))
    keys = box(b"keys", struct.pack(">4xI", 1), box(PROPERTIES, KEY))
    return box(b"meta", bytes(4), handler, keys, box(b"ilst", _item(1, text)))


def _item(index: int, text: str) -> bytes:
    return box(struct.pack(">I", index), box(b"data", struct.pack(">I4x", TEXT), text.encode()))


def _extended(data: memoryview, meta: Box, text: str) -> bytes:
    """A list of properties with one more."""
    parts: Parts = [data[meta.content : meta.content + 4]]
    inside = list(boxes(data, meta.content + 4, meta.end))
    keys = next(part for part in inside if part.kind == b"keys")
    (count,) = struct.unpack_from(">I", data, keys.content + 4)
    for part in inside:
        content = data[part.content : part.end]
        if part.kind == b"keys":
            parts.append(box(b"keys", struct.pack(">4xI", count + 1), content[8:], box(PROPERTIES, KEY)))
        elif part.kind == b"ilst":
            parts.append(box(b"ilst", content, _item(count + 1, text)))
        else:
            parts.append(data[part.start : part.end])
    return box(b"meta", *parts)


def _moved(data: memoryview, part: Box, edge: int, by: int) -> bytes | memoryview:
    """A part of the directory when everything behind `edge` moves by so many bytes."""
    if part.kind in TABLES:
        width = TABLES[part.kind]
        places = [place for (place,) in struct.iter_unpack(width, data[part.content + 8 : part.end])]
        places = [place + by * (place >= edge) for place in places]
        if max(places, default=0) > MOST_32 and part.kind == b"stco":
            raise ValueError("it is too large")
        content = b"".join(struct.pack(width, place) for place in places)
        return box(part.kind, data[part.content : part.content + 8], content)
    if part.kind == b"saio":
        raise ValueError("it is encrypted")
    if part.kind in ON_THE_WAY:
        return box(part.kind, *(_moved(data, inner, edge, by) for inner in boxes(data, part.content, part.end)))
    return data[part.start : part.end]
