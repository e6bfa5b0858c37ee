"""Bodies of the vendor's POST requests: JSON, urlencoded and multipart mean the same, and numbers may be text.

No page says which of them its clients send. What is `null` or blank counts as absent, as in the vendor's Go server.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from ...core.errors import Code, TaskError
from .. import Field, WireRequest

T = TypeVar("T", bound=msgspec.Struct)

NAME = re.compile(r"(?:`\$\.|field `)(\w+)")
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,18}")
Text = str | int | float | bool | None


class AppBody(msgspec.Struct, rename="camel"):
    """Which app asks. Told with most requests; looked at by `/saveDevice` alone."""

    app_id: Annotated[Text, Meta(description="The app. Not looked at.")] = None
    udid: Annotated[Text, Meta(description="The device. Not looked at.")] = None


def read(request: WireRequest, shape: type[T]) -> T:
    """The body as a wire struct, or a `TaskError` that names the field at fault."""
    given: dict[str, Any] = {}
    if request.form or request.files:
        given = dict(request.form)
    elif request.body.strip():
        given = request.json(dict[str, Any])
    try:
        return msgspec.convert({name: value for name, value in given.items() if not blank(value)}, shape, strict=False)
    except msgspec.ValidationError as error:
        found = NAME.search(str(error))
        name = found[1] if found else None
        raise TaskError(Code.INVALID_INPUT, f"'{name}' cannot be used: {error}.", param=name) from None


def blank(value: Any) -> bool:
    """True for what a client sends that has nothing to say."""
    return value is None or (isinstance(value, str) and not value.strip())


def form_of(shape: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The same struct as fields of a form, for documents and tests."""
    schema = msgspec.json.schema(shape)["$defs"][shape.__name__]
    return tuple(
        field_of(name, described, required=name in schema["required"])
        for name, described in schema["properties"].items()
    )


def field_of(name: str, schema: dict[str, Any], *, required: bool) -> Field:
    """One property of a JSON Schema as a field of a form."""
    kinds = [kind.get("type") for kind in schema.get("anyOf", [schema])]
    example = next(iter(schema.get("examples", ())), None)
    counts = "integer" in kinds and not {"number", "array"} & set(kinds) and not isinstance(example, str)
    return Field(
        name,
        schema.get("description", ""),
        "integer" if counts else "boolean" if kinds[0] == "boolean" else "string",
        required=required,
        many="array" in kinds,
        choices=tuple(schema.get("enum", ())),
        example=example,
    )
