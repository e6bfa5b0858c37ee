"""Face swap with networks from outside: whose face it is arrives, and only the face changes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_jobs import ADMIRAL, ASTRONAUT, Told, pixels, refusal, run
from PIL import Image

import films
import stub_networks as stub
from darkroom.core.errors import Code
from darkroom.engines.onnx import FACE_SWAP, VIDEO_FACE_SWAP, Networks, align, initializers
from darkroom.engines.onnx.swap import Painter, Swapper
from darkroom.engines.opencv import faces, pictures
from darkroom.engines.opencv.pictures import Picture, Pixels

BOTH_WAYS = pytest.mark.parametrize(("source", "target"), [(ASTRONAUT, ADMIRAL), (ADMIRAL, ASTRONAUT)])


def networks(folder: Path, tint: float = 1.0, *, half: bool = False) -> Networks:
    return Networks(
        face_swap=stub.face_swap(folder / "swap.onnx", tint, half=half),
        face_embedding=stub.embedding(folder / "face.onnx"),
    )


def painter(folder: Path, tint: float = 1.0, *, half: bool = False) -> Painter:
    paths = networks(folder, tint, half=half)
    assert paths.face_swap is not None
    assert paths.face_embedding is not None
    return Painter.load(paths.face_swap, paths.face_embedding)


@cache
def only_face(path: Path) -> tuple[Picture, faces.Face]:
    picture = pictures.read(path)
    [face] = faces.find(picture)
    return picture, face


def colour_of(path: Path) -> Pixels:
    """What the stubs draw for a source: the numbers of its face, at length 1, by the matrix, at length 1 again."""
    picture, face = only_face(path)
    placing = align.for_embedding(face.landmarks)
    seen = cv2.warpAffine(picture.rgb, placing, (112, 112)).astype(np.float64)
    numbers = ((seen - 127.5) / 127.5).mean((0, 1)) + 2
    mapped = numbers / np.linalg.norm(numbers) * (1, 2, 3)
    return mapped / np.linalg.norm(mapped) * 255


def middle(face: faces.Face) -> tuple[slice, slice]:
    """The part around the nose."""
    x, y = face.landmarks[align.NOSE].round().astype(int).tolist()
    reach = int(face.width / 6)
    return slice(y - reach, y + reach), slice(x - reach, x + reach)


def differs(one: Pixels, other: Pixels) -> float:
    return float(np.abs(one.astype(float) - other).max())


# Whose face it is


@BOTH_WAYS
def test_the_source_arrives_through_embedding_and_matrix(tmp_path: Path, source: Path, target: Path) -> None:
    output = run(tmp_path, networks(tmp_path), FACE_SWAP.name, source, target)
    _, face = only_face(target)
    assert differs(pixels(output.path)[middle(face)], colour_of(source)) < 3
    assert differs(colour_of(ASTRONAUT), colour_of(ADMIRAL)) > 3  # so the other one's would not have passed


def test_networks_in_half_precision_do_the_same(tmp_path: Path) -> None:
    picture, face = only_face(ADMIRAL)
    giver = only_face(ASTRONAUT)
    whole, half = (Swapper(painter(tmp_path, half=half), *giver).apply(picture, face) for half in (False, True))
    assert differs(whole.rgb, half.rgb) <= 1


def test_what_the_network_draws_is_put_where_it_was_seen(tmp_path: Path) -> None:
    for path in (ASTRONAUT, ADMIRAL):
        picture, face = only_face(path)
        swapped = Swapper(painter(tmp_path, tint=0), picture, face).apply(picture, face)
        difference = swapped.rgb.astype(int) - picture.rgb
        assert np.abs(difference[middle(face)].mean((0, 1))).max() < 1  # colours stay
        assert np.abs(difference).mean(where=difference != 0) < 10  # what is lost is fine detail


# Where it is drawn


@BOTH_WAYS
def test_outside_the_face_every_pixel_stays(tmp_path: Path, source: Path, target: Path) -> None:
    before, face = only_face(target)
    after = pixels(run(tmp_path, networks(tmp_path), FACE_SWAP.name, source, target).path)
    hull = cv2.convexHull(face.landmarks.round().astype(np.int32))
    near = cv2.fillConvexPoly(np.zeros(before.rgb.shape[:2], np.uint8), hull, 1)
    outside = cv2.dilate(near, np.ones((3, 3), np.uint8)) == 0
    assert (after[outside] == before.rgb[outside]).all()
    assert (after[near > 0] != before.rgb[near > 0]).any(axis=1).mean() > 0.8


def test_the_border_of_the_new_face_is_soft(tmp_path: Path) -> None:
    grey = Picture(np.full_like(only_face(ADMIRAL)[0].rgb, 128))
    face = only_face(ADMIRAL)[1]
    after = Swapper(painter(tmp_path), *only_face(ASTRONAUT)).apply(grey, face).rgb.astype(int)
    whole = np.abs(colour_of(ASTRONAUT) - 128).max()
    steps = max(np.abs(np.diff(after, axis=axis)).max() for axis in (0, 1))
    assert steps < 0.25 * whole


def test_the_five_points_lie_where_the_networks_expect_them() -> None:
    for path in (ASTRONAUT, ADMIRAL):
        landmarks = only_face(path)[1].landmarks
        points = np.stack(
            [*(landmarks[list(eye)].mean(0) for eye in ((33, 133), (362, 263))), *landmarks[[4, 61, 291]]]
        )
        assert np.linalg.norm(align.moved(points, align.for_embedding(landmarks)) - align.TEMPLATE, axis=1).max() < 8
        drawn = align.moved(points, align.for_drawing(landmarks, 128)) - align.TEMPLATE
        assert np.abs(drawn.mean(0) - (8, 0)).max() < 1


@pytest.mark.parametrize("angle", [-90, 30, 180])
def test_networks_see_leaning_heads_upright(angle: float) -> None:
    picture, face = only_face(ADMIRAL)
    turn = cv2.getRotationMatrix2D((250, 300), angle, 0.7)
    leaning = cv2.warpAffine(picture.rgb, turn, picture.size, flags=cv2.INTER_AREA)
    landmarks = align.moved(face.landmarks, turn).astype(np.float32)
    upright, turned = (
        align.sample(rgb, align.inverse(align.for_embedding(points)), (112, 112))
        for rgb, points in ((picture.rgb, face.landmarks), (leaning, landmarks))
    )
    assert np.abs(upright[20:100, 20:92].astype(int) - turned[20:100, 20:92]).mean() < 8


@pytest.mark.parametrize("scale", [0.2, 1.0, 6.0])
def test_faces_of_any_size_get_the_colour_and_keep_their_surroundings(tmp_path: Path, scale: float) -> None:
    picture, face = only_face(ADMIRAL)
    resized = Picture(cv2.resize(picture.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    there = replace(face, landmarks=face.landmarks * np.float32(scale))
    after = Swapper(painter(tmp_path), *only_face(ASTRONAUT)).apply(resized, there).rgb
    assert differs(after[middle(there)], colour_of(ASTRONAUT)) < 3
    left, top = np.floor(there.landmarks.min(0)).astype(int).tolist()
    right, bottom = np.ceil(there.landmarks.max(0)).astype(int).tolist()
    box = (slice(top, bottom + 1), slice(left, right + 1))
    after[box] = resized.rgb[box]
    assert (after == resized.rgb).all()


@pytest.mark.parametrize("shift", [(-300, 0), (215, 0), (0, -250), (150, 380)])
def test_a_face_that_leaves_the_picture_is_drawn_as_far_as_it_is_seen(tmp_path: Path, shift: tuple[int, int]) -> None:
    picture, face = only_face(ADMIRAL)
    moved = Picture(cv2.warpAffine(picture.rgb, np.array([[1.0, 0, shift[0]], [0, 1, shift[1]]]), picture.size))
    there = replace(face, landmarks=face.landmarks + np.array(shift, np.float32))
    after = Swapper(painter(tmp_path), *only_face(ASTRONAUT)).apply(moved, there)
    assert (after.rgb != moved.rgb).any()


def test_a_face_wholly_outside_the_picture_changes_nothing(tmp_path: Path) -> None:
    picture, face = only_face(ADMIRAL)
    gone = replace(face, landmarks=face.landmarks + np.array([5000, 0], np.float32))
    assert (Swapper(painter(tmp_path), picture, face).apply(picture, gone).rgb == picture.rgb).all()


def test_half_the_strength_is_half_the_change(tmp_path: Path) -> None:
    before, face = only_face(ADMIRAL)
    swapper = Swapper(painter(tmp_path), *only_face(ASTRONAUT))
    whole, half = (swapper.apply(before, face, strength).rgb.astype(int) for strength in (1.0, 0.5))
    assert np.abs(half - (before.rgb + whole) / 2).max() <= 1


# Jobs


def side_by_side(folder: Path) -> Path:
    """Astronaut, admiral, astronaut; the admiral's face is the largest."""
    astronaut, admiral = pixels(ASTRONAUT), pixels(ADMIRAL)[:512]
    Image.fromarray(np.hstack([astronaut, admiral, astronaut])).save(folder / "three.png")
    return folder / "three.png"


