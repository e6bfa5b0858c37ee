"""How fast the built-in engines are on one core, how good their results are, and what the service adds to a task.

An engine's function is called in this process, as its child process would call it, on the sample portraits. Times are
of the processor, not of the clock, and the best of three, so that what else the machine does counts little. Only what
the service adds is by the clock; there both ways to the same picture take turns. Under two minutes; needs no `wrk`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import uvloop
from PIL import Image

import judging
import report
import servers
from darkroom.app import running
from darkroom.config import Settings
from darkroom.core.commands import Get, Submit, TaskResult
from darkroom.core.task import Operation, State
from darkroom.dialects.native import dialect
from darkroom.engines import Job, Output
from darkroom.engines._child import Report, keep_memory
from darkroom.engines.opencv import STYLES
from darkroom.engines.opencv import work as opencv
from darkroom.engines.procedural import jobs as procedural
from darkroom.log import configure
from darkroom.testing.engines import child_processes

ROUNDS = 3
PICTURE, FACE = 1024, 512  # pixels of the sides of what is filtered and of what gets a face
VIDEO, SECONDS, FPS = "640x360", 1, 12
SCENES = ("mountains at sunset", "a lake in winter", "city at night", "neon city in rain", "abstract waves", "a nebula")
VIDEO_STYLES = ("film", "cartoon", "pixel")
TURNS = 30  # pictures each way when the service is compared with a call
# Targets, in milliseconds: for a megapixel, so that a picture from words takes a second at most; for a face swap; for a
# frame of a video; for what the service adds to a task.
ENLARGED, FILTERED, GENERATED = 300, 600, 950
SWAPPED, FILMED, ADDED = 80, 40, 15

Run = Callable[[Job, Report], list[Output]]


class Unheard:
    """A `Report` that nobody reads."""

    def progress(self, percent: int, note: str = "") -> None:
        """Take note of nothing."""

    def preview(self, picture: Path) -> None:
        """Look at nothing."""


class Shop:
    """Makes jobs in a folder of its own, and says how long they take."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count()
        self.astronaut = self.portrait("astronaut.png")
        self.admiral = self.portrait("grace_hopper.jpg")

    def portrait(self, name: str) -> Path:
        """A sample portrait, as a square of `FACE` pixels."""
        with resources.as_file(resources.files("darkroom").joinpath("samples", name)) as path:
            image = Image.open(path).convert("RGB")
        side = min(image.size)
        return self.saved(image.crop((0, 0, side, side)).resize((FACE, FACE), Image.Resampling.LANCZOS))

    def saved(self, image: Image.Image) -> Path:
        """A picture as a file without loss."""
        path = self._folder / f"{next(self._numbers)}.png"
        image.save(path, compress_level=1)
        return path

    def resized(self, path: Path, side: int) -> Path:
        """A square copy of another size."""
        return self.saved(Image.open(path).resize((side, side), Image.Resampling.BICUBIC))

    def run(self, run: Run, operation: Operation, model: str, *inputs: Path, **params: Any) -> Path:
        """Do one job; its first result."""
        workdir = self._folder / f"job-{next(self._numbers)}"
        workdir.mkdir()
        job = Job(
            task_id="bench",
            attempt=1,
            operation=operation,
            model=model,
            params=params,
            count=1,
            inputs=inputs,
            workdir=workdir,
        )
        return run(job, Unheard())[0].path

    def best(self, run: Run, operation: Operation, model: str, *inputs: Path, **params: Any) -> float:
        """Processor seconds of a job with files read and written, the best of three: the first may load networks."""
        found = []
        for _ in range(ROUNDS):
            begun = time.process_time()
            self.run(run, operation, model, *inputs, **params)
            found.append(time.process_time() - begun)
        return min(found)


