"""What is on sale, from the settings: `/rechargePackage` and `/rechargePurchaseList`. Nothing can be bought here.

https://doc.muyuhan.xin/api/face_wap/subscribe/package.html (2025-10-17)
https://doc.muyuhan.xin/api/face_wap/subscribe/purchase_subscribe_packages.html
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from ...core.catalog import Model
from ...core.commands import Command, ListModels
from .. import Endpoint, WireRequest, WireResponse, answer
from .bodies import AppBody, Text, form_of, read
from .envelope import ErrorBody, Success
from .options import Options, Purchase, Subscription
from .shapes import Seconds
from .templates import list_models

Cents = Annotated[int, Meta(description="In cents.", examples=[799])]
Label = Annotated[int, Meta(description="1 first charge, 2 recommended, 3 hot, 4 best deal.")]


class PackageBody(msgspec.Struct, rename="camel"):
    """What `/rechargePackage` takes."""

    limit_buy: Annotated[Text, Meta(description="1 for a first purchase. Not looked at.")] = None


class SubscribeView(msgspec.Struct, rename="camel"):
    """A subscription."""

    id: int
    price: Cents
    origin_price: Cents
    product_id: str
    is_show: int
    type: Label
    created_at: Seconds
    updated_at: Seconds


class PackageView(msgspec.Struct, rename="camel"):
    """A subscription with its cycle."""

    id: int
    price: Cents
    origin_price: Cents
    product_id: str
    is_show: int
    type: Label
    cycle: Annotated[int, Meta(description="1 week, 2 month, 3 year.")]
    created_at: Seconds
    updated_at: Seconds


class PurchaseView(msgspec.Struct, rename="camel"):
    """Credits."""

    id: int
    price: Cents
    amount: Annotated[int, Meta(description="Credits.")]
    gift_amount: Annotated[int, Meta(description="Credits on top.")]
    product_id: str
    limit_buy: Annotated[int, Meta(description="1 for first purchases.")]
    type: Label
    original_price: Cents
    created_at: Seconds
    updated_at: Seconds


class PackagesBody(Success, kw_only=True):
    """The answer of `/rechargePackage`."""

    data: list[PackageView]


class SaleView(msgspec.Struct, rename="camel"):
    """Credits and subscriptions."""

    purchase_list: list[PurchaseView]
    subscribe_list: list[SubscribeView]


class SaleBody(Success, kw_only=True):
    """The answer of `/rechargePurchaseList`."""

    data: SaleView


def subscription(item: Subscription) -> SubscribeView:
    """A subscription as the newer page lists it."""
    return SubscribeView(
        id=item.id,
        price=item.price,
        origin_price=item.origin_price,
        product_id=item.product_id,
        is_show=1,
        type=item.type,
        created_at=item.created_at,
        updated_at=item.updated_at,
    )


def package(item: Subscription) -> PackageView:
    """A subscription as the older page lists it."""
    return PackageView(**msgspec.structs.asdict(subscription(item)), cycle=item.cycle)


def purchase(item: Purchase) -> PurchaseView:
    """Credits on sale."""
    return PurchaseView(**{**msgspec.structs.asdict(item), "limit_buy": int(item.limit_buy)})


class Sale:
    """Encodes what the settings hold. The command is that for the catalog: it asks for no account."""

    def __init__(self, options: Options) -> None:
        self._options = options

    def encode_packages(self, _models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
        """Answer with the subscriptions."""
        return answer(PackagesBody(data=[package(item) for item in self._options.subscriptions]))

    def encode_list(self, _models: tuple[Model, ...], _request: WireRequest) -> WireResponse:
        """Answer with credits and subscriptions."""
        options = self._options
        view = SaleView(
            [purchase(item) for item in options.purchases], [subscription(item) for item in options.subscriptions]
        )
        return answer(SaleBody(data=view))


def decode_package(request: WireRequest) -> Command:
    """Ask for the subscriptions."""
    read(request, PackageBody)
    return ListModels()


def endpoints(options: Options) -> tuple[Endpoint, ...]:
    """Both pages. Neither names a token, so none is asked for."""
    sale = Sale(options)
    return (
        Endpoint(
            method="POST",
            path="/rechargePackage",
            decode=decode_package,
            encode=sale.encode_packages,
            public=True,
            request=PackageBody,
            response=PackagesBody | ErrorBody,
            form=form_of(PackageBody),
            summary="List subscriptions",
        ),
        Endpoint(
            method="POST",
            path="/rechargePurchaseList",
            decode=list_models,
            encode=sale.encode_list,
            public=True,
            request=AppBody,
            response=SaleBody | ErrorBody,
            form=form_of(AppBody),
            summary="List credits and subscriptions on sale",
        ),
    )
