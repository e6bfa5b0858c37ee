"""Face swap: the face sits where the other one was, in its light, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import darkroom
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, Output, create
from darkroom.engines.opencv import FACE_SWAP, faces, pictures, work
from darkroom.engines.opencv.faces import light, warp
from darkroom.engines.opencv.pictures import Picture, Pixels
from darkroom.testing.engines import EngineSuite, example

SAMPLES = Path(darkroom.__file__).parent / "samples"
ASTRONAUT, ADMIRAL = SAMPLES / "astronaut.png", SAMPLES / "grace_hopper.jpg"
BOTH_WAYS = pytest.mark.parametrize(("source", "target"), [(ASTRONAUT, ADMIRAL), (ADMIRAL, ASTRONAUT)])


class TestFaceSwapKit(EngineSuite):
    def engine(self) -> Engine:
        return create("opencv", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        return example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, ASTRONAUT, ADMIRAL, format="webp")

    def long_job(self, folder: Path) -> Job:
        rgb = cv2.resize(pictures.read(ADMIRAL).rgb, None, fx=8, fy=8)
        Image.fromarray(rgb).save(folder / "large.png", compress_level=1)
        return example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, ASTRONAUT, folder / "large.png")


class Quiet:
    """A `Report` that keeps the percents that it is told."""

    def __init__(self) -> None:
        self.percents: list[int] = []

    def progress(self, percent: int, note: str = "") -> None:
        self.percents.append(percent)


def run(folder: Path, *inputs: Path, **params: object) -> Output:
    job = example(FACE_SWAP.name, Operation.IMAGE_FACE_SWAP, *inputs, **params)
    [output] = work.run(replace(job, workdir=folder / "work"), Quiet())
    return output


def refusal(folder: Path, *inputs: Path, **params: object) -> TaskError:
    with pytest.raises(TaskError) as caught:
        run(folder, *inputs, **params)
    assert not caught.value.retryable
    return caught.value


def only_face(picture: Picture) -> faces.Face:
    [face] = faces.find(picture)
    return face


@cache
def swapped(source: Path, target: Path, strength: float = 1.0) -> tuple[Picture, Picture, faces.Face]:
    """The target, the result, and the face that was replaced."""
    giver, getter = pictures.read(source), pictures.read(target)
    face = only_face(getter)
    return getter, faces.Swapper(giver, only_face(giver)).apply(getter, face, strength), face


def side_by_side(folder: Path) -> Path:
    """A picture with three faces: astronaut, admiral, astronaut; the admiral's is the largest."""
    astronaut, admiral = pictures.read(ASTRONAUT).rgb, pictures.read(ADMIRAL).rgb[:512]
    Image.fromarray(np.hstack([astronaut, admiral, astronaut])).save(folder / "three.png")
    return folder / "three.png"


def faceless(folder: Path) -> Path:
    """The astronaut's suit."""
    Image.fromarray(pictures.read(ASTRONAUT).rgb[250:]).save(folder / "suit.png")
    return folder / "suit.png"


def pixels(output: Output) -> Pixels:
    with Image.open(output.path) as image:
        return np.array(image)


def changed_columns(before: Pixels, after: Pixels) -> set[int]:
    """Which thirds of the picture differ."""
    third = before.shape[1] // 3
    differs = (before != after).any((0, 2))
    return {part for part in range(3) if differs[part * third : (part + 1) * third].any()}


@BOTH_WAYS
def test_the_new_face_has_its_landmarks_where_the_old_one_had(source: Path, target: Path) -> None:
    _, result, face = swapped(source, target)
    landmarks = only_face(result).landmarks
    assert np.linalg.norm(landmarks - face.landmarks, axis=1).mean() < 0.02 * face.width


@BOTH_WAYS
def test_the_new_face_looks_like_the_source(source: Path, target: Path) -> None:
    before, result, face = swapped(source, target)
    giver = pictures.read(source)
    net = warp.triangles(only_face(giver))
    places, inside = warp.dense(only_face(giver).landmarks, face.landmarks, net, before.rgb.shape[:2])
    bent = cv2.remap(giver.rgb, *cv2.split(places), cv2.INTER_LINEAR)
    middle = cv2.erode(inside.astype(np.uint8), np.ones((25, 25), np.uint8)) > 0

    def detail(rgb: Pixels) -> Pixels:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return (grey - cv2.GaussianBlur(grey, (0, 0), 0.06 * face.width))[middle]

    alike = np.corrcoef(detail(result.rgb), detail(bent))[0, 1]
    assert alike > 0.7
    assert alike > np.corrcoef(detail(result.rgb), detail(before.rgb))[0, 1] + 0.2


