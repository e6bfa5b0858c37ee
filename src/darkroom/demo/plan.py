"""The tasks of the demo: what each client asks for, and what must come of it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from .clients import Dimilinks, Muyuhan, Native, TensorsLab
from .jobs import Job
from .results import Expected, Source

SAMPLES = Path(__file__).parents[1] / "samples"
ASTRONAUT = Source(SAMPLES / "astronaut.png", 512, 512)
ADMIRAL = Source(SAMPLES / "grace_hopper.jpg", 512, 600)

WIDE = "1280x720"
COMIC = 14  # muyuhan's styleId
SECONDS, RATE, SIDE = 2, 12, 480  # of the clip: length, frames a second, pixels of its sides


@dataclass(frozen=True, slots=True)
class Clients:
    """A client of each API."""

    tensorslab: TensorsLab
    dimilinks: Dimilinks
    muyuhan: Muyuhan
    native: Native


def plan(clients: Clients, uploads: Sequence[Future[str]], folder: Path) -> tuple[Job, ...]:
    """All tasks, in the order in which they are shown. `uploads` are muyuhan's names of both portraits."""
    return (
        *scenes(clients.tensorslab),
        *paintings(clients.dimilinks),
        *portraits(clients.muyuhan, uploads),
        *clips(clients.native, folder),
    )


def scenes(client: TensorsLab) -> tuple[Job, ...]:
    """Pictures from texts."""

    def drawn(title: str, prompt: str, seed: int, gloss: str = "") -> Job:
        return Job(
            client,
            title,
            prompt,
            "POST /v1/images/seedreamv4",
            lambda: client.generate(prompt, WIDE, seed),
            (Expected(f"tensorslab-{title.lower().replace(' ', '-')}", 1280, 720),),
            gloss,
        )

    return (
        drawn("Lake at sunset", "a mountain lake at sunset, autumn, with reflections", 4),
        drawn("City at night", "夜晚的城市，霓虹灯，下雨", 4, "a city at night, neon lights, rain"),
        drawn("Abstract", "an abstract picture, flow and swirl", 3),
    )


def paintings(client: Dimilinks) -> tuple[Job, ...]:
    """A picture from a picture, and one from a text."""
    paint, space = "a watercolor painting", "a planet and nebulas in deep space"
    return (
        Job(
            client,
            "Watercolour",
            paint,
            "POST /v1/images/edits?async=true",
            lambda: client.edit(ASTRONAUT.path, paint),
            (Expected("dimilinks-watercolour-astronaut", 512, 512, (ASTRONAUT,)),),
        ),
        Job(
            client,
            "Planet",
            space,
            "POST /v1/images/generations",
            lambda: client.generate(space, WIDE, 3),
            (Expected("dimilinks-planet", 1280, 720),),
        ),
    )


def portraits(client: Muyuhan, uploads: Sequence[Future[str]]) -> tuple[Job, ...]:
    """Work on both portraits: one task with a part for each, twice, and one that takes the first's face."""

    def asked(title: str, prompt: str, task_type: int, expected: tuple[Expected, ...], **fields: int) -> Job:
        return Job(
            client,
            title,
            prompt,
            "POST /submitTask",
            lambda: client.submit(task_type, [upload.result() for upload in uploads], **fields),
            expected,
        )

    return (
        asked(
            "Twice the size, two at once",
            "taskType 6 (upscale), scale 2, two pictures",
            6,
            (
                Expected("muyuhan-twice-the-size-astronaut", 1024, 1024, (ASTRONAUT,)),
                Expected("muyuhan-twice-the-size-admiral", 1024, 1200, (ADMIRAL,)),
            ),
            scale=2,
        ),
        asked(
            "Comic, two at once",
            f"taskType 5 (filter), styleId {COMIC}, two pictures",
            5,
            (Expected("muyuhan-comic-astronaut", 512, 512), Expected("muyuhan-comic-admiral", 512, 600)),
            styleId=COMIC,
        ),
        asked(
            "Another's face",
            "taskType 3 (face swap), source, target",
            3,
            (Expected("muyuhan-face-swap", 512, 600, (ASTRONAUT, ADMIRAL)),),
        ),
    )


def clips(client: Native, folder: Path) -> tuple[Job, ...]:
    """A clip from a portrait, and the other's face in it."""
    clip: Future[Path] = Future()
    name = "darkroom-camera-move"
    target = Source(folder / f"{name}.jpg", SIDE, SIDE, folder / f"{name}.mp4")
    move = {"prompt": "zoom in", "duration": SECONDS, "fps": RATE, "size": f"{SIDE}x{SIDE}", "seed": 1}
    return (
        Job(
            client,
            "A clip from a portrait",
            f"video.generate, zoom in, {SECONDS} s, {RATE} frames a second",
            "POST /api/tasks",
            lambda: client.create("video.generate", "procedural-video-v1", [ASTRONAUT.path], move),
            (Expected(name, SIDE, SIDE, (ASTRONAUT,), SECONDS),),
            makes=clip,
        ),
        Job(
            client,
            "Another's face in the clip",
            "video.face_swap, source picture, target video",
            "POST /api/tasks",
            lambda: client.create("video.face_swap", "video-faceswap-v1", [ADMIRAL.path, clip.result()]),
            (Expected("darkroom-face-swap", SIDE, SIDE, (ADMIRAL, target), SECONDS),),
            after=clip,
        ),
    )
