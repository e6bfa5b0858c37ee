"""Files that tests send: good pictures, and files that no server should touch for long."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

MIB = 1 << 20


def png(width: int, height: int) -> bytes:
    """A picture with a colour for each corner."""
    corners = Image.frombytes("RGB", (2, 2), bytes((200, 30, 30, 30, 200, 30, 30, 30, 200, 220, 220, 60)))
    file = io.BytesIO()
    corners.resize((width, height), Image.Resampling.BILINEAR).save(file, "PNG")
    return file.getvalue()


def shape(content: bytes) -> tuple[str | None, tuple[int, int]]:
    """The format and the size of a picture, decoded to its last pixel."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return image.format, image.size


def chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side: int) -> bytes:
    """A small, complete and correct PNG that has side x side pixels: one bit each, all black."""
    rows = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    packed = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def broken_png() -> bytes:
    """A PNG that is whole from chunk to chunk, but whose pixels are none: only who decodes it can know."""
    header = struct.pack(">IIBBBBB", 40, 30, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"no pixels" * 20) + chunk(b"IEND", b"")


def hostile() -> dict[str, bytes]:
    """Files that are refused, by what they are."""
    good = png(200, 150)
    return {
        "no picture": b"#!/bin/sh\necho this is no picture\n" * 40,
        "a page": b"<!doctype html><script>alert(1)</script>",
        "a picture that breaks off": good[: len(good) // 2],
        "900 million pixels": bomb(30_000),
        "an empty file": b"",
        "60 MB of zeros": bytes(60 * MIB),
    }
