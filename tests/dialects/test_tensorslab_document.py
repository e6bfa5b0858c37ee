"""Our document of the query route against the vendor's own: it takes all that theirs takes, and answers no more."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from darkroom.dialects.tensorslab import dialect
from darkroom.web.openapi import document

PATH, JSON = "/v1/images/infobytaskid", "application/json"
THEIRS = yaml.safe_load((Path(__file__).parent / "tensorslab" / "openapi.yaml").read_text(encoding="utf-8"))
OURS = document(dialect, "http://darkroom.example", "1")


def flat(schema: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    """A schema without references, its parts put together."""
    while "$ref" in schema:
        schema = raw["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    found = {name: value for name, value in schema.items() if name != "allOf"}
    for part in (flat(part, raw) for part in schema.get("allOf", ())):
        found["properties"] = {**found.get("properties", {}), **part.get("properties", {})}
        found["required"] = [*found.get("required", ()), *part.get("required", ())]
    return found


def problems(wide: Any, wide_raw: Any, narrow: Any, narrow_raw: Any, *, closed: bool, place: str = "body") -> list[str]:
    """Values that the narrow schema allows and the wide one does not; a closed one allows no field that it omits."""
    wide, narrow = flat(wide, wide_raw), flat(narrow, narrow_raw)
    found = []
    if (kind := kind_of(narrow)) != kind_of(wide):
        found.append(f"{place}: {kind} instead of {kind_of(wide)}")
    if "enum" in wide and not set(narrow.get("enum", ["anything"])) <= set(wide["enum"]):
        found.append(f"{place}: other values than {wide['enum']}")
    if missing := set(wide.get("required", ())) - set(narrow.get("required", ())):
        found.append(f"{place}: {sorted(missing)} may be missing")
    for name, inner in narrow.get("properties", {}).items():
        if name in wide.get("properties", {}):
            known = wide["properties"][name]
            found += problems(known, wide_raw, inner, narrow_raw, closed=closed, place=f"{place}.{name}")
        elif closed:
            found.append(f"{place}: {name} is unknown")
    if "items" in wide and "items" in narrow:
        found += problems(wide["items"], wide_raw, narrow["items"], narrow_raw, closed=closed, place=f"{place}[]")
    return found


def kind_of(schema: dict[str, Any]) -> str:
    """The type, told or shown by the values."""
    return str(schema.get("type") or ("integer" if all(isinstance(v, int) for v in schema["enum"]) else "string"))


def body(raw: dict[str, Any]) -> Any:
    return raw["paths"][PATH]["post"]["requestBody"]["content"][JSON]["schema"]


def response(raw: dict[str, Any], status: str) -> Any:
    return raw["paths"][PATH]["post"]["responses"][status]["content"][JSON]["schema"]


def test_we_take_every_request_that_their_document_allows() -> None:
    assert problems(body(OURS), OURS, body(THEIRS), THEIRS, closed=False) == []


@pytest.mark.parametrize(("theirs", "ours"), [("200", "200"), ("404", "default")])
def test_we_answer_nothing_that_their_document_does_not_allow(theirs: str, ours: str) -> None:
    assert problems(response(THEIRS, theirs), THEIRS, response(OURS, ours), OURS, closed=True) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda schemas: schemas["ImageInfoData"]["properties"].update(secret={"type": "string"}),
        lambda schemas: schemas["ImageInfoData"]["properties"].update(url={"type": "string"}),
        lambda schemas: schemas["ImageInfoData"]["properties"].update(width={"type": "string"}),
        lambda schemas: schemas["Status"]["enum"].append(5),
        lambda schemas: schemas["ImageInfo"]["required"].remove("msg"),
    ],
    ids=["another field", "another type", "a text for a number", "another state", "a field that may be missing"],
)
def test_an_answer_of_another_shape_is_noticed(change: Any) -> None:
    changed = copy.deepcopy(OURS)
    change(changed["components"]["schemas"])
    assert problems(response(THEIRS, "200"), THEIRS, response(changed, "200"), changed, closed=True) != []


def test_a_request_that_we_would_refuse_is_noticed() -> None:
    changed = copy.deepcopy(OURS)
    changed["components"]["schemas"]["QueryBody"]["required"].append("uid")
    assert problems(body(changed), changed, body(THEIRS), THEIRS, closed=False) != []
