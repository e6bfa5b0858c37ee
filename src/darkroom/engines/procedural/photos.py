"""Videos made of the caller's pictures: a camera move over one, or a passage from the first to the second.

Only the header is believed before it is checked: pictures over the limit are refused without decoding them.
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

from ...core.errors import Code, TaskError
from .camera import Camera
from .frame import Plane

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
ANIMATED_FORMATS = frozenset({"PNG", "WEBP", "AVIF", "GIF"})
ANIMATED = "The picture is animated; only its first frame was used."
MOST_PIXELS = 50_000_000
SPARE = 0.16  # how much larger a picture is than the frames when the camera crosses it
LARGEST_FLOW = 320  # pixels of the longer side on which motion between two pictures is looked for
SMOOTH = 0.02  # of the longer side: parts of a picture move together
HELPS = 0.75  # the motion is used where it leaves less than this part of the difference
REST = 0.08  # share of the time at both ends of a passage when a picture stands still

Pixels = NDArray[np.uint8]
Flow = NDArray[np.float32]


def read(path: Path) -> tuple[Pixels, tuple[str, ...]]:
    """A picture as upright sRGB, transparent parts on white, and what there is to say about it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about odd metadata, of no use to anybody
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise too_large()
                # A JPEG or TIFF file with several pictures is no animation.
                moves = image.format in ANIMATED_FORMATS and getattr(image, "is_animated", False)
                upright = ImageOps.exif_transpose(image)
                return np.asarray(flat(to_srgb(upright))), (ANIMATED,) if moves else ()
    except Image.DecompressionBombError as error:
        raise too_large() from error
    except (FileNotFoundError, PermissionError, MemoryError, TaskError):
        raise
    except Exception as error:  # Pillow's readers raise about anything on hostile files
        raise TaskError(
            Code.INVALID_MEDIA,
            "The picture cannot be read: the file is damaged, incomplete or no picture. "
            "Send a whole png, jpeg, webp, avif, gif, bmp or tiff file.",
            param="inputs",
            detail=repr(error),
        ) from error


def too_large() -> TaskError:
    """The error for a picture with too many pixels."""
    message = f"Pictures are limited to {MOST_PIXELS // 1_000_000} megapixels. Send a smaller one."
    return TaskError(Code.TOO_LARGE, message, param="inputs")


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB, by its colour profile; a profile that is broken is passed over."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "L", "CMYK"):
        return image
    try:
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    return converted or image


def flat(image: Image.Image) -> Image.Image:
    """The picture in RGB, transparent parts on white."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    layered = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")


def fit(rgb: Pixels, size: tuple[int, int]) -> Pixels:
    """The picture cropped evenly to the shape of `size` and scaled to it."""
    return np.asarray(ImageOps.fit(Image.fromarray(rgb), size, Image.Resampling.LANCZOS))


class Travel:
    """A camera move over one picture."""

    def __init__(self, picture: Pixels, size: tuple[int, int], camera: Camera) -> None:
        self._size, self._camera = size, camera
        # Nothing more of the picture is out of sight than the move needs.
        room = 1 + SPARE * max(abs(camera.right), abs(camera.down))
        self._plate = fit(picture, (round(size[0] * room), round(size[1] * room)))

    def draw(self, _seconds: float, share: float) -> Pixels:
        """The frame after a share (0 to 1) of the time."""
        height, width = self._plate.shape[:2]
        return shot(self._plate, self._camera.matrix(share, self._size, (width, height)), self._size)


class Passage:
    """From one picture to another: where both show the same, moved, it moves there; elsewhere one fades into the other.

    The first frame is the first picture and the last frame is the second.
    """

    def __init__(self, first: Pixels, second: Pixels, size: tuple[int, int]) -> None:
        self._first, self._second = fit(first, size), fit(second, size)
        forth, back = flow(self._first, self._second), flow(self._second, self._first)
        helps = error(self._first, self._second, forth) < HELPS * error(self._first, self._second, forth * 0)
        self._flows = [cv2.resize(each, size) * self._scale(each) for each in (forth, back)] if helps else None

    def draw(self, _seconds: float, share: float) -> Pixels:
        """The frame after a share (0 to 1) of the time."""
        gone = min(max((share - REST) / (1 - 2 * REST), 0.0), 1.0)
        gone = gone * gone * (3 - 2 * gone)
        ahead, behind = self._first, self._second
        if self._flows is not None and 0 < gone < 1:
            # Both pictures are brought to where the moving parts are by now.
            ahead = moved(ahead, self._flows[1] * np.float32(gone))
            behind = moved(behind, self._flows[0] * np.float32(1 - gone))
        return cv2.addWeighted(ahead, 1 - gone, behind, gone, 0).astype(np.uint8, copy=False)

    def _scale(self, small: Flow) -> NDArray[np.float32]:
        height, width = self._first.shape[:2]
        return np.array([width / small.shape[1], height / small.shape[0]], np.float32)


def shot(plate: Pixels, matrix: Plane, size: tuple[int, int]) -> Pixels:
    """What the camera sees of a plate."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    found = cv2.warpAffine(plate, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.uint8, copy=False)


def flow(first: Pixels, second: Pixels) -> Flow:
    """Where each part of the first picture is in the second: steps (x, y) on a small grid, the same for neighbours."""
    shrink = min(1.0, LARGEST_FLOW / max(first.shape[:2]))
    size = (max(16, round(first.shape[1] * shrink)), max(16, round(first.shape[0] * shrink)))
    grey = [
        cv2.cvtColor(cv2.resize(each, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        for each in (first, second)
    ]
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found = search.calc(grey[0], grey[1], np.zeros((size[1], size[0], 2), np.float32))
    return cv2.GaussianBlur(found, (0, 0), SMOOTH * max(size)).astype(np.float32, copy=False)


def error(first: Pixels, second: Pixels, forth: Flow) -> float:
    """How much the second picture, moved back along a flow, differs from the first: mean of 0 to 255."""
    size = forth.shape[1::-1]
    small = [
        cv2.resize(each, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False) for each in (first, second)
    ]
    return float(cv2.absdiff(small[0], moved(small[1], forth)).mean())


def moved(picture: Pixels, steps: Flow) -> Pixels:
    """The picture with each place taken from so many steps away."""
    height, width = picture.shape[:2]
    x = np.arange(width, dtype=np.float32)[None] + steps[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + steps[..., 1]
    return cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
