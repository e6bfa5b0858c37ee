"""Upscaling, filters, simple edits, enhancement and face swaps on the CPU, with OpenCV and a few small networks.

What it offers is plain data, so that the server reads it without loading numpy or OpenCV: only the child process that
does the work imports them. Everything works offline; nothing is downloaded.
"""

from __future__ import annotations

from ...core.catalog import Model, Param
from ...core.task import Operation
from .. import Engine, EngineSettings
from .._process import ProcessEngine
from . import video_models

STYLES = (
    "cartoon",
    "comic",
    "film",
    "halftone",
    "ink",
    "lowpoly",
    "neon",
    "noir",
    "oil",
    "pencil",
    "pixel",
    "pop",
    "sepia",
    "watercolor",
)

FORMAT = Param("format", "string", "File format of the result.", default="png", choices=("png", "jpeg", "webp", "avif"))
QUALITY = Param(
    "quality",
    "integer",
    "Quality of a jpeg, webp or avif file; png is always exact.",
    default=90,
    minimum=1,
    maximum=100,
)
SIZE = Param(
    "size", "size", "Size of the result; what does not fit its shape is cropped evenly.", minimum=1, maximum=16384
)
SEED = Param("seed", "integer", "Varies grain, paper and strokes.", default=0, minimum=0, maximum=2**63 - 1)
STRENGTH = Param(
    "strength", "number", "How much of the effect is mixed with the picture.", default=1.0, minimum=0, maximum=1
)

UPSCALE = Model(
    name="upscale-v1",
    engine="opencv",
    generative=False,
    operations=(Operation.IMAGE_UPSCALE,),
    description="Enlarges a picture with a small trained network that sharpens what is there and invents nothing.",
    params=(
        Param("scale", "integer", "How many times wider and higher.", default=2, choices=(2, 4)),
        Param(
            "size",
            "size",
            "Exact size of the result, in place of scale; what does not fit its shape is cropped evenly.",
            minimum=1,
            maximum=65536,
        ),
        Param("method", "string", "The network, or plain Lanczos.", default="network", choices=("network", "lanczos")),
        FORMAT,
        QUALITY,
    ),
    min_inputs=1,
    max_inputs=1,
    price=2,
)
FILTERS = Model(
    name="filters-v1",
    engine="opencv",
    generative=False,
    operations=(Operation.IMAGE_FILTER,),
    description="Redraws a picture in one of several styles, from cartoon to film.",
    params=(
        Param("style", "string", "The style.", default="cartoon", choices=STYLES),
        STRENGTH,
        SIZE,
        SEED,
        FORMAT,
        QUALITY,
    ),
    min_inputs=1,
    max_inputs=1,
)
EDIT = Model(
    name="edit-v1",
    engine="opencv",
    generative=False,
    operations=(Operation.IMAGE_EDIT,),
    description="Edits a picture, or makes one of several, by the words of a prompt in English or Chinese: styles, "
    "light, colours, seasons, hours, weather, background, repairs, collage, cut-outs. It draws nothing new.",
    params=(
        Param("prompt", "string", "What to do, such as 'a warm watercolor'.", minimum=1, maximum=8192, required=True),
        Param(
            "mask",
            "integer",
            "Number, from 0, of the input that is a mask for the first picture: only its transparent places are "
            "edited or, if it has none, its white ones.",
            minimum=0,
            maximum=9,
        ),
        STRENGTH,
        SIZE,
        SEED,
        FORMAT,
        QUALITY,
    ),
    min_inputs=1,
    max_inputs=10,  # nine pictures and a mask
    max_count=15,
)
FACE_SWAP = Model(
    name="faceswap-v1",
    engine="opencv",
    generative=False,
    operations=(Operation.IMAGE_FACE_SWAP,),
    description="Puts the face of the first picture on faces of the second, in the second picture's light and skin "
    "tone. Best with both heads turned alike; hands, glasses and microphones in front of a face are painted over.",
    params=(
        Param(
            "faces",
            "string",
            "Which faces of the second picture change: largest, all, or their numbers from left to right, counted "
            "from 0 and separated by commas.",
            default="largest",
            minimum=1,
            maximum=100,
        ),
        STRENGTH,
        FORMAT,
        QUALITY,
    ),
    min_inputs=2,
    max_inputs=2,
    price=3,
    timeout=120,
)
ENHANCE = Model(
    name="enhance-v1",
    engine="opencv",
    generative=False,
    operations=(Operation.IMAGE_ENHANCE,),
    description="Corrects what a picture lacks: noise, colour cast, light, contrast and sharpness; on request also "
    "calmer skin and a soft background behind people.",
    params=(
        Param("strength", "number", "How much of the correction is mixed in.", default=1.0, minimum=0, maximum=1),
        Param("retouch", "number", "How much skin, eyes and lips are retouched.", default=0.0, minimum=0, maximum=1),
        Param("blur", "number", "How much is blurred behind people.", default=0.0, minimum=0, maximum=1),
        FORMAT,
        QUALITY,
    ),
    min_inputs=1,
    max_inputs=1,
)
MODELS = (UPSCALE, FILTERS, EDIT, FACE_SWAP, ENHANCE, *video_models.models(STYLES))


def create(settings: EngineSettings) -> Engine:
    """Make the engine; it takes no options of its own."""
    if settings.options:
        raise ValueError(f"the engine opencv has no option {min(settings.options)!r}; it takes none")
    return ProcessEngine("opencv", MODELS, "darkroom.engines.opencv.work:run", settings.slots, settings.memory_mib)
