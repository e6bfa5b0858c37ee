"""What models cost, what the caller's account has, and how it came to that."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ...core.catalog import Model
from ...core.commands import Account, Command, EntryPage, GetAccount, ListEntries, ListModels
from ...core.ledger import EntryKind
from .. import Endpoint, Field, WireRequest, WireResponse, answer
from .paging import page_of, page_query
from .shapes import rfc3339


class PriceView(msgspec.Struct):
    """What a result costs: `each`, or that of the dearest tier which it reaches, and then by length and size."""

    each: Annotated[int, Meta(description="Credits for a result, at least.")]
    second: Annotated[int, Meta(description="Credits for each second of video.")]
    megapixel: Annotated[int, Meta(description="Credits for each million pixels.")]
    tiers: Annotated[dict[str, int], Meta(description="By resolution, in place of `each`.", examples=[{"4k": 6}])]


class ModelView(msgspec.Struct):
    """A model; `parameters` is JSON Schema, `price` the least that a result costs, in credits."""

    name: str
    operations: list[str]
    description: str
    price: int
    pricing: PriceView
    min_inputs: int
    max_inputs: int
    max_count: int
    parameters: dict[str, Any]


class ModelsView(msgspec.Struct):
    """The catalog."""

    items: list[ModelView]


class AccountView(msgspec.Struct):
    """An account, in credits."""

    id: str
    name: str
    available: Annotated[int, Meta(description="Can be spent: `free` and `paid`.")]
    free: Annotated[int, Meta(description="Were given; they are spent first.")]
    paid: Annotated[int, Meta(description="Were bought.")]
    held: Annotated[int, Meta(description="Set aside for unfinished tasks.")]
    created_at: str
    events_url: Annotated[str, Meta(description="Signed link to the events of all tasks.")]


class LineView(msgspec.Struct):
    """One line of the ledger: what it added to the purses and to what is held. Lines never change."""

    id: int
    kind: Annotated[EntryKind, Meta(description="grant, hold, capture, release or adjust.")]
    task: Annotated[str | None, Meta(description="The task that it is for; of a part, the whole.")]
    free: int
    paid: int
    held: int
    created_at: str


class LedgerView(msgspec.Struct):
    """A page of the ledger, newest first."""

    items: list[LineView]
    next_cursor: str | None


def encode_models(models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
    """Answer with the catalog."""
    return answer(ModelsView([model_view(model) for model in models]))


def model_view(model: Model) -> ModelView:
    """A model as its caller sees it."""
    rate = model.rate
    return ModelView(
        name=model.name,
        operations=list(model.operations),
        description=model.description,
        price=model.price,
        pricing=PriceView(rate.each, rate.second, rate.megapixel, dict(rate.tiers)),
        min_inputs=model.min_inputs,
        max_inputs=model.max_inputs,
        max_count=model.max_count,
        parameters=model.json_schema(),
    )


def encode_account(account: Account, request: WireRequest) -> WireResponse:
    """Answer with an account."""
    created = rfc3339(account.created_at) or ""
    return answer(
        AccountView(
            account.id,
            account.name,
            account.available,
            account.free,
            account.paid,
            account.held,
            created,
            request.own_link(f"/accounts/{account.id}/events"),
        )
    )


def list_entries(request: WireRequest) -> Command:
    """Read a page of the ledger."""
    return ListEntries(request.query.get("task"), *page_of(request))


def encode_ledger(page: EntryPage, _request: WireRequest) -> WireResponse:
    """Answer with a page of the ledger."""
    lines = [
        LineView(
            line.number,
            line.entry.kind,
            line.task_id,
            line.entry.free,
            line.entry.paid,
            line.entry.held,
            rfc3339(line.at) or "",
        )
        for line in page.lines
    ]
    return answer(LedgerView(lines, page.next_cursor))


MONEY = (
    Endpoint(
        method="GET",
        path="/models",
        decode=lambda _: ListModels(),
        encode=encode_models,
        response=ModelsView,
        summary="List models",
    ),
    Endpoint(
        method="GET",
        path="/account",
        decode=lambda _: GetAccount(),
        encode=encode_account,
        response=AccountView,
        summary="Read the caller's account",
    ),
    Endpoint(
        method="GET",
        path="/ledger",
        decode=list_entries,
        encode=encode_ledger,
        response=LedgerView,
        query=page_query(Field("task", "Lines of this task only.")),
        summary="List ledger entries",
    ),
)
