"""Video operations: the picture operations of this engine, applied frame by frame.

What must not change from frame to frame (seeds, plans, sizes) is decided once, before the first frame; whatever the
video claims is checked before it is decoded, and what the work would cost before it is begun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report
from .._video.reading import Pixels, Size, open_clip
from . import enhance, filters, pictures, upscale, video_faces
from .pictures import Picture
from .redraw import redraw
from .video_models import RESOLUTIONS

Params = Mapping[str, Any]

MOST_PIXELS = 3840 * 2160  # of one frame of a result
# Megapixels that the network makes from one video: about half an hour of work.
MOST_NETWORK = 6000
MEASURED = (0.1, 0.3, 0.5, 0.7, 0.9)  # shares of the length
COMPRESSION = 5.0  # of `Picture`; what frames do best with between CRF 18 and 28 of H.264, where the file does not tell


def filtered(job: Job, params: Params, report: Report) -> list[Output]:
    """Redraw every frame in one style, with the same grain, paper and strokes throughout."""
    with open_clip(job.inputs[0]) as clip:

        def paint(rgb: Pixels) -> Pixels:
            return filters.apply(params["style"], rgb, strength=params["strength"], seed=params["seed"])

        return [redraw(clip, clip.size, paint, job, report)]


def upscaled(job: Job, params: Params, report: Report) -> list[Output]:
    """Enlarge every frame."""
    with open_clip(job.inputs[0]) as clip:
        size = target_size(clip.size, params)
        network = params["method"] == "network"
        if network and clip.count * size[0] * size[1] > MOST_NETWORK * 1_000_000:
            raise TaskError(
                Code.TOO_LARGE,
                f"{clip.count} frames of {size[0]}x{size[1]} are too much for the network. "
                'Ask for the method "lanczos" or a lower resolution, or send a shorter video.',
                param="method",
            )

        def paint(rgb: Pixels) -> Pixels:
            if network:
                return upscale.enlarge(Picture(rgb, compression=COMPRESSION), size, _unheard).rgb
            return pictures.lanczos(rgb, size)

        return [redraw(clip, size, paint, job, report)]


def enhanced(job: Job, params: Params, report: Report) -> list[Output]:
    """Correct every frame by one plan, measured on frames from all over the video."""
    with open_clip(job.inputs[0]) as clip:
        # One picture of several frames: what they have in common decides, and an odd one weighs little.
        measured = enhance.measure(Picture(np.vstack(clip.sample(*MEASURED))))

        def paint(rgb: Pixels) -> Pixels:
            return enhance.apply(Picture(rgb), measured, params["strength"]).rgb

        return [redraw(clip, clip.size, paint, job, report)]


def target_size(size: Size, params: Params) -> Size:
    """The size of an enlarged video, with even sides."""
    width, height = size
    if "resolution" in params:
        shorter = RESOLUTIONS[params["resolution"]]
        if shorter <= min(size):
            raise TaskError(
                Code.INVALID_INPUT,
                f"The video has {width}x{height} pixels already, which {params['resolution']} does not enlarge. "
                "Ask for a higher resolution, or for a scale.",
                param="resolution",
            )
        factor = shorter / min(size)
    else:
        factor = params["scale"]
    larger = (2 * round(width * factor / 2), 2 * round(height * factor / 2))
    if larger[0] * larger[1] > MOST_PIXELS:
        raise TaskError(
            Code.TOO_LARGE,
            f"The result would be {larger[0]}x{larger[1]}; videos are limited to {MOST_PIXELS / 1_000_000:.1f} "
            "megapixels a frame, such as 3840x2160. Ask for less.",
            param="resolution" if "resolution" in params else "scale",
        )
    return larger


def _unheard(_ready: int, _total: int) -> None:
    """Tiles are not reported: frames are."""


WORK: Mapping[str, Callable[[Job, Params, Report], list[Output]]] = {
    "video-filters-v1": filtered,
    "video-upscale-v1": upscaled,
    "video-enhance-v1": enhanced,
    "video-faceswap-v1": video_faces.swapped,
}
