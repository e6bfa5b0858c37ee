"""Tells what a file is from its content alone, and refuses what is no complete picture or video.

Nothing is decoded and the file's name counts for nothing: a few headers are read, the file's structure is walked from
end to end so that a broken-off upload is found, and work and memory stay bounded whatever the file claims. Pillow has
the last word on pictures whose headers it reads safely; its JPEG and AVIF readers follow hostile Exif data for minutes.
"""

from __future__ import annotations

import math
import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin

from .containers import MOST_PARTS, boxes, kind_of, mp4_film, mp4_whole, webm_film, webm_whole
from .core.errors import Code, TaskError

EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "image/gif": "gif",
    "image/avif": "avif",
    "image/bmp": "bmp",
    "image/tiff": "tiff",
    "video/mp4": "mp4",
    "video/webm": "webm",
    "video/quicktime": "mov",
}
READERS = {  # Pillow's names; those that it does not load by itself are imported here, or it would import all it has
    "image/png": "PNG",
    "image/gif": "GIF",
    "image/bmp": "BMP",
    "image/webp": WebPImagePlugin.WebPImageFile.format,
    "image/tiff": TiffImagePlugin.TiffImageFile.format,
}
ACCEPTED = "Send a PNG, JPEG, WebP, GIF, AVIF, BMP or TIFF picture, or an MP4, WebM or MOV video."
DECLARED = {"image/png": ">16xII", "image/bmp": "<18xii"}  # width and height in the first bytes
CHUNK = 256 * 1024  # bytes read at once
MOST_SEGMENTS = 20_000  # segments of a PNG or JPEG, entries of a TIFF: real files have far fewer
MOST_BLOCKS = 400_000  # blocks of a GIF, of at most 255 bytes each
AVIF_BRANDS = frozenset({b"avif", b"avis"})
MP4_BRANDS = frozenset({b"mp41", b"mp42", b"avc1", b"M4V ", b"M4VH", b"M4VP", b"dash", b"MSNV", b"f4v "})
MP4_FAMILIES = (b"iso", b"3gp", b"3g2")  # isom iso2 … iso9, 3gp4 3gp5 …
SCAN_END = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # in a JPEG scan: a marker that is neither stuffing nor a restart
AVIF_SIDES = re.compile(rb"\x00\x00\x00\x14ispe\x00\x00\x00\x00(.{8})", re.DOTALL)
META = kind_of(b"meta")
MOST_META = 8_000_000  # bytes of an AVIF's directory, which is read into memory
TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}  # bytes of each type
TIFF_PLACES = ((273, 279), (324, 325))  # offsets and lengths of strips and of tiles


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a file may be: its size in bytes, and the pixels of one picture."""

    bytes: int = 50_000_000
    pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Probe:
    """What a file is. Size in bytes; width and height in pixels as stored, before any rotation, and 0 for a video that
    does not say; duration in seconds, None for pictures and for such videos."""

    media_type: str
    size: int
    width: int
    height: int
    duration: float | None = None


DEFAULT_LIMITS = Limits()


def probe(file: BinaryIO, *, limits: Limits = DEFAULT_LIMITS) -> Probe:
    """What the file is; `invalid_media` or `too_large` otherwise. Leaves the file open and at its beginning."""
    try:
        return _probe(file, limits)
    finally:
        file.seek(0)


def _probe(file: BinaryIO, limits: Limits) -> Probe:
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise TaskError(Code.INVALID_MEDIA, f"The file is empty. {ACCEPTED}")
    if size > limits.bytes:
        raise TaskError(
            Code.TOO_LARGE, f"The file has {size} bytes; at most {limits.bytes} are accepted. Send a smaller one."
        )
    file.seek(0)
    head = file.read(64)
    media_type = sniff(head)
    if media_type is None:
        raise TaskError(Code.INVALID_MEDIA, f"The file is no picture or video that is known here. {ACCEPTED}")
    layout = DECLARED.get(media_type)
    if layout and len(head) >= struct.calcsize(layout):
        width, height = struct.unpack_from(layout, head)
        _refuse_many_pixels(width, height, limits)
    if not COMPLETE[media_type](file, size):
        raise TaskError(
            Code.INVALID_MEDIA,
            f"The {EXTENSIONS[media_type].upper()} file is incomplete or damaged. Send the whole file again.",
        )
    if media_type.startswith("video/"):
        film = (webm_film if media_type == "video/webm" else mp4_film)(file, size)
        return Probe(media_type, size, film.width, film.height, film.seconds)
    width, height = _measure(file, media_type, size)
    _refuse_many_pixels(width, height, limits)
    return Probe(media_type, size, width, height)


def _refuse_many_pixels(width: int, height: int, limits: Limits) -> None:
    if abs(width * height) > limits.pixels:
        raise TaskError(
            Code.TOO_LARGE,
            f"The picture has {abs(width)} x {abs(height)} pixels; at most {limits.pixels} in all are accepted. "
            "Send a smaller one.",
        )


def _measure(file: BinaryIO, media_type: str, size: int) -> tuple[int, int]:
    file.seek(0)
    damaged = f"The {EXTENSIONS[media_type].upper()} picture is damaged and cannot be opened. {ACCEPTED}"
    if media_type not in READERS:
        sides = _jpeg_sides(file, size) if media_type == "image/jpeg" else _avif_sides(file, size)
        if 0 in sides:
            raise TaskError(Code.INVALID_MEDIA, damaged)
        return sides
    try:
        with Image.open(file, formats=[READERS[media_type]]) as image:
            return image.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TaskError(
            Code.TOO_LARGE, "The picture has far too many pixels. Send a smaller one.", detail=str(error)
        ) from error
    except Exception as error:
        # Pillow's readers raise about anything on hostile headers: struct.error, KeyError, MemoryError …
        detail = None if isinstance(error, UnidentifiedImageError) else repr(error)
        raise TaskError(Code.INVALID_MEDIA, damaged, detail=detail) from error


def sniff(head: bytes) -> str | None:
    """The media type of a file that begins so; `None` if it is none that the server takes."""
    for magic, media_type in (
        (rb"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"RIFF....WEBP", "image/webp"),
        (rb"GIF8[79]a", "image/gif"),
        (rb"BM.{12}[\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", "image/bmp"),
        (rb"II\*\x00|MM\x00\*", "image/tiff"),
        (rb"\x1a\x45\xdf\xa3.*\x42\x82\x84webm", "video/webm"),  # and no other Matroska
    ):
        if re.match(magic, head, re.DOTALL):
            return media_type
    return _sniff_brands(head) if head[4:8] == b"ftyp" else None


def _sniff_brands(head: bytes) -> str | None:
    length = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[start : start + 4] for start in range(16, length, 4))]
    if brands[0] == b"qt  ":
        return "video/quicktime"
    if not AVIF_BRANDS.isdisjoint(brands):
        return "image/avif"
    if brands[0] in {b"heic", b"heix", b"mif1", b"msf1"}:
        return None
    if any(brand in MP4_BRANDS or brand.startswith(MP4_FAMILIES) for brand in brands):
        return "video/mp4"
    return None


def _png_complete(file: BinaryIO, size: int) -> bool:
    position = 8
    for _ in range(MOST_SEGMENTS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            return False
        position += 12 + int.from_bytes(head[:4])
        if position > size:
            return False
        if head[4:] == b"IEND":
            return True
    return False


def _jpeg_segments(file: BinaryIO, size: int) -> Iterator[tuple[int, int]]:
    """The kind of each segment and where it starts; ends early where the file does."""
    position: int | None = 2
    for _ in range(MOST_SEGMENTS):
        if position is None or position > size - 2:
            return
        file.seek(position)
        mark, kind, *length = file.read(4)
        if mark != 0xFF:
            return
        if kind == 0xFF:  # fill byte
            position += 1
            continue
        yield kind, position
        if kind == 0xD9:  # end of the picture
            return
        position += 2
        if kind != 0x01 and not 0xD0 <= kind <= 0xD7:  # those have no length
            position += int.from_bytes(bytes(length))
        if kind == 0xDA:
            position = _scan_end(file, position)


def _jpeg_complete(file: BinaryIO, size: int) -> bool:
    kinds = [kind for kind, _ in _jpeg_segments(file, size)]
    return kinds[-1:] == [0xD9] and 0xDA in kinds


def _jpeg_sides(file: BinaryIO, size: int) -> tuple[int, int]:
    for kind, position in _jpeg_segments(file, size):
        if 0xC0 <= kind <= 0xCF and kind not in {0xC4, 0xC8, 0xCC}:  # a frame header
            file.seek(position + 5)
            height, width = int.from_bytes(file.read(2)), int.from_bytes(file.read(2))
            return width, height
    return 0, 0


def _scan_end(file: BinaryIO, position: int) -> int | None:
    file.seek(position)
    kept = b""
    while chunk := file.read(CHUNK):
        window = kept + chunk
        found = SCAN_END.search(window)
        if found:
            return position + found.start()
        kept = b"\xff" if window.endswith(b"\xff") else b""
        position += len(window) - len(kept)
    return None


def _webp_complete(file: BinaryIO, size: int) -> bool:
    file.seek(4)
    return 8 + int.from_bytes(file.read(4), "little") <= size


def _gif_complete(file: BinaryIO, _size: int) -> bool:
    file.seek(0)
    pictures = 0
    budget = iter(range(MOST_BLOCKS))
    _skip_palette(file, file.read(13)[10:11])
    for _ in budget:
        match file.read(1):
            case b"!":
                file.seek(1, os.SEEK_CUR)
            case b",":
                pictures += 1
                _skip_palette(file, file.read(9)[8:9])
                file.seek(1, os.SEEK_CUR)
            case mark:
                return mark == b";" and pictures > 0
        if not _skip_blocks(file, budget):
            return False
    return False


def _skip_palette(file: BinaryIO, flags: bytes) -> None:
    if flags and flags[0] & 0x80:
        file.seek(3 << ((flags[0] & 7) + 1), os.SEEK_CUR)


def _skip_blocks(file: BinaryIO, budget: Iterator[int]) -> bool:
    for _ in budget:
        length = file.read(1)
        if length in {b"", b"\x00"}:
            return length != b""
        file.seek(length[0], os.SEEK_CUR)
    return False


def _bmp_complete(file: BinaryIO, size: int) -> bool:
    file.seek(2)
    return int.from_bytes(file.read(4), "little") <= size


def _tiff_complete(file: BinaryIO, size: int) -> bool:
    try:
        found = _tiff_places(file, size)
    except struct.error:
        return False
    places = [(found[tag], found[lengths]) for tag, lengths in TIFF_PLACES if tag in found and lengths in found]
    return bool(places) and all(
        offset + length <= size for offsets, lengths in places for offset, length in zip(offsets, lengths, strict=False)
    )


def _tiff_places(file: BinaryIO, size: int) -> dict[int, tuple[int, ...]]:
    """Where the first picture's strips or tiles are; `struct.error` when the directory is damaged or hostile."""
    file.seek(0)
    order = "<" if file.read(4).startswith(b"I") else ">"
    (start,) = struct.unpack(order + "I", file.read(4))
    file.seek(start)
    (entries,) = struct.unpack(order + "H", file.read(2))
    found: dict[int, tuple[int, ...]] = {}
    spent = 0
    for tag, kind, count, value in struct.iter_unpack(order + "HHI4s", file.read(12 * entries)):
        width = TIFF_SIZES.get(kind, 0)
        spent += width * count
        # Values that overlap would make a reader load the same bytes thousands of times.
        if spent > size or entries > MOST_SEGMENTS or (width > 1 and count > MOST_SEGMENTS):
            raise struct.error("more values than the file can hold")
        if kind in {3, 4} and any(tag in places for places in TIFF_PLACES):
            found[tag] = _tiff_values(file, order + ("H" if kind == 3 else "I"), count, value)
    return found


