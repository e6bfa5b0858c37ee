"""Pictures in and out: any common file to upright 8-bit sRGB pixels, and back to png, jpeg, webp or avif.

Guarantees: sizes are checked in the file's header before a pixel is decoded; what cannot be decoded whole is refused
with `INVALID_MEDIA`; EXIF orientation is applied and dropped; colour profiles are converted to sRGB; transparency is
kept apart from the colours and comes back unchanged. What EXIF says of camera, time and place is read, and written
again where that is asked for.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageOps, PngImagePlugin

from ...core.errors import Code, TaskError
from . import exif

Pixels = npt.NDArray[Any]
Size = tuple[int, int]

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
ANIMATED_FORMATS = frozenset({"PNG", "WEBP", "AVIF", "GIF"})
MAX_INPUT_PIXELS = 50_000_000
MAX_OUTPUT_PIXELS = 8192 * 8192  # 64 megapixels
MAX_SIDE = {"png": 2**20, "jpeg": 65_500, "webp": 16_383, "avif": 32_768}  # of avif: what decoders take
SUFFIX = {"png": ".png", "jpeg": ".jpg", "webp": ".webp", "avif": ".avif"}
AVIF_SPEED = 8  # of 0 to 10: 0.2 s for a megapixel; at 6 it takes twice as long for files 7 % smaller
# What Pillow's decoders raise for files that are damaged or made to harm.
DECODER_ERRORS = (
    OSError,
    EOFError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class Picture:
    """Pixels of one picture: `rgb` is (height, width, 3) of uint8 in sRGB, `alpha` (height, width) of uint8 or None.

    `compression` is the mean step, in grey levels, to which a JPEG file rounds its luma, and 0 for other files; about 6
    for quality 95 and 17 for 85. `exif` is what the file says about how it was taken: see `exif.facts`.
    """

    rgb: Pixels
    alpha: Pixels | None = None
    warnings: tuple[str, ...] = ()
    compression: float = 0.0
    exif: bytes = b""

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return self.rgb.shape[1], self.rgb.shape[0]


def measure(path: Path) -> Size:
    """Width and height in the file's header, before any rotation; refuses what is no picture or too large."""
    with _decoding(), Image.open(path, formats=FORMATS) as image:
        return _checked(image.size)


def check_output(size: Size, file_format: str, param: str) -> None:
    """Refuse a result that is over the limits; `param` names what asked for it."""
    width, height = size
    if width * height > MAX_OUTPUT_PIXELS:
        raise TaskError(
            Code.TOO_LARGE,
            f"The result would be {width}x{height}; results are limited to 64 megapixels, such as 8192x8192. "
            "Ask for less, or send a smaller picture.",
            param=param,
        )
    if max(size) > MAX_SIDE[file_format]:
        raise TaskError(
            Code.TOO_LARGE,
            f"A {file_format} file can be at most {MAX_SIDE[file_format]} pixels wide or high, not {width}x{height}. "
            "Ask for png, or for a smaller size.",
            param="format",
        )


def read(path: Path) -> Picture:
    """Decode a picture file."""
    notes: tuple[str, ...] = ()
    with _decoding(), Image.open(path, formats=FORMATS) as image:
        _checked(image.size)
        if image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False):
            notes = ("The picture is animated; only its first frame was used.",)
            image.seek(0)
        image.load()
        compression, facts = compression_of(image), exif.facts(image)
        upright = ImageOps.exif_transpose(image)
        base, transparency = _split(upright)
        rgb = np.array(_to_srgb(base, upright.info.get("icc_profile")))
    if transparency is None:
        return Picture(rgb, None, notes, compression, facts)
    alpha = np.array(transparency)
    return Picture(_fill_hidden(rgb, alpha), alpha, notes, compression, facts)


def crop_to_shape(picture: Picture, size: Size) -> Picture:
    """Cut evenly from both sides until the picture has the shape of `size`, to the nearest pixel."""
    width, height = picture.size
    kept_width = min(width, max(1, round(height * size[0] / size[1])))
    kept_height = min(height, max(1, round(width * size[1] / size[0])))
    left, top = (width - kept_width) // 2, (height - kept_height) // 2
    window = (slice(top, top + kept_height), slice(left, left + kept_width))
    return replace(picture, rgb=picture.rgb[window], alpha=picture.alpha[window] if picture.alpha is not None else None)


def resize(picture: Picture, size: Size) -> Picture:
    """Scale to exactly `size` with Lanczos."""
    if picture.size == size:
        return picture
    return replace(
        picture,
        rgb=lanczos(picture.rgb, size),
        alpha=lanczos(picture.alpha, size) if picture.alpha is not None else None,
    )


def fit(picture: Picture, size: Size) -> Picture:
    """Scale to exactly `size`, cropping evenly what does not fit its shape."""
    return resize(crop_to_shape(picture, size), size)


