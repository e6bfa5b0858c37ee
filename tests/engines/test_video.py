"""Video in and out: times, sound, rotation, colours and sizes survive; damaged, lying and hostile files are refused."""

from __future__ import annotations

import io
import socket
import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from darkroom.core.errors import Code, TaskError
from darkroom.engines._video.reading import Limits, open_clip
from darkroom.engines._video.writing import film
from films import RATE, SIZE, make, patched, pictures, quarters, sound_packets, times, write_sound

TEN_HOURS = 36_000


def copy(source: Path, target: Path, limits: Limits | None = None) -> Path:
    """Read a video and write its frames unchanged."""
    with open_clip(source, limits) as clip:
        sound = clip.sound()
        with film(
            target, clip.size, rate=clip.rate, time_base=clip.time_base, made_by="Darkroom test-v1", sound=sound
        ) as made:
            for frame in clip.frames():
                made.write(frame.rgb, frame.pts, frame.duration)
    return target


def refusal(path: Path, limits: Limits | None = None) -> TaskError:
    with pytest.raises(TaskError) as caught, open_clip(path, limits) as clip:
        for _ in clip.frames():
            pass
    return caught.value


def test_frames_keep_their_number_their_times_and_the_length(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", frames=18)
    target = copy(source, tmp_path / "b.mp4")
    assert times(target) == times(source) == [round(number / RATE, 3) for number in range(18)]
    with av.open(str(target)) as container:
        [stream] = container.streams.video
        assert stream.duration * stream.time_base == Fraction(18, RATE)


def test_a_variable_frame_rate_stays_variable(tmp_path: Path) -> None:
    at = (0, 1, 2, 9, 10, 20)
    source = make(tmp_path / "a.mp4", frames=len(at), times=at)
    assert times(copy(source, tmp_path / "b.mp4")) == [round(time / RATE, 3) for time in at]


def test_colours_stay_within_two_levels(tmp_path: Path) -> None:
    for colorspace in (1, 5):  # BT.709 and BT.601
        source = make(tmp_path / "a.mp4", frames=3, colorspace=colorspace)
        with open_clip(source) as clip:
            rgb = next(clip.frames()).rgb
        for row, column in ((30, 60), (30, 100), (90, 60), (90, 100)):
            assert np.abs(rgb[row, column].astype(int) - quarters(0)[row, column]).max() <= 2
        again = pictures(copy(source, tmp_path / "b.mp4"))[0]
        assert np.abs(again[30, 60].astype(int) - quarters(0)[30, 60]).max() <= 4


@pytest.mark.parametrize("codec", ["aac", "mp3", "ac3"])
def test_sound_that_players_know_is_copied_packet_by_packet(tmp_path: Path, codec: str) -> None:
    source = make(tmp_path / "a.mp4", sound=codec)
    assert sound_packets(copy(source, tmp_path / "b.mp4")) == sound_packets(source) != []


@pytest.mark.parametrize(
    ("name", "codec", "sound"), [("a.webm", "libvpx", "libopus"), ("a.mov", "libx264", "pcm_s16le")]
)
def test_other_sound_becomes_aac_of_the_same_length(tmp_path: Path, name: str, codec: str, sound: str) -> None:
    target = copy(make(tmp_path / name, codec=codec, sound=sound), tmp_path / "b.mp4")
    with av.open(str(target)) as container:
        assert container.streams.audio[0].codec.name == "aac"
        samples = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], 1)
    assert samples.shape == (2, pytest.approx(48_000, abs=2100))
    assert np.abs(samples).max() == pytest.approx(0.3, abs=0.05)