@BOTH_WAYS
def test_outside_the_face_every_pixel_stays(source: Path, target: Path) -> None:
    before, result, face = swapped(source, target)
    hull = cv2.convexHull(face.landmarks.round().astype(np.int32))
    near = cv2.fillConvexPoly(np.zeros(before.rgb.shape[:2], np.uint8), hull, 1)
    outside = cv2.dilate(near, np.ones((3, 3), np.uint8)) == 0
    assert (result.rgb[outside] == before.rgb[outside]).all()
    assert (result.rgb != before.rgb).any()


@BOTH_WAYS
def test_the_new_face_has_the_skin_tone_and_light_of_its_place(source: Path, target: Path) -> None:
    before, result, face = swapped(source, target)
    giver = pictures.read(source)

    def cheeks(rgb: Pixels, landmarks: Pixels) -> Pixels:
        lab = light.to_lab(cv2.GaussianBlur(rgb, (0, 0), 3))
        x, y = landmarks[[50, 280, 205, 425]].round().astype(int).T
        return lab[y, x].mean(0)

    wanted = cheeks(before.rgb, face.landmarks)
    got = cheeks(result.rgb, face.landmarks)
    assert np.linalg.norm(got - wanted) < 7
    assert np.linalg.norm(got - wanted) <= np.linalg.norm(cheeks(giver.rgb, only_face(giver).landmarks) - wanted)


@BOTH_WAYS
def test_the_border_of_the_new_face_is_no_edge(source: Path, target: Path) -> None:
    before, result, face = swapped(source, target)
    oval = face.landmarks[list(faces.landmarks.OVAL)]
    ring = cv2.polylines(np.zeros(before.rgb.shape[:2], np.uint8), [oval.round().astype(np.int32)], True, 1, 3) > 0

    def steepness(rgb: Pixels) -> float:
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
        return float(np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))[ring].mean())

    assert steepness(result.rgb) < 1.1 * steepness(before.rgb)


def test_the_targets_teeth_stay_in_an_open_mouth() -> None:
    before, result, face = swapped(ADMIRAL, ASTRONAUT)
    x, y = face.landmarks[[13, 14]].mean(0).round().astype(int).tolist()
    assert np.abs(result.rgb[y, x - 8 : x + 9].astype(int) - before.rgb[y, x - 8 : x + 9]).mean() < 6


def test_a_hat_above_the_face_stays() -> None:
    before, result, face = swapped(ASTRONAUT, ADMIRAL)
    brim = slice(int(face.box[1]) - 20, int(face.box[1]))
    assert (result.rgb[brim] == before.rgb[brim]).all()


def test_a_face_put_onto_itself_changes_little() -> None:
    before, result, face = swapped(ASTRONAUT, ASTRONAUT)
    difference = np.abs(result.rgb.astype(int) - before.rgb)
    assert difference.max() < 60
    x, y, width, height = (int(value) for value in face.box)
    assert difference[y : y + height, x : x + width].mean() < 2


def test_a_swap_is_the_same_each_time() -> None:
    _, first, _ = swapped(ADMIRAL, ASTRONAUT)
    _, again, _ = swapped.__wrapped__(ADMIRAL, ASTRONAUT)
    assert (first.rgb == again.rgb).all()


def test_half_the_strength_is_half_the_change() -> None:
    before, whole, _ = swapped(ASTRONAUT, ADMIRAL)
    _, half, _ = swapped(ASTRONAUT, ADMIRAL, 0.5)
    middle = (before.rgb.astype(int) + whole.rgb) / 2
    assert np.abs(half.rgb - middle).max() <= 1


@pytest.mark.parametrize("angle", [-90, -30, 30, 90])
def test_a_leaning_head_gets_the_face(angle: float) -> None:
    giver, getter = pictures.read(ASTRONAUT), pictures.read(ADMIRAL)
    matrix = cv2.getRotationMatrix2D((256, 300), angle, 1)
    leaning = Picture(cv2.warpAffine(getter.rgb, matrix, getter.size, borderMode=cv2.BORDER_REPLICATE))
    face = only_face(leaning)
    result = faces.Swapper(giver, only_face(giver)).apply(leaning, face)
    assert np.linalg.norm(only_face(result).landmarks - face.landmarks, axis=1).mean() < 0.02 * face.width


@pytest.mark.parametrize("shift", [(-230, 0), (215, 0), (0, -190), (150, 330)])
def test_a_face_that_leaves_the_picture_is_swapped_as_far_as_it_is_seen(shift: tuple[int, int]) -> None:
    giver, getter = pictures.read(ASTRONAUT), pictures.read(ADMIRAL)
    face = only_face(getter)
    moved = Picture(cv2.warpAffine(getter.rgb, np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]]), getter.size))
    landmarks = face.landmarks + np.array(shift, np.float32)
    result = faces.Swapper(giver, only_face(giver)).apply(moved, replace(face, landmarks=landmarks))
    assert result.rgb.shape == moved.rgb.shape
    assert (result.rgb != moved.rgb).any()


