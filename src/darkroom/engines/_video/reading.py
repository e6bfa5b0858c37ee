"""Reads a video: checks what its header claims before anything is decoded, then hands out upright RGB frames.

Guarantees: at most one frame is in memory; frames keep their own times, so variable frame rates survive; rotation and
pixel shape are applied; a file that is damaged anywhere is refused with `INVALID_MEDIA`, never quietly cut short; what
the header understated is refused with `TOO_LARGE` as soon as decoding shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from ...containers import EBML, webm_whole
from .errors import ACCEPTED, broken, decoded, decoding, invalid, too_long, too_many_frames, too_many_pixels
from .sound import CopiedSound, EncodedSound, Sound, can_copy

Pixels = npt.NDArray[np.uint8]
Size = tuple[int, int]

# Demuxers that read one file and never another address, as playlists and lists of files do.
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,gif"
# The default conversion is off by one or two levels everywhere, which repeated edits would add up.
EXACT = int(Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT)
SLACK = 0.5  # seconds that a file may be over the limit: encoders round up
FASTEST = 240  # frames a second; a header that tells of more counts something else than frames
MISSING = 0.5  # seconds that may lack at the end; a file that broke off lacks more
SQUARE = (Fraction(1, 4), Fraction(4))  # pixel shapes that are believed


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a video may be: its length in seconds, its frames, and the pixels of one frame."""

    seconds: float = 60
    frames: int = 1800
    pixels: int = 1920 * 1088


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: `rgb` is (height, width, 3) of uint8 in sRGB; `pts` and `duration` count the clip's `time_base`."""

    rgb: Pixels
    pts: int
    duration: int


@contextmanager
def open_clip(path: Path, limits: Limits | None = None) -> Iterator[Clip]:
    """Open a video and decode its first frame; `TaskError` when it is none, too much, or damaged."""
    limits = limits or Limits()
    with ExitStack() as stack:
        with decoding():
            _check_whole(path)
            container = stack.enter_context(open_container(path))
            stream = _video_stream(container)
            _check_header(container, stream, limits)
            clip = Clip(path, container, stream, limits)
        stack.callback(clip.close)
        yield clip


@contextmanager
def open_container(path: Path) -> Iterator[InputContainer]:
    """The file as a container, opened so that it can lead nowhere else."""
    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with (
        path.open("rb") as file,
        av.open(file, "r", options=options, metadata_errors="replace") as container,
    ):
        yield container


