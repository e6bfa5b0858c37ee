"""Makes short videos for tests, with PyAV: what is in them is known to the pixel and to the packet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

Pixels = np.ndarray[Any, Any]
RATE = 12
SIZE = (160, 120)
EXACT = {"crf": "4", "preset": "ultrafast"}


def quarters(number: int, width: int = SIZE[0], height: int = SIZE[1]) -> Pixels:
    """Red, green, blue and black quarters, with a white bar that moves to the right."""
    rgb = np.zeros((height, width, 3), np.uint8)
    middle, centre = height // 2, width // 2
    rgb[:middle, :centre], rgb[:middle, centre:], rgb[middle:, :centre] = (200, 30, 40), (20, 180, 60), (30, 60, 190)
    rgb[:, 4 * number : 4 * number + 4] = 255
    return rgb


def make(
    path: Path,
    *,
    frames: int = RATE,
    size: tuple[int, int] = SIZE,
    draw: Callable[[int, int, int], Pixels] = quarters,
    times: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    sound: str | None = None,
    rotation: int = 0,
    shape: Fraction | None = None,
    container: dict[str, str] | None = None,
    colorspace: int = 1,
) -> Path:
    """Write a video of `RATE` frames a second, or with frames at `times` in twelfths of a second."""
    options = EXACT if codec == "libx264" else {"deadline": "realtime", "cpu-used": "8", "crf": "4", "b": "4M"}
    with av.open(str(path), "w", options=container or {"movflags": "faststart"}) as output:
        stream = output.add_stream(codec, rate=RATE, options=options if codec != "gif" else {})
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.colorspace = colorspace
        stream.codec_context.color_range = 1
        if shape:
            stream.codec_context.sample_aspect_ratio = shape
        if rotation:
            stream.set_display_rotation(rotation)
        voice = output.add_stream(sound, rate=48_000) if sound else None
        if voice:
            write_sound(output, voice, frames / RATE)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number, *size), format="rgb24")
            if pix_fmt != "rgb8":
                frame = frame.reformat(
                    format=pix_fmt, dst_colorspace=colorspace, src_color_range="JPEG", dst_color_range="MPEG"
                )
            frame.pts, frame.time_base = (times[number] if times else number), Fraction(1, RATE)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def write_sound(output: Any, stream: Any, seconds: float) -> None:
    """A tone of 440 Hz."""
    time = np.arange(round(48_000 * seconds), dtype=np.float32) / 48_000
    tone = np.tile(np.sin(time * 2 * np.pi * 440).astype(np.float32) * 0.3, (2, 1))
    frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="stereo")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, 0, Fraction(1, 48_000)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="stereo", rate=48_000)
    for part in (*resampler.resample(frame), *resampler.resample(None)):
        output.mux(stream.encode(part))
    output.mux(stream.encode(None))


def pictures(path: Path) -> list[Pixels]:
    """Every frame as PyAV decodes it."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def times(path: Path) -> list[float]:
    """When each frame is shown, in seconds."""
    with av.open(str(path)) as container:
        return [round(float(frame.time or 0), 3) for frame in container.decode(video=0)]


def sound_packets(path: Path) -> list[bytes]:
    """The content of every packet of sound."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.dts is not None]


def patched(path: Path, kind: bytes, place: int, value: bytes) -> Path:
    """Overwrite bytes of a box, counted from its four letters."""
    content = bytearray(path.read_bytes())
    start = content.index(kind) + place
    content[start : start + len(value)] = value
    path.write_bytes(content)
    return path
