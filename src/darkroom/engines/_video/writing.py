"""Writes a video: H.264 in an MP4 file that begins to play before it is loaded whole.

Guarantees: frames keep the times that they are given; sides are even, for a missing last row or column is repeated;
colours are BT.709 and say so; the same frames give the same bytes; one thread does the work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream

from .reading import EXACT, Pixels, Size
from .showing import Showing
from .sound import Sound

# Without the macroblock tree, whose assembler code reads memory that nobody set: with it, equal frames gave different
# files in half of the runs. It costs a tenth of the size.
ENCODER = {"preset": "veryfast", "crf": "21", "x264-params": "mbtree=0"}


@contextmanager
def film(
    path: Path,
    size: Size,
    *,
    rate: Fraction,
    time_base: Fraction,
    made_by: str,
    sound: Sound | None = None,
    description: str = "",
    show: Callable[[Path], None] | None = None,
) -> Iterator[Film]:
    """Write an MP4 file of frames of `size`; it is complete when the block ends.

    `rate` is frames a second, a hint; `time_base` is what the frames' times count; `made_by` becomes the file's title
    and comment, `description` its description. `show` is handed small pictures of it while it is made.
    """
    options = {"movflags": "faststart"}
    with av.open(str(path.resolve()), "w", format="mp4", options=options) as container:
        container.metadata.update({"title": made_by, "comment": made_by})
        if description:
            container.metadata["description"] = description
        showing = Showing(path, show) if show else None
        made = Film(container, _stream(container, size, rate, time_base), time_base, sound, showing)
        yield made
        made.finish()


class Film:
    """A video that is being written."""

    def __init__(
        self,
        container: OutputContainer,
        stream: VideoStream,
        time_base: Fraction,
        sound: Sound | None,
        showing: Showing | None,
    ) -> None:
        self._container, self._stream, self._time_base, self._sound = container, stream, time_base, sound
        self._showing = showing
        if sound:
            sound.join(container)

    def write(self, rgb: Pixels, pts: int, duration: int) -> None:
        """Add a frame of uint8 (height, width, 3); times only grow."""
        if self._showing:
            self._showing.frame(rgb)
        height, width = rgb.shape[:2]
        if height % 2 or width % 2:
            rgb = np.pad(rgb, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=EXACT,
        )
        frame.pts, frame.time_base, frame.duration = pts, self._time_base, duration
        self._mux_sound(float(pts * self._time_base))
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and the rest of the sound."""
        self._mux_sound(None)
        self._container.mux(self._stream.encode(None))

    def _mux_sound(self, until: float | None) -> None:
        if self._sound:
            for packet in self._sound.until(until):
                self._container.mux(packet)


def _stream(container: OutputContainer, size: Size, rate: Fraction, time_base: Fraction) -> VideoStream:
    stream = container.add_stream("libx264", rate=rate, options=ENCODER)
    stream.width, stream.height = (side + side % 2 for side in size)
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = time_base
    context.thread_count = 1
    context.color_range = ColorRange.MPEG
    context.colorspace = Colorspace.ITU709
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    return stream
