"""What a file is, told from its content: every kind that is accepted, and bad ones in every shape."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from darkroom.core.errors import Code, TaskError
from darkroom.media import EXTENSIONS, Limits, Probe, probe

PICTURES = ["PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP", "TIFF"]
VIDEOS = {"mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm"}


@cache
def picture(kind: str, **options: bool) -> bytes:
    file = io.BytesIO()
    Image.effect_noise((64, 48), 40).convert("RGB").save(file, kind, **options)
    return file.getvalue()


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    import cv2
    import numpy as np

    made = {}
    for extension in VIDEOS:
        path = tmp_path_factory.mktemp("videos") / f"film.{extension}"
        codec = cv2.VideoWriter.fourcc(*("VP80" if extension == "webm" else "mp4v"))
        writer = cv2.VideoWriter(str(path), codec, 10, (64, 48))
        for shade in range(3):
            writer.write(np.full((48, 64, 3), shade, np.uint8))
        writer.release()
        made[extension] = path.read_bytes()
    return made


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of_size(width: int, height: int) -> bytes:
    """A small file that claims to hold a large picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def commented_gif(blocks: int) -> bytes:
    comment = b"!\xfe" + b"\x01x" * blocks + b"\x00"
    return b"GIF89a\x01\x00\x01\x00\x00\x00\x00" + comment + b",\0\0\0\0\1\0\1\0\0\2\2D\1\0;"


def look(content: bytes, limits: Limits | None = None) -> Probe:
    return probe(io.BytesIO(content), limits=limits or Limits())


def refusal(content: bytes, limits: Limits | None = None) -> TaskError:
    with pytest.raises(TaskError) as caught:
        look(content, limits)
    return caught.value


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_is_known_by_its_content(kind: str) -> None:
    content = picture(kind)
    assert look(content) == Probe(f"image/{kind.lower()}", len(content), 64, 48)


@pytest.mark.parametrize("extension", VIDEOS)
def test_a_video_is_known_by_its_content(videos: dict[str, bytes], extension: str) -> None:
    content = videos[extension]
    assert look(content) == Probe(VIDEOS[extension], len(content), 64, 48, pytest.approx(0.3))


def test_a_progressive_jpeg_is_walked_through_all_its_scans() -> None:
    assert look(picture("JPEG", progressive=True)).width == 64


def test_a_jpeg_with_a_thumbnail_inside_is_not_taken_for_complete() -> None:
    thumbnail = picture("JPEG")
    content = picture("JPEG")
    with_thumbnail = content[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + content[2:]
    assert look(with_thumbnail).media_type == "image/jpeg"
    assert refusal(with_thumbnail[:-100]).code is Code.INVALID_MEDIA


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_exif_data_is_never_followed(kind: str, recwarn: pytest.WarningsRecorder) -> None:
    entries = b"".join(struct.pack("<HHII", tag, 7, 60_000, 8) for tag in range(1, 4000))
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + struct.pack("<H", 3999) + entries
    file = io.BytesIO()
    Image.new("RGB", (64, 48)).save(file, kind, exif=exif)
    recwarn.clear()
    tracemalloc.start()
    try:
        assert look(file.getvalue()).width == 64
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    assert not recwarn.list


def test_bytes_after_the_end_of_a_photo_are_allowed() -> None:
    assert look(picture("JPEG") + b"a motion photo's film").media_type == "image/jpeg"


def test_an_animation_is_accepted() -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (64, 48), (shade, 0, 0)) for shade in (0, 100, 200)]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert look(file.getvalue()) == Probe("image/gif", len(file.getvalue()), 64, 48)


def test_a_comment_in_a_gif_is_skipped() -> None:
    assert look(commented_gif(1000)).width == 1


def test_every_kind_has_a_name_for_downloads() -> None:
    known = {f"image/{kind.lower()}" for kind in PICTURES} | set(VIDEOS.values())
    assert set(EXTENSIONS) == known
    assert EXTENSIONS["image/jpeg"] == "jpg"
    assert EXTENSIONS["video/quicktime"] == "mov"


