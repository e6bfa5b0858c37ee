"""Upscaling with a network from outside: exact sizes, tiles that leave no trace, and every shape that networks take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_jobs import ADMIRAL, SAMPLES, Told, pixels, refusal, run
from PIL import Image

import stub_networks as stub
from darkroom.core.errors import Code
from darkroom.engines.onnx import UPSCALE, Networks
from darkroom.engines.onnx.upscale import Upscaler, enlarge, once, rounds
from darkroom.engines.opencv import pictures
from darkroom.engines.opencv.pictures import Picture, Pixels, Size


def nothing(*_: int) -> None:
    """Nobody wants to know about tiles."""


def cut(width: int, height: int) -> Pixels:
    return pictures.read(ADMIRAL).rgb[60 : 60 + height, 100 : 100 + width]


def repeated(rgb: Pixels, times: int) -> Pixels:
    return rgb.repeat(times, axis=0).repeat(times, axis=1)


def far(one: Pixels, other: Pixels) -> int:
    assert one.shape == other.shape
    return int(np.abs(one.astype(int) - other).max())


def picture_file(folder: Path, rgb: Pixels) -> Path:
    Image.fromarray(rgb).save(folder / "input.png")
    return folder / "input.png"


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (31, 33), (64, 64), (300, 270)])
@pytest.mark.parametrize("tile", [64, 256])
def test_the_result_is_what_the_network_makes_of_every_pixel(tmp_path: Path, size: Size, tile: int) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x2.onnx"), tile)
    rgb = cut(*size)
    assert (enlarge(Picture(rgb), (2 * size[0], 2 * size[1]), upscaler, nothing).rgb == repeated(rgb, 2)).all()


@pytest.mark.parametrize(("factor", "scale"), [(2, 4), (2, 8), (3, 9), (4, 4), (4, 16)])
def test_the_network_is_used_as_often_as_needed(tmp_path: Path, factor: int, scale: int) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x.onnx", factor), 64)
    rgb = cut(40, 30)
    assert (enlarge(Picture(rgb), (40 * scale, 30 * scale), upscaler, nothing).rgb == repeated(rgb, scale)).all()


@pytest.mark.parametrize(
    ("start", "size", "factor", "sizes"),
    [
        ((10, 10), (20, 20), 2, [(20, 20)]),
        ((10, 10), (80, 80), 2, [(20, 20), (40, 40), (80, 80)]),
        ((10, 10), (30, 30), 4, [(30, 30)]),
        ((10, 10), (50, 50), 4, [(40, 40), (50, 50)]),
        ((10, 10), (21, 21), 2, [(21, 21)]),  # the last 5 % are left to Lanczos
        ((10, 10), (10, 10), 2, []),
        ((10, 10), (5, 5), 2, []),
    ],
)
def test_rounds_end_at_the_size_without_waste(start: Size, size: Size, factor: int, sizes: list[Size]) -> None:
    assert rounds(start, size, factor) == sizes


@pytest.mark.parametrize("size", [(600, 540), (450, 405), (333, 300), (930, 837), (901, 811)])
def test_a_size_between_is_as_if_the_whole_result_had_been_resized(tmp_path: Path, size: Size) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x3.onnx", 3), 64)
    rgb = cut(300, 270)
    whole = np.asarray(Image.fromarray(repeated(rgb, 3)).resize(size, Image.Resampling.LANCZOS))
    inside = (slice(4 * size[1] // 270, -4 * size[1] // 270), slice(4 * size[0] // 300, -4 * size[0] // 300))
    # At the border a tile sees the picture mirrored, and a whole picture nothing.
    assert far(enlarge(Picture(rgb), size, upscaler, nothing).rgb[inside], whole[inside]) <= 2


@pytest.mark.parametrize("size", [(600, 540), (500, 450)])
def test_tiles_leave_no_trace_where_the_network_sees_its_neighbours(tmp_path: Path, size: Size) -> None:
    path = stub.upscaler(tmp_path / "x2.onnx", blurs=True)
    rgb = cut(300, 270)
    whole, tiled = (once(rgb, size, Upscaler(path, tile), lambda: None) for tile in (4096, 64))
    assert far(tiled, whole) <= 1


def test_a_flat_picture_stays_flat_up_to_its_border(tmp_path: Path) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x2.onnx", blurs=True), 64)
    rgb = np.full((50, 71, 3), (180, 90, 60), np.uint8)
    assert far(enlarge(Picture(rgb), (142, 100), upscaler, nothing).rgb, repeated(rgb, 2)) <= 1


@pytest.mark.parametrize("sides", [(48, 64), (16, 16), (32, "width"), ("height", 128)])
def test_networks_of_fixed_sizes_are_fed_what_they_take(tmp_path: Path, sides: stub.Sides) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x2.onnx", sides=sides), 64)
    for size in ((100, 90), (3, 5)):
        rgb = cut(*size)
        assert (enlarge(Picture(rgb), (2 * size[0], 2 * size[1]), upscaler, nothing).rgb == repeated(rgb, 2)).all()


def test_a_network_in_half_precision_gives_the_same(tmp_path: Path) -> None:
    upscaler = Upscaler(stub.upscaler(tmp_path / "x2.onnx", half=True), 64)
    rgb = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=-1)
    assert (enlarge(Picture(rgb), (32, 32), upscaler, nothing).rgb == repeated(rgb, 2)).all()


def test_alpha_grows_by_lanczos(tmp_path: Path) -> None:
    alpha = np.zeros((30, 40), np.uint8)
    alpha[:, 20:] = 255
    upscaler = Upscaler(stub.upscaler(tmp_path / "x4.onnx", 4), 64)
    enlarged = enlarge(Picture(cut(40, 30), alpha), (120, 90), upscaler, nothing)
    assert enlarged.alpha is not None
    assert (enlarged.alpha == pictures.lanczos(alpha, (120, 90))).all()


def test_a_picture_that_gets_smaller_needs_no_network(tmp_path: Path) -> None:
    picture = Picture(cut(80, 60))
    upscaler = Upscaler(stub.upscaler(tmp_path / "x2.onnx"), 64)
    assert (enlarge(picture, (40, 30), upscaler, nothing).rgb == pictures.fit(picture, (40, 30)).rgb).all()


def test_each_tile_is_reported(tmp_path: Path) -> None:
    told = Told()
    networks = Networks(upscaler=stub.upscaler(tmp_path / "x2.onnx"), tile=64)
    run(tmp_path, networks, UPSCALE.name, picture_file(tmp_path, cut(60, 30)), told=told, scale=4)
    assert [note for note in told.notes if "tile" in note] == [f"tile {n} of 10" for n in range(1, 11)]


def test_without_parameters_a_job_doubles(tmp_path: Path) -> None:
    rgb = cut(60, 40)
    output = run(tmp_path, Networks(stub.upscaler(tmp_path / "x4.onnx", 4)), UPSCALE.name, picture_file(tmp_path, rgb))
    assert far(pixels(output.path), rgb.repeat(2, 0).repeat(2, 1)) <= 60  # four times and then by half: no exact copy
    assert output.warnings == ()


@pytest.mark.parametrize(
    ("params", "size"), [({"scale": 1.5}, (90, 60)), ({"scale": 3}, (180, 120)), ({"size": "77x201"}, (77, 201))]
)
def test_any_size_comes_out_exactly(tmp_path: Path, params: dict[str, object], size: Size) -> None:
    source = picture_file(tmp_path, cut(60, 40))
    output = run(tmp_path, Networks(stub.upscaler(tmp_path / "x2.onnx")), UPSCALE.name, source, **params)
    with Image.open(output.path) as image:
        assert (image.size, image.format, image.info["Software"]) == (size, "PNG", "Darkroom upscale-onnx-v1")


@pytest.mark.parametrize(("params", "param"), [({"scale": 16}, "scale"), ({"size": "60000x60000"}, "size")])
def test_a_result_that_is_too_large_is_refused_before_the_work(
    tmp_path: Path, params: dict[str, object], param: str
) -> None:
    networks = Networks(upscaler=tmp_path / "never read.onnx")
    Image.new("RGB", (4096, 4096)).save(tmp_path / "large.png")
    error = refusal(tmp_path, networks, UPSCALE.name, tmp_path / "large.png", **params)
    assert (error.code, error.param) == (Code.TOO_LARGE, param)


def test_a_damaged_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes((SAMPLES / "grace_hopper.jpg").read_bytes()[:20_000])
    networks = Networks(stub.upscaler(tmp_path / "x2.onnx"))
    assert refusal(tmp_path, networks, UPSCALE.name, tmp_path / "half.jpg").code is Code.INVALID_MEDIA
