"""Fields of the vendor's forms, read as its clients send them: text parts, often without a content type."""

from __future__ import annotations

import re

from ...core.commands import Inline, Link, Source, Upload
from ...core.errors import Code, TaskError
from .. import WireRequest

SWITCH = {"0": False, "1": True, "false": False, "true": True}


def prompt(request: WireRequest) -> str:
    """What to make."""
    text = request.field("prompt")
    if text is None:
        raise refused("prompt", "is required: say what to make, as text in multipart/form-data")
    return text


def sources(request: WireRequest) -> tuple[Source, ...]:
    """The pictures to work on: uploads in their order, then links. Clients join several links with commas."""
    for item in request.files:
        if item.field != "sourceImage":
            raise refused(item.field, "takes no file: send pictures as 'sourceImage'")
    found: list[Source] = [Upload(item.file.id) for item in request.files]
    for name, value in request.form:
        if name == "imageUrl" and value.strip():
            found += [_linked(url.strip(" ,")) for url in re.split(r",\s*(?=https?://|data:)", value.strip(" ,"))]
    return tuple(found)


def _linked(url: str) -> Source:
    if url.startswith("data:"):
        return Inline(url)
    if not re.match(r"https?://[^/]", url, re.IGNORECASE):
        raise refused("imageUrl", "takes http:// or https:// addresses, several of them with commas between")
    return Link(url)


def integer(request: WireRequest, name: str) -> int | None:
    """A whole number; `None` where there is none."""
    text = request.field(name)
    if text is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise refused(name, "is a whole number")
    return int(text)


def switch(request: WireRequest, name: str) -> bool | None:
    """0 or 1; `None` where there is neither."""
    text = request.field(name)
    if text is None:
        return None
    if text.lower() not in SWITCH:
        raise refused(name, "is 0 or 1")
    return SWITCH[text.lower()]


def refused(field: str, why: str) -> TaskError:
    """A field that cannot be used."""
    return TaskError(Code.INVALID_INPUT, f"Field '{field}' {why}.", param=field)
