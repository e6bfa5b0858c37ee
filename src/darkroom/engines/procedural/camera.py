"""The camera of a video: where it looks at each moment, as the prompt says it or as the seed chooses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

import numpy as np

from .frame import Plane

ROOM = 1.2  # how much larger than the frames the scene is painted: what the camera may move in
INSET = 0.11  # share of the scene at each side that a move may leave out of sight
CLOSER = 1.14  # zoom at the end of a move towards the scene
MARGIN = 0.92  # share of the room that is used


def _words(text: str) -> re.Pattern[str]:
    """A pattern for any of the words; English ones must stand alone, as Chinese ones cannot."""
    spoken = (word.replace("_", " ") for word in text.split())
    return re.compile("|".join(rf"\b{word}\b" if word.isascii() else word for word in spoken))


MOVES: dict[re.Pattern[str], tuple[float, float, float]] = {  # to the right, down, closer
    _words("zoom_in zooms_in push_in closer dolly_in 镜头推近 推近 推进 拉近 放大"): (0, 0, 1),
    _words("zoom_out zooms_out pull_back pull_out dolly_out 镜头拉远 拉远 拉出 缩小"): (0, 0, -1),
    _words("pan_left pans_left move_left 镜头左移 左移 向左"): (-1, 0, 0),
    _words("pan_right pans_right move_right 镜头右移 右移 向右"): (1, 0, 0),
    _words("tilt_up tilts_up pan_up 镜头上移 上移 向上"): (0, -1, 0),
    _words("tilt_down tilts_down pan_down 镜头下移 下移 向下"): (0, 1, 0),
}
STILL = _words("static_camera fixed_camera still_camera static_shot 固定镜头 镜头固定 静止镜头")


@dataclass(frozen=True, slots=True)
class Camera:
    """A straight move: to the right, down and closer, each -1 to 1."""

    right: float
    down: float
    closer: float

    def look(self, share: float) -> tuple[float, float, float]:
        """What is seen after a share (0 to 1) of the time: x and y, -1 to 1 of the room there is, and the zoom."""
        gone = ease(share)
        middle = 2 * gone - 1
        zoom = gone if self.closer >= 0 else 1 - gone
        return self.right * middle, self.down * middle, 1 + (CLOSER - 1) * abs(self.closer) * zoom

    def matrix(self, share: float, size: tuple[int, int], plate: tuple[int, int]) -> Plane:
        """The affine map (2, 3) from pixels of a frame of `size` to those of a `plate` that is larger."""
        x, y, zoom = self.look(share)
        scale = 1 / zoom
        left = (plate[0] - size[0] * scale) / 2 + x * MARGIN * (plate[0] - size[0]) / 2
        top = (plate[1] - size[1] * scale) / 2 + y * MARGIN * (plate[1] - size[1]) / 2
        half = 0.5 * scale - 0.5  # pixels are measured from their centres
        return np.array([[scale, 0, left + half], [0, scale, top + half]], np.float32)


def choose(prompt: str, random: np.random.Generator) -> Camera:
    """The move that the prompt names, or a slow drift to one side and closer."""
    text = _folded(prompt)
    if STILL.search(text):
        return Camera(0, 0, 0)
    named = [move for words, move in MOVES.items() if words.search(text)]
    if named:
        right, down, closer = (float(np.clip(sum(parts), -1, 1)) for parts in zip(*named, strict=True))
        return Camera(right, down, closer)
    side = 1 if random.random() < 0.5 else -1
    return Camera(side * 0.6, 0, 1 if random.random() < 0.7 else -1)


def without_moves(prompt: str) -> str:
    """The prompt without what it says to the camera: the rest is about the scene."""
    text = _folded(prompt)
    for words in (STILL, *MOVES):
        text = words.sub(" ", text)
    return text


def ease(share: float) -> float:
    """The share of a move that is done after a share of its time: soft at both ends, never standing still."""
    soft = share * share * (3 - 2 * share)
    return 0.4 * share + 0.6 * soft


def _folded(prompt: str) -> str:
    return unicodedata.normalize("NFKC", prompt).casefold()
