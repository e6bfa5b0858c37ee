"""Each dialect describes itself: an OpenAPI document for machines, a page for people."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from harness import Darkroom

from darkroom.dialects import Dialect, discover

EACH = pytest.mark.parametrize("dialect", discover(), ids=lambda dialect: dialect.name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    with Darkroom(tmp_path_factory.mktemp("described")) as running:
        yield running


def document(server: Darkroom, dialect: Dialect) -> dict[str, Any]:
    answer = server.client(None).get(f"{dialect.mount}/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


@EACH
def test_the_document_names_every_endpoint_and_where_it_answers(server: Darkroom, dialect: Dialect) -> None:
    found = document(server, dialect)
    assert found["openapi"].startswith("3.1")
    assert found["servers"] == [{"url": server.address + dialect.mount}]
    operations = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert operations == {(endpoint.method, endpoint.path) for endpoint in dialect.endpoints}
    ids = [item["operationId"] for methods in found["paths"].values() for item in methods.values()]
    assert len(set(ids)) == len(ids)


@EACH
def test_every_endpoint_says_what_it_does_what_it_answers_and_how_it_refuses(
    server: Darkroom, dialect: Dialect
) -> None:
    for path, methods in document(server, dialect)["paths"].items():
        for method, item in methods.items():
            assert item["summary"], (method, path)
            success = next(iter(item["responses"].values()))
            assert "content" in success or "204" in item["responses"], (method, path)
            assert item["responses"]["default"]["content"], (method, path)
            body = item.get("requestBody", {}).get("content", {})
            fields = [*item["parameters"], *described_fields(body)]
            assert all("description" in field or field.get("in") == "path" for field in fields), (method, path)


def described_fields(content: dict[str, Any]) -> list[dict[str, Any]]:
    forms = [part["schema"] for media_type, part in content.items() if media_type != "application/json"]
    return [field for form in forms for field in form["properties"].values()]


@EACH
def test_every_schema_of_the_document_can_be_used(server: Darkroom, dialect: Dialect) -> None:
    found = document(server, dialect)
    for name in found["components"]["schemas"]:
        schema = {"$ref": f"#/components/schemas/{name}", "components": found["components"]}
        jsonschema_rs.validator_for(schema)


@EACH
def test_the_page_shows_every_endpoint_and_needs_no_other_host(server: Darkroom, dialect: Dialect) -> None:
    answer = server.client(None).get(f"{dialect.mount}/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for endpoint in dialect.endpoints:
        assert endpoint.path in answer.text
    assert "<script" not in answer.text
    assert not re.search(r"(?:src|href)=[\"']?https?:", answer.text)
