"""What cannot be marked is refused and stays as it was; what is no packet is replaced."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from marked import FACTS, FOREIGN, FORMATS, TOLD, insert, put, told

from darkroom.marks import mark
from darkroom.marks.packet import extended

every_format = pytest.mark.parametrize("name", FORMATS)


@pytest.mark.parametrize(
    "existing",
    [
        b"",
        b"no XML",
        b"<a/>",
        b"\xff\xfe<\0a\0/\0>\0",
        FOREIGN.replace(b"</rdf:RDF>", b""),
        b'<!DOCTYPE a [<!ENTITY b "bbb"><!ENTITY c "&b;&b;&b;">]>' + FOREIGN.replace(b"image/odd", b"&c;"),
        FOREIGN.replace(b"</rdf:Desc", b"<a>" * 100_000 + b"</a>" * 100_000 + b"</rdf:Desc"),
        FOREIGN.replace(b"image/odd", b"x" * 1_000_000),
    ],
    ids=["empty", "text", "no RDF", "UTF-16", "broken", "entities", "deep", "huge"],
)
def test_a_packet_that_cannot_be_extended_is_replaced(existing: bytes) -> None:
    assert told(extended(existing, FACTS)) == TOLD


@pytest.mark.parametrize("share", [0, 0.01, 0.2, 0.5, 0.9, 0.999])
@every_format
def test_a_file_cut_short_is_refused_and_stays_as_it_was_or_is_marked_all_the_same(
    name: str, share: float, given: Callable[[str], Path]
) -> None:
    path = given(name)
    os.truncate(path, int(share * path.stat().st_size))
    before = path.read_bytes()
    try:
        put(path)
    except ValueError:
        assert path.read_bytes() == before
    else:  # a format whose end need not be read
        assert path.suffix == ".jpg"
        assert share > 0.5
    assert list(path.parent.iterdir()) == [path]


@every_format
def test_no_single_wrong_byte_does_worse_than_a_refusal(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    content = path.read_bytes()
    for place in range(0, min(len(content), 900), 4):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with suppress(ValueError):
            put(path)
    assert list(path.parent.iterdir()) == [path]


@every_format
def test_what_is_another_format_is_refused(name: str, given: Callable[[str], Path]) -> None:
    path = given(name)
    path.write_bytes(b"<svg/>" * 100)
    with pytest.raises(ValueError, match=r"\w"):
        put(path)


def test_a_format_without_a_place_for_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.webm").write_bytes(b"\x1a\x45\xdf\xa3")
    with pytest.raises(ValueError, match="video/webm has no place for it"):
        mark(tmp_path / "a.webm", "video/webm", FACTS)


def test_a_file_with_signed_credentials_is_refused(given: Callable[[str], Path]) -> None:
    png = insert(
        given("plain.png"), 33, struct.pack(">I", 4) + b"caBXjumb" + struct.pack(">I", zlib.crc32(b"caBXjumb"))
    )
    jpeg = insert(given("plain.jpg"), 2, b"\xff\xeb\x00\x20JP\0\x01\0\0\0\x01\0\0\0\x16jumbjumdc2pa" + bytes(2))
    webp = insert(given("extended.webp"), 30, b"C2PA\x04\0\0\0jumb")
    size = struct.pack("<I", webp.stat().st_size - 8)
    webp.write_bytes(b"RIFF" + size + webp.read_bytes()[8:])
    films = [given(name) for name in ("plain.avif", "fast.mp4")]
    for path in films:
        credentials = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
        insert(path, path.stat().st_size, b"\x00\x00\x00\x1cuuid" + credentials + b"jumb")
    for path in (png, jpeg, webp, *films):
        with pytest.raises(ValueError, match="C2PA"):
            put(path)