def test_sound_is_laid_between_the_frames(tmp_path: Path) -> None:
    target = copy(make(tmp_path / "a.mp4", frames=24, sound="aac"), tmp_path / "b.mp4")
    with av.open(str(target)) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.dts is not None]
    assert "video" in kinds[kinds.index("audio") :][: len(kinds) // 2]
    assert kinds[-1] == "audio" or kinds[-2] == "audio"


@pytest.mark.parametrize(("rotation", "corner"), [(90, (20, 180, 60)), (180, (0, 0, 0)), (-90, (30, 60, 190))])
def test_a_turned_video_is_read_upright(tmp_path: Path, rotation: int, corner: tuple[int, int, int]) -> None:
    with open_clip(make(tmp_path / "a.mp4", rotation=rotation, frames=2)) as clip:
        assert clip.size == (SIZE if rotation == 180 else SIZE[::-1])
        rgb = list(clip.frames())[-1].rgb
    assert np.abs(rgb[8, 8].astype(int) - corner).max() <= 3


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    with open_clip(make(tmp_path / "a.mp4", shape=Fraction(4, 3), frames=2)) as clip:
        assert clip.size == (213, 120)


def test_odd_sides_are_made_even_by_repeating_the_last_pixels(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", size=(161, 121), pix_fmt="yuv444p", frames=2)
    before, after = pictures(source)[1], pictures(copy(source, tmp_path / "b.mp4"))[1]
    assert (before.shape, after.shape) == ((121, 161, 3), (122, 162, 3))
    assert np.abs(after[30, 161].astype(int) - before[30, 160]).max() < 12


def test_the_file_begins_with_its_directory_and_says_who_made_it(tmp_path: Path) -> None:
    target = copy(make(tmp_path / "a.mp4"), tmp_path / "b.mp4")
    content = target.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    with av.open(str(target)) as container:
        assert container.metadata["title"] == container.metadata["comment"] == "Darkroom test-v1"
        [stream] = container.streams.video
        assert (stream.codec.name, stream.pix_fmt, stream.colorspace) == ("h264", "yuv420p", 1)


def test_the_same_frames_give_the_same_bytes(tmp_path: Path) -> None:
    source = make(tmp_path / "a.mp4", sound="aac")
    assert copy(source, tmp_path / "b.mp4").read_bytes() == copy(source, tmp_path / "c.mp4").read_bytes()


def test_samples_are_the_frames_at_shares_of_the_length(tmp_path: Path) -> None:
    with open_clip(make(tmp_path / "a.mp4", frames=24)) as clip:
        for share, rgb in zip((0, 0.5, 1), clip.sample(0, 0.5, 1), strict=True):
            number = min(23, round(share * 24))
            assert int(rgb[:, :, :].min(axis=(0, 2)).argmax()) in range(4 * number - 4, 4 * number + 8)
        assert len(list(clip.frames())) == 24


def test_an_animated_gif_is_a_video(tmp_path: Path) -> None:
    shades = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (10, 120, 250)]
    shades[0].save(tmp_path / "a.gif", save_all=True, append_images=shades[1:], duration=200)
    target = copy(tmp_path / "a.gif", tmp_path / "b.mp4")
    assert [int(rgb[20, 20, 0]) for rgb in pictures(target)] == pytest.approx([10, 120, 250], abs=6)
    assert times(target) == [0, 0.2, 0.4]


# What is refused, and how


def test_a_file_without_a_video_stream_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        write_sound(container, container.add_stream("aac", rate=48_000), 1)
    error = refusal(path)
    assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")
    assert "no video in the file" in error.message


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    cover, path = io.BytesIO(), tmp_path / "a.m4a"
    Image.new("RGB", (64, 64)).save(cover, "PNG")
    with av.open(str(path), "w", format="mp4") as container:
        voice, picture = container.add_stream("aac", rate=48_000), container.add_stream("png", rate=1)
        picture.width = picture.height = 64
        picture.pix_fmt, picture.disposition = "rgb24", av.stream.Disposition.attached_pic
        write_sound(container, voice, 1)
        packet = av.Packet(cover.getvalue())
        packet.stream, packet.pts, packet.dts, packet.time_base = picture, 0, 0, Fraction(1)
        container.mux(packet)
    assert "no video in the file" in refusal(path).message


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", frames=1)
    content = path.read_bytes()
    for kind, keep in ((b"stts", 4), (b"stsz", 8), (b"stsc", 4), (b"stco", 4)):
        patched(path, kind, 4 + keep, bytes(4))
    assert path.read_bytes() != content
    error = refusal(path)
    assert (error.code, "no frames" in error.message) == (Code.INVALID_MEDIA, True)


def test_ten_hours_in_the_header_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4")
    content = path.read_bytes()
    (ticks,) = struct.unpack_from(">I", content, content.index(b"mdhd") + 16)
    patched(path, b"mdhd", 20, struct.pack(">I", TEN_HOURS * ticks))
    for kind, place in ((b"mvhd", 20), (b"elst", 12)):
        patched(path, kind, place, struct.pack(">I", TEN_HOURS * 1000))
    patched(path, b"stts", 16, struct.pack(">I", TEN_HOURS * ticks // RATE))  # ticks a frame
    start = path.read_bytes().index(b"mdat") + 4
    with path.open("r+b") as file:
        file.seek(start)
        file.write(bytes(path.stat().st_size - start))  # a decoder would find nothing but zeros
    error = refusal(path)
    assert (error.code, "limited to 60 seconds" in error.message) == (Code.TOO_LARGE, True)


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
def test_more_frames_than_allowed_are_refused_whatever_the_header_says(tmp_path: Path, name: str) -> None:
    path = make(tmp_path / name, codec="libvpx" if name == "a.webm" else "libx264")
    assert refusal(path, Limits(frames=RATE - 1)).code is Code.TOO_LARGE
    with open_clip(path, Limits(frames=RATE)) as clip:
        assert len(list(clip.frames())) == RATE


def test_a_length_that_only_decoding_shows_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.webm", codec="libvpx", frames=24, container={"live": "1"})
    assert b"\x44\x89" not in path.read_bytes()[:500]  # its header tells no length
    error = refusal(path, Limits(seconds=1))
    assert (error.code, "limited to 1 seconds" in error.message) == (Code.TOO_LARGE, True)


def test_frames_with_too_many_pixels_are_refused(tmp_path: Path) -> None:
    error = refusal(make(tmp_path / "a.mp4"), Limits(pixels=SIZE[0] * SIZE[1] - 1))
    assert (error.code, "160x120" in error.message) == (Code.TOO_LARGE, True)


def test_a_gif_that_claims_four_gigapixels_is_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.new("P", (64, 48)).save(file, "GIF")
    content = bytearray(file.getvalue())
    content[6:10] = b"\xff\xff\xff\xff"
    (tmp_path / "a.gif").write_bytes(content)
    assert refusal(tmp_path / "a.gif").code in (Code.TOO_LARGE, Code.INVALID_MEDIA)


@pytest.mark.parametrize("share", [0.4, 0.7, 0.9, 0.999])
@pytest.mark.parametrize("filled", [False, True])
def test_a_video_with_a_broken_tail_fails_and_says_how_far_it_was_read(
    tmp_path: Path, share: float, filled: bool
) -> None:
    path = make(tmp_path / "a.mp4", frames=24)
    content = path.read_bytes()
    cut = content.index(b"mdat") + round((len(content) - content.index(b"mdat")) * share)
    path.write_bytes(content[:cut] + (bytes(len(content) - cut) if filled and share < 0.99 else b""))
    error = refusal(path)
    assert error.code is Code.INVALID_MEDIA
    assert "damaged or incomplete: only its first" in error.message


@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_webm_that_breaks_off_is_refused(tmp_path: Path, share: float) -> None:
    path = make(tmp_path / "a.webm", codec="libvpx", frames=24)
    path.write_bytes(path.read_bytes()[: round(path.stat().st_size * share)])
    error = refusal(path)
    assert (error.code, "incomplete" in error.message) == (Code.INVALID_MEDIA, True)


def test_a_video_without_its_directory_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "a.mp4", container={"movflags": "0"})
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"moov") - 4])
    assert refusal(path).code is Code.INVALID_MEDIA


@pytest.mark.parametrize("content", [b"", b"a film about nothing\n" * 50, b"\x00\x00\x00\x18ftypisom" + bytes(100)])
def test_a_file_that_is_only_named_like_a_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    error = refusal(path)
    assert (error.code, "no video" in error.message) == (Code.INVALID_MEDIA, True)


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48)).save(tmp_path / "a.png")
    assert refusal(tmp_path / "a.png").code is Code.INVALID_MEDIA


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def connections(server: socket.socket) -> int:
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://{}/a.ts\n#EXT-X-ENDLIST\n"
LISTS = {
    "a.m3u8": PLAYLIST,
    "a.mp4": PLAYLIST,
    "b.mp4": "ffconcat version 1.0\nfile http://{}/a.mp4\n",
    "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>http://{}/</BaseURL></MPD>',
    "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_points_at_the_network_is_refused_without_a_connection(
    tmp_path: Path, listener: socket.socket, name: str
) -> None:
    host, port = listener.getsockname()
    path = tmp_path / name
    path.write_text(LISTS[name].replace("{}", f"{host}:{port}"))
    assert refusal(path).code is Code.INVALID_MEDIA
    assert connections(listener) == 0