def lanczos(pixels: Pixels, size: Size) -> Pixels:
    """Scale uint8 pixels of one or three channels to (width, height)."""
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def write(
    picture: Picture, stem: Path, *, file_format: str, quality: int, made_by: str, keep_exif: bool = False
) -> tuple[Path, tuple[str, ...]]:
    """Write `<stem>.<suffix>`; `made_by` becomes the file's Software mark. Returns the path and the warnings.

    With `keep_exif` the file says what the picture that was read said about how it was taken.
    """
    path = stem.with_suffix(SUFFIX[file_format])
    notes = picture.warnings
    rgb, alpha = picture.rgb, picture.alpha
    if file_format == "jpeg" and alpha is not None:
        rgb, alpha = _on_white(rgb, alpha), None
        notes = (
            *notes,
            "A jpeg file has no transparency; the picture was put on white. Ask for png, webp or avif to keep it.",
        )
    image = Image.fromarray(rgb if alpha is None else np.dstack((rgb, alpha)))
    kept = picture.exif if keep_exif else b""
    said = exif.of_result(kept, picture.size, made_by)
    match file_format:
        case "png":
            text = PngImagePlugin.PngInfo()
            text.add_text("Software", made_by)
            # Level 1 is five times faster than the default and costs 15 % in size.
            image.save(path, "PNG", compress_level=1, pnginfo=text, **({"exif": said} if kept else {}))
        case "jpeg":
            image.save(path, "JPEG", quality=quality, subsampling=0 if quality >= 90 else 2, exif=said)
        case "webp":
            image.save(path, "WEBP", quality=quality, method=2, exif=said)
        case "avif":
            image.save(path, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=1, exif=said)
        case _:
            raise ValueError(f"no way to write {file_format!r}")
    return path, notes


@contextmanager
def _decoding() -> Iterator[None]:
    """Turn what decoders raise into a `TaskError`; their warnings about odd metadata are of no use to anybody."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (FileNotFoundError, PermissionError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(detail=str(error)) from error
    except DECODER_ERRORS as error:
        raise TaskError(
            Code.INVALID_MEDIA,
            "The picture cannot be read: the file is damaged, incomplete or no picture. "
            "Send a whole png, jpeg, webp, avif, gif, bmp or tiff file.",
            param="inputs",
            detail=repr(error),
        ) from error


def compression_of(image: Image.Image) -> float:
    """See `Picture`."""
    tables: Mapping[int, Sequence[int]] = getattr(image, "quantization", {})  # of a JPEG; the first is of the luma
    return float(np.mean(tables[0])) if image.format == "JPEG" and tables.get(0) else 0.0


def _checked(size: Size) -> Size:
    if size[0] * size[1] > MAX_INPUT_PIXELS:
        raise _too_large(detail=f"{size[0]}x{size[1]}")
    return size


def _too_large(*, detail: str) -> TaskError:
    return TaskError(
        Code.TOO_LARGE,
        f"Pictures are limited to {MAX_INPUT_PIXELS // 1_000_000} megapixels. Send a smaller one.",
        param="inputs",
        detail=detail,
    )


def _split(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The colours in mode L, RGB or CMYK, and the transparency in mode L."""
    if image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion would clip them
        grey = np.clip(np.asarray(image), 0, 65_535).astype(np.uint32)
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)), None
    if image.has_transparency_data:
        with_alpha = image.convert("RGBA")
        return with_alpha.convert("RGB"), with_alpha.getchannel("A")
    if image.mode == "F":
        raise ValueError("floating-point pixels have no agreed range")
    if image.mode in ("L", "RGB", "CMYK"):
        return image, None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert through the picture's colour profile; one that is broken or for other channels is passed over."""
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" in ImageCms.getProfileDescription(source):
                return image.convert("RGB")
            converted = ImageCms.profileToProfile(
                image,
                source,
                ImageCms.createProfile("sRGB"),
                renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
                outputMode="RGB",
                flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return image.convert("RGB")
        if converted is not None:
            return converted
    return image.convert("RGB")


def _fill_hidden(rgb: Pixels, alpha: Pixels) -> Pixels:
    """Spread visible colours under what is transparent, so that blurs and strokes do not drag hidden colours in."""
    if alpha.all() or not alpha.any():
        return rgb
    weight = alpha.astype(np.float32) / 255
    spread = _spread(rgb * weight[..., None], weight)
    # In place, here and below: these arrays are what takes most memory of a large picture.
    np.round(spread.clip(0, 255, out=spread), out=spread)
    filled: Pixels = np.where((alpha == 0)[..., None], spread.astype(np.uint8), rgb)
    return filled


def _spread(colours: Pixels, weight: Pixels) -> Pixels:
    """Colours where there is weight, and elsewhere those of the next coarser level of a pyramid.

    `colours` are multiplied by `weight` already, so that a coarser level averages only what is visible.
    """
    here: Pixels = colours / np.maximum(weight, 1e-6)[..., None]
    if weight.all():
        return here
    height, width = weight.shape
    half = ((width + 1) // 2, (height + 1) // 2)
    coarser = _spread(
        cv2.resize(colours, half, interpolation=cv2.INTER_AREA), cv2.resize(weight, half, interpolation=cv2.INTER_AREA)
    )
    below = cv2.resize(coarser, (width, height), interpolation=cv2.INTER_LINEAR)
    np.copyto(here, below, where=(weight == 0)[..., None])
    return here


def _on_white(rgb: Pixels, alpha: Pixels) -> Pixels:
    opacity = alpha.astype(np.float32)[..., None] / 255
    flat: Pixels = (rgb * opacity + 255 * (1 - opacity)).round().astype(np.uint8)
    return flat
