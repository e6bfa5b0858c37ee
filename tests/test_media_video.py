"""What the headers of videos tell: sizes and lengths without decoding, and bounded work on hostile ones."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from darkroom.core.errors import TaskError
from darkroom.media import Probe, probe
from films import make, patched

CODECS = {"mp4": "libx264", "mov": "libx264", "webm": "libvpx"}
TYPES = {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm"}


def look(content: bytes) -> Probe:
    return probe(io.BytesIO(content))


@pytest.mark.parametrize("extension", CODECS)
@pytest.mark.parametrize("sound", [None, "aac"])
def test_a_video_tells_its_size_and_its_length(tmp_path: Path, extension: str, sound: str | None) -> None:
    sound = "libopus" if sound and extension == "webm" else sound
    path = make(tmp_path / f"a.{extension}", frames=18, codec=CODECS[extension], sound=sound)
    size = path.stat().st_size
    assert look(path.read_bytes()) == Probe(TYPES[extension], size, 160, 120, pytest.approx(1.5, abs=0.03))


def test_a_directory_at_the_end_is_found(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", container={"movflags": "0"})
    content = path.read_bytes()
    assert content.index(b"mdat") < content.index(b"moov")
    assert look(content).duration == 1


def test_sides_are_told_as_they_are_stored(tmp_path: Path) -> None:
    found = look(make(tmp_path / "a.mp4", rotation=90).read_bytes())
    assert (found.width, found.height) == (160, 120)


def test_a_long_length_is_told_as_the_header_claims_it(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4")
    assert look(patched(path, b"mvhd", 20, struct.pack(">I", 36_000_000)).read_bytes()).duration == 36_000


@pytest.mark.parametrize("extension", ["mp4", "webm"])
def test_a_video_that_is_still_being_written_tells_no_length(tmp_path: Path, extension: str) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"} if extension == "mp4" else {"live": "1"}
    path = make(tmp_path / f"a.{extension}", codec=CODECS[extension], container=options)
    found = look(path.read_bytes())
    assert (found.width, found.height, found.duration) == (160, 120, None)


@pytest.mark.parametrize("extension", CODECS)
def test_damaged_headers_give_numbers_or_a_task_error(tmp_path: Path, extension: str) -> None:
    content = make(tmp_path / f"a.{extension}", frames=2, codec=CODECS[extension], sound=None).read_bytes()
    dice = random.Random(1)
    for _ in range(1500):
        damaged = bytearray(content)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
        with suppress(TaskError):
            found = look(bytes(damaged))
            assert 0 <= found.width < 2**16
            assert 0 <= found.height < 2**16
            assert found.duration is None or 0 < found.duration < float("inf")


def nested(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", 8 + len(content)) + kind + content


class Counted(io.BytesIO):
    """A file that counts how often it is read."""

    reads = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        return super().read(size)


def test_millions_of_nested_boxes_are_not_all_visited() -> None:
    track = nested(b"trak", nested(b"mdia", nested(b"free", b"") * 300) * 100)
    moov = nested(b"moov", track * 100)
    head = struct.pack(">I", 24) + b"ftypisom\x00\x00\x02\x00isommp42"
    file = Counted(head + nested(b"mdat", b"") + moov)
    found = probe(file)
    assert (found.width, found.duration) == (0, None)
    assert file.reads < 400_000


def test_reading_headers_loads_no_decoder() -> None:
    script = "import sys, darkroom.media; assert not {'av', 'cv2', 'numpy'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", script], check=True)
