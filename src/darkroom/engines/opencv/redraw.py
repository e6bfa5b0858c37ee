"""Writes a video again with every frame painted anew, at the same times and with the same sound."""

from __future__ import annotations

from collections.abc import Callable

from .. import Job, Output
from .._child import Report
from .._video.reading import Clip, Pixels, Size
from .._video.writing import film

Paint = Callable[[Pixels], Pixels]  # one frame, uint8 RGB, to the frame that takes its place
BEFORE, AFTER = 2, 97  # percent


def redraw(clip: Clip, size: Size, paint: Paint, job: Job, report: Report) -> Output:
    """Write the job's result: the clip with every frame painted, to frames of `size`."""
    path = job.workdir / "0.mp4"
    sound = clip.sound()
    with film(
        path,
        size,
        rate=clip.rate,
        time_base=clip.time_base,
        made_by=f"Darkroom {job.model}",
        sound=sound,
        show=report.preview,
    ) as made:
        for number, frame in enumerate(clip.frames()):
            told = min(number / max(clip.count, number + 1), 1)
            report.progress(BEFORE + int((AFTER - BEFORE) * told), f"frame {number + 1}")
            made.write(paint(frame.rgb), frame.pts, frame.duration)
    report.progress(98, "done")
    return Output(path, clip.warnings)
