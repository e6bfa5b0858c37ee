"""Face swap in a video: one face is found, followed from frame to frame, and replaced where it is seen.

Following looks only where the face was a frame ago, which is fast and steady; the whole frame is searched again when
the face is lost, and now and then for a face that lies. Frames without a face stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report
from .._video.reading import Pixels, open_clip
from . import faces, pictures
from .exchange import Swapper
from .pictures import Picture
from .redraw import redraw

SMALLEST = 0.1  # of the longer side: smaller faces in a frame are not worth the time
LYING = 6  # of so many frames without a face one is searched from all sides, which takes four times as long
# Landmarks tremble by a tenth of a pixel; a face that moves less than this part of its width is held.
STILL = 0.02
HELD = 0.35  # how much of a still face's new place counts


def swapped(
    job: Job,
    params: Mapping[str, Any],  # noqa: ARG001 - it takes none
    report: Report,
    prepare: Callable[[Picture, faces.Face], Swapper] = faces.Swapper,
) -> list[Output]:
    """Put the face of the picture, the first input, on the largest face of the video, the second.

    `prepare` makes of the picture and its face what replaces the face in a frame.
    """
    if len(job.inputs) != 2:
        raise TaskError(Code.INVALID_INPUT, "Send a picture with a face first, then the video.", param="inputs")
    picture = pictures.read(job.inputs[0])
    found = faces.prominent(picture)
    if not found:
        raise TaskError(
            Code.INVALID_MEDIA, "There is no face in the picture. Send one that shows a face clearly.", param="inputs"
        )
    swapper = prepare(picture, faces.largest(found))
    follower = Follower()
    with open_clip(job.inputs[1]) as clip:

        def paint(rgb: Pixels) -> Pixels:
            frame = Picture(rgb)
            face = follower.follow(frame)
            return rgb if face is None else swapper.apply(frame, face).rgb

        output = redraw(clip, clip.size, paint, job, report)
    output = replace(output, warnings=(*output.warnings, *picture.warnings))
    if follower.seen == 0:
        raise TaskError(
            Code.INVALID_MEDIA, "There is no face in the video. Send one that shows a face clearly.", param="inputs"
        )
    if missed := follower.frames - follower.seen:
        note = f"No face was found in {missed} of {follower.frames} frames; they stay as they were."
        output = replace(output, warnings=(*output.warnings, note))
    return [output]


class Follower:
    """Follows the largest face of a video. `frames` counts what it was shown, `seen` where the face was."""

    def __init__(self) -> None:
        self.frames = 0
        self.seen = 0
        self._lost = 0  # frames in a row
        self._last: faces.Face | None = None

    def follow(self, frame: Picture) -> faces.Face | None:
        """The face in the next frame, or None where it is not."""
        self.frames += 1
        face = faces.track(frame, self._last.landmarks) if self._last is not None else None
        if face is not None and self._last is not None:
            face = steady(self._last, face)
        else:
            found = faces.find(frame, SMALLEST, turned=self._lost % LYING == 0)
            face = faces.largest(found) if found else None
        self._lost = self._lost + 1 if face is None else 0
        self._last = face
        self.seen += face is not None
        return face


def steady(before: faces.Face, now: faces.Face) -> faces.Face:
    """The face now, held back towards where it was while it hardly moves."""
    moved = float(np.linalg.norm(now.landmarks - before.landmarks, axis=1).mean()) / max(now.width, 1.0)
    share = np.float32(min(1.0, max(HELD, moved / STILL)))
    return replace(
        now,
        landmarks=before.landmarks + (now.landmarks - before.landmarks) * share,
        depth=before.depth + (now.depth - before.depth) * share,
    )
