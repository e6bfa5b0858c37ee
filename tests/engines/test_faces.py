"""Faces: all are found, nothing else is, and their landmarks stay where the face is."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest

import darkroom
from darkroom.engines.opencv import faces, pictures
from darkroom.engines.opencv.pictures import Picture, Pixels

PACKAGE = Path(darkroom.__file__).parent
SAMPLES = PACKAGE / "samples"
PORTRAITS = ("astronaut.png", "grace_hopper.jpg")
BOTH = pytest.mark.parametrize("name", PORTRAITS)


def portrait(name: str) -> Picture:
    return pictures.read(SAMPLES / name)


def only_face(picture: Picture) -> faces.Face:
    [face] = faces.find(picture)
    return face


def distance(landmarks: Pixels, truth: Pixels, width: float) -> float:
    """Mean distance, in widths of the face."""
    return float(np.linalg.norm(landmarks - truth, axis=1).mean() / width)


@cache
def sample(name: str) -> tuple[Pixels, faces.Face]:
    picture = portrait(name)
    return picture.rgb, only_face(picture)


def group(
    width: float, size: tuple[int, int] = (480, 320), across: int = 3, down: int = 2, seed: int = 1
) -> tuple[Picture, list[Pixels]]:
    """A picture with rows of faces of this width, each somewhere in its place, and the middles of the faces."""
    random = np.random.default_rng(seed)
    scene = np.linspace(60, 190, size[1])[:, None, None].repeat(size[0], 1).repeat(3, 2)
    room = np.array([size[0] // across, size[1] // down])
    middles = []
    for place in range(across * down):
        rgb, face = sample(PORTRAITS[place % 2])
        scale = width / face.width
        small = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        fits = np.minimum((small.shape[1], small.shape[0]), room)
        cut = np.array([(small.shape[1] - fits[0]) // 2, 0])
        corner = room * (place % across, place // across) + random.integers(0, room - fits + 1)
        piece = small[: fits[1], cut[0] : cut[0] + fits[0]]
        scene[corner[1] : corner[1] + fits[1], corner[0] : corner[0] + fits[0]] = piece
        middles.append(face.landmarks.mean(0) * scale - cut + corner)
    noise = random.normal(0, 2, scene.shape)
    return Picture((scene + noise).clip(0, 255).astype(np.uint8)), middles


def check_group(picture: Picture, middles: list[Pixels], width: float) -> None:
    found = faces.find(picture)
    assert len(found) == len(middles)
    centres = [face.landmarks.mean(0) for face in found]
    assert all(min(np.linalg.norm(centre - middle) for centre in centres) < 0.2 * width for middle in middles)
    lefts = [face.box[0] + face.box[2] / 2 for face in found]
    assert lefts == sorted(lefts)


def turned(rgb: Pixels, angle: float) -> tuple[Pixels, Pixels]:
    height, width = rgb.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1)
    return cv2.warpAffine(rgb, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), matrix


@BOTH
def test_each_portrait_has_its_one_face(name: str) -> None:
    face = only_face(portrait(name))
    assert face.confidence > 0.8
    assert face.landmarks.shape == (468, 2)
    assert face.landmarks.dtype == face.depth.dtype == np.float32
    assert face.depth.shape == (468,)
    assert abs(face.yaw) < 15


def test_landmarks_are_on_the_parts_that_they_name() -> None:
    points = only_face(portrait("astronaut.png")).landmarks
    # Outer corners of the eyes, upper and lower edge of the teeth, chin: where a person sees them.
    for index, place in ((33, (194, 101)), (263, (255, 103)), (13, (223, 142)), (14, (222, 150)), (152, (221, 178))):
        assert np.linalg.norm(points[index] - place) < 4, index


@BOTH
@pytest.mark.parametrize("angle", [-90, -60, -30, 30, 60, 90, 135, 180])
def test_turned_faces_are_found_once_and_exactly(name: str, angle: float) -> None:
    picture = portrait(name)
    upright = only_face(picture)
    rgb, matrix = turned(picture.rgb, angle)
    face = only_face(Picture(rgb))
    assert face.confidence > 0.8
    assert distance(face.landmarks, upright.landmarks @ matrix[:, :2].T + matrix[:, 2], upright.width) < 0.015
    assert face.width == pytest.approx(upright.width, rel=0.05)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("width", [17, 20, 28, 40])
def test_all_six_faces_of_a_group_are_found_from_left_to_right(width: float, seed: int) -> None:
    check_group(*group(width, seed=seed), width)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("width", [18, 20, 24])
def test_all_twelve_small_faces_of_a_large_picture_are_found(width: float, seed: int) -> None:
    check_group(*group(width, (1280, 720), 4, 3, seed), width)


def test_where_a_prominent_face_is_asked_for_a_small_one_will_do() -> None:
    picture, _ = group(20, (1280, 720), 2, 1)
    assert len(faces.prominent(picture)) == 2


def test_a_prominent_face_is_found_as_exactly_as_any() -> None:
    picture = portrait("grace_hopper.jpg")
    [face] = faces.prominent(picture)
    expected = only_face(picture)
    assert distance(face.landmarks, expected.landmarks, expected.width) < 0.01


@BOTH
def test_without_its_face_a_portrait_has_none(name: str) -> None:
    picture = portrait(name)
    x, y, width, height = only_face(picture).box
    rgb = picture.rgb.copy()
    cv2.ellipse(rgb, ((x + width / 2, y + height / 2), (width * 1.3, height * 1.3), 0), (120, 130, 140), -1)
    assert faces.find(Picture(rgb)) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (300, 2), (64, 64), (700, 500)])
def test_noise_and_flat_colour_hold_no_face(size: tuple[int, int]) -> None:
    noise = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8)
    assert faces.find(Picture(noise)) == []
    assert faces.find(Picture(np.full_like(noise, 128))) == []


def test_a_wall_of_scraps_and_a_page_of_text_hold_no_face() -> None:
    random = np.random.default_rng(5)
    suit = portrait("astronaut.png").rgb[250:]
    scraps = np.zeros((720, 1280, 3), np.uint8)
    for top in range(0, 720, 90):
        for left in range(0, 1280, 80):
            side = int(random.integers(20, 150))
            y, x = random.integers(0, np.array(suit.shape[:2]) - side)
            scraps[top : top + 90, left : left + 80] = cv2.resize(suit[y : y + side, x : x + side], (80, 90))
    page = np.full((720, 1280, 3), 240, np.uint8)
    for line in range(40):
        text = "".join(map(chr, random.integers(33, 126, 90)))
        cv2.putText(page, text, (5, 18 * line + 14), line % 8, 0.5, (20, 20, 20), 1, cv2.LINE_AA)
    assert faces.find(Picture(scraps)) == []
    assert faces.find(Picture(page)) == []


def test_a_face_that_fills_the_picture_is_found() -> None:
    picture = portrait("grace_hopper.jpg")
    x, y, width, height = (int(value) for value in only_face(picture).box)
    tight = np.ascontiguousarray(picture.rgb[y + height // 20 : y + height, x : x + width])
    assert only_face(Picture(tight)).width == pytest.approx(width, rel=0.08)


def test_a_face_in_a_picture_of_many_megapixels_is_found() -> None:
    picture = portrait("astronaut.png")
    large = cv2.resize(picture.rgb, (3072, 3072), interpolation=cv2.INTER_CUBIC)
    expected = only_face(picture)
    found = only_face(Picture(large))
    assert distance(found.landmarks, (expected.landmarks + 0.5) * 6 - 0.5, found.width) < 0.01


def test_a_face_is_followed_without_being_searched() -> None:
    picture = portrait("grace_hopper.jpg")
    face = only_face(picture)
    landmarks, moved = face.landmarks, np.zeros(2)
    for step in range(1, 9):
        shift = np.array([6.0 * step, 3.0 * step])
        frame = cv2.warpAffine(picture.rgb, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), picture.size)
        now = faces.track(Picture(frame), landmarks)
        assert now is not None
        landmarks, moved = now.landmarks, shift
    assert distance(landmarks, face.landmarks + moved, face.width) < 0.01


def test_a_lost_face_is_not_followed() -> None:
    face = only_face(portrait("grace_hopper.jpg"))
    assert faces.track(Picture(np.full((600, 512, 3), 90, np.uint8)), face.landmarks) is None


def test_the_turn_of_a_head_has_the_sign_of_its_side() -> None:
    picture = portrait("grace_hopper.jpg")
    mirrored = only_face(Picture(np.ascontiguousarray(picture.rgb[:, ::-1])))
    assert mirrored.yaw == pytest.approx(-only_face(picture).yaw, abs=3)


def test_the_models_are_the_files_that_their_readme_names() -> None:
    folder = PACKAGE / "models"
    text = (folder / "README.md").read_text("utf-8")
    named = dict(re.findall(r"^\| (\S+\.tflite) \| ([0-9a-f]{64}) \|$", text, re.MULTILINE))
    assert named.keys() == {path.name for path in folder.glob("*.tflite")}
    for name, digest in named.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert "Apache License" in (folder / "LICENSE.mediapipe").read_text("utf-8")
