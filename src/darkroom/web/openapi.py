"""The OpenAPI 3.1 document of a dialect, from its endpoints and wire structs. Nothing is written twice.

Pure: the same dialect gives the same document. Its servers are those that the caller reached it by.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable
from typing import Any, Union, get_args, get_origin

import msgspec

from ..core.errors import Code, TaskError
from ..dialects import EVENT_STREAM, Dialect, Endpoint, Field, WireRequest, not_encoded

JSON = "application/json"
FORM, URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
PATH_PARAM = re.compile(r"\{(\w+)\}")
KEY = "key"
REFERENCE = "#/components/schemas/{name}"
ANY_FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


def document(dialect: Dialect, address: str, version: str) -> dict[str, Any]:
    """The document of a dialect that answers at `address`."""
    schemas, components = shapes(dialect)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in dialect.endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation(dialect, endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": dialect.title or dialect.name, "version": version, "description": dialect.description},
        "servers": [{"url": address}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                KEY: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "An API key of this server, with or without the word Bearer.",
                }
            },
        },
        **(
            {"x-websockets": [{"path": s.path, "summary": s.summary} for s in dialect.sockets]}
            if dialect.sockets
            else {}
        ),
    }


def shapes(dialect: Dialect) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """Schemas of every wire struct that the endpoints name, and the components that they refer to."""
    asked = singles(endpoint.request for endpoint in dialect.endpoints)
    answered = singles([*(endpoint.response for endpoint in dialect.endpoints), dialect.error])
    every = list(dict.fromkeys((*asked, *answered)))
    schemas, components = msgspec.json.schema_components(every, ref_template=REFERENCE)
    _, read = msgspec.json.schema_components(asked, ref_template=REFERENCE)
    for name in components.keys() - read.keys():
        say_what_is_always_there(components[name])
    return dict(zip(every, schemas, strict=True)), components


def say_what_is_always_there(schema: dict[str, Any]) -> None:
    """An answer has every field, also one with a default; only what may be UNSET can be missing."""
    properties = schema.get("properties", {})
    given = [name for name, inner in properties.items() if "default" in inner or name in schema.get("required", ())]
    for inner in properties.values():
        inner.pop("default", None)
    if given:
        schema["required"] = given


def singles(unions: Iterable[Any]) -> list[Any]:
    """Every struct of some unions, once."""
    return list(dict.fromkeys(single for shape in unions for single in members(shape)))


def members(shape: Any) -> tuple[Any, ...]:
    """The structs of a union, or the one; none where there is none."""
    if shape is None:
        return ()
    return get_args(shape) if get_origin(shape) in (Union, types.UnionType) else (shape,)


def schema_of(shape: Any, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The schema of a wire struct, or of any of several."""
    found = [schemas[single] for single in members(shape)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def operation(dialect: Dialect, endpoint: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """One endpoint."""
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in PATH_PARAM.findall(endpoint.path)
    ]
    found: dict[str, Any] = {
        "operationId": operation_id(endpoint),
        "summary": endpoint.summary,
        **({"description": endpoint.description} if endpoint.description else {}),
        "parameters": [*in_path, *(query_parameter(field) for field in endpoint.query)],
        "responses": responses(dialect, endpoint, schemas),
        "security": [] if endpoint.public else [{KEY: []}],
    }
    if body := request_body(endpoint, schemas):
        found["requestBody"] = body
    return found


def operation_id(endpoint: Endpoint) -> str:
    """A name for generated clients: `post_v1_images_edits`."""
    return "_".join([endpoint.method.lower(), *re.findall(r"\w+", endpoint.path)])


def query_parameter(field: Field) -> dict[str, Any]:
    """One parameter of a query."""
    return {
        "name": field.name,
        "in": "query",
        "required": field.required,
        "description": field.description,
        "schema": field_schema(field, described=False),
    }


def field_schema(field: Field, *, described: bool = True) -> dict[str, Any]:
    """What a field holds."""
    single: dict[str, Any] = {"type": field.kind}
    if field.kind == "file":
        single = {"type": "string", "format": "binary"}
    if field.choices:
        single["enum"] = list(field.choices)
    if field.example is not None:
        single["examples"] = [field.example]
    schema = {"type": "array", "items": single} if field.many else single
    return {**schema, "description": field.description} if described and field.description else schema


def request_body(endpoint: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any] | None:
    """A JSON body, a form, or either."""
    content: dict[str, Any] = {}
    if endpoint.request is not None:
        content[JSON] = {"schema": schema_of(endpoint.request, schemas)}
    if endpoint.form:
        form = form_schema(endpoint.form)
        content[FORM] = {"schema": form}
        if not any(field.kind == "file" and field.required for field in endpoint.form):
            content[URLENCODED] = {"schema": form_schema(field for field in endpoint.form if field.kind != "file")}
    return {"required": True, "content": content} if content else None


def form_schema(fields: Iterable[Field]) -> dict[str, Any]:
    """A form."""
    fields = tuple(fields)
    schema: dict[str, Any] = {"type": "object", "properties": {field.name: field_schema(field) for field in fields}}
    if required := [field.name for field in fields if field.required]:
        schema["required"] = required
    return schema


def responses(dialect: Dialect, endpoint: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """The success, and every refusal under `default`."""
    success: dict[str, Any] = {"description": "Success."}
    if endpoint.encode is not_encoded:
        success = {"description": "The file.", "content": ANY_FILE}
    elif endpoint.stream:
        data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema_of(endpoint.response, schemas)}
        success = {"description": "Server-sent events with these data.", "content": {EVENT_STREAM: {"schema": data}}}
    elif endpoint.response is not None:
        success["content"] = {JSON: {"schema": schema_of(endpoint.response, schemas)}}
    if endpoint.opening is not None:
        success["content"] = {**success.get("content", {}), EVENT_STREAM: {"schema": {"type": "string"}}}
    found: dict[str, Any] = {str(endpoint.status): success}
    if endpoint.encode is not_encoded:
        found["206"] = {"description": "The part of the file that `Range` asks for.", "content": ANY_FILE}
    if endpoint.encode is not_encoded or endpoint.poll:
        found["304"] = {"description": "It is still what `If-None-Match` names."}
    return {**found, "default": refusal(dialect, endpoint, schemas)}


def refusal(dialect: Dialect, endpoint: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    """How an endpoint refuses: as its dialect does, which some vendors do in other ways where a file is expected."""
    example = dialect.encode_error(
        TaskError(Code.NOT_FOUND, "There is no such thing."), WireRequest(method=endpoint.method, path=endpoint.path)
    )
    if example.media_type != JSON:
        why = "the body" if example.body else "the status"
        content = {example.media_type: {"schema": {"type": "string"}}}
        return {"description": f"The request is refused; {why} says why.", "content": content}
    found: dict[str, Any] = {"description": "The request is refused; the body says why."}
    if dialect.error is not None:
        found["content"] = {JSON: {"schema": schema_of(dialect.error, schemas)}}
    return found