def _tiff_values(file: BinaryIO, layout: str, count: int, value: bytes) -> tuple[int, ...]:
    layout = f"{layout[0]}{count}{layout[1]}"
    length = struct.calcsize(layout)
    if length > 4:
        file.seek(struct.unpack(layout[0] + "I", value)[0])
        value = file.read(length)
    return struct.unpack(layout, value[:length])


def _avif_complete(file: BinaryIO, size: int) -> bool:
    ends = {box.kind: box.end for box in boxes(file, 0, size, MOST_PARTS)}
    return META in ends and max(ends.values()) <= size


def _avif_sides(file: BinaryIO, size: int) -> tuple[int, int]:
    for box in boxes(file, 0, size, MOST_PARTS):
        if box.kind == META and box.end - box.start <= MOST_META:
            file.seek(box.start)
            # Tiles, masks and thumbnails have boxes of their own; the picture is the largest.
            found = [struct.unpack(">II", sides) for sides in AVIF_SIDES.findall(file.read(box.end - box.start))]
            return max(found, key=math.prod, default=(0, 0))
    return 0, 0


COMPLETE: dict[str, Callable[[BinaryIO, int], bool]] = {
    "image/png": _png_complete,
    "image/jpeg": _jpeg_complete,
    "image/webp": _webp_complete,
    "image/gif": _gif_complete,
    "image/avif": _avif_complete,
    "image/bmp": _bmp_complete,
    "image/tiff": _tiff_complete,
    "video/mp4": mp4_whole,
    "video/webm": webm_whole,
    "video/quicktime": mp4_whole,
}
