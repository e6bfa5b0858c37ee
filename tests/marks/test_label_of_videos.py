"""The visible label on videos: on every frame, with everything else as it was."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from marked import FOREIGN, packet_of

import films
from darkroom.finish import labelled
from darkroom.marks import Label, embed, field_of, state
from darkroom.marks.label import plate

LABEL = Label("AI generated")
CREDENTIALS = b"\x00\x00\x00\x1cuuid" + bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + b"jumb"


def grey(number: int, width: int, height: int) -> films.Pixels:
    return np.full((height, width, 3), 90 + number, np.uint8)


def plate_of(rgb: Any) -> Any:
    """The pixels where the label is, and all others."""
    made = plate(LABEL, (rgb.shape[1], rgb.shape[0]))
    left, top = made.corner
    mask = np.zeros(rgb.shape[:2], bool)
    mask[top : top + made.ink.height, left : left + made.ink.width] = True
    return rgb[mask], rgb[~mask]


def test_every_frame_is_labelled_and_the_rest_is_as_before(tmp_path: Path) -> None:
    path = films.make(tmp_path / "a.mp4", frames=18, size=(320, 240), draw=grey, sound="aac")
    before, times, sound = films.pictures(path), films.times(path), films.sound_packets(path)
    assert labelled(path, LABEL) == ()
    after = films.pictures(path)
    assert len(after) == 18
    for old, new in zip(before, after, strict=True):
        label, rest = plate_of(new)
        assert label.max() > 230
        assert np.median(label) < 60
        assert np.abs(rest.astype(int) - plate_of(old)[1]).mean() < 3
    assert films.times(path) == times
    assert films.sound_packets(path) == sound
    assert list(tmp_path.iterdir()) == [path]


def test_frames_keep_their_own_times(tmp_path: Path) -> None:
    path = films.make(tmp_path / "a.mp4", frames=4, times=[0, 3, 4, 20])
    assert labelled(path, LABEL) == ()
    assert films.times(path) == [0, 0.25, 0.333, 1.667]


@pytest.mark.parametrize(("name", "codec"), [("a.mov", "libx264"), ("a.webm", "libvpx")])
def test_a_video_of_another_format_becomes_mp4_and_says_so(name: str, codec: str, tmp_path: Path) -> None:
    path = films.make(tmp_path / name, codec=codec)
    assert labelled(path, LABEL) == ("The result is an MP4 file, because of the label.",)
    assert path.read_bytes()[4:12] == b"ftypisom"
    assert len(films.pictures(path)) == films.RATE


def test_metadata_of_a_film_stays(tmp_path: Path) -> None:
    path = films.make(tmp_path / "a.mp4", frames=3)
    state(path, '{"Label":"1","ContentProducer":"vendor"}')
    embed(path, "video/mp4", lambda _: FOREIGN)
    assert labelled(path, LABEL) == ()
    assert packet_of(path) == FOREIGN
    assert field_of(path) == '{"Label":"1","ContentProducer":"vendor"}'


def test_lost_credentials_are_told(tmp_path: Path) -> None:
    path = films.make(tmp_path / "a.mp4", frames=3)
    path.write_bytes(path.read_bytes() + struct.pack(">I", len(CREDENTIALS)) + CREDENTIALS[4:])
    [warning] = labelled(path, LABEL)
    assert "C2PA" in warning
    assert CREDENTIALS[8:24] not in path.read_bytes()


def test_a_damaged_film_stays_as_it_was_with_a_warning(tmp_path: Path) -> None:
    path = films.make(tmp_path / "a.mp4", frames=36, container={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 7 // 10])
    before = path.read_bytes()
    [warning] = labelled(path, LABEL)
    assert warning == "The result carries no visible label: the video could not be read to its end."
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
