"""Reference pictures: seven field names, four JSON shapes, three ways to write a picture.

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
    """The pictures of several fields as inputs."""
    return tuple(source(text) for text in dict.fromkeys(text for field in fields for text in _texts(field)))


def source(text: str) -> Source:
    """A picture as an input."""
    if text[:8].lower().startswith(("http://", "https://")):
        return Link(text)
    if text[:5].lower() == "data:":
        return Inline(text)
    # Bare base64 may be the URL-safe kind without padding, which the vendor takes and strict decoders refuse.
    return Inline(text.translate(URL_SAFE) + "=" * (-len(text) % 4))


def with_mask(pictures: tuple[Source, ...], mask: Source | None, param: str) -> tuple[Source, ...]:
    """The inputs of an edit; a mask comes last and needs a picture. `invalid_input` for more than the vendor takes."""
    if mask is not None and not pictures:
        raise TaskError(Code.INVALID_INPUT, f"'{param}' needs at least one reference image.", param=param)
    inputs = (*pictures, *((mask,) if mask is not None else ()))
    if len(inputs) > MAX_REFERENCES:
        raise TaskError(
            Code.INVALID_INPUT,
            f"At most {MAX_REFERENCES} reference images are taken, a mask among them; there are {len(inputs)}.",
            param="image",
        )
    return inputs


def _texts(field: References) -> Iterable[str]:
    for item in field if isinstance(field, list) else [field]:
        text = item.url if isinstance(item, Reference) else item
        if text and text.strip():
            yield text.strip()
