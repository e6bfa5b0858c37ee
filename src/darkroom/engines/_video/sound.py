"""Carries the sound of a video: the packets of the source where players know them, and AAC made from it otherwise.

Sound is handed out up to a time, so that a writer can keep it close to the frames that it belongs to, and no more than
a few packets of it are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from typing import Protocol

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from .errors import decoded

COPIED = frozenset({"aac", "mp3", "ac3"})  # what players take in an mp4 file
RATES = frozenset({32_000, 44_100, 48_000})
RATE = 48_000


class Sound(Protocol):
    """Sound that can be written next to frames."""

    def join(self, container: OutputContainer) -> None:
        """Add its stream to the file that is written; before the first packet."""

    def until(self, seconds: float | None) -> Iterator[Packet[AudioStream]]:
        """The packets that begin before a time and were not handed out yet; all that are left without a time."""


def can_copy(stream: AudioStream) -> bool:
    """True when the packets may go into an mp4 file as they are."""
    context = getattr(stream, "codec_context", None)
    return context is not None and context.codec.canonical_name in COPIED


class CopiedSound:
    """The packets of a stream, unchanged."""

    def __init__(self, container: InputContainer, stream: AudioStream) -> None:
        self._source = stream
        self._packets = Ahead(packet for packet in decoded(container.demux(stream)) if packet.dts is not None)
        self._target: AudioStream | None = None

    def join(self, container: OutputContainer) -> None:
        """Add a stream like the source's."""
        self._target = container.add_stream_from_template(self._source)

    def until(self, seconds: float | None) -> Iterator[Packet[AudioStream]]:
        """The next packets of the source."""
        assert self._target is not None, "join a container first"
        for packet in self._packets.until(seconds):
            packet.stream = self._target
            yield packet


class EncodedSound:
    """AAC made from decoded sound, of which nothing later than `longest` seconds is used."""

    def __init__(self, frames: Iterable[AudioFrame], longest: float) -> None:
        self._frames = decoded(frames)
        self._longest = longest
        self._packets = Ahead(iter(()))

    def join(self, container: OutputContainer) -> None:
        """Add an AAC stream with the rate of the source and one or two channels."""
        first = next(self._frames, None)
        if first is None:
            return
        rate = first.sample_rate if first.sample_rate in RATES else RATE
        layout = "mono" if first.layout.nb_channels == 1 else "stereo"
        stream = container.add_stream("aac", rate=rate, layout=layout)
        stream.codec_context.thread_count = 1
        resampler = AudioResampler(format=stream.codec_context.format, layout=layout, rate=rate)
        self._packets = Ahead(self._encode(stream, resampler, chain((first,), self._frames)))

    def until(self, seconds: float | None) -> Iterator[Packet[AudioStream]]:
        """The next packets, encoded as they are asked for."""
        return self._packets.until(seconds)

    def _encode(
        self, stream: AudioStream, resampler: AudioResampler, frames: Iterator[AudioFrame]
    ) -> Iterator[Packet[AudioStream]]:
        for frame in frames:
            if frame.time is not None and frame.time > self._longest:
                break
            for even in resampler.resample(frame):
                yield from stream.encode(even)
        for even in resampler.resample(None):
            yield from stream.encode(even)
        yield from stream.encode(None)


class Ahead:
    """Packets of which the next one is known before it is taken."""

    def __init__(self, packets: Iterator[Packet[AudioStream]]) -> None:
        self._packets = packets
        self._next: Packet[AudioStream] | None = None

    def until(self, seconds: float | None) -> Iterator[Packet[AudioStream]]:
        """Take the packets that begin before a time, or all without one."""
        while (packet := self._next or next(self._packets, None)) is not None:
            self._next = packet
            if seconds is not None and (packet.dts or 0) * packet.time_base >= seconds:
                return
            self._next = None
            yield packet


def from_samples(samples: npt.NDArray[np.float32], rate: int = RATE) -> EncodedSound:
    """Sound from float samples of -1 to 1 of shape (channels, samples), with one or two channels."""
    return EncodedSound(_frames(samples, rate), longest=samples.shape[1] / rate)


def _frames(samples: npt.NDArray[np.float32], rate: int) -> Iterator[AudioFrame]:
    layout = "mono" if len(samples) == 1 else "stereo"
    for start in range(0, samples.shape[1], rate):
        part = np.ascontiguousarray(samples[:, start : start + rate])
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        yield frame