def measure() -> list[report.Row]:
    """Measure pictures, videos, the network's gain and what the service adds."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name:
        shop = Shop(Path(name))
        portraits = [np.asarray(Image.open(path)) for path in (shop.astronaut, shop.admiral)]
        return [
            *upscaling(shop),
            *redrawing(shop),
            *generating(shop),
            *filming(shop),
            *judging.judge(portraits),
            *serving(),
        ]


def upscaling(shop: Shop) -> list[report.Row]:
    """Two and four times as wide: time for each megapixel of the result, and the luma's likeness to the original."""
    rows = []
    scores: dict[str, list[float]] = {"network": [], "lanczos": []}
    for method, found in scores.items():
        for scale in (2, 4):
            wanted: dict[str, Any] = {"scale": scale, "method": method, "format": "jpeg"}
            seconds = shop.best(opencv.run, Operation.IMAGE_UPSCALE, "upscale-v1", shop.astronaut, **wanted)
            rows.append(a_megapixel(f"upscale-v1, {method}, x{scale}", seconds, (scale * FACE) ** 2, ENLARGED))
        for portrait in (shop.astronaut, shop.admiral):
            small = shop.resized(portrait, FACE // 2)
            larger = shop.run(opencv.run, Operation.IMAGE_UPSCALE, "upscale-v1", small, scale=2, method=method)
            found.append(likeness(portrait, larger))
    gains = [network - lanczos for network, lanczos in zip(scores["network"], scores["lanczos"], strict=True)]
    beside = ", ".join(f"{name} {gain:.2f}" for name, gain in zip(("astronaut", "admiral"), gains, strict=True))
    rows.append(report.at_least("upscale-v1, network over Lanczos", statistics.mean(gains), 0.5, "dB PSNR-Y", beside))
    return rows


def redrawing(shop: Shop) -> list[report.Row]:
    """Filters, enhancement and a face swap, from png to jpeg."""
    picture = shop.resized(shop.astronaut, PICTURE)
    rows = [
        a_megapixel(
            f"filters-v1, {style}",
            shop.best(opencv.run, Operation.IMAGE_FILTER, "filters-v1", picture, style=style, format="jpeg"),
            PICTURE**2,
            FILTERED,
        )
        for style in STYLES
    ]
    for what, params in (("", {}), (", retouch and blur", {"retouch": 1.0, "blur": 1.0})):
        seconds = shop.best(opencv.run, Operation.IMAGE_ENHANCE, "enhance-v1", picture, format="jpeg", **params)
        rows.append(a_megapixel(f"enhance-v1{what}", seconds, PICTURE**2))
    pair = (shop.admiral, shop.astronaut)
    seconds = shop.best(opencv.run, Operation.IMAGE_FACE_SWAP, "faceswap-v1", *pair, format="jpeg")
    return [
        *rows,
        report.at_most(
            "faceswap-v1, one face", seconds * 1000, SWAPPED, "ms", f"both pictures {FACE}x{FACE}, finding faces too"
        ),
    ]


def generating(shop: Shop) -> list[report.Row]:
    """Pictures from words."""
    return [
        a_megapixel(
            f"procedural-v1, {prompt!r}",
            shop.best(
                procedural.run,
                Operation.IMAGE_GENERATE,
                "procedural-v1",
                prompt=prompt,
                seed=1,
                size=f"{PICTURE}x{PICTURE}",
                format="jpeg",
                quality=90,
            ),
            PICTURE**2,
            GENERATED,
        )
        for prompt in SCENES
    ]


def filming(shop: Shop) -> list[report.Row]:
    """Videos, for each frame with its decoding and encoding."""
    made = {"size": VIDEO, "duration": SECONDS, "fps": FPS, "seed": 1, "prompt": "zoom in"}
    film = shop.run(procedural.run, Operation.VIDEO_GENERATE, "procedural-video-v1", shop.astronaut, **made)
    rows = []
    for style in VIDEO_STYLES:
        seconds = shop.best(opencv.run, Operation.VIDEO_FILTER, "video-filters-v1", film, style=style)
        rows.append(a_frame(f"video-filters-v1, {style}", seconds))
    seconds = shop.best(opencv.run, Operation.VIDEO_FACE_SWAP, "video-faceswap-v1", shop.admiral, film)
    return [*rows, a_frame("video-faceswap-v1", seconds)]


def serving() -> list[report.Row]:
    """What a task costs beyond its engine: commits, the child process, and the result's thumbnail, mark and storage."""
    called, served = uvloop.run(both_ways())
    work = (served.work - called.work) / TURNS * 1000
    fastest = [min(way.clock) * 1000 for way in (called, served)]
    beside = f"a picture of 512x512: {fastest[0]:.0f} ms called, {fastest[1]:.0f} ms as a task"
    return [
        report.at_most("the service, processor time", work, ADDED, "ms a task", "server and children, less the call"),
        report.at_most("the service, by the clock", fastest[1] - fastest[0], ADDED, "ms a task", beside),
    ]


@dataclass
class Way:
    """How long one way to the pictures took: each by the clock, and the processor time of all."""

    clock: list[float] = field(default_factory=list)
    work: float = 0.0

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count what is done here, in this process and in its children."""
        work, clock = processor_time(), time.perf_counter()
        yield
        self.clock.append(time.perf_counter() - clock)
        self.work += processor_time() - work


def processor_time() -> float:
    """Seconds that this process and its children that live have used."""
    ticks = 0
    for pid in child_processes():
        used = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        ticks += sum(map(int, used))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


async def both_ways() -> tuple[Way, Way]:
    """The same pictures in turns: by a call of the engine's function, and as a task from submit to its end."""
    params: dict[str, Any] = {"prompt": "a nebula", "size": "512x512", "format": "jpeg", "quality": 90}
    with servers.folder() as folder, (folder / "log").open("w") as log, redirect_stderr(log):
        settings = Settings(data=str(folder), workers=1, engines=("procedural",), initial_credits=10**9)
        configure(settings.log_level)
        (folder / "calls").mkdir()
        shop = Shop(folder / "calls")
        async with running(settings) as server:
            account_id = (await server.service.keyring.caller(server.first_key)).account_id

            async def task(seed: int) -> None:
                command = Submit(
                    operation=Operation.IMAGE_GENERATE, model="procedural-v1", params={**params, "seed": seed}
                )
                result = await server.service.handle(account_id, command, dialect)
                assert isinstance(result, TaskResult)
                result = await server.service.handle(account_id, Get(result.task.public_id, 30), dialect)
                assert isinstance(result, TaskResult)
                assert result.task.state is State.SUCCEEDED, result.task.failure

            await task(0)  # starts the child processes
            called, served = Way(), Way()
            for seed in range(TURNS):
                await asyncio.sleep(0.02)  # so that the worker is idle, and both ways begin after a pause
                with called.timed():
                    shop.run(procedural.run, Operation.IMAGE_GENERATE, "procedural-v1", **params, seed=seed)
                await asyncio.sleep(0.02)
                with served.timed():
                    await task(seed)
    return called, served


def likeness(first: Path, second: Path) -> float:
    """Peak signal-to-noise ratio of the luma in dB; 4 pixels at the edges are left out."""
    one, other = (np.asarray(Image.open(path).convert("YCbCr"), np.float64)[4:-4, 4:-4, 0] for path in (first, second))
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2)))


def a_megapixel(what: str, seconds: float, pixels: int, most: float | None = None) -> report.Row:
    """Processor time for each megapixel of a result, and how many milliseconds it should take at most."""
    each = 1000 * seconds / (pixels / 1_000_000)
    if most is not None:
        return report.at_most(what, each, most, "ms", "a megapixel")
    return report.Row(what, f"{each:,.3g} ms" if each < 1000 else f"{each:,.0f} ms", "a megapixel")


def a_frame(what: str, seconds: float) -> report.Row:
    """Processor time for each frame of a video, its decoding and encoding included."""
    return report.at_most(what, seconds / (SECONDS * FPS) * 1000, FILMED, "ms", f"a frame of {VIDEO}")


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    keep_memory()
    report.main(measure)