@pytest.mark.parametrize("kind", PICTURES)
def test_a_picture_that_breaks_off_is_refused_wherever_it_does(kind: str) -> None:
    content = picture(kind)
    for length in {*range(1, len(content), 61), len(content) - 1, len(content) - 2}:
        assert refusal(content[:length]).code is Code.INVALID_MEDIA, length


@pytest.mark.parametrize("extension", VIDEOS)
def test_a_video_that_breaks_off_is_refused_wherever_it_does(videos: dict[str, bytes], extension: str) -> None:
    content = videos[extension]
    for length in {*range(1, len(content), 61), len(content) - 1}:
        assert refusal(content[:length]).code is Code.INVALID_MEDIA, length


def test_an_incomplete_file_is_named_as_such() -> None:
    assert refusal(picture("PNG")[:-20]).message == (
        "The PNG file is incomplete or damaged. Send the whole file again."
    )


JUNK = {
    "nothing": b"",
    "one byte": b"\xff",
    "a page": b"<!doctype html><html><script>alert(1)</script></html>",
    "a drawing": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "a document": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "text that starts like a BMP": b"BMW is a maker of cars. " * 40,
    "a script that starts like a GIF": b"GIF89a=1;/*" + b" " * 40 + b"*/;alert(1);",
    "a page that starts like a PNG": b"\x89PNG\r\n\x1a\n<script>alert(1)</script>" + chunk(b"IEND", b""),
    "a PNG without a header": b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"x") + chunk(b"IEND", b""),
    "a PNG of no width": png_of_size(0, 10),
    "a PNG of endless parts": png_of_size(10, 10)[:33] + chunk(b"tEXt", b"") * 30_000 + chunk(b"IEND", b""),
    "a JPEG of two markers": b"\xff\xd8\xff\xd9",
    "a JPEG of fill bytes": b"\xff\xd8" + b"\xff" * 100_000,
    "a JPEG without a frame": b"\xff\xd8\xff\xda\x00\x02" + bytes(100) + b"\xff\xd9",
    "a JPEG of no height": picture("JPEG").replace(struct.pack(">HH", 48, 64), struct.pack(">HH", 0, 64), 1),
    "an AVIF without sides": picture("AVIF").replace(b"ispe", b"free"),
    "a GIF of endless blocks": commented_gif(500_000),
    "a GIF without a picture": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "a sound": struct.pack(">I", 16) + b"ftypM4A \x00\x00\x00\x00" + struct.pack(">I", 8) + b"moov",
    "a HEIC picture": struct.pack(">I", 24) + b"ftypheic\x00\x00\x00\x00mif1heic" + bytes(100),
    "an AVIF of one box": struct.pack(">I", 20) + b"ftypavif\x00\x00\x00\x00avif",
    "an MP4 of one box": struct.pack(">I", 20) + b"ftypisom\x00\x00\x00\x00mp42",
    "an MP4 with an enormous box": struct.pack(">I", 20)
    + b"ftypisom\x00\x00\x00\x00mp42"
    + struct.pack(">I4sQ", 1, b"moov", 2**64 - 1),
    "a Matroska film": b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska\x18\x53\x80\x67\x80",
    "a TIFF whose directory is elsewhere": b"II*\x00\xff\xff\xff\xff",
    "a TIFF without strips": b"MM\x00*\x00\x00\x00\x08\x00\x00" + bytes(40),
}


@pytest.mark.parametrize("content", JUNK.values(), ids=JUNK.keys())
def test_junk_is_refused_as_no_media(content: bytes) -> None:
    assert refusal(content).code is Code.INVALID_MEDIA


def test_a_tiff_whose_values_overlap_is_refused() -> None:
    entries = [struct.pack("<HHII", tag, 7, 40_000, 8) for tag in range(1000, 1400)]
    content = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(40_000)
    assert refusal(content).code is Code.INVALID_MEDIA


def test_a_refusal_says_what_is_accepted() -> None:
    for content in (b"", b"hello"):
        assert "PNG, JPEG, WebP, GIF, AVIF, BMP or TIFF" in refusal(content).message
        assert "MP4, WebM or MOV" in refusal(content).message


