"""Finishing of outputs: what a file is, how large, and what its placeholder shows."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image, ImageOps

from darkroom.core.errors import Code, TaskError
from darkroom.engines._process import Child
from darkroom.finish import DIGITS, Finished, FinishRequest, blurhash, finish

NEAR = 29.0  # dB: what is shifted by half a pixel, or blurred, is farther off
FTYP = b"\x00\x00\x00\x18ftyp%b\x00\x00\x02\x00isommp41"


class Unheard:
    """A `Report` that nobody reads."""

    def progress(self, percent: int, note: str = "") -> None:
        pass

    def preview(self, picture: Path) -> None:
        pass


def finish_file(path: Path) -> Finished:
    [finished] = finish(FinishRequest((path,), path.parent), Unheard())
    return finished


def photo(width: int, height: int) -> Image.Image:
    """A picture that is red on the left and blue on the right."""
    return ImageOps.colorize(Image.linear_gradient("L").rotate(90).resize((width, height)), "red", "blue")


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "avif", "gif"])
def test_a_picture_is_known_by_its_content(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "picture.bin"
    photo(640, 400).save(path, file_format)
    finished = finish_file(path)
    assert (finished.path, finished.media_type) == (path, f"image/{file_format}")
    assert (finished.width, finished.height, finished.size) == (640, 400, path.stat().st_size)
    assert finished.thumbnail
    with Image.open(finished.thumbnail, formats=["WEBP"]) as thumbnail:
        assert (thumbnail.size, thumbnail.mode) == ((320, 200), "RGB")
        red, _, blue = thumbnail.getpixel((2, 100))  # type: ignore[misc]
        assert red > 200
        assert blue < 60


def test_a_jpeg_with_several_pictures_is_a_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.mpo"
    photo(50, 40).save(path, "MPO", save_all=True, append_images=[photo(50, 40)])
    assert finish_file(path).media_type == "image/jpeg"


@pytest.mark.parametrize("size", [(100, 40), (1, 1), (320, 1), (4000, 2)])
def test_a_small_picture_is_not_enlarged(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "a.png"
    photo(*size).save(path)
    finished = finish_file(path)
    assert finished.thumbnail
    assert finished.blurhash
    with Image.open(finished.thumbnail) as thumbnail:
        assert thumbnail.size == (min(size[0], 320), 1 if size[0] == 4000 else size[1])


@pytest.mark.parametrize("file_format", ["png", "jpeg"])
@pytest.mark.parametrize("size", [(400, 400), (640, 640), (640, 1024), (1500, 330)])
def test_a_thumbnail_is_as_near_to_the_picture_as_its_format_lets_it(
    tmp_path: Path, size: tuple[int, int], file_format: str
) -> None:
    """Whatever fraction of a JPEG is decoded: nothing is shifted, and little is blurred."""
    with resources.as_file(resources.files("darkroom").joinpath("samples", "astronaut.png")) as sample:
        picture = ImageOps.fit(Image.open(sample).convert("RGB"), size, Image.Resampling.LANCZOS)
    path = tmp_path / "a"
    picture.save(path, file_format, quality=92)
    finished = finish_file(path)
    assert finished.thumbnail
    with Image.open(finished.thumbnail) as thumbnail:
        assert max(thumbnail.size) == 320
        careful = numpy.asarray(picture.resize(thumbnail.size, Image.Resampling.LANCZOS), float)
        error = numpy.square(careful - numpy.asarray(thumbnail, float)).mean()
        assert 10 * numpy.log10(255**2 / error) > NEAR


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
def test_a_turned_picture_is_shown_upright(tmp_path: Path, file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise: the left side comes up
    path = tmp_path / "turned"
    photo(640, 400).save(path, file_format, exif=exif)
    finished = finish_file(path)
    assert (finished.width, finished.height) == (400, 640)
    assert finished.thumbnail
    with Image.open(finished.thumbnail) as thumbnail:
        assert thumbnail.size == (200, 320)
        assert thumbnail.getpixel((100, 2))[0] > 200  # type: ignore[index]
        assert thumbnail.getpixel((100, 317))[2] > 200  # type: ignore[index]


@pytest.mark.parametrize("file_format", ["png", "webp", "gif"])
def test_transparency_is_kept(tmp_path: Path, file_format: str) -> None:
    path = tmp_path / "see-through"
    picture = Image.new("RGBA", (400, 400), (0, 0, 0, 0))
    picture.paste((0, 128, 0, 255), (0, 0, 200, 400))
    picture.save(path, file_format)
    finished = finish_file(path)
    assert finished.thumbnail
    with Image.open(finished.thumbnail) as thumbnail:
        assert thumbnail.mode == "RGBA"
        assert thumbnail.getpixel((10, 160))[3] == 255  # type: ignore[index]
        assert thumbnail.getpixel((310, 160))[3] == 0  # type: ignore[index]
    assert finished.blurhash
    assert decode(finished.blurhash)[:, -4:].min() > 200  # white where nothing is


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "CMYK"])
def test_every_colour_mode_is_finished(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a"
    photo(64, 64).convert("RGBA" if mode == "LA" else "RGB").convert(mode).save(
        path, "JPEG" if mode == "CMYK" else "PNG"
    )
    assert finish_file(path).blurhash


@pytest.mark.parametrize(("mode", "kept"), [("RGB", b"colours"), ("CMYK", None)])
def test_a_colour_profile_is_kept_where_it_still_fits_and_other_metadata_is_not(
    tmp_path: Path, mode: str, kept: bytes | None
) -> None:
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    path = tmp_path / "a.jpg"
    photo(64, 64).convert(mode).save(path, icc_profile=b"colours", exif=exif)
    thumbnail = finish_file(path).thumbnail
    assert thumbnail
    with Image.open(thumbnail) as image:
        assert image.info.get("icc_profile") == kept
        assert not image.getexif()


def truncated(folder: Path) -> bytes:
    photo(640, 400).save(folder / "whole.png")
    return (folder / "whole.png").read_bytes()[:-2000]


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg/>", b"\x89PNG\r\n\x1a\n", *(FTYP % brand for brand in (b"heic", b"avif", b"isom")), FTYP[:8], None],
)
def test_what_is_no_media_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(truncated(tmp_path) if content is None else content)
    with pytest.raises(TaskError) as caught:
        finish_file(path)
    assert caught.value.code is Code.ENGINE_FAILED
    assert "a.png" in (caught.value.detail or "")


def test_a_picture_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    Image.new("1", (20_000, 20_000)).save(path)
    with pytest.raises(TaskError) as caught:
        finish_file(path)
    assert "DecompressionBomb" in (caught.value.detail or "")


async def test_several_outputs_are_finished_in_order_in_a_child(tmp_path: Path) -> None:
    paths = tuple(tmp_path / folder / "same name.png" for folder in "abc")
    for width, path in enumerate(paths, 10):
        path.parent.mkdir()
        photo(width, 5).save(path)
    child = Child("darkroom.finish:finish")
    finished = await child.call(FinishRequest(paths, tmp_path), list[Finished])
    await child.close()
    assert [(one.path, one.width) for one in finished] == [(path, width) for width, path in enumerate(paths, 10)]
    thumbnails = {one.thumbnail for one in finished if one.thumbnail}
    assert len(thumbnails) == 3
    assert all(thumbnail.parent == tmp_path and thumbnail.is_file() for thumbnail in thumbnails)


def test_importing_the_module_imports_nothing_heavy() -> None:
    code = "import sys, darkroom.finish; sys.exit('numpy' in sys.modules or 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def solid(*colour: int) -> numpy.ndarray[Any, Any]:
    return numpy.full((32, 32, 3), colour, numpy.uint8)


def test_the_blurhash_of_black_is_known() -> None:
    assert blurhash(solid(0, 0, 0)) == "L00000" + "fQ" * 11


@pytest.mark.parametrize("colour", [(255, 255, 255), (255, 0, 0), (1, 2, 3), (18, 52, 86), (128, 128, 128)])
def test_the_blurhash_of_one_colour_holds_exactly_that_colour(colour: tuple[int, int, int]) -> None:
    assert number(blurhash(solid(*colour))[2:6]) == int.from_bytes(bytes(colour), "big")


def test_the_blurhash_of_the_average_alone_has_six_digits() -> None:
    assert blurhash(solid(255, 255, 255), 1, 1) == "00TSUA"


@pytest.mark.parametrize(("across", "down"), [(4, 3), (9, 9), (1, 5)])
def test_a_blurhash_names_its_components(across: int, down: int) -> None:
    encoded = blurhash(solid(9, 9, 9), across, down)
    assert number(encoded[0]) == across - 1 + (down - 1) * 9
    assert len(encoded) == 4 + 2 * across * down


def test_a_decoded_blurhash_looks_like_the_picture() -> None:
    rows, columns = numpy.mgrid[0:32, 0:32] / 31
    picture = (numpy.stack([columns, rows, 1 - columns], axis=2) * 255).astype(numpy.uint8)
    decoded = decode(blurhash(picture))
    assert numpy.abs(decoded.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 12
    assert numpy.abs(decoded - picture).mean() < 16


def test_noise_stays_within_the_digits() -> None:
    noise = numpy.random.default_rng(1).integers(0, 2, (32, 32, 3)) * 255
    assert set(blurhash(noise.astype(numpy.uint8))) <= set(DIGITS)


def number(digits: str) -> int:
    value = 0
    for digit in digits:
        value = value * 83 + DIGITS.index(digit)
    return value


def decode(text: str, size: int = 32) -> numpy.ndarray[Any, Any]:
    """The picture that a blurhash describes, in sRGB values of 0 to 255; straight from the published description."""
    across, down = number(text[0]) % 9 + 1, number(text[0]) // 9 + 1
    largest = (number(text[1]) + 1) / 166
    average = numpy.frombuffer(number(text[2:6]).to_bytes(3, "big"), numpy.uint8) / 255
    factors = [numpy.where(average <= 0.04045, average / 12.92, ((average + 0.055) / 1.055) ** 2.4)]
    for place in range(6, len(text), 2):
        value = number(text[place : place + 2])
        steps = numpy.array([value // 361, value // 19 % 19, value % 19])
        factors.append(numpy.sign(steps - 9) * ((steps - 9) / 9) ** 2 * largest)
    light = numpy.zeros((size, size, 3))
    for index, factor in enumerate(factors):
        wave_x = numpy.cos(numpy.pi * (index % across) * numpy.arange(size) / size)
        wave_y = numpy.cos(numpy.pi * (index // across) * numpy.arange(size) / size)
        light += numpy.outer(wave_y, wave_x)[:, :, None] * factor
    assert down * across == len(factors)
    light = light.clip(0, 1)
    return numpy.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055) * 255
