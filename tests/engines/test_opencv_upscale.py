"""Upscaling: the networks are better than Lanczos, tiles leave no trace, sizes come out exactly, and EXIF is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

import darkroom
from darkroom.core.task import Operation
from darkroom.engines.opencv import UPSCALE, pictures, upscale, work
from darkroom.engines.opencv.pictures import Picture, Pixels
from darkroom.testing.engines import example

SAMPLES = Path(darkroom.__file__).parent / "samples"


def nothing(*_: int) -> None:
    """Nobody wants to know about tiles."""


def luma(rgb: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"), np.float64)[4:-4, 4:-4, 0]


def decibels(rgb: Pixels, truth: Pixels) -> float:
    """Peak signal-to-noise ratio of the luma."""
    return float(10 * np.log10(255**2 / ((luma(rgb) - luma(truth)) ** 2).mean()))


def cut(name: str, width: int, height: int) -> Pixels:
    return pictures.read(SAMPLES / name).rgb[60 : 60 + height, 100 : 100 + width]


def smaller(rgb: Pixels, factor: int) -> Pixels:
    size = (rgb.shape[1] // factor, rgb.shape[0] // factor)
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


def saved(folder: Path, rgb: Pixels, quality: int | None) -> Picture:
    """A picture as it is read from a file: JPEG of some quality, or png."""
    path = folder / ("a.jpg" if quality else "a.png")
    Image.fromarray(rgb).save(path, **({"quality": quality} if quality else {}))
    return pictures.read(path)


@pytest.mark.parametrize("quality", [None, 85])
@pytest.mark.parametrize("factor", [2, 4])
def test_the_networks_beat_lanczos_on_a_picture_that_they_never_saw(
    tmp_path: Path, factor: int, quality: int | None
) -> None:
    truth = cut("grace_hopper.jpg", 384, 480)
    small = saved(tmp_path, smaller(truth, factor), quality)
    network = decibels(upscale.enlarge(small, (384, 480), nothing).rgb, truth)
    assert network > decibels(pictures.fit(small, (384, 480)).rgb, truth) + 0.7


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("quality", [None, 75])
def test_the_networks_heed_how_strongly_a_file_was_compressed(tmp_path: Path, factor: int, quality: int | None) -> None:
    truth = cut("grace_hopper.jpg", 384, 480)
    small = saved(tmp_path, smaller(truth, factor), quality)
    told_wrong = replace(small, compression=0.0 if quality else 29.0)
    right, wrong = (decibels(upscale.enlarge(p, (384, 480), nothing).rgb, truth) for p in (small, told_wrong))
    assert right > wrong + 0.1


@pytest.mark.parametrize("tile", [18, 62, 192])
@pytest.mark.parametrize("factor", [2, 4])
def test_tiles_leave_no_trace(factor: int, tile: int) -> None:
    rgb = cut("grace_hopper.jpg", 203, 170)
    whole = upscale.multiply(rgb, factor, 10_000, nothing, 17.0)
    assert (upscale.multiply(rgb, factor, tile, nothing, 17.0) == whole).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_windows_agree_to_the_last_bit(factor: int) -> None:
    grey = cut("grace_hopper.jpg", 250, 250)[..., 0]
    network = upscale.network(factor)
    side = 90 + 2 * network.reach + network.surplus
    whole, part = network.detail(grey, 17.0), network.detail(grey[36 : 36 + side, 60 : 60 + side], 17.0)
    assert (part == whole[36 * factor : 126 * factor, 60 * factor : 150 * factor]).all()


def test_eight_times_is_four_times_and_twice() -> None:
    rgb = cut("astronaut.png", 40, 30)
    larger = upscale.double(upscale.multiply(rgb, 4, 60, nothing), 60, nothing)
    assert (upscale.enlarge(Picture(rgb), (320, 240), nothing).rgb == larger).all()


@pytest.mark.parametrize("factor", [2, 4])
def test_a_flat_picture_stays_flat_up_to_its_border(factor: int) -> None:
    rgb = np.full((20, 31, 3), (180, 90, 60), np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (31 * factor, 20 * factor), nothing).rgb.astype(int)
    assert np.abs(enlarged - [180, 90, 60]).max() <= 1


@pytest.mark.parametrize("factor", [2, 4])
def test_a_picture_becomes_neither_brighter_nor_darker(factor: int) -> None:
    rgb = cut("grace_hopper.jpg", 200, 200)
    larger = upscale.multiply(rgb, factor, 192, nothing)
    assert larger.mean(axis=(0, 1)) == pytest.approx(rgb.mean(axis=(0, 1)), abs=0.4)


def test_grey_stays_grey() -> None:
    rgb = cut("astronaut.png", 64, 64).mean(axis=-1, keepdims=True).repeat(3, axis=-1).astype(np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (128, 128), nothing).rgb
    assert np.ptp(enlarged, axis=-1).max() == 0


def test_alpha_grows_with_the_picture() -> None:
    alpha = np.zeros((40, 40), np.uint8)
    alpha[:, 20:] = 255
    enlarged = upscale.enlarge(Picture(cut("astronaut.png", 40, 40), alpha), (160, 160), nothing)
    assert enlarged.alpha is not None
    assert enlarged.alpha.shape == (160, 160)
    assert (enlarged.alpha[:, :70] == 0).all()
    assert (enlarged.alpha[:, 90:] == 255).all()


@pytest.mark.parametrize("start", [(1, 1), (1, 9), (13, 2), (3, 300)])
def test_tiny_and_narrow_pictures_are_enlarged(start: tuple[int, int]) -> None:
    rgb = np.full((start[1], start[0], 3), 77, np.uint8)
    enlarged = upscale.enlarge(Picture(rgb), (start[0] * 4, start[1] * 4), nothing)
    assert enlarged.size == (start[0] * 4, start[1] * 4)
    assert np.abs(enlarged.rgb.astype(int) - 77).max() <= 2


@pytest.mark.parametrize("size", [(90, 77), (41, 41), (40, 30), (13, 9), (200, 30), (30, 200)])
def test_any_size_comes_out_exactly(size: tuple[int, int]) -> None:
    assert upscale.enlarge(Picture(cut("astronaut.png", 40, 30)), size, nothing).size == size


@pytest.mark.parametrize(
    ("start", "size", "factors"),
    [
        ((100, 100), (200, 200), (2,)),
        ((100, 100), (400, 400), (4,)),
        ((100, 100), (105, 105), ()),
        ((100, 100), (150, 150), (2,)),
        ((100, 100), (210, 210), (2,)),
        ((100, 100), (300, 300), (4,)),
        ((100, 100), (420, 420), (4,)),
        ((100, 100), (800, 800), (4, 2)),
        ((100, 100), (20, 20), ()),
        ((16, 16), (8192, 8192), (4, 4, 4, 4, 2)),
        ((3000, 3000), (8000, 8000), (2,)),  # four times would be 144 megapixels
        ((5000, 5000), (8000, 8000), ()),  # and twice 100
    ],
)
def test_the_networks_reach_the_size_without_waste(
    start: tuple[int, int], size: tuple[int, int], factors: tuple[int, ...]
) -> None:
    assert upscale.rounds(start, size) == factors


def test_each_tile_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    upscale.enlarge(Picture(cut("astronaut.png", 300, 20)), (2400, 160), lambda *tile: seen.append(tile))
    # Two tiles of the picture, and seven of one that is four times as wide and high.
    assert seen == [(ready, 9) for ready in range(1, 10)]


# Metadata


def taken(folder: Path, name: str) -> Path:
    """A photograph on its side, with what a camera says of it."""
    exif = Image.Exif()
    exif[Base.Orientation] = 6
    exif[Base.Model] = "Camera 1"
    exif[Base.DateTime] = "2024:05:06 07:08:09"
    exif[IFD.Exif] = {Base.FNumber: 2.8, Base.ExifImageWidth: 30, Base.MakerNote: b"inner"}
    exif[IFD.GPSInfo] = {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (51.0, 30.0, 12.5)}
    Image.new("RGB", (30, 20), (200, 90, 30)).save(folder / name, exif=exif)
    return folder / name


def enlarged(folder: Path, source: Path, **params: object) -> Image.Exif:
    job = example(UPSCALE.name, Operation.IMAGE_UPSCALE, source, **params)
    [output] = work.run(replace(job, workdir=folder / "work"), Report())
    with Image.open(output.path) as image:
        image.load()
        return image.getexif()


class Report:
    """Takes note of nothing."""

    def progress(self, percent: int, note: str = "") -> None:
        pass


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp", "avif"])
@pytest.mark.parametrize("source", ["a.jpg", "a.png", "a.webp"])
def test_what_the_camera_said_is_kept(tmp_path: Path, source: str, file_format: str) -> None:
    exif = enlarged(tmp_path, taken(tmp_path, source), format=file_format)
    assert exif[Base.Model] == "Camera 1"
    assert exif[Base.DateTime] == "2024:05:06 07:08:09"
    assert exif.get_ifd(IFD.GPSInfo) == {GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (51.0, 30.0, 12.5)}
    settings = exif.get_ifd(IFD.Exif)
    assert settings.pop(Base.FNumber) == 2.8
    # Upright, and twice as large; no word of what is no longer so.
    assert settings == {Base.ColorSpace: 1, Base.ExifImageWidth: 40, Base.ExifImageHeight: 60}
    assert Base.Orientation not in exif
    assert exif[Base.Software] == "Darkroom upscale-v1"


def test_a_file_without_facts_gets_none(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.jpg")
    assert dict(enlarged(tmp_path, tmp_path / "a.jpg", format="jpeg")) == {Base.Software: "Darkroom upscale-v1"}
    assert not enlarged(tmp_path, tmp_path / "a.jpg")


def test_a_tiff_files_own_tags_are_no_facts(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.tiff", tiffinfo={Base.Model.value: "Scanner 1"}, compression="raw")
    exif = enlarged(tmp_path, tmp_path / "a.tiff", format="jpeg")
    assert exif.pop(Base.Model) == "Scanner 1"
    assert set(exif) == {Base.Software, IFD.Exif}


@pytest.mark.parametrize("cut_at", [10, 30, 60, 120])
def test_broken_exif_is_passed_over(tmp_path: Path, cut_at: int) -> None:
    with Image.open(taken(tmp_path, "a.jpg")) as image:
        exif = image.info["exif"]
        image.save(tmp_path / "b.jpg", exif=exif[:cut_at] + bytes(len(exif) - cut_at))
    assert enlarged(tmp_path, tmp_path / "b.jpg", format="jpeg")[Base.Software] == "Darkroom upscale-v1"


def test_exif_that_is_too_long_for_a_jpeg_is_passed_over(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[Base.ImageDescription] = "word " * 20_000
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png", exif=exif)
    assert Base.ImageDescription not in enlarged(tmp_path, tmp_path / "a.png", format="jpeg")
