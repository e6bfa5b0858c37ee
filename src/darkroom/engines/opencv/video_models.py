"""The video models of this engine: plain data, which the server reads without loading numpy, OpenCV or PyAV."""

from __future__ import annotations

from ...core.catalog import Model, Param
from ...core.task import Operation

LIMITS = "The video may have up to 60 seconds, 1800 frames and 1920x1080 pixels; its sound is kept."
TIMEOUT = 3600  # seconds; a minute of full-size frames takes most of it

SEED = Param(
    "seed",
    "integer",
    "Varies grain, paper and strokes, which stay the same for the whole video.",
    default=0,
    minimum=0,
    maximum=2**63 - 1,
)
RESOLUTIONS = {"480p": 480, "720p": 720, "1080p": 1080, "1440p": 1440}  # pixels of the shorter side


def models(styles: tuple[str, ...]) -> tuple[Model, ...]:
    """The video models; `styles` are the filters that there are for pictures."""
    return (
        Model(
            name="video-filters-v1",
            engine="opencv",
            generative=False,
            operations=(Operation.VIDEO_FILTER,),
            description=f"Redraws a video in one of several styles, from cartoon to film. {LIMITS}",
            params=(
                Param("style", "string", "The style.", default="cartoon", choices=styles),
                Param(
                    "strength",
                    "number",
                    "How much of the effect is mixed with the video.",
                    default=1.0,
                    minimum=0,
                    maximum=1,
                ),
                SEED,
            ),
            min_inputs=1,
            max_inputs=1,
            price=5,
            timeout=TIMEOUT,
        ),
        Model(
            name="video-upscale-v1",
            engine="opencv",
            generative=False,
            operations=(Operation.VIDEO_UPSCALE,),
            description="Enlarges a video, frame by frame, with a small trained network that sharpens what is there "
            f"and invents nothing. {LIMITS}",
            params=(
                Param("scale", "integer", "How many times wider and higher.", default=2, choices=(2, 4)),
                Param(
                    "resolution",
                    "string",
                    "The shorter side of the result, in place of scale.",
                    choices=tuple(RESOLUTIONS),
                ),
                Param(
                    "method",
                    "string",
                    "The network, or plain Lanczos, which is forty times faster.",
                    default="network",
                    choices=("network", "lanczos"),
                ),
            ),
            min_inputs=1,
            max_inputs=1,
            price=10,
            timeout=TIMEOUT,
        ),
        Model(
            name="video-enhance-v1",
            engine="opencv",
            generative=False,
            operations=(Operation.VIDEO_ENHANCE,),
            description="Corrects noise, colour cast, light and sharpness of a video, measured once for the whole of "
            f"it so that nothing flickers. {LIMITS}",
            params=(
                Param(
                    "strength",
                    "number",
                    "How much of the correction is mixed with the video.",
                    default=1.0,
                    minimum=0,
                    maximum=1,
                ),
            ),
            min_inputs=1,
            max_inputs=1,
            price=5,
            timeout=TIMEOUT,
        ),
        Model(
            name="video-faceswap-v1",
            engine="opencv",
            generative=False,
            operations=(Operation.VIDEO_FACE_SWAP,),
            description="Puts the face of a picture, the first input, on the largest face in a video, the second "
            f"input. Frames without a face stay as they are. {LIMITS}",
            min_inputs=2,
            max_inputs=2,
            price=10,
            timeout=TIMEOUT,
        ),
    )
