"""Pictures and videos from a prompt without a neural network: landscapes, cities, abstract art and space.

What it offers is plain data, so that the server reads it without loading numpy or OpenCV: only the child process that
draws imports them. Everything works offline. With the same libraries, the same prompt, seed and
size give the same file, byte by byte.
"""

from __future__ import annotations

from ...core.catalog import Model, Param
from ...core.task import Operation
from .. import Engine, EngineSettings
from .._process import ProcessEngine
from .video_model import VIDEO

MODEL = Model(
    name="procedural-v1",
    engine="procedural",
    generative=False,
    operations=(Operation.IMAGE_GENERATE,),
    description="Procedural art: landscapes, city skylines, abstract pictures and space, with about fifty subjects in "
    "the numbers and colours that are named, in a dozen styles, drawn by rules and noise from words that it knows in "
    "English and Chinese. It is not a diffusion model; words that it does not understand are listed in the task's "
    "warnings.",
    params=(
        Param(
            "prompt",
            "string",
            "What to draw: scene, subjects with their number and colour, time of day, weather, season, style. Other "
            "words only vary the picture.",
            minimum=1,
            maximum=8192,
            required=True,
        ),
        Param(
            "negative_prompt",
            "string",
            "What is left out of the picture, such as 'clouds, people'. Words that it does not know are ignored.",
            maximum=8192,
        ),
        Param(
            "seed",
            "integer",
            "Repeats a picture; of several pictures the n-th uses seed + n - 1. Without it each task differs, and the "
            "file's metadata says which seed was used.",
            minimum=0,
            maximum=2**53,
        ),
        Param("size", "size", "Width x height in pixels.", default="1024x1024", minimum=16, maximum=4096),
        Param("format", "string", "File format of the result.", default="png", choices=("png", "jpeg", "webp", "avif")),
        Param(
            "quality",
            "integer",
            "Quality of a jpeg, webp or avif file; png is always exact.",
            default=90,
            minimum=1,
            maximum=100,
        ),
    ),
    max_count=15,
    price=1,
    timeout=300,
)


def create(settings: EngineSettings) -> Engine:
    """Make the engine."""
    target = "darkroom.engines.procedural.jobs:run"
    return ProcessEngine("procedural", (MODEL, VIDEO), target, settings.slots, settings.memory_mib)
