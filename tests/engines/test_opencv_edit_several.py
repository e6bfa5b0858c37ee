"""Several pictures in one edit: collages, cut-outs, colours of another picture, and masks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.opencv import EDIT, faces, pictures, work
from darkroom.engines.opencv.edit import cutout, mask
from darkroom.engines.opencv.pictures import Picture
from darkroom.testing.engines import EngineSuite, example

SAMPLES = Path(darkroom.__file__).parent / "samples"
ASTRONAUT = SAMPLES / "astronaut.png"


class Unheard:
    """A `Report` that nobody reads."""

    def progress(self, percent: int, note: str = "") -> None:
        """Take note of nothing."""


class TestComposingKit(EngineSuite):
    """The conformance kit with somebody, a scene and a mask."""

    def engine(self) -> Engine:
        return create("opencv", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        drawn = masked(folder, np.full((64, 96), 255, np.uint8))
        inputs = (scene(folder, (96, 64)), person(folder, 96), drawn)
        return example(EDIT.name, Operation.IMAGE_EDIT, *inputs, prompt="put picture 2 into picture 1, sunset", mask=2)

    def long_job(self, folder: Path) -> Job:
        job = self.job(folder)
        params = {"prompt": "oil painting, winter night", "size": "2048x2048"}
        return replace(job, params=params, inputs=job.inputs[:1], count=4)


def person(folder: Path, side: int = 256) -> Path:
    path = folder / f"person-{side}.png"
    with Image.open(ASTRONAUT) as image:
        image.resize((side, side)).save(path)
    return path


def scene(folder: Path, size: tuple[int, int] = (300, 200), name: str = "scene.png") -> Path:
    rgb = np.zeros((size[1], size[0], 3), np.uint8)
    rgb[...] = np.linspace((40, 90, 190), (60, 160, 70), size[1]).astype(np.uint8)[:, None]
    Image.fromarray(rgb).save(folder / name)
    return folder / name


def masked(folder: Path, levels: np.ndarray, name: str = "mask.png") -> Path:
    Image.fromarray(levels).save(folder / name)
    return folder / name


def run(folder: Path, prompt: str, *inputs: Path, count: int = 1, **params: object) -> list[Output]:
    job = example(EDIT.name, Operation.IMAGE_EDIT, *inputs, count=count, prompt=prompt, **params)
    return work.run(replace(job, workdir=folder / "work"), Unheard())


def pixels(output: Output) -> np.ndarray:
    with Image.open(output.path) as image:
        return np.array(image)


def made(folder: Path, prompt: str, *inputs: Path, **params: object) -> np.ndarray:
    return pixels(run(folder, prompt, *inputs, **params)[0])


def refusal(folder: Path, prompt: str, *inputs: Path, **params: object) -> TaskError:
    with pytest.raises(TaskError) as caught:
        run(folder, prompt, *inputs, **params)
    return caught.value


def opened(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def face_width(rgb: np.ndarray) -> float:
    [face] = faces.find(Picture(rgb), 0.05)
    return face.width


def test_a_collage_shows_every_picture_whole(tmp_path: Path) -> None:
    inputs = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(inputs):
        Image.new("RGB", (200, 100 + 20 * number), (60 * number, 100, 200 - 60 * number)).save(path)
    page = made(tmp_path, "collage", *inputs).astype(int)
    shares = [(np.abs(page - (60 * n, 100, 200 - 60 * n)).sum(-1) < 6).mean() for n in range(4)]
    assert min(shares) > 0.15
    assert sum(shares) > 0.93
    assert (page[:2] == 255).all()


def test_a_row_is_one_row_and_a_size_is_kept(tmp_path: Path) -> None:
    one, two = scene(tmp_path), person(tmp_path)
    assert made(tmp_path, "side by side", one, two).shape[1] > 2 * made(tmp_path, "side by side", one, two).shape[0]
    assert made(tmp_path, "collage", one, two, size="120x200").shape == (200, 120, 3)


def test_somebody_is_put_into_another_picture(tmp_path: Path) -> None:
    ground = scene(tmp_path)
    [output] = run(tmp_path, "put the person of the second picture into the first", ground, person(tmp_path))
    result, before = pixels(output), opened(ground)
    assert result.shape == before.shape
    assert face_width(result) > 20
    unchanged = (result == before).all(-1)
    assert unchanged[:20].all()
    assert 0.3 < unchanged.mean() < 0.85
    assert "picture 2 was put onto picture 1" in output.warnings[0]


def test_without_words_somebody_is_put_before_the_scene(tmp_path: Path) -> None:
    [output] = run(tmp_path, "please", person(tmp_path), scene(tmp_path))
    assert pixels(output).shape == (200, 300, 3)
    assert face_width(pixels(output)) > 20
    assert "picture 1 was put onto picture 2" in output.warnings[0]
    assert "collage" in output.warnings[1]


def test_without_words_and_people_pictures_are_put_side_by_side(tmp_path: Path) -> None:
    [output] = run(tmp_path, "sepia", scene(tmp_path), scene(tmp_path, (100, 100), "other.png"))
    assert "side by side" in output.warnings[0]


def test_several_people_are_put_beside_each_other(tmp_path: Path) -> None:
    inputs = person(tmp_path), SAMPLES / "grace_hopper.jpg", scene(tmp_path, (900, 500))
    found = faces.find(Picture(made(tmp_path, "put them into picture 3", *inputs)), 0.05)
    assert len(found) == 2
    assert found[0].box[0] + found[0].box[2] < found[1].box[0]


def test_a_new_background_leaves_somebody_in_place(tmp_path: Path) -> None:
    front = person(tmp_path)
    result = made(tmp_path, "replace the background", front, scene(tmp_path))
    before = opened(front)
    assert result.shape == before.shape
    [one], [other] = (faces.find(Picture(rgb), 0.05) for rgb in (before, result))
    assert np.abs(one.landmarks - other.landmarks).max() < 4
    assert np.abs(result[:20, :40].astype(int) - before[:20, :40]).mean() > 30


def test_somebody_takes_on_some_of_the_light_of_the_new_place() -> None:
    picture = pictures.read(ASTRONAUT)
    opacity = cutout.opacity_of(picture)
    assert opacity is not None
    levels = []
    for colour in ((20, 30, 60), (230, 220, 200)):
        ground = np.full_like(picture.rgb, colour)
        levels.append(cutout.lit(picture.rgb, opacity, ground)[opacity > 0.9].mean())
    before = picture.rgb[opacity > 0.9].mean()
    assert levels[0] < before - 3
    assert levels[1] > before + 3


def test_a_picture_with_transparency_is_its_own_cutout(tmp_path: Path) -> None:
    rgba = np.zeros((100, 100, 4), np.uint8)
    rgba[30:70, 30:70] = (250, 10, 10, 255)
    Image.fromarray(rgba).save(tmp_path / "sign.png")
    result = made(tmp_path, "put picture 2 into picture 1", scene(tmp_path), tmp_path / "sign.png")
    red = (result[..., 0] > 180) & (result[..., 1] < 60)
    assert 0.05 < red.mean() < 0.6


def test_who_is_nowhere_cannot_be_put_anywhere(tmp_path: Path) -> None:
    error = refusal(tmp_path, "put picture 2 into picture 1", person(tmp_path), scene(tmp_path))
    assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")
    assert "picture 2" in error.message


def test_a_picture_that_is_not_there_cannot_be_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, "in the style of the fifth picture", scene(tmp_path), person(tmp_path))
    assert (error.code, error.param) == (Code.INVALID_INPUT, "prompt")
    assert "picture 5" in error.message


def test_pictures_blend_into_each_other(tmp_path: Path) -> None:
    dark, light = tmp_path / "dark.png", tmp_path / "light.png"
    halves = np.zeros((80, 80, 3), np.uint8)
    halves[:, 40:] = 230
    Image.fromarray(halves).save(dark)
    Image.fromarray(np.rot90(halves).copy()).save(light)
    result = made(tmp_path, "double exposure", dark, light).mean(-1)
    assert result[70, 10] < 40
    assert result[10, 10] > 120
    assert result[70, 70] > 120


def test_colours_of_another_picture_are_taken(tmp_path: Path) -> None:
    warm = tmp_path / "warm.png"
    noise = np.random.default_rng(0).normal((200, 140, 70), (30, 25, 20), (90, 90, 3))
    Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(warm)
    [output] = run(tmp_path, "in the colours of the second picture", scene(tmp_path), warm)
    result = pixels(output)
    assert result.shape == (200, 300, 3)
    assert result[..., 0].mean() > result[..., 2].mean() + 30
    assert "nothing else of its style" in output.warnings[0]


def test_pictures_without_use_are_named(tmp_path: Path) -> None:
    inputs = scene(tmp_path), person(tmp_path), scene(tmp_path, name="third.png")
    [output] = run(tmp_path, "put the second picture into the first", *inputs)
    assert any("Picture 3 had no use" in note for note in output.warnings)


def test_what_words_say_beside_is_done_to_the_whole(tmp_path: Path) -> None:
    inputs = scene(tmp_path), person(tmp_path)
    plain, grey = (
        made(tmp_path, prompt, *inputs)
        for prompt in ("put picture 2 into picture 1", "put picture 2 into picture 1, black and white")
    )
    assert np.ptp(grey, axis=-1).max() <= 1
    assert plain.shape == grey.shape


def test_every_result_of_several_pictures_is_another_take(tmp_path: Path) -> None:
    outputs = run(tmp_path, "combine", scene(tmp_path), person(tmp_path), count=3)
    assert len({pixels(output).tobytes() for output in outputs}) == 3
    assert [bool(output.warnings) for output in outputs] == [True, False, False]


def test_one_picture_alone_cannot_be_put_together(tmp_path: Path) -> None:
    [output] = run(tmp_path, "replace the background with a beach", person(tmp_path))
    assert any("only one picture" in note for note in output.warnings)
    assert any("beach" in note for note in output.warnings)


def test_a_colour_comes_behind_somebody(tmp_path: Path) -> None:
    result = made(tmp_path, "white background", person(tmp_path))
    assert result[:20, :40].min() > 240
    assert face_width(result) == pytest.approx(face_width(opened(person(tmp_path))), rel=0.05)


def test_a_removed_background_is_transparent(tmp_path: Path) -> None:
    result = made(tmp_path, "remove the background", person(tmp_path))
    assert result.shape[2] == 4
    assert result[5, 5, 3] == 0
    assert result[70, 110, 3] == 255


def test_a_blurred_background_leaves_somebody_sharp(tmp_path: Path) -> None:
    before, after = opened(ASTRONAUT), made(tmp_path, "blur the background", ASTRONAUT)
    assert (after[150:170, 200:230] == before[150:170, 200:230]).all()
    assert after[100:300, 400:].std() < before[100:300, 400:].std()
    assert (made(tmp_path, "blur", ASTRONAUT)[150:170, 200:230] != before[150:170, 200:230]).any()


def test_a_background_can_have_a_look_of_its_own(tmp_path: Path) -> None:
    before, after = opened(ASTRONAUT), made(tmp_path, "make the background black and white", ASTRONAUT)
    assert (after[150:170, 200:230] == before[150:170, 200:230]).all()
    assert np.ptp(after[:60, :60].astype(int), axis=-1).max() <= 1


def test_a_picture_of_nobody_keeps_its_background_and_that_is_said(tmp_path: Path) -> None:
    path = scene(tmp_path)
    [output] = run(tmp_path, "white background", path)
    assert (pixels(output) == opened(path)).all()
    assert "Nobody was found" in output.warnings[0]


def test_words_for_repairs_enhance_the_picture(tmp_path: Path) -> None:
    with Image.open(ASTRONAUT) as image:
        Image.fromarray((np.asarray(image) * 0.35).astype(np.uint8)).save(tmp_path / "dark.png")
    assert made(tmp_path, "enhance", tmp_path / "dark.png").mean() > 1.8 * opened(tmp_path / "dark.png").mean()
    assert (made(tmp_path, "retouch", ASTRONAUT) != opened(ASTRONAUT)).any()


def half(shape: tuple[int, int]) -> np.ndarray:
    levels = np.zeros(shape, np.uint8)
    levels[:, shape[1] // 2 :] = 255
    return levels


@pytest.mark.parametrize("prompt", ["oil painting", "winter night", "in blue tones", "enhance, retouch, darker"])
def test_outside_the_mask_no_pixel_changes(tmp_path: Path, prompt: str) -> None:
    path = person(tmp_path)
    result = made(tmp_path, prompt, path, masked(tmp_path, half((256, 256))), mask=1)
    before = opened(path)
    assert (result[:, :128] == before[:, :128]).all()
    assert (result[:, 128:] != before[:, 128:]).any(-1).mean() > 0.3


def test_transparent_places_are_edited_where_a_mask_has_any(tmp_path: Path) -> None:
    path = scene(tmp_path)
    rgba = np.full((200, 300, 4), 255, np.uint8)
    rgba[:100, :, 3] = 0
    result = made(tmp_path, "black and white", path, masked(tmp_path, rgba), mask=1)
    assert (result[100:] == opened(path)[100:]).all()
    assert np.ptp(result[:100].astype(int), axis=-1).max() <= 1


def test_an_opaque_mask_with_an_alpha_channel_is_read_by_its_white(tmp_path: Path) -> None:
    rgba = np.dstack([half((200, 300))] * 3 + [np.full((200, 300), 255, np.uint8)])
    result = made(tmp_path, "darker", scene(tmp_path), masked(tmp_path, rgba), mask=1)
    changed = (result != opened(scene(tmp_path))).any(-1)
    assert not changed[:, :150].any()
    assert changed[:, 150:].all()


def test_the_soft_edge_of_a_mask_is_a_soft_edge_of_the_edit(tmp_path: Path) -> None:
    path = scene(tmp_path)
    ramp = np.repeat(np.linspace(0, 255, 300).astype(np.uint8)[None], 200, axis=0)
    change = opened(path).astype(int) - made(tmp_path, "darker", path, masked(tmp_path, ramp), mask=1)
    columns = change.mean(axis=(0, 2))
    assert columns[0] == 0
    assert np.diff(cv2.blur(columns[None], (15, 1))[0][10:-10:20]).min() > 0


def test_the_mask_may_come_first(tmp_path: Path) -> None:
    path, drawn = scene(tmp_path), masked(tmp_path, half((200, 300)))
    assert (made(tmp_path, "sepia", drawn, path, mask=0) == made(tmp_path, "sepia", path, drawn, mask=1)).all()


def test_a_mask_follows_the_picture_to_another_size(tmp_path: Path) -> None:
    path = scene(tmp_path)
    result = made(tmp_path, "darker", path, masked(tmp_path, half((200, 300))), mask=1, size="150x100")
    resized = made(tmp_path, "darker", path, size="150x100", strength=0)
    assert (result[:, :70] == resized[:, :70]).all()
    assert (result[:, 80:] != resized[:, 80:]).any(-1).all()


def test_somebody_is_put_where_the_mask_is(tmp_path: Path) -> None:
    levels = np.zeros((400, 600), np.uint8)
    levels[100:400, 350:590] = 255
    inputs = scene(tmp_path, (600, 400)), person(tmp_path), masked(tmp_path, levels)
    result = made(tmp_path, "put picture 2 into picture 1", *inputs, mask=2)
    [face] = faces.find(Picture(result), 0.03)
    assert face.box[0] > 350
    assert (result[:, :350] == opened(inputs[0])[:, :350]).all()


@pytest.mark.parametrize(("number", "inputs"), [(2, 2), (9, 1), (0, 1)])
def test_a_mask_that_is_not_there_is_refused(tmp_path: Path, number: int, inputs: int) -> None:
    error = refusal(tmp_path, "sepia", *[scene(tmp_path)] * inputs, mask=number)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "mask")


def test_a_mask_of_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    error = refusal(tmp_path, "sepia", scene(tmp_path), masked(tmp_path, half((100, 300))), mask=1)
    assert (error.code, error.param) == (Code.INVALID_MEDIA, "mask")
    assert "300x100" in error.message
    assert "300x200" in error.message


@pytest.mark.parametrize("prompt", ["collage", "put picture 1 into picture 2", "in the colours of picture 1"])
def test_a_mask_is_refused_where_the_first_picture_does_not_change(tmp_path: Path, prompt: str) -> None:
    drawn = masked(tmp_path, half((256, 256)))
    error = refusal(tmp_path, prompt, person(tmp_path), scene(tmp_path), drawn, mask=2)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "mask")


def test_an_empty_mask_keeps_the_picture_and_says_so(tmp_path: Path) -> None:
    path = scene(tmp_path)
    [output] = run(tmp_path, "sepia", path, masked(tmp_path, np.zeros((200, 300), np.uint8)), mask=1)
    assert (pixels(output) == opened(path)).all()
    assert any("marks nothing" in note for note in output.warnings)


def test_too_many_pixels_together_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    Image.new("1", (9000, 5500)).save(tmp_path / "big.png")
    whole = (tmp_path / "big.png").read_bytes()
    (tmp_path / "big.png").write_bytes(whole[:60])
    error = refusal(tmp_path, "collage", *[tmp_path / "big.png"] * 3, format="jpeg")
    assert error.code is Code.TOO_LARGE
    assert "together" in error.message


def test_the_bounds_of_a_mask_are_what_is_more_than_half_inside() -> None:
    levels = np.zeros((20, 30), np.float32)
    levels[5:9, 10:25] = 0.7
    levels[0, 0] = 0.4
    assert mask.bounds(levels) == (10, 5, 15, 4)
    assert mask.bounds(levels * 0.5) is None
