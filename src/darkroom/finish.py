"""Looks at what an engine delivered: media type, size, thumbnail and blurhash of each result file; and marks it.

What the operator wants to be seen on results is drawn before that, and their signature comes last.

`finish` runs in a child process (`Child("darkroom.finish:finish")`), for results come from engines and vendors and
their decoding is native code. It trusts content, never a file's name; what is no media is a `TaskError`. Pillow and
numpy are imported by the functions that need them, so that importing this module costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .core.errors import Code, TaskError, no_room
from .engines._child import Report
from .marks import Label, Mark, Provenance
from .marks.delivery import numbered, tell
from .marks.packet import extended

if TYPE_CHECKING:
    import numpy
    from PIL import Image

THUMBNAIL = 320  # pixels of the longest side
QUALITY, METHOD = 71, 1  # as near to the picture as 75 by method 2, in two thirds of the time; 8 % larger
FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")
MEDIA_TYPES = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # what Pillow finds a JPEG file with several pictures to be
    "WEBP": "image/webp",
    "AVIF": "image/avif",
    "GIF": "image/gif",
}
# ISO base media brands of still pictures; every other `ftyp` is a video.
PICTURE_BRANDS = frozenset({b"avif", b"avis", b"mif1", b"msf1", b"heic", b"heix", b"hevc", b"crx "})
EBML = b"\x1a\x45\xdf\xa3"
SHOWN = 0.1  # of a video's length: where its thumbnail is taken
# What a vendor may deliver; only one frame of it is decoded.
MOST_SECONDS, MOST_FRAMES, MOST_PIXELS = 6 * 3600, 6 * 3600 * 60, 8192 * 8192
TURNED = frozenset({5, 6, 7, 8})  # EXIF orientations that swap width and height
ORIENTATION = 0x0112
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~"


@dataclass(frozen=True, slots=True)
class FinishRequest:
    """The result files of one attempt, the folder that thumbnails are written to, and what marks the files."""

    outputs: tuple[Path, ...]
    workdir: Path
    mark: Mark | None = None
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, slots=True)
class Finished:
    """A result file as it will be stored: bytes, and pixels as a viewer shows them (orientation applied).

    `duration` is a video's length in seconds; `unsigned` tells the operator why there is no signature.
    """

    path: Path
    media_type: str
    size: int
    width: int
    height: int
    thumbnail: Path | None = None
    blurhash: str | None = None
    duration: float | None = None
    warnings: tuple[str, ...] = ()
    unsigned: str | None = None


def finish(request: FinishRequest, _: Report) -> list[Finished]:
    """Look at every output, write a WebP thumbnail of each into `workdir`, and mark both."""
    finished = []
    for index, path in enumerate(request.outputs):
        warnings = labelled(path, request.provenance.label) if request.provenance.label else ()
        facts = numbered(request.mark, request.provenance, index + 1) if request.mark else None
        item = finish_one(path, request.workdir / f"thumbnail-{index}.webp", facts)
        if facts:
            item = marked(item, facts, request.provenance)
        finished.append(replace(item, warnings=warnings + item.warnings) if warnings else item)
    return finished


def finish_one(path: Path, thumbnail: Path, facts: Mark | None = None) -> Finished:
    """Look at one output and write its thumbnail, with these facts as its mark."""
    size = path.stat().st_size
    if video_type := sniff_video(path):
        return finish_video(path, video_type, thumbnail, facts)
    from PIL import Image

    try:
        with Image.open(path, formats=FORMATS) as image:
            media_type = MEDIA_TYPES[str(image.format)]
            width, height = image.size
            if image.getexif().get(ORIENTATION) in TURNED:
                width, height = height, width
            small = shrink(image)
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise unusable(path, f"{type(error).__name__}: {error}") from error
    save(small, thumbnail, facts)
    return Finished(path, media_type, size, width, height, thumbnail, blurhash(flatten(small)))


def finish_video(path: Path, media_type: str, thumbnail: Path, facts: Mark | None) -> Finished:
    """Look at a video; its thumbnail shows what is to be seen after a tenth of it, when titles have faded in."""
    from PIL import Image

    from .engines._video.reading import Limits, open_clip

    try:
        with open_clip(path, Limits(seconds=MOST_SECONDS, frames=MOST_FRAMES, pixels=MOST_PIXELS)) as clip:
            [frame] = clip.sample(SHOWN)
            width, height = clip.size
            seconds = clip.seconds or None
    except TaskError as error:
        raise unusable(path, error.detail or error.message) from error
    small = Image.fromarray(frame)
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    save(small, thumbnail, facts)
    size = path.stat().st_size
    return Finished(path, media_type, size, width, height, thumbnail, blurhash(flatten(small)), seconds)


def save(small: Image.Image, thumbnail: Path, facts: Mark | None) -> None:
    """Write a thumbnail; its mark at once, which costs less than to put it into the file."""
    packet = extended(None, facts) if facts else b""
    profile = small.info.get("icc_profile")
    small.save(thumbnail, "WEBP", quality=QUALITY, method=METHOD, icc_profile=profile, xmp=packet)


def labelled(path: Path, label: Label) -> tuple[str, ...]:
    """Draw the operator's label on an output: warnings. What cannot be read is left to `finish_one`."""
    from PIL import Image

    from .engines._video.reading import Limits
    from .marks import labelled_pictures, labelled_videos

    try:
        if video_type := sniff_video(path):
            limits = Limits(seconds=MOST_SECONDS, frames=MOST_FRAMES, pixels=MOST_PIXELS)
            return labelled_videos.draw(path, video_type, label, limits)
        return labelled_pictures.draw(path, label)
    except OSError as error:
        if error.errno:
            raise no_room(error) from error
    except (SyntaxError, ValueError, EOFError, Image.DecompressionBombError):
        pass
    return ("The result carries no visible label: it could not be drawn.",)


