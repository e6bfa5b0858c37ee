"""What is on offer and what it costs, and whether the server is well. Anybody may ask for prices and health."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ...core.catalog import Model
from ...core.commands import CheckHealth, Command, Health, ListModels
from ...core.task import Operation
from .. import WireRequest, WireResponse, answer
from .names import IMAGE_MODELS, VIDEO_MODELS
from .submit import MAX_COUNT
from .views import Seconds

MODELS_CREATED = 1_777_080_000  # seconds; the catalog keeps no dates, and clients want a stable one
GROUP = "default"
TIERS: tuple[Literal["1k", "2k", "4k"], ...] = ("1k", "2k", "4k")

# The vendor's words for what a model is good for, and where that is asked for.
ENDPOINTS = {
    Operation.IMAGE_GENERATE: ("image_generation", "/v1/images/generations"),
    Operation.IMAGE_EDIT: ("image_edits", "/v1/images/edits"),
    Operation.VIDEO_GENERATE: ("video_generation", "/v1/videos"),
}
CHAT = ("openai", "/v1/chat/completions")
NAMES = (
    *((name, operation) for name in IMAGE_MODELS for operation in (Operation.IMAGE_GENERATE, Operation.IMAGE_EDIT)),
    *((name, Operation.VIDEO_GENERATE) for name in VIDEO_MODELS),
)


class ModelView(msgspec.Struct):
    """A model."""

    id: Annotated[str, Meta(examples=["gpt-image-2"])]
    object: Literal["model"]
    created: Seconds
    owned_by: str


class ModelsView(msgspec.Struct):
    """The models on offer."""

    object: Literal["list"]
    data: list[ModelView]


class TierPrice(msgspec.Struct):
    """The price of a picture in one tier, and how many a task may make."""

    resolution: Literal["1k", "2k", "4k"]
    model_price: int
    max_n: int


class PriceView(msgspec.Struct):
    """The price of a model, in credits for each result. Prices here do not depend on the tier."""

    model_name: Annotated[str, Meta(examples=["gpt-image-2"])]
    enable_groups: list[str]
    model_ratio: int
    completion_ratio: int
    cache_ratio: int | None
    quota_type: Annotated[int, Meta(description="1: paid by result.")]
    model_price: int
    supported_endpoint_types: list[str]
    resolution_options: list[TierPrice] | UnsetType = UNSET


class EndpointView(msgspec.Struct):
    """Where something is asked for."""

    path: str
    method: str


class PricesView(msgspec.Struct):
    """The price table. There is one group; `pricing_version` is another one when a price is."""

    success: bool
    pricing_version: str
    group_ratio: dict[str, int]
    usable_group: dict[str, str]
    auto_groups: list[str]
    supported_endpoint: dict[str, EndpointView]
    data: list[PriceView]


class HealthData(msgspec.Struct):
    """That the server is well."""

    status: Literal["ok"]


class HealthView(msgspec.Struct):
    """A server that is well."""

    code: int
    message: Literal["ok"]
    data: HealthData


def list_models(_request: WireRequest) -> Command:
    """Read what is on offer, under the vendor's names too."""
    return ListModels(NAMES)


def offered(models: tuple[Model, ...]) -> dict[str, list[Model]]:
    """By name, the models that make pictures or videos; a name may stand for one model to generate and one to edit."""
    found: dict[str, list[Model]] = {}
    for model in models:
        if any(operation in ENDPOINTS for operation in model.operations):
            found.setdefault(model.name, []).append(model)
    return found


def encode_models(models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
    """Answer with the vendor's names, then the models of this server."""
    return answer(ModelsView("list", [ModelView(name, "model", MODELS_CREATED, "") for name in offered(models)]))


def encode_prices(models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
    """Answer with the price table."""
    prices = [price(name, same) for name, same in offered(models).items()]
    version = hashlib.sha256(msgspec.json.encode(prices)).hexdigest()[:32]
    endpoints = {word: EndpointView(path, "POST") for word, path in (*ENDPOINTS.values(), CHAT)}
    return answer(PricesView(True, version, {GROUP: 1}, {GROUP: ""}, [], endpoints, prices))


def price(name: str, models: list[Model]) -> PriceView:
    """The price of a name; where it stands for several models, that of the first."""
    operations = [operation for model in models for operation in model.operations]
    words: list[Any] = [word for operation, (word, _path) in ENDPOINTS.items() if operation in operations]
    first = models[0]
    view = PriceView(name, [GROUP], 0, 0, None, 1, first.price, words)
    if Operation.IMAGE_GENERATE in operations or Operation.IMAGE_EDIT in operations:
        view.supported_endpoint_types.append(CHAT[0])
        view.resolution_options = [TierPrice(tier, first.price, min(MAX_COUNT, first.max_count)) for tier in TIERS]
    return view


def live(_request: WireRequest) -> Command:
    """Ask whether the server is alive."""
    return CheckHealth()


def ready(_request: WireRequest) -> Command:
    """Ask whether the server can work."""
    return CheckHealth(ready=True)


def encode_health(_health: Health, _request: WireRequest) -> WireResponse:
    """Answer that it is well."""
    return answer(HealthView(0, "ok", HealthData("ok")))
