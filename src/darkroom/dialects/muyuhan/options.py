"""The settings of the dialect: the table `[dialect.muyuhan]`, described in docs/dialects/muyuhan.md."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from ...core.task import Operation

Id = Annotated[int, Meta(ge=1, le=(1 << 31) - 1)]
Count = Annotated[int, Meta(ge=0)]
MAX_IMAGES = 15  # with the caller's own picture these are the pictures that a task takes at most

FACE_SWAP: Final = 3
VIDEO: Final = 7


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the settings: a key that it does not know is an error."""


class Covering(Table, frozen=True):
    """Addresses of a sample before and after the work."""

    before: str = ""
    after: str = ""


class Template(Table, frozen=True):
    """A ready-made wish, which `styleId` of a submit names.

    taskType 5 has a filter's `style` or a `prompt`; with a prompt, `images` go to the model after the caller's picture.
    taskType 3 has `images` that get the caller's face; 7 has a `prompt`, or `images`: clips that get the face.
    """

    id: Id
    title: str
    task_type: Literal[3, 5, 7] = 5
    style: str = ""
    prompt: str = ""
    images: tuple[str, ...] = ()
    description: str = ""
    author: str = ""
    covering: Covering = Covering()
    video: str = ""
    show: bool = True
    sort: int = 0
    created_at: Count = 0
    updated_at: Count = 0

    def __post_init__(self) -> None:
        if problem := self._problem():
            raise ValueError(f"template {self.id} {problem}")

    def _problem(self) -> str | None:
        if len(self.images) > MAX_IMAGES:
            return f"has more than {MAX_IMAGES} images"
        if strange := [url for url in self.images if not re.match(r"https?://[^/]", url)]:
            return f"has an image that is no http address: {strange[0]!r}"
        match self.task_type:
            case 5 if bool(self.style) == bool(self.prompt):
                return "needs a style or a prompt, and not both"
            case 5 if self.style and self.images:
                return "has a style, which takes no images"
            case 3 if not self.images or self.style or self.prompt:
                return "needs images that get the face, and neither style nor prompt"
            case 7 if bool(self.prompt) == bool(self.images) or self.style:
                return "needs a prompt, or images that get the face, and no style"
        return None


class Group(Table, frozen=True):
    """Templates under one title."""

    id: Id
    title: str
    sort: int = 0
    templates: tuple[Template, ...] = ()


class AppUpdate(Table, frozen=True):
    """The newest version of the app."""

    content: str = ""
    force: bool = False
    link: str = ""
    version: str = ""


class Subscription(Table, frozen=True):
    """A subscription on sale. Prices are in cents, `cycle` is 1 week, 2 month, 3 year."""

    id: Id
    price: Count
    product_id: str
    origin_price: Count = 0
    type: Annotated[int, Meta(ge=0, le=4)] = 0
    cycle: Annotated[int, Meta(ge=0, le=3)] = 0
    created_at: Count = 0
    updated_at: Count = 0


class Purchase(Table, frozen=True):
    """Credits on sale. Prices are in cents, `limit_buy` is for who buys for the first time."""

    id: Id
    price: Count
    product_id: str
    amount: Count
    gift_amount: Count = 0
    limit_buy: bool = False
    type: Annotated[int, Meta(ge=0, le=4)] = 0
    original_price: Count = 0
    created_at: Count = 0
    updated_at: Count = 0


class Options(Table, frozen=True):
    """Everything that can be set."""

    filters: bool = True
    samples: dict[int, Covering] = {}
    groups: tuple[Group, ...] = ()
    models: dict[Operation, str] = {}
    album: Literal["image", "video"] = "image"
    contact_us: str = ""
    purchase_video_url: str = ""
    check: bool = False
    app_update: AppUpdate = AppUpdate()
    purchases: tuple[Purchase, ...] = ()
    subscriptions: tuple[Subscription, ...] = ()


def read_options(given: Mapping[str, Any]) -> Options:
    """Options from their table; `ValueError` names the key that cannot be used."""
    try:
        return msgspec.convert(given, Options, str_keys=True)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`$.", "`")) from None


def doubled(numbers: list[int]) -> int | None:
    """A number that occurs twice."""
    return next((number for number, count in Counter(numbers).items() if count > 1), None)
