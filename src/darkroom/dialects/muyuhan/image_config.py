"""`/imageVideoConfig`: the ratios that a submit takes, and what tasks cost.

https://doc.muyuhan.xin/api/face_wap/pix/image_config.html
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.catalog import Model
from ...core.task import Operation
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import AppBody, form_of
from .envelope import ErrorBody, Success
from .money import price
from .templates import Templates, list_models

SIZES = {
    "16:9": (992, 558),
    "9:16": (558, 992),
    "1:1": (992, 992),
    "3:4": (744, 992),
    "3:2": (992, 661),
    "2:3": (661, 992),
}
QUALITIES = {"Base": 20, "High": 25, "Best": 30}
PICTURES = (
    *(Operation.IMAGE_FACE_SWAP, Operation.IMAGE_ENHANCE, Operation.IMAGE_FILTER, Operation.IMAGE_UPSCALE),
    Operation.IMAGE_EDIT,
)
VIDEOS = (Operation.VIDEO_GENERATE, Operation.VIDEO_FACE_SWAP)


class RatioView(msgspec.Struct):
    """A ratio, and about how large its videos are."""

    id: Annotated[int, Meta(description="The `aspectRatio` of a submit.")]
    title: Annotated[str, Meta(examples=["16:9"])]
    width: int
    height: int


class QualityView(msgspec.Struct):
    """A quality in steps; the vendor spells it so."""

    id: int
    title: str
    steep: int


class ConfigView(msgspec.Struct, rename="camel"):
    """What can be chosen, and what it costs at most."""

    aspect_ratio_list: list[RatioView]
    quality_list: list[QualityView]
    image_cost: Annotated[int, Meta(description="Credits for a picture, of the dearest kind.")]
    video_cost: Annotated[int, Meta(description="Credits for a video, of the dearer kind.")]


class ConfigBody(Success, kw_only=True):
    """The answer of `/imageVideoConfig`."""

    data: ConfigView


class Config:
    """Encodes the catalog."""

    def __init__(self, templates: Templates) -> None:
        self._models = templates.models

    def encode(self, models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
        """Answer with the choices and the costs."""
        image, video = (
            max(price(models, operation, self._models.get(operation)) for operation in kinds)
            for kinds in (PICTURES, VIDEOS)
        )
        view = ConfigView(
            [RatioView(number, title, *size) for number, (title, size) in enumerate(SIZES.items(), start=1)],
            [QualityView(number, title, steps) for number, (title, steps) in enumerate(QUALITIES.items(), start=1)],
            image,
            video,
        )
        return answer(ConfigBody(data=view))


def even(size: tuple[int, int]) -> str:
    """A size as models take it, its sides even, as videos need them."""
    width, height = size
    return f"{width - width % 2}x{height - height % 2}"


def image_video_config(templates: Templates) -> Endpoint:
    """`/imageVideoConfig`."""
    return Endpoint(
        method="POST",
        path="/imageVideoConfig",
        decode=list_models,
        encode=Config(templates).encode,
        request=AppBody,
        response=ConfigBody | ErrorBody,
        form=form_of(AppBody),
        summary="Read ratios, qualities and costs",
    )
