"""The tasks of the demo, and how a client lives through one: submit, poll, download.

Guarantees: a task counts as done only when its pictures were downloaded, open, and have the size that was promised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image, UnidentifiedImageError

from .clients import Answer, Dimilinks, Link, Muyuhan, RefusedError, TensorsLab, Vendor, download

SAMPLES = Path(__file__).parents[1] / "samples"

POLL = 0.15  # seconds between two queries of a task
GIVE_UP = 120.0  # seconds
COMIC = 14  # muyuhan's styleId


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that a task begins with, and its pixels."""

    path: Path
    width: int
    height: int


ASTRONAUT = Source(SAMPLES / "astronaut.png", 512, 512)
ADMIRAL = Source(SAMPLES / "grace_hopper.jpg", 512, 600)


@dataclass(frozen=True, slots=True)
class Expected:
    """A picture that a task must make: the name of its file without the suffix, pixels, and what it was made from."""

    name: str
    width: int
    height: int
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One task: who submits it, by which endpoint, and what must come of it."""

    vendor: Vendor
    title: str
    prompt: str
    endpoint: str
    submit: Callable[[], str]
    expected: tuple[Expected, ...]
    gloss: str = ""  # the prompt in English, where it is not


@dataclass(frozen=True, slots=True)
class Picture:
    """A downloaded result. `size` is in bytes."""

    path: Path
    thumbnail: Path | None
    width: int
    height: int
    size: int
    source: Source | None


@dataclass(slots=True)
class Run:
    """What is known of a job so far; written by its own thread alone. `states` have seconds since the submit."""

    job: Job
    task_id: str | None = None
    states: list[tuple[str, float]] = field(default_factory=list)
    pictures: tuple[Picture, ...] = ()
    failure: str | None = None


def plan(
    tensorslab: TensorsLab, dimilinks: Dimilinks, muyuhan: Muyuhan, uploads: Sequence[Future[str]]
) -> tuple[Job, ...]:
    """The tasks of all three vendors. `uploads` are muyuhan's names of both portraits."""
    wide, paint = "1280x720", "a watercolor painting"
    space = "a planet and nebulas in deep space"

    def drawn(title: str, prompt: str, seed: int, gloss: str = "") -> Job:
        return Job(
            tensorslab,
            title,
            prompt,
            "POST /v1/images/seedreamv4",
            lambda: tensorslab.generate(prompt, wide, seed),
            (Expected(f"tensorslab-{title.lower().replace(' ', '-')}", 1280, 720),),
            gloss,
        )

    return (
        drawn("Lake at sunset", "a mountain lake at sunset, autumn, with reflections", 4),
        drawn("City at night", "夜晚的城市，霓虹灯，下雨", 4, "a city at night, neon lights, rain"),
        drawn("Abstract", "an abstract picture, flow and swirl", 3),
        Job(
            dimilinks,
            "Watercolour",
            paint,
            "POST /v1/images/edits?async=true",
            lambda: dimilinks.edit(ASTRONAUT.path, paint),
            (Expected("dimilinks-watercolour-astronaut", 512, 512, ASTRONAUT),),
        ),
        Job(
            dimilinks,
            "Planet",
            space,
            "POST /v1/images/generations",
            lambda: dimilinks.generate(space, wide, 3),
            (Expected("dimilinks-planet", 1280, 720),),
        ),
        Job(
            muyuhan,
            "Twice the size, two at once",
            "taskType 6 (upscale), scale 2, two pictures",
            "POST /submitTask",
            lambda: muyuhan.submit(6, [upload.result() for upload in uploads], scale=2),
            (
                Expected("muyuhan-twice-the-size-astronaut", 1024, 1024, ASTRONAUT),
                Expected("muyuhan-twice-the-size-admiral", 1024, 1200, ADMIRAL),
            ),
        ),
        Job(
            muyuhan,
            "Comic, two at once",
            f"taskType 5 (filter), styleId {COMIC}, two pictures",
            "POST /submitTask",
            lambda: muyuhan.submit(5, [upload.result() for upload in uploads], styleId=COMIC),
            (
                Expected("muyuhan-comic-astronaut", 512, 512, ASTRONAUT),
                Expected("muyuhan-comic-admiral", 512, 600, ADMIRAL),
            ),
        ),
    )


def live(run: Run, folder: Path, stop: threading.Event) -> None:
    """Submit a task, poll it until it is done, and save its pictures; what goes wrong is kept in `run.failure`."""
    try:
        begun = time.monotonic()
        run.task_id = run.job.submit()
        answer = poll(run, begun, stop)
        if answer.failure is None:
            run.pictures = save(run.job.expected, answer.results, folder)
        run.failure = answer.failure
    except (RefusedError, httpx.HTTPError, OSError) as error:
        run.failure = str(error) or type(error).__name__


def poll(run: Run, begun: float, stop: threading.Event) -> Answer:
    """Query a task until it is done, noting each new state."""
    while True:
        answer = run.job.vendor.query(run.task_id or "")
        passed = time.monotonic() - begun
        if not run.states or run.states[-1][0] != answer.state:
            run.states.append((answer.state, passed))
        if answer.done:
            return answer
        if passed > GIVE_UP or stop.wait(POLL):
            raise RefusedError(f"the client gave up after {passed:.0f} s in state '{answer.state}'")


def save(expected: Sequence[Expected], links: Sequence[Link], folder: Path) -> tuple[Picture, ...]:
    """Download every result and check it."""
    if len(links) != len(expected):
        raise RefusedError(f"{len(links)} pictures came, not {len(expected)}")
    return tuple(save_one(*pair, folder) for pair in zip(expected, links, strict=True))


def save_one(expected: Expected, link: Link, folder: Path) -> Picture:
    """Download one result, with its thumbnail where there is one."""
    content = download(link.url)
    path = folder / f"{expected.name}.{suffix(content)}"
    path.write_bytes(content)
    with Image.open(path) as image:
        image.load()
        size = image.size
    if size != (expected.width, expected.height):
        raise RefusedError(f"the picture has {size[0]}x{size[1]} pixels, not {expected.width}x{expected.height}")
    thumbnail = None
    if link.thumbnail is not None:
        small = download(link.thumbnail)
        thumbnail = folder / f"{expected.name}-thumbnail.{suffix(small)}"
        thumbnail.write_bytes(small)
    return Picture(path, thumbnail, *size, len(content), expected.source)


def suffix(content: bytes) -> str:
    """The file suffix of a picture."""
    try:
        with Image.open(BytesIO(content)) as image:
            return {"JPEG": "jpg"}.get(image.format or "", (image.format or "").lower())
    except UnidentifiedImageError:
        raise RefusedError(f"a result of {len(content)} bytes is no picture") from None
