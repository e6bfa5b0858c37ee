"""Headers of every answer: an id for both sides' logs and, for the configured origins, leave to be read by pages."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from harness import Darkroom

PAGE = "https://app.example.com"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    with Darkroom(tmp_path_factory.mktemp("origins"), env={"DARKROOM_CORS_ORIGINS": PAGE}) as running:
        yield running


def test_every_answer_has_an_id_of_its_own(server: Darkroom) -> None:
    ids = {server.client().get(path).headers["x-request-id"] for path in ("/api/account", "/nowhere", "/api/models")}
    assert len(ids) == 3
    assert all(re.fullmatch(r"[0-9a-f]{32}", found) for found in ids)


def test_a_callers_id_is_given_back_if_it_is_fit_for_a_log(server: Darkroom) -> None:
    client = server.client()
    assert client.get("/api/account", headers={"X-Request-Id": "order-7.1"}).headers["x-request-id"] == "order-7.1"
    for unfit in ("two words", "x" * 129, "a\tb"):
        assert client.get("/api/account", headers={"X-Request-Id": unfit}).headers["x-request-id"] != unfit


def test_a_page_of_a_configured_origin_may_read_answers(server: Darkroom) -> None:
    answer = server.client().get("/api/account", headers={"Origin": PAGE})
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "Origin"


def test_a_page_of_another_origin_may_not(server: Darkroom) -> None:
    answer = server.client().get("/api/account", headers={"Origin": "https://evil.example.com"})
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers


def test_a_browser_that_asks_first_is_told_what_it_may_send(server: Darkroom) -> None:
    question = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answer = server.client(None).options("/v1/images/generations", headers=question)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]


def test_a_remembered_poll_is_not_answered_to_one_origin_with_the_leave_of_another(server: Darkroom) -> None:
    client = server.client()
    task = client.post("/api/tasks?wait=20", json={"operation": "image.generate", "params": {"prompt": "a"}}).json()
    path = f"/api/tasks/{task['id']}"
    for _ in range(3):
        assert "access-control-allow-origin" not in client.get(path).headers
        assert client.get(path, headers={"Origin": PAGE}).headers["access-control-allow-origin"] == PAGE
        other = client.get(path, headers={"Origin": "https://evil.example.com"})
        assert "access-control-allow-origin" not in other.headers


def test_without_configured_origins_nobody_is_given_leave(tmp_path) -> None:
    with Darkroom(tmp_path) as closed:
        answer = closed.client().get("/api/account", headers={"Origin": PAGE})
        assert "access-control-allow-origin" not in answer.headers
        assert "vary" not in answer.headers
