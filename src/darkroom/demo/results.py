"""Downloads what a task made, and checks it: pictures with Pillow, clips with PyAV.

Guarantees: a result that does not open, or is not as large or as long as was asked, is an error and never shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
from PIL import Image, UnidentifiedImageError

from .clients import Link, RefusedError, download

TOLERANCE = 0.1  # seconds that a clip may be longer or shorter than asked


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that a task begins with, and its pixels; of a clip, `path` is one of its frames."""

    path: Path
    width: int
    height: int
    clip: Path | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What a task must make: the name of its file without the suffix, pixels, and what it is made from.

    The last source is what changes; one before it is whose face is taken. `seconds` is the length of a clip.
    """

    name: str
    width: int
    height: int
    sources: tuple[Source, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A downloaded result. Of a clip, `path` is one of its frames, and `seconds` its length."""

    path: Path
    thumbnail: Path | None
    width: int
    height: int
    sources: tuple[Source, ...]
    clip: Path | None = None
    seconds: float = 0.0


def save(expected: Sequence[Expected], links: Sequence[Link], folder: Path) -> tuple[Picture, ...]:
    """Download every result and check it."""
    if len(links) != len(expected):
        raise RefusedError(f"{len(links)} results came, not {len(expected)}")
    pairs = zip(expected, links, strict=True)
    return tuple((save_clip if one.seconds else save_picture)(one, link, folder) for one, link in pairs)


def save_picture(expected: Expected, link: Link, folder: Path) -> Picture:
    """Download one picture, with its thumbnail where there is one."""
    content = download(link.url)
    path = folder / f"{expected.name}.{suffix(content)}"
    path.write_bytes(content)
    with Image.open(path) as image:
        image.load()
        check_size("picture", image.size, expected)
    thumbnail = None
    if link.thumbnail is not None:
        small = download(link.thumbnail)
        thumbnail = folder / f"{expected.name}-thumbnail.{suffix(small)}"
        thumbnail.write_bytes(small)
    return Picture(path, thumbnail, expected.width, expected.height, expected.sources)


def save_clip(expected: Expected, link: Link, folder: Path) -> Picture:
    """Download one clip, and save the frame in its middle beside it."""
    content = download(link.url)
    try:
        with av.open(BytesIO(content), "r") as container:
            if "mp4" not in container.format.name or not container.duration:
                raise RefusedError(f"a result of {len(content)} bytes is no MP4")
            seconds = container.duration / av.time_base
            frames = list(container.decode(video=0))
    except av.FFmpegError as error:
        raise RefusedError(f"a result of {len(content)} bytes is no clip: {error}") from None
    middle: Image.Image = frames[len(frames) // 2].to_image()  # type: ignore[no-untyped-call]
    check_size("clip", middle.size, expected)
    if abs(seconds - expected.seconds) > TOLERANCE:
        raise RefusedError(f"the clip lasts {seconds:.1f} s, not {expected.seconds:.1f}")
    clip, still = folder / f"{expected.name}.mp4", folder / f"{expected.name}.jpg"
    clip.write_bytes(content)
    middle.save(still, quality=90)
    return Picture(still, None, expected.width, expected.height, expected.sources, clip, seconds)


def check_size(kind: str, size: tuple[int, int], expected: Expected) -> None:
    """Refuse a result of another size."""
    if size != (expected.width, expected.height):
        raise RefusedError(f"the {kind} has {size[0]}x{size[1]} pixels, not {expected.width}x{expected.height}")


def suffix(content: bytes) -> str:
    """The file suffix of a picture."""
    try:
        with Image.open(BytesIO(content)) as image:
            return {"JPEG": "jpg"}.get(image.format or "", (image.format or "").lower())
    except UnidentifiedImageError:
        raise RefusedError(f"a result of {len(content)} bytes is no picture") from None
