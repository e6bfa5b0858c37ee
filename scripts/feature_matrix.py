"""Write the table of dialects in docs/dialects/README.md: what each declares, takes and answers.

    python scripts/feature_matrix.py

Capabilities are the facts that the conformance kit checks. Operations are found by asking: requests made of
the examples, choices and file fields that a dialect describes are decoded, and the commands tell which work they ask
for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from darkroom.core.commands import Submit
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation
from darkroom.dialects import Dialect, Endpoint, Field, FormFile, WireRequest, discover
from darkroom.testing import tasks
from darkroom.testing.dialects import CAPABILITIES
from darkroom.testing.exchange import sample_request
from darkroom.web.openapi import document
from darkroom.web.reference import example, resolved

PAGE = Path(__file__).parents[1] / "docs" / "dialects" / "README.md"
BEGIN, END = "<!-- written by scripts/feature_matrix.py -->\n", "<!-- end -->\n"
SMALL = range(10)
FILES = ((), ("image/png",), ("image/png", "image/png"), ("video/mp4",), ("video/mp4", "image/png"))


def main() -> None:
    """Write the table into the page."""
    PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{table(discover())}{END}{rest.partition(END)[2]}"


def table(dialects: tuple[Dialect, ...]) -> str:
    """Dialects as columns, facts as rows."""
    rows = [
        ["", *(f"[{dialect.name}]({dialect.name}.md)" for dialect in dialects)],
        ["---", *(":-:" for _ in dialects)],
        ["mounted at", *(f"`{dialect.mount}`" + (" and `/`" if dialect.at_root else "") for dialect in dialects)],
        ["endpoints", *(str(len(dialect.endpoints)) for dialect in dialects)],
        ["WebSockets", *(str(len(dialect.sockets)) for dialect in dialects)],
        ["names of models", *(str(len(dialect.models)) for dialect in dialects)],
    ]
    for capability, meaning in CAPABILITIES.items():
        if any(capability in dialect.capabilities for dialect in dialects):
            rows.append([f"`{capability}`: {meaning}", *(mark(capability in found.capabilities) for found in dialects)])
    taken = [operations(dialect) for dialect in dialects]
    rows += [[f"`{operation}`", *(mark(operation in found) for found in taken)] for operation in Operation]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def mark(there: bool) -> str:
    """Whether something is there."""
    return "yes" if there else ""


def operations(dialect: Dialect) -> set[Operation]:
    """The kinds of work that the dialect's clients can ask for."""
    described = document(dialect, "https://darkroom.example", "0")
    return {
        command.operation
        for endpoint in dialect.endpoints
        if endpoint.method == "POST"
        for request in requests(endpoint, described)
        if (command := decoded(endpoint, request)) is not None
    }


def decoded(endpoint: Endpoint, request: WireRequest) -> Submit | None:
    """The submit that a request asks for, if it does."""
    try:
        command = endpoint.decode(request)
    except TaskError:
        return None
    return command if isinstance(command, Submit) else None


def requests(endpoint: Endpoint, described: dict[str, Any]) -> Iterator[WireRequest]:
    """Requests as the endpoint describes them, as a form and as JSON."""
    plain = sample_request(endpoint)
    for media_types in FILES if endpoint.uploads else FILES[:1]:
        of_files = [field.name for field in endpoint.form if field.kind == "file"] or ["file"]
        for name in of_files:
            files = tuple(FormFile(name, "a", tasks.input_file(media_type)) for media_type in media_types)
            for form in combinations([field for field in endpoint.form if field.kind != "file"]):
                yield replace(plain, form=tuple(form.items()), files=files, body=b"", headers={})
    if endpoint.request is not None:
        path = described["paths"][endpoint.path][endpoint.method.lower()]
        schema = resolved(path["requestBody"]["content"]["application/json"]["schema"], described)
        for body in bodies(schema, described):
            yield replace(plain, body=msgspec.json.encode(body))


def combinations(fields: list[Field]) -> Iterator[dict[str, str]]:
    """A form's text fields: those with an example, and each choice of every field."""
    given = {field.name: str(field.example) for field in fields if field.example is not None}
    yield given
    for field in fields:
        for choice in field.choices or numbers(field.example):
            yield given | {field.name: str(choice)}


def bodies(schema: dict[str, Any], described: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """JSON bodies: the example, the same with its required fields alone, and each choice of every field."""
    whole = example(schema, described)
    properties = schema.get("properties", {})
    needed = {name: whole[name] for name in schema.get("required", ())}
    yield whole
    yield needed
    for name, inner in properties.items():
        for base in (needed, whole):
            for choice in resolved(inner, described).get("enum", ()) or numbers(*inner.get("examples", ())):
                yield {**base, name: choice}


def numbers(*examples: Any) -> range:
    """What a field may hold whose example is a small number: vendors number their kinds of work."""
    return SMALL if any(type(given) is int and given in SMALL for given in examples) else range(0)


if __name__ == "__main__":
    main()