@pytest.mark.parametrize(("which", "parts"), [("largest", {1}), ("all", {0, 1, 2}), ("2,0", {0, 2})])
def test_faces_are_chosen_as_with_the_built_in_model(tmp_path: Path, which: str, parts: set[int]) -> None:
    target = side_by_side(tmp_path)
    after = pixels(run(tmp_path, networks(tmp_path), FACE_SWAP.name, ASTRONAUT, target, faces=which).path)
    changed = (after != pixels(target)).any((0, 2))
    third = len(changed) // 3
    assert {part for part in range(3) if changed[part * third : (part + 1) * third].any()} == parts


def test_transparency_is_kept_and_the_file_is_as_asked(tmp_path: Path) -> None:
    with Image.open(ADMIRAL) as image:
        alpha = Image.linear_gradient("L").resize(image.size)
        image.putalpha(alpha)
        image.save(tmp_path / "see-through.png")
    output = run(tmp_path, networks(tmp_path), FACE_SWAP.name, ASTRONAUT, tmp_path / "see-through.png", format="png")
    assert (pixels(output.path)[..., 3] == np.asarray(alpha)).all()
    with Image.open(output.path) as image:
        assert image.info["Software"] == "Darkroom faceswap-onnx-v1"


def test_a_face_that_is_drawn_too_small_is_warned_about(tmp_path: Path) -> None:
    with Image.open(ADMIRAL) as image:
        image.resize((1536, 1800)).save(tmp_path / "large.png")
    given = networks(tmp_path)
    assert run(tmp_path, given, FACE_SWAP.name, ASTRONAUT, ADMIRAL).warnings == ()
    [warning] = run(tmp_path, given, FACE_SWAP.name, ASTRONAUT, tmp_path / "large.png").warnings
    assert "soft" in warning