class Clip:
    """An opened video. `size` is upright, in square pixels; `rate` in frames a second; `seconds` and `count` are what
    the header claims, 0 when it says nothing; `warnings` tell what could not be kept."""

    def __init__(self, path: Path, container: InputContainer, stream: VideoStream, limits: Limits) -> None:
        self._path, self._container, self._stream, self._limits = path, container, stream, limits
        self._stack = ExitStack()
        self.warnings: tuple[str, ...] = ()
        self.time_base = stream.time_base or Fraction(1, 1000)
        self.rate = _rate(stream)
        self.seconds = _seconds(container, stream)
        self.count = stream.frames or round(self.seconds * self.rate)
        self._turns, self._stored = 0, (0, 0)
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"max_pixels": str(2 * limits.pixels)}
        self._frames = self._decode()
        self._first = next(self._frames, None)
        if self._first is None:
            raise invalid("The video has no frames that can be shown. " + ACCEPTED)
        self.size: Size = (self._first.rgb.shape[1], self._first.rgb.shape[0])

    def frames(self) -> Iterator[Frame]:
        """Every frame in the order of time; once."""
        assert self._first is not None
        yield self._first
        yield from decoded(self._frames)

    def sample(self, *shares: float) -> list[Pixels]:
        """The frames at these shares (0 to 1) of the length, from a second look at the file."""
        with decoding(), open_container(self._path) as container:
            stream = _video_stream(container)
            stream.codec_context.thread_count = 1
            return [self._at(container, stream, share * self.seconds) for share in shares]

    def sound(self) -> Sound | None:
        """The first sound of the video, to be written with its frames: its own packets, or AAC made from them."""
        with decoding():
            container = self._stack.enter_context(open_container(self._path))
        found = next(iter(container.streams.audio), None)
        if found is None:
            return None
        if can_copy(found):
            return CopiedSound(container, found)
        if not isinstance(getattr(found, "codec_context", None), av.AudioCodecContext):
            self.warnings = (*self.warnings, "The video's sound is in a format that cannot be read; it was left out.")
            return None
        found.codec_context.thread_count = 1
        return EncodedSound(container.decode(found), longest=self._limits.seconds + SLACK)

    def close(self) -> None:
        """Close what `sound` opened."""
        self._stack.close()

    def _at(self, container: InputContainer, stream: VideoStream, seconds: float) -> Pixels:
        start = stream.start_time or 0
        target = start + int(seconds / self.time_base)
        container.seek(target, stream=stream)
        last: VideoFrame | None = None
        for frame in container.decode(stream):
            last = frame
            if frame.pts is None or frame.pts + (frame.duration or 1) > target:
                break
        assert self._first is not None
        return self._first.rgb if last is None else self._upright(last)

    def _decode(self) -> Iterator[Frame]:
        number, last = 0, None
        ticks = max(1, round(1 / (self.rate * self.time_base)))
        for packet in self._container.demux(self._stream):
            if packet.is_corrupt:
                raise broken(number)
            try:
                decoded = packet.decode()
            except (av.error.FFmpegError, EOFError) as error:
                raise broken(number, error) from error
            for frame in decoded:
                # Old containers give some frames no time; no two frames may have the same.
                after = 0 if last is None else last.pts + max(1, last.duration)
                pts = after if frame.pts is None else frame.pts
                if last is not None:
                    pts = max(pts, last.pts + 1)
                number += 1
                self._check_progress(number, pts, frame)
                last = Frame(self._upright(frame), pts, frame.duration or ticks)
                yield last
        if last is not None:
            self._check_end(number, last)

    def _check_progress(self, number: int, pts: int, frame: VideoFrame) -> None:
        if frame.is_corrupt:
            raise broken(number - 1)
        if number > self._limits.frames:
            raise too_many_frames(self._limits.frames)
        if pts * self.time_base > self._limits.seconds + SLACK:
            raise too_long(self._limits.seconds)
        _check_size((frame.width, frame.height), self._limits)

    def _check_end(self, number: int, last: Frame) -> None:
        """Some demuxers end a cut file without a word; then its frames end before the length that the header gives."""
        if not self._stream.duration:
            return
        start = self._stream.start_time or 0
        lacking = (start + self._stream.duration - last.pts - last.duration) * self.time_base
        if lacking > MISSING and number < self._stream.frames:
            raise broken(number)

    def _upright(self, frame: VideoFrame) -> Pixels:
        if self._stored == (0, 0):  # the first frame decides for all
            self._stored = _square((frame.width, frame.height), self._stream.sample_aspect_ratio)
            _check_size(self._stored, self._limits)
            self._turns = round(frame.rotation / 90) % 4
        width, height = self._stored
        rgb = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation=EXACT)
        return np.ascontiguousarray(np.rot90(rgb, self._turns))


def _check_whole(path: Path) -> None:
    """Refuse a cut Matroska file, whose demuxer takes its end for that of the video; other formats show it later."""
    with path.open("rb") as file:
        if file.read(4) == EBML.to_bytes(4) and not webm_whole(file, path.stat().st_size):
            raise invalid("The video is incomplete. Send the whole file again.")


def _video_stream(container: InputContainer) -> VideoStream:
    """The first stream that is a film; the picture on the cover of a song is none."""
    films = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not films:
        raise invalid("There is no video in the file, only sound or data. " + ACCEPTED)
    if getattr(films[0], "codec_context", None) is None:
        raise invalid("The video is in a format that cannot be read here. Send an MP4 video with H.264.")
    return films[0]


def _check_header(container: InputContainer, stream: VideoStream, limits: Limits) -> None:
    _check_size((stream.width, stream.height), limits)
    seconds = _seconds(container, stream)
    if seconds > limits.seconds + SLACK:
        raise too_long(limits.seconds)
    if limits.frames < stream.frames <= FASTEST * seconds:
        raise too_many_frames(limits.frames)


def _check_size(size: Size, limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise invalid("The video does not say how large its frames are. " + ACCEPTED)
    if width * height > limits.pixels:
        raise too_many_pixels(width, height, limits.pixels)


def _seconds(container: InputContainer, stream: VideoStream) -> float:
    """The longest length that the header claims."""
    whole = (container.duration or 0) / av.time_base
    own = float((stream.duration or 0) * (stream.time_base or 0))
    return max(whole, own, 0.0)


def _rate(stream: VideoStream) -> Fraction:
    """Frames a second: only a hint for the encoder and for times that the file does not give."""
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    return rate if 0 < rate <= FASTEST else Fraction(25)


def _square(size: Size, shape: Fraction | None) -> Size:
    """The size in square pixels of a frame whose pixels have the shape width / height."""
    if not shape or shape == 1 or not SQUARE[0] <= shape <= SQUARE[1]:
        return size
    width, height = size
    return (round(width * shape), height) if shape > 1 else (width, round(height / shape))
