"""Puts an XMP packet into PNG, JPEG, WebP and GIF files, in the place that each format has for it.

Each function takes a file and what writes the packet, which is told of the packet that is there, and returns the parts
of the new file. `ValueError`, `IndexError`, `OverflowError` and `struct.error` mean that the file is damaged, or must
not be changed.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

from .packet import MOST

Write = Callable[[bytes | None], bytes]
Parts = list[bytes | memoryview]

PNG_START = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"
PNG_KEYWORD = b"XML:com.adobe.xmp\x00"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\x00"
JPEG_EXIF = b"Exif\x00\x00"
LARGEST_SEGMENT = 0xFFFF  # bytes of a JPEG segment with its length
WEBP_XMP, WEBP_ALPHA = 0x04, 0x10  # flags
GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
# A reader of blocks takes the packet's letters for lengths; wherever it gets, the trailer leads it to the last zero.
GIF_TRAILER = bytes([1, *range(255, -1, -1), 0])


class SignedError(ValueError):
    """The refusal to change a file that carries signed content credentials."""

    def __init__(self) -> None:
        super().__init__("it has signed content credentials (C2PA), which a change would break")


def png(data: memoryview, write: Write) -> Parts:
    """An `iTXt` chunk behind the header. https://www.w3.org/TR/png-3/#11iTXt"""
    if bytes(data[:16]) != PNG_START:
        raise ValueError("it is no PNG file")
    parts: Parts = [data[:8]]
    old, position, kind = None, 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise ValueError("the file is incomplete")
        if kind == b"caBX":
            raise SignedError
        if kind == b"iTXt" and bytes(data[position + 8 :][: len(PNG_KEYWORD)]) == PNG_KEYWORD:
            old = old or _png_text(bytes(data[position + 8 + len(PNG_KEYWORD) : end - 4]))
        else:
            parts.append(data[position:end])
        position = end
    chunk = b"iTXt" + PNG_KEYWORD + bytes(4) + write(old)  # not compressed, no language, no translated keyword
    parts.insert(2, struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)))
    return [*parts, data[position:]]


def _png_text(content: bytes) -> bytes | None:
    """The text of an international text chunk, from behind its keyword."""
    text = content[2:].split(b"\x00", 2)[-1]
    if content[:1] != b"\x01":
        return text
    try:
        return zlib.decompressobj().decompress(text, MOST)
    except zlib.error:
        return None


def jpeg(data: memoryview, write: Write) -> Parts:
    """An APP1 segment behind those of JFIF and Exif."""
    if bytes(data[:2]) != b"\xff\xd8":
        raise ValueError("it is no JPEG file")
    parts: Parts = [data[:2]]
    old, position, place = None, 2, 1
    while True:
        mark, kind, length = struct.unpack_from(">BBH", data, position)
        if mark != 0xFF or kind in {0x00, 0xD8, 0xD9}:
            raise ValueError("the file is damaged")
        if kind == 0xDA:  # the pictures begin
            break
        end = position + (1 if kind == 0xFF else 2 + max(2, length))  # 0xFF fills a gap
        content = data[position + 4 : end]
        if kind == 0xE1 and bytes(content[: len(JPEG_XMP)]) == JPEG_XMP:
            old = old or bytes(content[len(JPEG_XMP) :])
        elif kind == 0xEB and b"c2pa" in bytes(content[:64]):
            raise SignedError
        else:
            parts.append(data[position:end])
            if place == len(parts) - 1 and (kind == 0xE0 or (kind == 0xE1 and bytes(content[:6]) == JPEG_EXIF)):
                place = len(parts)
        position = end
    segment = JPEG_XMP + write(old)
    if len(segment) + 2 > LARGEST_SEGMENT:
        raise ValueError("there is no room for it beside the file's other metadata")
    parts.insert(place, struct.pack(">BBH", 0xFF, 0xE1, len(segment) + 2) + segment)
    return [*parts, data[position:]]


def webp(data: memoryview, write: Write) -> Parts:
    """A chunk at the end, announced in the extended header. https://developers.google.com/speed/webp/docs/riff_container"""
    riff, size, form = struct.unpack_from("<4sI4s", data)
    if (riff, form) != (b"RIFF", b"WEBP") or 8 + size > len(data):
        raise ValueError("it is no whole WebP file")
    chunks: list[tuple[bytes, memoryview]] = []
    old, position = None, 12
    while position < 8 + size:
        kind, length = struct.unpack_from("<4sI", data, position)
        content = data[position + 8 : position + 8 + length]
        position += 8 + length + length % 2
        if position - length % 2 > 8 + size:
            raise ValueError("the file is incomplete")
        if kind == b"C2PA":
            raise SignedError
        if kind == b"XMP ":
            old = old or bytes(content)
        else:
            chunks.append((kind, content))
    if not chunks:
        raise ValueError("the file is damaged")
    kind, content = chunks[0]
    header = _webp_header(kind, bytes(content[:10]))
    if kind == b"VP8X":
        del chunks[0]
    parts: Parts = []
    chunks = [(b"VP8X", memoryview(header)), *chunks, (b"XMP ", memoryview(write(old)))]
    for kind, content in chunks:
        parts += [struct.pack("<4sI", kind, len(content)), content, bytes(len(content) % 2)]
    total = 4 + sum(map(len, parts))
    return [struct.pack("<4sI4s", b"RIFF", total, b"WEBP"), *parts, data[8 + size + size % 2 :]]


def _webp_header(kind: bytes, content: bytes) -> bytes:
    """The content of the extended header; for a file without one, as its only chunk demands."""
    if len(content) < (5 if kind == b"VP8L" else 10):
        raise ValueError("the file is damaged")
    if kind == b"VP8X":
        return bytes([content[0] | WEBP_XMP]) + content[1:10]
    flags = WEBP_XMP
    if kind == b"VP8 " and content[3:6] == b"\x9d\x01\x2a":
        width, height = (int.from_bytes(content[place : place + 2], "little") & 0x3FFF for place in (6, 8))
    elif kind == b"VP8L" and content[0] == 0x2F:
        bits = int.from_bytes(content[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        flags |= WEBP_ALPHA if bits >> 28 & 1 else 0
    else:
        raise ValueError("the file is damaged")
    return bytes([flags, 0, 0, 0]) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def gif(data: memoryview, write: Write) -> Parts:
    """An application extension behind the last picture, where it comes between no picture and its timing."""
    if bytes(data[:6]) not in {b"GIF87a", b"GIF89a"}:
        raise ValueError("it is no GIF file")
    parts: Parts = [b"GIF89a"]  # the first version has no extensions
    old, start, position = None, 6, 13 + _gif_palette(data[10])
    while data[position] != 0x3B:
        begin = position
        if data[begin] == 0x21:
            position += 2
        elif data[begin] == 0x2C:
            position += 11 + _gif_palette(data[begin + 9])
        else:
            raise ValueError("the file is damaged")
        while length := data[position]:
            position += 1 + length
        position += 1
        if bytes(data[begin:][: len(GIF_XMP)]) == GIF_XMP:
            old = old or bytes(data[begin + len(GIF_XMP) : max(0, position - len(GIF_TRAILER))])
            parts.append(data[start:begin])
            start = position
    return [*parts, data[start:position], GIF_XMP, write(old), GIF_TRAILER, data[position:]]


def _gif_palette(flags: int) -> int:
    """How many bytes of colours follow."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
