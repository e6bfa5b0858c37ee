"""Lays the label on a picture, and on every frame of an animation, and writes the file again in its own format.

Guarantees: PNG stays exact outside of the plate, and so does WebP that was; of the others the quality is 95; colour
profile, Exif, texts, XMP and the timing of frames stay; a picture that its metadata turns is turned for good. A file
is replaced whole or not touched at all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps, ImageSequence, JpegImagePlugin, PngImagePlugin

from . import embed, packet_of
from .label import Label, plate
from .pictures import SignedError
from .replacing import replacing

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF")
DRAWABLE = frozenset({"L", "LA", "RGB", "RGBA", "CMYK"})
QUALITY = 95
MOST_PIXELS = 200_000_000  # of all frames of an animation, which are in memory at once
XMP_KEYWORD = "XML:com.adobe.xmp"
TOO_LONG = "The result carries no visible label: the animation is too long."
LOST = "The file's signed content credentials (C2PA) were lost, because the label changed it."
ONE_OF_SEVERAL = "Only the first of the file's pictures was kept, because of the label."


def draw(path: Path, label: Label) -> tuple[str, ...]:
    """Put the label on the picture in a file: warnings. What Pillow raises means that the file is no usable picture."""
    warnings = []
    with Image.open(path, formats=FORMATS) as image:
        if several := image.format == "MPO":
            warnings.append(ONE_OF_SEVERAL)
        kind = "JPEG" if several else str(image.format)
        frames = 1 if kind == "JPEG" else getattr(image, "n_frames", 1)
        if frames > 1 and frames * image.width * image.height > MOST_PIXELS:
            return (TOO_LONG,)
        labelled = list(upright(image, frames))
        options = {**OPTIONS[kind](image, path), **common(labelled, image)}
    packet = None
    try:
        packet = packet_of(path, f"image/{kind.lower()}")
    except SignedError:
        warnings.append(LOST)
    lay(labelled, label)
    with replacing(path) as copy:
        labelled[0].save(copy, kind, **options)
    if packet is not None:
        embed(path, f"image/{kind.lower()}", lambda _: packet)
    return tuple(warnings)


def lay(frames: list[Image.Image], label: Label) -> None:
    """Draw on frames of one size."""
    made = plate(label, frames[0].size)
    for frame in frames:
        frame.paste(made.ink.convert(frame.mode), made.corner, made.cover)


def upright(image: Image.Image, count: int) -> Iterator[Image.Image]:
    """The frames in colours that can be drawn with, turned as a viewer shows them."""
    for frame in islice(ImageSequence.Iterator(image), count):
        frame.load()
        yield ImageOps.exif_transpose(in_colours(frame))


def in_colours(frame: Image.Image) -> Image.Image:
    """A copy of the frame in a mode that can be drawn on."""
    if frame.mode in DRAWABLE:
        return frame.copy()
    if frame.mode.startswith("I;16"):  # of which Pillow would keep the lower half
        return frame.point(lambda value: value * (1 / 256)).convert("L")
    if frame.mode == "1":
        return frame.convert("L")
    return frame.convert("RGBA" if frame.has_transparency_data else "RGB")


def common(frames: list[Image.Image], image: Image.Image) -> dict[str, Any]:
    """What every format keeps."""
    options: dict[str, Any] = {name: image.info[name] for name in ("icc_profile", "dpi") if image.info.get(name)}
    if exif := frames[0].getexif():
        options["exif"] = exif.tobytes()
    if len(frames) > 1:
        apart = bool(image.info.get("default_image"))  # what is shown where animations are not
        times = [frame.info.get("duration", 0) for frame in frames]
        options |= {"save_all": True, "append_images": frames[1:], "duration": times[apart:], "default_image": apart}
        options |= {"loop": image.info["loop"]} if "loop" in image.info else {}
    return options


def png(image: Image.Image, _: Path) -> dict[str, Any]:
    """The picture's texts. The XMP packet is one of them, too, but has its own way."""
    info = PngImagePlugin.PngInfo()
    assert isinstance(image, PngImagePlugin.PngImageFile)
    for keyword, text in image.text.items():
        if keyword == XMP_KEYWORD:
            continue
        if isinstance(text, PngImagePlugin.iTXt):
            info.add_itxt(keyword, text, text.lang or "", text.tkey or "")
        else:
            info.add_text(keyword, text)
    return {"pnginfo": info}


def jpeg(image: Image.Image, _: Path) -> dict[str, Any]:
    """Colours as fine as they were."""
    options: dict[str, Any] = {"quality": QUALITY, "progressive": bool(image.info.get("progressive"))}
    if (sampling := JpegImagePlugin.get_sampling(image)) >= 0:
        options["subsampling"] = sampling
    if image.info.get("comment"):
        options["comment"] = image.info["comment"]
    return options


def webp(_: Image.Image, path: Path) -> dict[str, Any]:
    """Exact if the file was."""
    return {"lossless": True, "exact": True} if exact_webp(path) else {"quality": QUALITY}


def exact_webp(path: Path) -> bool:
    """Whether the first picture of a WebP file is stored without loss."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, length = struct.unpack("<4sI", head)
            if kind == b"ANMF":  # a frame: 16 bytes, and then its own parts
                file.seek(16, 1)
            elif kind in {b"VP8L", b"VP8 "}:
                return bool(kind == b"VP8L")
            else:
                file.seek(length + length % 2, 1)
    return False


OPTIONS: dict[str, Callable[[Image.Image, Path], dict[str, Any]]] = {
    "PNG": png,
    "JPEG": jpeg,
    "WEBP": webp,
    "AVIF": lambda _image, _path: {"quality": QUALITY},
    "GIF": lambda _image, _path: {"disposal": 2},  # whole frames, of which each replaces the one before
}
