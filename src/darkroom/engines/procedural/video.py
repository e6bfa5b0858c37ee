"""Does a video job: decides size and content, draws frame by frame, and writes them with the sound.

Prompt, pictures, seed and parameters decide every frame; task, attempt and time of work do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...core.catalog import check_params
from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report
from .._video.sound import from_samples
from .._video.writing import film
from . import ambience, camera, photos
from .camera import INSET, ROOM, Camera
from .frame import Frame
from .plates import Plate
from .prompt import Scene, parse
from .stage import Landscape
from .video_model import RATIOS, RESOLUTIONS, VIDEO
from .work import mix_seed, subject, task_seed, warnings

Params = Mapping[str, Any]
Size = tuple[int, int]

MOST_PIXELS = 3360 * 1440  # of one frame: 1440p in the widest ratio
SHAPES = (9 / 21, 21 / 9)  # of a video that takes its shape from a picture
PREPARED = 15  # percent, when the scene is painted and frames begin


class Motion(Protocol):
    """Something that can be seen at any moment of a video."""

    def draw(self, seconds: float, share: float) -> NDArray[np.uint8]:
        """The frame at a moment, which is also a share (0 to 1) of the whole."""


def run(job: Job, report: Report) -> list[Output]:
    """Make the job's videos in its workdir."""
    cv2.setNumThreads(1)
    params, notes = check_params(VIDEO, job.params)
    prompt = params.get("prompt", "")
    if not prompt and not job.inputs:
        raise TaskError(Code.INVALID_INPUT, "Send a prompt, or a picture, or both.", param="prompt")
    read = [photos.read(path) for path in job.inputs[:2]]
    pictures = [pixels for pixels, _ in read]
    notes = tuple(dict.fromkeys((*notes, *(note for _, said in read for note in said))))
    size = frame_size(params, pictures)
    scene = parse(camera.without_moves(prompt), params.get("negative_prompt", ""))
    first = params.get("seed")
    seed = task_seed(job.task_id) if first is None else int(first)
    if not pictures:
        notes = (*notes, *warnings(scene))
    outputs: list[Output] = []
    for number in range(job.count):
        share = 100 / job.count

        def told(part: float, note: str, begun: float = number * share, share: float = share) -> None:
            report.progress(int(begun + part * share), note)

        take = Take(job, params, prompt, scene, seed + number, size)
        path, last_frame = take.write(take.motion(pictures, told), number, told, report.preview)
        outputs.append(Output(path, () if outputs else notes))
        if params["last_frame"]:
            still = job.workdir / f"{number}-last.png"
            Image.fromarray(last_frame).save(still)
            outputs.append(Output(still))
    return outputs


class Take:
    """One video of a job."""

    def __init__(self, job: Job, params: Params, prompt: str, scene: Scene, seed: int, size: Size) -> None:
        self._job, self._params, self._prompt = job, params, prompt
        self._scene, self._seed, self._size = scene, seed, size
        self._fps = int(params["fps"])
        self._count = max(1, round(params["duration"] * self._fps))

    @property
    def seconds(self) -> float:
        """Its length: a whole number of frames."""
        return int(self._count) / self._fps

    def motion(self, pictures: list[NDArray[np.uint8]], told: Callable[[float, str], None]) -> Motion:
        """What the video shows."""
        mixed = mix_seed(self._scene, self._seed)
        frame = Frame(*self._size, mixed)
        move = camera.choose(self._prompt, frame.stream("camera"))
        if len(pictures) == 2:
            return photos.Passage(pictures[0], pictures[1], self._size)
        if pictures:
            return photos.Travel(pictures[0], self._size, move)
        return self._scene_motion(frame, move, lambda part: told(part * PREPARED / 100, "painting"))

    def _scene_motion(self, frame: Frame, move: Camera, done: Callable[[float], None]) -> Motion:
        done(0)
        size = round(frame.width * ROOM), round(frame.height * ROOM)
        plate = replace(frame, width=size[0], height=size[1], inset=INSET)
        kind = subject(frame, self._scene)
        if kind in ("city", "abstract", "space"):
            return Plate(kind, frame, plate, self._scene, move, done)
        return Landscape(frame, plate, self._scene, move, self.seconds, done)

    def write(
        self, motion: Motion, number: int, told: Callable[[float, str], None], show: Callable[[Path], None]
    ) -> tuple[Path, NDArray[np.uint8]]:
        """Draw and write every frame; returns the file's path and the last one."""
        path = self._job.workdir / f"{number}.mp4"
        fps = Fraction(self._fps)
        sound = None
        if self._params["audio"]:
            sound = from_samples(ambience.compose(ambience.kind(self._scene), self.seconds, self._seed), ambience.RATE)
        text = f"{self._prompt}\nSeed: {self._seed}".strip()
        made_by = f"Darkroom {self._job.model}"
        with film(
            path,
            self._size,
            rate=fps,
            time_base=1 / fps,
            made_by=made_by,
            sound=sound,
            description=text,
            show=show,
        ) as made:
            for index in range(self._count):
                part = PREPARED / 100 + (0.98 - PREPARED / 100) * index / self._count
                told(part, f"frame {index + 1} of {self._count}")
                frame = motion.draw(index / self._fps, index / max(1, self._count - 1))
                made.write(frame, index, 1)
        return path, frame


def frame_size(params: Params, pictures: list[NDArray[np.uint8]]) -> Size:
    """Width and height in pixels, both even."""
    if "size" in params:
        width, height = (int(side) for side in params["size"].split("x"))
        if width % 2 or height % 2:
            raise TaskError(Code.INVALID_INPUT, "Both sides of a video's 'size' must be even.", param="size")
    else:
        width, height = even_size(shape_of(params.get("ratio"), pictures), RESOLUTIONS[params["resolution"]])
    if width * height > MOST_PIXELS:
        raise TaskError(
            Code.TOO_LARGE,
            f"Videos are limited to {MOST_PIXELS / 1_000_000:.1f} megapixels a frame, such as 2560x1440. Ask for less.",
            param="size",
        )
    return width, height


def shape_of(ratio: str | None, pictures: list[NDArray[np.uint8]]) -> float:
    """Width divided by height."""
    if ratio is None and pictures:
        height, width = pictures[0].shape[:2]
        return min(max(int(width) / int(height), SHAPES[0]), SHAPES[1])
    across, down = RATIOS[ratio or "16:9"]
    return across / down


def even_size(shape: float, shorter: int) -> Size:
    """Even sides of a shape of which the shorter has so many pixels."""
    longer = 2 * round(shorter * max(shape, 1 / shape) / 2)
    return (longer, shorter) if shape >= 1 else (shorter, longer)
