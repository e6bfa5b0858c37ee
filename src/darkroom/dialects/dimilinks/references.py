"""Reference pictures of a generation: seven field names, four JSON shapes, three ways to write a picture.

The pictures come out in the vendor's order of the fields, without duplicates and without blanks.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from ...core.commands import Inline, Link, Source
from ...core.errors import Code, TaskError

MAX_REFERENCES = 9
URL_SAFE = str.maketrans("-_", "+/")


class Reference(msgspec.Struct):
    """A picture by its URL, data URL or base64 text."""

    url: str | None = None


References = str | Reference | list[str | Reference] | None


def sources(fields: Iterable[References]) -> tuple[Source, ...]:
    """The pictures of several fields as inputs; `invalid_input` for more than nine."""
    found = {text: None for field in fields for text in _texts(field)}
    check_count(len(found))
    return tuple(_source(text) for text in found)


def check_count(number: int) -> None:
    """Refuse more pictures than the vendor takes."""
    if number > MAX_REFERENCES:
        raise TaskError(
            Code.INVALID_INPUT,
            f"At most {MAX_REFERENCES} reference images are taken; there are {number}.",
            param="image",
        )


def _texts(field: References) -> Iterable[str]:
    for item in field if isinstance(field, list) else [field]:
        text = item.url if isinstance(item, Reference) else item
        if text and text.strip():
            yield text.strip()


def _source(text: str) -> Source:
    if text[:8].lower().startswith(("http://", "https://")):
        return Link(text)
    if text[:5].lower() == "data:":
        return Inline(text)
    # Bare base64 may be the URL-safe kind without padding, which the vendor takes and strict decoders refuse.
    return Inline(text.translate(URL_SAFE) + "=" * (-len(text) % 4))