def marked(item: Finished, facts: Mark, provenance: Provenance) -> Finished:
    """The result with its mark of provenance; one that cannot have any is delivered without, and says so."""
    try:
        told = tell(item.path, item.media_type, facts, provenance)
    except OSError as error:
        raise no_room(error) from error
    return replace(item, size=item.path.stat().st_size, warnings=told.warnings, unsigned=told.unsigned)


def unusable(path: Path, detail: str) -> TaskError:
    """The error for a result file that is no media; `detail` says what was wrong with it."""
    return TaskError(
        Code.ENGINE_FAILED,
        "The engine delivered a file that is no usable picture or video. Try again, or ask for another format.",
        detail=f"{path.name}, {path.stat().st_size} bytes: {detail}",
    )


def sniff_video(path: Path) -> str | None:
    """The media type of an MP4, MOV or WebM file, by its first bytes; None for anything else."""
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(EBML) and b"\x42\x82\x84webm" in head:
        return "video/webm"
    if head[4:8] != b"ftyp" or len(head) < 12 or head[8:12] in PICTURE_BRANDS:
        return None
    return "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"


def shrink(image: Image.Image) -> Image.Image:
    """The picture, upright, in RGB or RGBA, with no side above `THUMBNAIL` pixels; of an animation its first frame."""
    from PIL import Image, ImageOps

    image.draft("RGB", (THUMBNAIL, THUMBNAIL))  # JPEG: decode at a half, a quarter or an eighth of the size
    mode = "RGBA" if image.has_transparency_data else "RGB"
    small = image if image.mode == mode else image.convert(mode)
    if image.mode not in ("RGB", "RGBA"):
        small.info.pop("icc_profile", None)  # it describes the colours of another mode
    small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.HAMMING)  # as crisp as bicubic, in half the time
    ImageOps.exif_transpose(small, in_place=True)
    return small


def flatten(image: Image.Image) -> numpy.ndarray[Any, Any]:
    """At most 32 x 32 pixels of the picture on white, as height x width x 3 bytes: all that a blurhash can show."""
    import numpy
    from PIL import Image

    image = image.resize((min(32, image.width), min(32, image.height)), Image.Resampling.BOX, reducing_gap=2.0)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return numpy.asarray(image.convert("RGB"))


def blurhash(pixels: numpy.ndarray[Any, Any], across: int = 4, down: int = 3) -> str:
    """The BlurHash of height x width x 3 sRGB bytes, with `across` x `down` components.

    A picture's lowest cosine frequencies in linear light: the average as a 24-bit colour, the others as one of 19
    steps a channel, relative to the strongest of them. https://github.com/woltapp/blurhash/blob/master/Algorithm.md
    """
    import numpy

    light = linear_light()[pixels]
    height, width = light.shape[:2]
    rows = waves(down, height) @ light.reshape(height, width * 3)
    factors = (waves(across, width) @ rows.reshape(down, width, 3)).reshape(-1, 3) / (width * height)
    average, others = factors[0], 2 * factors[1:]

    strongest = numpy.abs(others).max(initial=0.0)
    scale = int(numpy.clip(strongest * 166 - 0.5, 0, 82))
    steps = numpy.sign(others) * numpy.sqrt(numpy.abs(others) * 166 / (scale + 1)) * 9 + 9.5
    red, green, blue = numpy.clip(steps, 0, 18).astype(int).T

    shown = numpy.clip(average, 0, 1)
    shown = numpy.where(shown <= 0.0031308, shown * 12.92, 1.055 * shown ** (1 / 2.4) - 0.055)
    colour = int.from_bytes((shown * 255 + 0.5).astype(numpy.uint8).tobytes(), "big")
    tail = "".join(base83(int(step), 2) for step in (red * 19 + green) * 19 + blue)
    return base83(across - 1 + 9 * (down - 1), 1) + base83(scale, 1) + base83(colour, 4) + tail


@cache
def linear_light() -> numpy.ndarray[Any, Any]:
    """The light, 0 to 1, that each value of an sRGB byte stands for."""
    import numpy

    shown = numpy.arange(256) / 255
    return numpy.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


@cache
def waves(count: int, length: int) -> numpy.ndarray[Any, Any]:
    """The lowest `count` cosines along a side."""
    import numpy

    return numpy.cos(numpy.pi * numpy.outer(numpy.arange(count), numpy.arange(length)) / length)


def base83(value: int, length: int) -> str:
    """A number in the digits of BlurHash, most significant first."""
    return "".join(DIGITS[value // 83**place % 83] for place in reversed(range(length)))
