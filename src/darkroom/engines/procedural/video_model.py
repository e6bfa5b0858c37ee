"""The video model of this engine: plain data, which the server reads without loading numpy, OpenCV or PyAV."""

from __future__ import annotations

from ...core.catalog import Model, Param
from ...core.task import Operation

RATIOS = {"16:9": (16, 9), "4:3": (4, 3), "1:1": (1, 1), "3:4": (3, 4), "9:16": (9, 16), "21:9": (21, 9)}
RESOLUTIONS = {"480p": 480, "720p": 720, "1080p": 1080, "1440p": 1440}  # pixels of the shorter side

VIDEO = Model(
    name="procedural-video-v1",
    engine="procedural",
    generative=False,
    operations=(Operation.VIDEO_GENERATE,),
    description="Procedural video. Without pictures, the scene that procedural-v1 draws for the prompt, with a moving "
    "camera, drifting clouds, water, rain and snow. With one picture, a slow camera move over it, which the prompt may "
    "name ('zoom in', 'pan left'). With two, a passage from the first picture to the second. It is not a diffusion "
    "model: nothing in a picture comes alive.",
    params=(
        Param("prompt", "string", "What to show, and how the camera moves.", minimum=1, maximum=8192),
        Param(
            "negative_prompt",
            "string",
            "What is left out of the scene, such as 'clouds, people'. Words that it does not know are ignored.",
            maximum=8192,
        ),
        Param("duration", "number", "Length in seconds.", default=5, minimum=1, maximum=15),
        Param("fps", "integer", "Frames a second.", default=24, minimum=8, maximum=60),
        Param(
            "ratio",
            "string",
            "Width to height; without it that of the first picture, or 16:9 without one.",
            choices=tuple(RATIOS),
        ),
        Param("resolution", "string", "The shorter side in pixels.", default="480p", choices=tuple(RESOLUTIONS)),
        Param(
            "size",
            "size",
            "Exact width x height in pixels, both even, in place of ratio and resolution.",
            minimum=64,
            maximum=3360,
        ),
        Param(
            "seed",
            "integer",
            "Repeats a video; of several the n-th uses seed + n - 1. Without it each task differs.",
            minimum=0,
            maximum=2**53,
        ),
        Param(
            "audio",
            "boolean",
            "Add a generated sound that fits the scene: wind, waves, rain or the hum of a town.",
            default=False,
        ),
        Param("last_frame", "boolean", "Add the last frame as a picture, behind its video.", default=False),
    ),
    max_inputs=2,
    max_count=4,
    price=5,
    timeout=3600,
)
