"""Does a job in the child process: reads the prompt, paints each picture, writes it with how it was made.

Prompt, seed and size decide every byte of a picture; task, attempt, time and order of work do not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, PngImagePlugin

from .. import Job, Output
from .._child import Report
from . import abstract, city, landscape, space
from .finish import MOST_HANDS, by_hand, finish
from .frame import Frame
from .landscape import Layers
from .plan import habitat, undrawn
from .prompt import Scene, parse

SOFTWARE = "procedural-v1 (Darkroom)"
SEEDS = 2**53
FINE_SIDE = 160  # pictures with a shorter side are painted larger and shrunk: everything stays smooth
FINE_AREA = 1_200_000
LONGEST = 16_384
AVIF_SPEED = 8  # of 0 to 10: 0.2 s for a megapixel
LISTED = 20  # unknown words that a warning names
PAINTERS = {"abstract": abstract.paint, "city": city.paint, "space": space.paint}


def run(job: Job, report: Report) -> list[Output]:
    """Paint the job's pictures into its workdir."""
    cv2.setNumThreads(1)
    prompt = str(job.params["prompt"])
    width, height = (int(side) for side in str(job.params["size"]).split("x"))
    first = job.params.get("seed")
    seed = task_seed(job.task_id) if first is None else int(first)
    scene = parse(prompt, str(job.params.get("negative_prompt", "")))
    outputs: list[Output] = []
    for number in range(job.count):
        share = 100 / job.count
        note = f"picture {number + 1} of {job.count}" if job.count > 1 else "painting"

        def done(part: float, begun: float = number * share, share: float = share, note: str = note) -> None:
            report.progress(int(begun + share * part * 0.95), note)

        done(0)
        pixels = paint(scene, seed + number, width, height, done)
        path = write(pixels, job.workdir / f"{number}", prompt, seed + number, job.params)
        outputs.append(Output(path, () if outputs else warnings(scene)))  # said once for all pictures
        report.progress(int((number + 1) * share), note)
    return outputs


def task_seed(task_id: str) -> int:
    """The seed of a task whose caller gave none: the same for every attempt."""
    return int.from_bytes(hashlib.sha256(task_id.encode()).digest()[:8], "big") % SEEDS


def paint(scene: Scene, seed: int, width: int, height: int, done: Layers) -> NDArray[np.uint8]:
    """One picture as (height, width, 3) bytes, red green blue."""
    mixed = mix_seed(scene, seed)
    frame = Frame(width, height, mixed)
    factor = enlargement(width, height)
    large = Frame(width * factor, height * factor, mixed)
    picture = PAINTERS.get(subject(frame, scene), landscape.paint)(large, scene, done)
    if factor > 1:
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32, copy=False)
    return finish(frame, picture, scene.styles)


def mix_seed(scene: Scene, seed: int) -> int:
    """The seed of the frame: the words have a say in it, so that each prompt has pictures of its own."""
    text = f"{seed}/{scene.layout}"
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def enlargement(width: int, height: int) -> int:
    """How many times larger a picture is painted than it is delivered."""
    factor = -(-FINE_SIDE // min(width, height))
    while factor > 1 and (width * height * factor**2 > FINE_AREA or max(width, height) * factor > LONGEST):
        factor -= 1
    return factor


def subject(frame: Frame, scene: Scene) -> str:
    """What the picture shows: as the prompt says; without any hint in it, anything by the seed."""
    if scene.subject is not None:
        return scene.subject
    if "neon" in scene.parts:
        return "city"
    if (scene.things and habitat(scene) == "space") or scene.parts == {"planet"}:
        return "space"
    if scene.hour or scene.season or scene.weather or scene.parts or scene.things:
        return "landscape"
    return str(frame.stream("subject").choice(("landscape", "landscape", "landscape", "city", "abstract", "space")))


def warnings(scene: Scene) -> tuple[str, ...]:
    """What the caller should know about the words that were not understood."""
    left = by_hand(scene.styles)[MOST_HANDS:]
    notes = (*scene.notes, *undrawn(scene), *((f"More than two styles; left out: {', '.join(left)}.",) if left else ()))
    if not scene.unknown:
        return notes
    listed = ", ".join(word[:40] for word in scene.unknown[:LISTED])
    more = len(scene.unknown) - LISTED
    return (f"Not understood: {listed}{f' and {more} more' if more > 0 else ''}.", *notes)


def write(pixels: NDArray[np.uint8], path: Path, prompt: str, seed: int, params: Mapping[str, Any]) -> Path:
    """Write a picture in the wanted format, with how it was made in its metadata."""
    image = Image.fromarray(pixels)
    text = prompt.encode("utf-8", "replace").decode()
    text = f"{text}\nSeed: {seed}, Size: {image.width}x{image.height}, Model: {SOFTWARE}"
    kind, quality = str(params["format"]), int(params["quality"])
    path = path.with_suffix("." + kind.replace("jpeg", "jpg"))
    if kind == "png":
        chunks = PngImagePlugin.PngInfo()
        chunks.add_text("parameters", text)
        image.save(path, "PNG", compress_level=1, pnginfo=chunks)
        return path
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = text.encode()
    exif[ExifTags.Base.Software] = SOFTWARE
    if kind == "jpeg":
        image.save(path, "JPEG", quality=quality, exif=exif)
    elif kind == "webp":
        image.save(path, "WEBP", quality=quality, method=4, exif=exif)
    else:
        image.save(path, "AVIF", quality=quality, speed=AVIF_SPEED, max_threads=1, exif=exif)
    return path
