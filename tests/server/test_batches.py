"""Many tasks by one request: all of them or none, in order, and once."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom
from vendors import answered

JOB = {"operation": "image.generate", "params": {"results": 0}}
HANGS = {"operation": "image.generate", "params": {"outcome": "hang"}}


@pytest.fixture
def caller(each_server: Darkroom) -> httpx.Client:
    """A client of an account of its own, with 50 credits, on either database."""
    return each_server.client(each_server.new_key(credits=50))


def refusal(response: httpx.Response) -> tuple[int, str, str | None]:
    """Status, code and param of a refusal."""
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def known(client: httpx.Client) -> list[str]:
    """The account's tasks, oldest first."""
    return [task["id"] for task in answered(client.get("/api/tasks?limit=100"))["items"]][::-1]


def test_the_ids_of_a_batch_come_in_the_order_of_its_tasks(caller: httpx.Client) -> None:
    body = [{**JOB, "metadata": {"number": number}} for number in range(30)]
    response = caller.post("/api/tasks/batch", json=body)
    assert response.status_code == 201
    ids = response.json()["ids"]
    assert known(caller) == ids
    for number, task_id in enumerate(ids):
        task = answered(caller.get(f"/api/tasks/{task_id}?wait=20"))
        assert (task["metadata"], task["state"]) == ({"number": number}, "succeeded")
    account = answered(caller.get("/api/account"))
    assert (account["available"], account["held"]) == (50, 0)  # no result, no price


def test_a_batch_may_come_one_task_a_line(caller: httpx.Client) -> None:
    lines = "\n".join(json.dumps({**JOB, "metadata": {"number": number}}) for number in range(3)) + "\n\n"
    response = caller.post("/api/tasks/batch", content=lines, headers={"Content-Type": "application/x-ndjson"})
    assert known(caller) == response.json()["ids"]
    assert len(known(caller)) == 3


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"operation": "image.generate", "params": {"colour": "red"}}, (400, "invalid_input", "[2].colour")),
        ({"operation": "image.generate", "model": "none"}, (400, "unknown_model", "[2].model")),
        ({**JOB, "inputs": [{"url": "http://example.com/a.png"}]}, (400, "unsupported", "[2].inputs")),
        ({**JOB, "inputs": [{"file": "file_0"}]}, (404, "not_found", "[2].inputs")),
    ],
)
def test_one_wrong_task_refuses_the_batch_and_is_named(
    caller: httpx.Client, wrong: dict[str, Any], expected: tuple[int, str, str]
) -> None:
    response = caller.post("/api/tasks/batch", json=[JOB, JOB, wrong, JOB])
    assert refusal(response) == expected
    assert "Task 2 of the batch" in response.json()["error"]["message"]
    assert known(caller) == []
    assert answered(caller.get("/api/account"))["available"] == 50


@pytest.mark.parametrize("body", [b"[]", b"", b"[1]", b'[{"operation"', b'{"operation": "image.generate"}\nnonsense'])
def test_what_is_no_batch_is_refused(caller: httpx.Client, body: bytes) -> None:
    assert refusal(caller.post("/api/tasks/batch", content=body))[:2] == (400, "invalid_input")
    assert known(caller) == []


def test_a_batch_beyond_the_limit_is_refused(caller: httpx.Client) -> None:
    assert refusal(caller.post("/api/tasks/batch", json=[JOB] * 10_001))[:2] == (400, "invalid_input")
    assert known(caller) == []


def test_a_batch_beyond_the_credits_is_refused_as_a_whole(caller: httpx.Client) -> None:
    assert refusal(caller.post("/api/tasks/batch", json=[HANGS] * 51))[:2] == (402, "no_credits")
    assert known(caller) == []
    account = answered(caller.get("/api/account"))
    assert (account["available"], account["held"]) == (50, 0)


def test_a_batch_with_a_key_happens_once(caller: httpx.Client) -> None:
    headers = {"Idempotency-Key": secrets.token_hex(8)}
    body = [JOB, {**JOB, "metadata": {"a": 1}}]
    first, again = (answered(caller.post("/api/tasks/batch", json=body, headers=headers))["ids"] for _ in range(2))
    assert first == again == known(caller)
    other = caller.post("/api/tasks/batch", json=body[::-1], headers=headers)
    assert refusal(other) == (422, "idempotency_mismatch", "Idempotency-Key")
    single = caller.post("/api/tasks", json=body[0], headers=headers)
    assert refusal(single) == (422, "idempotency_mismatch", "Idempotency-Key")
    assert known(caller) == first


def test_ten_thousand_tasks_fit_into_one_batch(tmp_path: Path) -> None:
    with Darkroom(tmp_path, flags=("--workers", "0")) as server:
        client = server.client(server.new_key(credits=20_000))
        ids = answered(client.post("/api/tasks/batch", json=[JOB] * 10_000))["ids"]
        assert len(set(ids)) == 10_000
        account = answered(client.get("/api/account"))
        assert (account["available"], account["held"]) == (10_000, 10_000)
        last = answered(client.get(f"/api/tasks/{ids[-1]}"))
        assert (last["state"], last["position"]) == ("queued", 10_000)
