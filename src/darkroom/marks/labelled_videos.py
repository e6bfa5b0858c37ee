"""Lays the label on every frame of a video and writes it again, as MP4 with its sound.

Guarantees: frames keep their times; title, description, XMP and China's field stay; a file is replaced whole or not
touched at all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import TaskError
from ..engines._video.reading import Limits, Pixels, open_clip, open_container
from ..engines._video.writing import film
from . import MOVIES, embed, field_of, packet_of, state
from .label import Label, Plate, plate
from .pictures import SignedError

OTHER_FORMAT = "The result is an MP4 file, because of the label."
LOST = "The video's signed content credentials (C2PA) were lost, because the label changed it."
UNREADABLE = "The result carries no visible label: the video could not be read to its end."


def draw(path: Path, media_type: str, label: Label, limits: Limits) -> tuple[str, ...]:
    """Put the label on the video in a file: warnings."""
    warnings = [] if media_type == "video/mp4" else [OTHER_FORMAT]
    packet = field = None
    if media_type in MOVIES:
        try:
            packet, field = packet_of(path, media_type), field_of(path)
        except SignedError:
            warnings.append(LOST)
    new = path.with_name(f".label-{path.name}")
    try:
        with open_clip(path, limits) as clip, open_container(path) as container:
            told = dict(container.metadata)
            painted = Painted(plate(label, clip.size))
            with film(
                new,
                clip.size,
                rate=clip.rate,
                time_base=clip.time_base,
                made_by=told.get("title", "Darkroom"),
                description=told.get("description", ""),
                sound=clip.sound(),
            ) as made:
                for frame in clip.frames():
                    made.write(painted(frame.rgb), frame.pts, frame.duration)
            warnings += clip.warnings
        if field is not None:
            state(new, field)
        if packet is not None:
            embed(new, "video/mp4", lambda _: packet)
        new.replace(path)
    except TaskError:
        return (UNREADABLE,)
    finally:
        new.unlink(missing_ok=True)
    return tuple(warnings)


class Painted:
    """Draws a plate on frames."""

    def __init__(self, made: Plate) -> None:
        left, top = made.corner
        self._where = np.s_[top : top + made.ink.height, left : left + made.ink.width]
        cover = np.asarray(made.cover, np.float32)[:, :, None] / np.float32(255)
        self._ink = np.asarray(made.ink, np.float32)[:, :, None] * cover
        self._rest = 1 - cover

    def __call__(self, rgb: Pixels) -> Pixels:
        """The frame with the plate; the frame itself is drawn on where that is possible."""
        rgb = rgb if rgb.flags.writeable else rgb.copy()
        rgb[self._where] = np.rint(rgb[self._where] * self._rest + self._ink).astype(np.uint8)
        return rgb
