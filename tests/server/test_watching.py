"""A server that is watched: what it counts, whether it is ready, and which lines a request leaves in its log."""

from __future__ import annotations

import json
import re
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom, until
from vendors import answered

GENERATE = {"operation": "image.generate"}


def scraped(server: Darkroom) -> dict[str, float]:
    """Every sample by its name and labels."""
    response = server.client(None).get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    lines = [line for line in response.text.splitlines() if not line.startswith("#")]
    return {name: float(number) for name, _, number in (line.rpartition(" ") for line in lines)}


def grown(server: Darkroom, before: dict[str, float], name: str) -> float:
    return scraped(server).get(name, 0) - before.get(name, 0)


def lines(server: Darkroom) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.splitlines()]


def test_tasks_are_counted_from_submit_to_end(server: Darkroom, client: httpx.Client) -> None:
    before = scraped(server)
    answered(client.post("/api/tasks?wait=20", json=GENERATE))
    failing = {**GENERATE, "params": {"prompt": "fake:fail"}}
    assert answered(client.post("/api/tasks?wait=20", json=failing))["error"]["code"] == "engine_failed"
    model = '{model="fake"'
    assert grown(server, before, 'darkroom_submitted_total{dialect="native",model="fake"}') == 2
    assert grown(server, before, f'darkroom_tasks_total{model},state="succeeded"}}') == 1
    assert grown(server, before, f'darkroom_tasks_total{model},state="failed"}}') == 1
    assert grown(server, before, 'darkroom_attempt_failures_total{code="engine_failed",model="fake"}') == 1
    for name in ("wait", "total"):
        assert grown(server, before, f"darkroom_task_{name}_seconds_count{model}}}") == 2


def test_a_canceled_task_is_counted(server: Darkroom, client: httpx.Client) -> None:
    before = scraped(server)
    made = answered(client.post("/api/tasks", json={**GENERATE, "params": {"prompt": "fake:hang"}}))
    answered(client.post(f"/api/tasks/{made['id']}/cancel"))
    assert grown(server, before, 'darkroom_tasks_total{model="fake",state="canceled"}') == 1


def test_polls_are_counted_however_they_are_answered(server: Darkroom, client: httpx.Client) -> None:
    made = answered(client.post("/api/tasks?wait=20", json=GENERATE))
    before = scraped(server)
    for _ in range(5):
        answered(client.get(f"/api/tasks/{made['id']}"))
    polls = {answer: grown(server, before, f'darkroom_poll_seconds_count{{answer="{answer}"}}') for answer in WAYS}
    assert polls["built"] == 1
    assert polls["bytes"] >= 2
    assert polls["bytes"] + polls["memory"] == 4  # a key is known for a second; then the bytes are looked at again
    for _ in range(2):
        answered(client.get(f"/api/tasks/{made['id']}", headers={"X-Padding": "y" * 5000}))
    assert grown(server, before, 'darkroom_poll_seconds_count{answer="memory"}') == polls["memory"] + 2


WAYS = ("bytes", "memory", "built")


def test_requests_are_counted_by_dialect_and_status(server: Darkroom, client: httpx.Client) -> None:
    before = scraped(server)
    client.get("/api/account")
    client.get("/api/tasks/x")
    client.get("/nowhere")
    assert grown(server, before, 'darkroom_requests_total{dialect="native",status="200"}') == 1
    assert grown(server, before, 'darkroom_requests_total{dialect="native",status="404"}') == 1
    assert grown(server, before, 'darkroom_requests_total{dialect="none",status="404"}') == 1


def test_waiting_tasks_are_counted_and_make_the_server_unready(tmp_path: Path) -> None:
    flags = ("--workers", "0")
    with Darkroom(tmp_path, engines="fake", env={"DARKROOM_READY_QUEUE": "2"}, flags=flags) as server:
        client = server.client()
        for _ in range(2):
            answered(client.post("/api/tasks", json=GENERATE))
        assert client.get("/readyz").status_code == 200
        assert scraped(server)["darkroom_ready"] == 1
        answered(client.post("/api/tasks", json=GENERATE))
        refused = client.get("/readyz")
        assert (refused.status_code, "queue" in refused.text) == (503, True)
        found = scraped(server)
        assert found['darkroom_queue_tasks{model="fake"}'] == 3
        assert 0 <= found['darkroom_queue_oldest_seconds{model="fake"}'] < 60
        assert found["darkroom_ready"] == 0
        assert client.get("/healthz").status_code == 200


def test_a_server_that_stops_says_so_before_it_stops_answering(tmp_path: Path) -> None:
    env = {"DARKROOM_DRAIN_SECONDS": "6.5"}
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "0")) as server:
        client = server.client(None)
        assert client.get("/readyz").status_code == 200
        ending: list[int] = []
        stopping = threading.Thread(target=lambda: ending.append(server.wait()))
        server._running.send_signal(signal.SIGTERM)
        stopping.start()
        refused = until(lambda: (found := client.get("/readyz")).status_code == 503 and found)
        assert "stopping" in refused.text
        assert client.get("/healthz").status_code == 200
        stopping.join()
        assert ending == [0]


@pytest.mark.parametrize(("mode", "status"), [("off", 404), ("local", 403), ("open", 200)])
def test_the_settings_say_who_may_read_the_metrics(tmp_path: Path, mode: str, status: int) -> None:
    env = {"DARKROOM_METRICS": mode, "DARKROOM_METRICS_KEY": "a-long-enough-key"}
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "0")) as server:
        client = server.client(None, headers={"X-Forwarded-For": "203.0.113.9"})
        assert client.get("/metrics").status_code == status
        with_key = client.get("/metrics", headers={"Authorization": "Bearer a-long-enough-key"})
        assert with_key.status_code == (404 if mode == "off" else 200)


def test_lines_of_the_log_name_the_request_and_the_task(server: Darkroom, client: httpx.Client) -> None:
    made = client.post("/api/tasks?wait=20", json=GENERATE, headers={"X-Request-Id": "caller-4711"})
    assert made.headers["x-request-id"] == "caller-4711"
    (submitted,) = [line for line in lines(server) if line.get("request") == "caller-4711"]
    assert submitted["event"] == "task.submitted"
    (ended,) = [
        line for line in lines(server) if line["event"] == "task.succeeded" and line["task"] == submitted["task"]
    ]
    assert "request" not in ended  # it is the worker's


def test_requests_get_ids_of_their_own(server: Darkroom, client: httpx.Client) -> None:
    ids = [client.get("/api/account").headers["x-request-id"] for _ in range(2)]
    assert len(set(ids)) == 2
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)
    odd = client.get("/api/account", headers={"X-Request-Id": "two words"}).headers["x-request-id"]
    assert odd != "two words"


def test_at_level_debug_each_request_is_a_line(tmp_path: Path) -> None:
    env = {"DARKROOM_LOG_LEVEL": "debug"}
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "0")) as server:
        server.client().get("/api/tasks/x?y=1", headers={"X-Request-Id": "caller-1"})
        (line,) = until(lambda: [line for line in lines(server) if line["event"] == "request.answered"])
        assert (line["request"], line["method"], line["path"], line["status"]) == (
            "caller-1",
            "GET",
            "/api/tasks/x",
            404,
        )
