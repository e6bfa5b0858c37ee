"""Abstract pictures: strokes along a flow field, or folds like silk."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from .frame import Frame, Plane, mix, smoothstep
from .landscape import Layers
from .noise import Noise
from .palette import TINTS, choose, rgb, tinted
from .prompt import Scene
from .subjects.arrange import arrange
from .subjects.setting import Setting

FINE = 4  # bits of a pixel's fraction
STEPS = 96
FINE_SIDE = 640  # pictures with a shorter side are drawn larger
LONGEST = 4096
SCHEMES = (
    "0b2b33 0f8b8d e8dcb5 ec9a29 a8201a",
    "14213d 2a4d8f 7fb7d9 f2f4f3 fca311",
    "1b1430 5b2a86 c3447a ff8a5c ffd9a0",
    "0d1f1a 1f5f4a 6fae7a dfe8c0 f2b84b",
    "231123 82204a d8576b f3b391 f7e8d0",
    "101820 2b5876 4e9f9a b8d8ba fefae0",
    "2b2118 7a4a2b c98b4b ead2a0 5f8a8b",
    "f4efe6 d9b08c b0413e 473144 548687",
)


def paint(frame: Frame, scene: Scene, done: Layers) -> Plane:
    """Paint the abstract; `done` hears of every finished part."""
    random = frame.stream("abstract")
    colours = [rgb(text) for text in SCHEMES[int(random.integers(len(SCHEMES)))].split()]
    tints = scene.tints[:2]
    if tints:  # two of them share the colours between them
        each = [tints[place * len(tints) // len(colours)] for place in range(len(colours))]
        colours = [np.clip(tinted(colour, tint, 0.7), 0, 1) for colour, tint in zip(colours, each, strict=True)]
        for number, tint in enumerate(tints):
            colours[1 + number * (len(colours) // 2)] = rgb(TINTS[tint])
    if scene.hour == "night":
        colours = [colour * 0.7 for colour in colours]
    draw = _strokes if random.random() < 0.6 else _folds
    picture = draw(frame, colours, done) if draw is _folds else _fine(frame, colours, done)
    light = replace(choose(frame, "day", ()), ambient=np.full(3, 0.7, np.float32), light=np.full(3, 0.8, np.float32))
    setting = Setting(frame, None, scene.season or "summer", False, 0.0, "stone")
    arrange(setting, scene.things, light, -1.0).draw_air(picture)
    return picture


def _fine(frame: Frame, colours: list[Plane], done: Layers) -> Plane:
    """Strokes; in small pictures they are drawn larger and shrunk, for no line is thinner than a pixel."""
    factor = max(1, -(-FINE_SIDE // min(frame.width, frame.height)))
    if factor == 1 or max(frame.width, frame.height) * factor > LONGEST:
        return _strokes(frame, colours, done)
    large = replace(frame, width=frame.width * factor, height=frame.height * factor)
    picture = _strokes(large, colours, done)
    return cv2.resize(picture, (frame.width, frame.height), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)


def _strokes(frame: Frame, colours: list[Plane], done: Layers) -> Plane:
    """Thousands of strokes that follow one field of directions, coloured by where they start."""
    random = frame.stream("strokes")
    noise = Noise(frame, "field")
    picture = _ground(frame, noise, colours)
    canvas = np.clip(picture * 255 + 0.5, 0, 255).astype(np.uint8)
    del picture
    area = frame.span * frame.height / frame.unit
    count = int(np.clip(2600 * area, 300, 12000))
    half = np.array([frame.span, frame.height / frame.unit], np.float32) / 2
    start = (random.random((count, 2), np.float32) * 2 - 1) * (half + 0.06)
    paths, zone = _follow(noise, start, random.uniform(0.9, 1.5))
    paths = (paths + half) * frame.unit
    points = np.round(paths * 2**FINE).astype(np.int32)
    length = random.integers(22, STEPS, count)
    width = random.choice((0.0009, 0.0018, 0.0042, 0.0085), count, p=(0.34, 0.34, 0.22, 0.10))
    shade = zone * 1.35 + random.normal(0, 0.32, count)
    index = np.clip(np.floor((shade * 0.5 + 0.5) * (len(colours) - 1)), 0, len(colours) - 2).astype(int) + 1
    tone = random.uniform(0.82, 1.12, count)
    for number in np.argsort(-width, kind="stable"):
        colour = np.clip(colours[index[number]] * tone[number] * 255, 0, 255)
        line = points[number, : length[number]]
        thick = max(1, round(width[number] * frame.unit))
        cv2.polylines(canvas, [line], False, tuple(map(float, colour)), thick, cv2.LINE_AA, FINE)
    done(0.9)
    strokes: Plane = canvas.astype(np.float32) / 255
    return strokes


def _follow(noise: Noise, start: Plane, scale: float) -> tuple[Plane, Plane]:
    """Paths (strokes, steps, 2) through the field in units, and the field's value at each start, -1 to 1."""
    place = start.copy()
    path = np.empty((len(start), STEPS, 2), np.float32)
    zone = noise.fbm(start[None, :, 0] * 1.1, start[None, :, 1] * 1.1, 3)[0]
    for step in range(STEPS):
        path[:, step] = place
        x, y = place[None, :, 0] * scale, place[None, :, 1] * scale
        angle = noise.fbm(x, y, 3, 0.4)[0] * 3.6
        place = place + np.stack([np.cos(angle), np.sin(angle)], -1) * 0.0052
    return path, zone


def _ground(frame: Frame, noise: Noise, colours: list[Plane]) -> Plane:
    """A quiet ground in the darkest colours."""
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    for top, bottom in frame.bands(frame.height):
        value = noise.fbm(frame.across() * 0.8, frame.down(top, bottom) * 0.8, 3)
        picture[top:bottom] = mix(colours[0], colours[1], smoothstep(-0.6, 0.8, value)[..., None] * 0.45)
    return picture


def _folds(frame: Frame, colours: list[Plane], done: Layers) -> Plane:
    """Noise bent by noise, lit from one side like cloth."""
    noise = Noise(frame, "silk")
    turn = frame.stream("folds").uniform(0.55, 0.95)
    picture = np.empty((frame.height, frame.width, 3), np.float32)
    stops = np.linspace(-0.75, 0.75, len(colours))
    table = np.stack(colours)
    for top, bottom in frame.bands(frame.height):
        x, y = np.broadcast_arrays(frame.across() * turn, frame.down(top, bottom) * turn)
        first = noise.fbm(x, y, 2, 0.4)
        second = noise.fbm(x + first * 1.1 + 3, y + first * 0.7 + 1, 2, 0.4)
        found = noise.slopes(x + second * 1.5, y + second * 1.2 + first)
        lines = np.sin((found[..., 0] + second) * 16) * 0.5 + 0.5
        shade = found[..., 0] * 0.9 + second * 0.5
        band = np.stack([np.interp(shade, stops, table[:, part]) for part in range(3)], -1).astype(np.float32)
        light = 0.86 + np.clip(found[..., 1] - found[..., 2], -2, 2) * 0.11
        light += (lines**3 - 0.3) * 0.16
        picture[top:bottom] = band * light[..., None]
        done(0.9 * bottom / frame.height)
    return picture
