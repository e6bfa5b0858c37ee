"""The vendor's own OpenAPI document against the running server: every answer is one that the document allows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
import yaml
from harness import Darkroom, until
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.specs.openapi import checks as openapi
from vendors import TENSORSLAB, answered, until_final

DOCUMENT = Path(__file__).parents[1] / "dialects" / "tensorslab" / "openapi.yaml"
CHECKS = [
    not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_headers_conformance,
    openapi.response_schema_conformance,
]
FEW = settings(
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STATES = {"queued": 1, "running": 2, "succeeded": 3, "failed": 4, "canceled": 4}


def document() -> dict[str, Any]:
    """The document, less a claim that its own example breaks: `2026-01-30 12:00:00` is no `date-time`."""
    raw: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text("utf-8"))
    assert fields(raw)["starttime"].pop("format") == "date-time"
    return raw


def fields(raw: dict[str, Any]) -> dict[str, Any]:
    """What the document says about a task's fields."""
    found: dict[str, Any] = raw["components"]["schemas"]["ImageInfoData"]["properties"]
    return found


def query(raw: dict[str, Any]) -> Any:
    """The one operation that the document describes."""
    return schemathesis.openapi.from_dict(raw)["/v1/images/infobytaskid"]["POST"]


operation = query(document())


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server of one worker, so that a task can be made to wait."""
    with Darkroom(tmp_path_factory.mktemp("busy"), flags=("--workers", "1")) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def in_each_state(busy: Darkroom) -> dict[str, str]:
    """A task in each state, by its id."""
    client = busy.client()
    ids = {"succeeded": TENSORSLAB.made(client, "a lake"), "failed": TENSORSLAB.made(client, "a lake, fake:fail")}
    for task_id in ids.values():
        until_final(TENSORSLAB, client, task_id)
    ids["running"] = TENSORSLAB.made(client, "a lake, fake:hang")
    until(lambda: TENSORSLAB.state(TENSORSLAB.read(client, ids["running"])) == "running")
    ids |= {"queued": TENSORSLAB.made(client, "a lake"), "canceled": TENSORSLAB.made(client, "a lake")}
    answered(client.post(f"/api/tasks/{ids['canceled']}/cancel"))
    return ids


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """A session of the HTTP client that Schemathesis uses; no proxy stands between."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def call(case: schemathesis.Case, server: Darkroom, session: requests.Session, prefix: str = "") -> requests.Response:
    """The answer to a request, once every check has passed."""
    response: requests.Response = case.call(server.address + prefix, session, {"Authorization": server.key})
    case.validate_response(response, checks=CHECKS)
    return response


@pytest.mark.parametrize("prefix", ["", "/tensorslab"])
@pytest.mark.parametrize("state", STATES)
def test_a_task_in_any_state_is_answered_as_the_document_says(
    busy: Darkroom, session: requests.Session, in_each_state: dict[str, str], state: str, prefix: str
) -> None:
    case = operation.Case(body={"taskid": in_each_state[state]}, media_type="application/json")
    for _ in range(2):  # the second time from memory
        response = call(case, busy, session, prefix)
        assert response.status_code == 200
        data = response.json()["data"]
        assert (data["taskid"], data["image_status"]) == (in_each_state[state], STATES[state])
        assert data.keys() <= fields(document()).keys()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", data.get("starttime", "2026-01-30 12:00:00"))


@FEW
@given(case=operation.as_strategy())
def test_requests_that_the_document_allows_are_answered_as_it_says(
    busy: Darkroom, session: requests.Session, case: schemathesis.Case
) -> None:
    assert call(case, busy, session).status_code == 404


@FEW
@given(case=operation.as_strategy(schemathesis.GenerationMode.NEGATIVE))
def test_requests_that_the_document_forbids_are_refused_as_it_says(
    busy: Darkroom, session: requests.Session, case: schemathesis.Case
) -> None:
    response = case.call(busy.address, session, {"Authorization": busy.key})
    if response.request.headers.get("Authorization") == busy.key:
        case.validate_response(response, checks=CHECKS)
        assert response.status_code == 404
    else:  # that is forbidden too; the document names no answer to it
        assert (response.status_code, response.json()["code"]) == (401, 9999)


def test_an_answer_that_breaks_the_document_is_noticed(
    busy: Darkroom, session: requests.Session, in_each_state: dict[str, str]
) -> None:
    raw = document()
    fields(raw)["image_status"]["enum"] = [7]
    case = query(raw).Case(body={"taskid": in_each_state["queued"]}, media_type="application/json")
    with pytest.raises(BaseExceptionGroup) as noticed:
        call(case, busy, session)
    assert noticed.group_contains(JsonSchemaError)


def test_the_answers_about_other_dialects_tasks_keep_to_the_document_too(
    busy: Darkroom, session: requests.Session
) -> None:
    made = answered(busy.client().post("/submitTask", json={"taskType": 7, "content": "a lake"}))
    case = operation.Case(body={"taskid": made["data"]["promptId"]}, media_type="application/json")
    assert call(case, busy, session).json()["data"]["image_status"] == 1