@pytest.mark.parametrize(("width", "height"), [(30_000, 30_000), (12_000, 9_000), (7_072, 7_072)])
def test_a_header_that_claims_too_many_pixels_is_refused(width: int, height: int) -> None:
    error = refusal(png_of_size(width, height))
    assert error.code is Code.TOO_LARGE
    assert "50000000" in error.message


def test_a_cut_header_that_claims_too_many_pixels_is_refused() -> None:
    assert refusal(png_of_size(30_000, 30_000)[:33]).code is Code.TOO_LARGE


@pytest.mark.parametrize("kind", PICTURES)
def test_the_pixel_limit_holds_for_every_kind(kind: str) -> None:
    content = picture(kind)
    assert look(content, Limits(pixels=64 * 48)).width == 64
    assert refusal(content, Limits(pixels=64 * 48 - 1)).code is Code.TOO_LARGE


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "TIFF"])
def test_a_bomb_that_only_the_reader_finds_is_too_large(kind: str) -> None:
    content = bytearray(picture(kind))
    if kind == "JPEG":
        start = content.index(b"\xff\xc0") + 5
        content[start : start + 4] = struct.pack(">HH", 60_000, 60_000)
    elif kind == "WEBP":
        start = content.index(b"\x9d\x01\x2a") + 3
        content[start : start + 4] = struct.pack("<HH", 16_383, 16_383)
    else:
        content = bytearray(
            content.replace(struct.pack("<HHIHH", 256, 3, 1, 64, 0), struct.pack("<HHII", 256, 4, 1, 60_000))
            .replace(struct.pack("<HHII", 256, 4, 1, 64), struct.pack("<HHII", 256, 4, 1, 60_000))
            .replace(struct.pack("<HHII", 257, 4, 1, 48), struct.pack("<HHII", 257, 4, 1, 60_000))
        )
    assert refusal(bytes(content)).code is Code.TOO_LARGE


def test_the_byte_limit_is_exact() -> None:
    content = picture("PNG")
    assert look(content, Limits(bytes=len(content))).size == len(content)
    assert refusal(content, Limits(bytes=len(content) - 1)).code is Code.TOO_LARGE


@pytest.mark.parametrize("limits", [Limits(), Limits(bytes=100_000_000)])
def test_sixty_megabytes_of_zeros_are_refused_in_little_memory(tmp_path: Path, limits: Limits) -> None:
    path = tmp_path / "picture.png"
    with path.open("wb") as file:
        file.truncate(60_000_000)
    tracemalloc.start()
    try:
        with path.open("rb") as file, pytest.raises(TaskError) as caught:
            probe(file, limits=limits)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code in {Code.INVALID_MEDIA, Code.TOO_LARGE}
    assert peak < 2_000_000


def test_the_file_stays_open_at_its_beginning() -> None:
    for content in (picture("GIF"), picture("TIFF"), b"junk"):
        file = io.BytesIO(content)
        file.seek(3)
        try:
            probe(file)
        except TaskError:
            assert content == b"junk"
        assert file.read() == content


MAGICS = [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\xff\x00\x00\x00WEBPVP8 ", b"GIF89a", b"II*\x00", b"MM\x00*"]
MAGICS += [b"BM" + bytes(12) + b"\x28\x00\x00\x00", b"\x1a\x45\xdf\xa3\x87\x42\x82\x84webm\x18\x53\x80\x67"]
MAGICS += [struct.pack(">I", 20) + b"ftyp" + brand + bytes(4) + b"avif" for brand in (b"avif", b"isom", b"qt  ")]


@given(st.sampled_from([b"", *MAGICS]), st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_task_error(magic: bytes, noise: bytes) -> None:
    with suppress(TaskError):
        assert look(magic + noise).size == len(magic + noise)


@given(st.sampled_from(PICTURES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8))
def test_altered_pictures_raise_nothing_but_a_task_error(kind: str, changes: list[tuple[float, int]]) -> None:
    content = bytearray(picture(kind))
    for place, value in changes:
        content[int(place * 0.9 * min(len(content), 700))] = value
    with suppress(TaskError):
        assert look(bytes(content)).size == len(content)