def test_a_face_wholly_outside_the_picture_changes_nothing() -> None:
    picture = pictures.read(ADMIRAL)
    face = only_face(picture)
    gone = replace(face, landmarks=face.landmarks + np.array([5000, 0], np.float32))
    assert (faces.Swapper(picture, face).apply(picture, gone).rgb == picture.rgb).all()


def test_a_very_large_face_is_swapped_in_place() -> None:
    giver, getter = pictures.read(ADMIRAL), pictures.read(ASTRONAUT)
    large = Picture(cv2.resize(getter.rgb, None, fx=14, fy=14)[500:3000, 2000:4500])
    face = only_face(large)
    assert face.width > faces.swap.LARGEST
    result = faces.Swapper(giver, only_face(giver)).apply(large, face)
    assert np.linalg.norm(only_face(result).landmarks - face.landmarks, axis=1).mean() < 0.02 * face.width


def test_only_the_largest_face_is_changed_unless_others_are_named(tmp_path: Path) -> None:
    target = side_by_side(tmp_path)
    output = run(tmp_path, ASTRONAUT, target)
    assert changed_columns(pictures.read(target).rgb, pixels(output)) == {1}
    assert "shows 3 faces" in output.warnings[0]


@pytest.mark.parametrize(
    ("which", "parts"), [("all", {0, 1, 2}), ("0", {0}), ("2,0", {0, 2}), (" 1 , 1 ", {1}), ("largest", {1})]
)
def test_faces_are_named_from_left_to_right(tmp_path: Path, which: str, parts: set[int]) -> None:
    target = side_by_side(tmp_path)
    output = run(tmp_path, ADMIRAL, target, faces=which)
    assert changed_columns(pictures.read(target).rgb, pixels(output)) == parts


def test_a_source_of_several_faces_gives_its_largest_and_says_so(tmp_path: Path) -> None:
    output = run(tmp_path, side_by_side(tmp_path), ASTRONAUT)
    assert any("source picture shows 3 faces" in warning for warning in output.warnings)


def test_a_tiny_source_is_warned_about(tmp_path: Path) -> None:
    with Image.open(ASTRONAUT) as image:
        image.resize((256, 256)).save(tmp_path / "small.png")
    output = run(tmp_path, tmp_path / "small.png", ADMIRAL)
    assert any("much smaller" in warning for warning in output.warnings)


def test_transparency_is_kept_and_the_file_is_as_asked(tmp_path: Path) -> None:
    with Image.open(ADMIRAL) as image:
        alpha = Image.linear_gradient("L").resize(image.size)
        image.putalpha(alpha)
        image.save(tmp_path / "see-through.png")
    output = run(tmp_path, ASTRONAUT, tmp_path / "see-through.png", format="webp", quality=100)
    made = pixels(output)
    assert output.path.suffix == ".webp"
    assert np.abs(made[..., 3].astype(int) - np.asarray(alpha)).max() <= 1


def test_without_a_face_each_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    nobody = faceless(tmp_path)
    for inputs, name in (
        ((nobody, ADMIRAL), "source picture (input 1)"),
        ((ADMIRAL, nobody), "target picture (input 2)"),
    ):
        error = refusal(tmp_path, *inputs)
        assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")
        assert name in error.message


@pytest.mark.parametrize("inputs", [(ASTRONAUT,), (ASTRONAUT, ADMIRAL, ADMIRAL)])
def test_a_swap_takes_exactly_two_pictures(tmp_path: Path, inputs: tuple[Path, ...]) -> None:
    error = refusal(tmp_path, *inputs)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "inputs")


@pytest.mark.parametrize("which", ["biggest", "-1", "0,", "1;2", "0.5", "9" * 90, " ", "١"])
def test_faces_that_name_nothing_are_refused(tmp_path: Path, which: str) -> None:
    assert refusal(tmp_path, ASTRONAUT, ADMIRAL, faces=which).param == "faces"


def test_a_number_beyond_the_faces_is_refused_with_their_count(tmp_path: Path) -> None:
    error = refusal(tmp_path, ASTRONAUT, ADMIRAL, faces="0,3")
    assert error.param == "faces"
    assert "There is no face 3" in error.message
    assert "1 face, number 0" in error.message


def test_a_damaged_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "half.jpg").write_bytes(ADMIRAL.read_bytes()[:20_000])
    assert refusal(tmp_path, tmp_path / "half.jpg", ASTRONAUT).code is Code.INVALID_MEDIA
