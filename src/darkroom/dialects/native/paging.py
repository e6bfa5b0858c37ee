"""Pages of a list: how many items, and after which."""

from __future__ import annotations

from ...core.errors import Code, TaskError
from .. import Field, WireRequest

MAX_PAGE = 100


def page_query(*fields: Field) -> tuple[Field, ...]:
    """The query of a list, with what it takes beside the page."""
    return (
        *fields,
        Field("limit", f"How many, 1 to {MAX_PAGE}; 20 without it.", "integer"),
        Field("cursor", "`next_cursor` of the page before."),
    )


def page_of(request: WireRequest) -> tuple[int, str | None]:
    """How many items a request wants, and its cursor."""
    limit = request.query.get("limit", "20")
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_PAGE):
        raise TaskError(Code.INVALID_INPUT, f"'limit' is a number from 1 to {MAX_PAGE}.", param="limit")
    return int(limit), request.query.get("cursor")