def test_without_a_face_each_picture_is_refused_by_its_name(tmp_path: Path) -> None:
    Image.fromarray(pixels(ASTRONAUT)[250:]).save(tmp_path / "suit.png")
    for inputs, name in (
        ((tmp_path / "suit.png", ADMIRAL), "source picture (input 1)"),
        ((ADMIRAL, tmp_path / "suit.png"), "target picture (input 2)"),
    ):
        error = refusal(tmp_path, networks(tmp_path), FACE_SWAP.name, *inputs)
        assert (error.code, error.param) == (Code.INVALID_MEDIA, "inputs")
        assert name in error.message


def test_one_picture_is_not_enough(tmp_path: Path) -> None:
    assert refusal(tmp_path, networks(tmp_path), FACE_SWAP.name, ASTRONAUT).code is Code.INVALID_INPUT


def test_a_video_gets_the_face_in_every_frame(tmp_path: Path) -> None:
    def photo(number: int, width: int, height: int) -> Pixels:
        with Image.open(ASTRONAUT) as image:
            return np.array(image.crop((80 + 2 * number, 0, 400 + 2 * number, 240)))

    clip = films.make(tmp_path / "a.mp4", frames=4, size=(320, 240), draw=photo)
    told = Told()
    output = run(tmp_path, networks(tmp_path), VIDEO_FACE_SWAP.name, ADMIRAL, clip, told=told)
    assert output.warnings == ()
    assert "frame 4" in told.notes
    assert told.previews
    for before, after in zip(films.pictures(clip), films.pictures(output.path), strict=True):
        _, face = Picture(before), faces.largest(faces.find(Picture(before)))
        assert np.abs(after[middle(face)].mean((0, 1)) - colour_of(ADMIRAL)).max() < 12
        assert np.abs(after[:, :20].astype(int) - before[:, :20]).mean() < 3


# The matrix in the file


@pytest.mark.parametrize("form", ["raw", "half", "values"])
def test_the_last_initializer_is_read_as_the_library_reads_it(tmp_path: Path, form: str) -> None:
    values = np.random.default_rng(1).standard_normal((5, 7)).astype(np.float32)
    match form:
        case "raw":
            tensor = numpy_helper.from_array(values, "last")
        case "half":
            tensor = numpy_helper.from_array(values.astype(np.float16), "last")
        case _:
            tensor = helper.make_tensor("last", TensorProto.FLOAT, [5, 7], values.flatten().tolist())
    path = stub.face_swap(tmp_path / "a.onnx", last=tensor)
    known = numpy_helper.to_array(onnx.load(path).graph.initializer[-1])
    read = initializers.last(path)
    assert read.dtype == np.float32
    assert (read == known).all()


def test_a_file_that_ends_anywhere_is_refused(tmp_path: Path) -> None:
    whole = stub.face_swap(tmp_path / "a.onnx", last=numpy_helper.from_array(np.ones((2, 2), np.float32), "last"))
    content = whole.read_bytes()
    start = content.rindex(b"last") - 60
    for length in (*range(40), *range(start, len(content) - 60)):
        (tmp_path / "part.onnx").write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"initializer|damaged|no ONNX|empty"):
            initializers.last(tmp_path / "part.onnx")


def test_a_network_without_initializers_is_refused(tmp_path: Path) -> None:
    nodes = [helper.make_node("Identity", ["input"], ["output"])]
    path = stub.save(tmp_path / "a.onnx", nodes, {"input": [1]}, [1])
    with pytest.raises(ValueError, match="it has no initializer"):
        initializers.last(path)
