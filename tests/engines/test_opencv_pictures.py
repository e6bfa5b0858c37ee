"""Pictures in and out: every common kind of file, bad files, and the limits."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

import darkroom
from darkroom.core.errors import Code, TaskError
from darkroom.engines.opencv import pictures
from darkroom.engines.opencv.pictures import Picture

SAMPLES = Path(darkroom.__file__).parent / "samples"
ORIENTATION = 0x0112


@pytest.fixture
def saved(tmp_path: Path):
    def save(image: Image.Image, name: str = "picture.png", **options: object) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


def blocks(mode: str = "RGB", size: tuple[int, int] = (40, 30)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    return image.convert(mode)


def colours(picture: Picture) -> tuple[list[int], list[int]]:
    """A pixel of the left and one of the right half."""
    height, width = picture.rgb.shape[:2]
    return picture.rgb[height // 2, width // 4].tolist(), picture.rgb[height // 2, width * 3 // 4].tolist()


def refusal(path: Path) -> TaskError:
    with pytest.raises(TaskError) as caught:
        pictures.read(path)
    return caught.value


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.gif", "a.bmp", "a.tiff"])
def test_exact_formats_come_in_exactly(saved, name: str) -> None:
    options = {"lossless": True} if name == "a.webp" else {}
    assert colours(pictures.read(saved(blocks(), name, **options))) == ([255, 0, 0], [0, 0, 255])


@pytest.mark.parametrize("name", ["a.jpg", "a.avif"])
def test_lossy_formats_come_in_closely(saved, name: str) -> None:
    left, right = colours(pictures.read(saved(blocks(), name, quality=95)))
    assert np.abs(np.array([left, right]) - [[255, 0, 0], [0, 0, 255]]).max() < 12


def test_a_cmyk_jpeg_becomes_rgb(saved) -> None:
    left, right = colours(pictures.read(saved(blocks("CMYK"), "a.jpg", quality=95)))
    assert left[0] > 200 > 60 > left[2]
    assert right[2] > 200 > 60 > right[0]


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_grey_and_palette_pictures_become_rgb(saved, mode: str) -> None:
    picture = pictures.read(saved(blocks().convert("L").point(lambda v: 255 if v > 50 else 0).convert(mode)))
    assert colours(picture) == ([255] * 3, [0] * 3)
    assert picture.alpha is None


def test_sixteen_bits_of_grey_are_scaled_and_not_clipped(saved) -> None:
    levels = np.array([[0, 257 * 60, 257 * 128, 65_535]], np.uint16)
    assert pictures.read(saved(Image.fromarray(levels))).rgb[0, :, 0].tolist() == [0, 60, 128, 255]


def test_a_palette_with_transparency_gives_alpha(saved) -> None:
    palette = blocks("P")
    picture = pictures.read(saved(palette, transparency=palette.getpixel((0, 0))))
    assert picture.alpha is not None
    assert (picture.alpha[0, 0], picture.alpha[0, -1]) == (0, 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_kept_apart(saved, mode: str) -> None:
    image = blocks(mode)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    picture = pictures.read(saved(image))
    assert picture.alpha is not None
    assert (picture.alpha == np.asarray(image.getchannel("A"))).all()


def test_hidden_colours_are_replaced_by_their_neighbours(saved) -> None:
    image = Image.new("RGBA", (64, 64), (0, 255, 0, 0))
    image.paste((200, 10, 30, 255), (0, 0, 8, 8))
    rgb = pictures.read(saved(image)).rgb
    assert np.abs(rgb.astype(int) - [200, 10, 30]).max() <= 1


def test_a_wholly_transparent_picture_can_be_read(saved) -> None:
    picture = pictures.read(saved(Image.new("RGBA", (5, 4), (9, 8, 7, 0))))
    assert picture.alpha is not None
    assert not picture.alpha.any()


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp"])
def test_orientation_is_applied(saved, name: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # the camera was turned: the first row is shown at the right
    picture = pictures.read(saved(blocks(size=(60, 20)), name, exif=exif))
    assert picture.size == (20, 60)
    assert picture.rgb[5, 10, 0] > 200
    assert picture.rgb[55, 10, 2] > 200


def test_a_colour_profile_is_converted_to_srgb(saved) -> None:
    left, right = colours(pictures.read(saved(blocks(), icc_profile=swapped_profile())))
    assert left[1] > 240 > 30 > left[0]
    assert right[2] > 240


def test_a_broken_colour_profile_is_passed_over(saved) -> None:
    picture = pictures.read(saved(blocks(), icc_profile=b"no profile" * 20))
    assert colours(picture) == ([255, 0, 0], [0, 0, 255])


def test_a_profile_for_other_channels_is_passed_over(saved) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    picture = pictures.read(saved(blocks(), icc_profile=lab))
    assert colours(picture) == ([255, 0, 0], [0, 0, 255])


def test_only_the_first_frame_of_an_animation_is_used_and_that_is_said(saved) -> None:
    second = Image.new("RGB", (40, 30), "lime")
    picture = pictures.read(saved(blocks(), "a.gif", save_all=True, append_images=[second], loop=0))
    assert colours(picture) == ([255, 0, 0], [0, 0, 255])
    assert "first frame" in picture.warnings[0]


@pytest.mark.parametrize("name", ["astronaut.png", "grace_hopper.jpg"])
@pytest.mark.parametrize("part", [0, 20, 200, 0.3, 0.9])
def test_truncated_files_are_refused(tmp_path: Path, name: str, part: float) -> None:
    whole = (SAMPLES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(part * len(whole)) if isinstance(part, float) else part])
    assert (error := refusal(path)).code is Code.INVALID_MEDIA
    assert error.param == "inputs"


@pytest.mark.parametrize(
    "content", [b"this is no picture", b"%PDF-1.4\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    assert refusal(path).code is Code.INVALID_MEDIA


def test_floating_point_pixels_are_refused(saved) -> None:
    assert refusal(saved(Image.fromarray(np.ones((4, 4), np.float32)), "a.tiff")).code is Code.INVALID_MEDIA


def test_a_missing_file_is_no_fault_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        pictures.read(tmp_path / "nothing.png")


@pytest.mark.parametrize("size", [(10_001, 5_000), (12_000, 12_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_by_the_header_alone(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(png_header(*size))
    for look in (pictures.read, pictures.measure):
        with pytest.raises(TaskError, match="50 megapixels") as caught:
            look(path)
        assert caught.value.code is Code.TOO_LARGE


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["png", "jpeg", "webp", "gif", "tiff", "bmp", "avif"]),
    st.integers(0, 2**16),
    st.binary(min_size=1, max_size=6),
)
def test_damaged_files_raise_nothing_but_task_errors(tmp_path_factory, kind: str, place: int, damage: bytes) -> None:
    file = io.BytesIO()
    blocks("P" if kind == "gif" else "RGB").save(file, kind)
    content = bytearray(file.getvalue())
    place %= len(content)
    content[place : place + len(damage)] = damage
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content)
    try:
        picture = pictures.read(path)
    except TaskError as error:
        assert error.code in (Code.INVALID_MEDIA, Code.TOO_LARGE)  # noqa: PT017
    else:
        assert picture.rgb.dtype == np.uint8
        assert picture.rgb.shape[2:] == (3,)


@pytest.mark.parametrize(("size", "kept"), [((20, 30), (10, 30)), ((40, 10), (0, 40)), ((80, 60), (0, 40))])
def test_fitting_crops_evenly(size: tuple[int, int], kept: tuple[int, int]) -> None:
    columns = np.repeat(np.arange(40, dtype=np.uint8)[None, :, None], 30, axis=0).repeat(3, axis=2)
    fitted = pictures.fit(Picture(columns), size)
    assert fitted.size == size
    assert abs(int(fitted.rgb[0, 0, 0]) - kept[0]) <= 1
    assert abs(int(fitted.rgb[0, -1, 0]) - (kept[1] - 1)) <= 1


@pytest.mark.parametrize(("quality", "compression"), [(95, 6), (85, 17), (50, 58)])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_how_strongly_a_jpeg_file_was_compressed_is_known(saved, mode: str, quality: int, compression: int) -> None:
    path = saved(blocks(mode), "a.jpg", quality=quality)
    assert pictures.read(path).compression == pytest.approx(compression, abs=1)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.avif", "a.gif", "a.tiff"])
def test_other_files_count_as_not_compressed(saved, name: str) -> None:
    assert pictures.read(saved(blocks(), name)).compression == 0


def test_fitting_keeps_alpha_and_colours_together() -> None:
    rgb = np.zeros((30, 40, 3), np.uint8)
    rgb[:, 20:] = 255
    fitted = pictures.fit(Picture(rgb, rgb[..., 0].copy()), (13, 57))
    assert fitted.alpha is not None
    assert (fitted.alpha == fitted.rgb[..., 0]).all()


@pytest.mark.parametrize(
    ("file_format", "suffix"), [("png", ".png"), ("jpeg", ".jpg"), ("webp", ".webp"), ("avif", ".avif")]
)
def test_results_are_written_in_the_format_with_the_mark(tmp_path: Path, file_format: str, suffix: str) -> None:
    picture = Picture(np.asarray(blocks()))
    path, notes = pictures.write(picture, tmp_path / "0", file_format=file_format, quality=90, made_by="Darkroom x-v1")
    assert (path.name, notes) == (f"0{suffix}", ())
    with Image.open(path) as image:
        image.load()
        assert image.format == file_format.upper()
        mark = image.text["Software"] if file_format == "png" else image.getexif()[ExifTags.Base.Software]
    assert mark == "Darkroom x-v1"


@pytest.mark.parametrize("file_format", ["jpeg", "webp", "avif"])
def test_quality_changes_the_size_of_the_file(tmp_path: Path, file_format: str) -> None:
    picture = pictures.fit(pictures.read(SAMPLES / "grace_hopper.jpg"), (128, 150))
    sizes = [
        pictures.write(picture, tmp_path / str(quality), file_format=file_format, quality=quality, made_by="x")[0]
        .stat()
        .st_size
        for quality in (20, 90)
    ]
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize(("file_format", "tolerance"), [("png", 0), ("webp", 0), ("avif", 2)])
def test_transparency_is_written(tmp_path: Path, file_format: str, tolerance: int) -> None:
    alpha = np.asarray(Image.linear_gradient("L").resize((40, 30)))
    picture = Picture(np.asarray(blocks()), alpha)
    path, notes = pictures.write(picture, tmp_path / "0", file_format=file_format, quality=90, made_by="x")
    assert notes == ()
    with Image.open(path) as image:
        written = np.asarray(image.getchannel("A"))
    assert np.abs(written.astype(int) - alpha).max() <= tolerance


def test_a_jpeg_puts_transparency_on_white_and_says_so(tmp_path: Path) -> None:
    picture = Picture(np.zeros((16, 16, 3), np.uint8), np.zeros((16, 16), np.uint8))
    path, notes = pictures.write(picture, tmp_path / "0", file_format="jpeg", quality=90, made_by="x")
    assert "transparency" in notes[0]
    assert np.asarray(Image.open(path)).min() > 250


@pytest.mark.parametrize(
    ("size", "file_format", "param"),
    [
        ((8193, 8192), "png", "scale"),
        ((16_384, 10), "webp", "format"),
        ((10, 65_501), "jpeg", "format"),
        ((32_769, 9), "avif", "format"),
    ],
)
def test_results_over_a_limit_are_refused(size: tuple[int, int], file_format: str, param: str) -> None:
    with pytest.raises(TaskError) as caught:
        pictures.check_output(size, file_format, "scale")
    assert (caught.value.code, caught.value.param) == (Code.TOO_LARGE, param)


@pytest.mark.parametrize(
    ("size", "file_format"),
    [((8192, 8192), "png"), ((16_383, 10), "webp"), ((65_500, 9), "jpeg"), ((32_768, 9), "avif")],
)
def test_results_at_a_limit_are_allowed(size: tuple[int, int], file_format: str) -> None:
    pictures.check_output(size, file_format, "scale")


def test_an_avif_of_the_largest_side_can_be_read_again(tmp_path: Path) -> None:
    picture = Picture(np.zeros((9, pictures.MAX_SIDE["avif"], 3), np.uint8))
    path, _ = pictures.write(picture, tmp_path / "0", file_format="avif", quality=50, made_by="x")
    assert pictures.read(path).size == picture.size


def png_header(width: int, height: int) -> bytes:
    """A png file that claims a size and holds no pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def swapped_profile() -> bytes:
    """An ICC profile like sRGB in which red and green have changed places."""

    def xyz(x: float, y: float, z: float) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(value * 65_536) for value in (x, y, z)))

    text = b"swapped\0"
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256))
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(0.9642, 1.0, 0.8249),
        b"rXYZ": xyz(0.3851, 0.7169, 0.0971),
        b"gXYZ": xyz(0.4361, 0.2225, 0.0139),
        b"bXYZ": xyz(0.1431, 0.0606, 0.7141),
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma),
    }
    table, body = struct.pack(">I", len(tags)), b""
    start = 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02200000, b"mntr", b"RGB ", b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + xyz(0.9642, 1.0, 0.8249)[8:]
    return head.ljust(128, b"\0") + table + body
