"""Engines that are killed, hang or fail take down nothing but their own attempt."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from darkroom.testing.processes import alive, descendants
from server.harness import Darkroom, until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    env = {"DARKROOM_RETRY_SECONDS": "0.05", "DARKROOM_MAX_FAILURES": "2"}
    folder = tmp_path_factory.mktemp("engines-die")
    with Darkroom(folder, engines="fake", env=env, flags=("--workers", "2")) as running:
        yield running


def submit(server: Darkroom, **params: Any) -> dict[str, Any]:
    body = {"operation": "image.generate", "model": "fake-process", "params": params}
    answer: dict[str, Any] = server.client().post("/api/tasks", json=body).raise_for_status().json()
    return answer


def final(server: Darkroom, task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = server.client().get(f"/api/tasks/{task['id']}?wait=50").json()
    return found


def balance(server: Darkroom) -> tuple[int, int]:
    account = server.client().get("/api/account").json()
    return account["available"], account["held"]


def started(server: Darkroom, task: dict[str, Any], before: set[int]) -> int:
    """The process that works on a task."""
    client = server.client()
    until(lambda: client.get(f"/api/tasks/{task['id']}").json()["progress"])
    (child,) = descendants(server.pid) - before
    return child


def test_a_killed_engine_is_started_again_and_the_task_succeeds(server: Darkroom) -> None:
    available, held = balance(server)
    task = submit(server, results=1, steps=60, step_ms=50)
    os.kill(started(server, task, set()), signal.SIGKILL)
    done = final(server, task)
    assert (done["state"], done["attempt"], len(done["outputs"])) == ("succeeded", 2, 1)
    assert balance(server) == (available - 1, held)


@pytest.mark.parametrize(("outcome", "attempts"), [("crash", 2), ("fail", 1)])
def test_an_engine_that_keeps_failing_costs_nothing(server: Darkroom, outcome: str, attempts: int) -> None:
    before = balance(server)
    done = final(server, submit(server, outcome=outcome))
    assert (done["state"], done["attempt"], done["error"]["code"]) == ("failed", attempts, "engine_failed")
    assert balance(server) == before


def test_an_engine_that_crashes_once_succeeds_at_last(server: Darkroom) -> None:
    done = final(server, submit(server, outcome="crash_once", results=1))
    assert (done["state"], done["attempt"]) == ("succeeded", 2)


def test_a_canceled_engine_is_gone(server: Darkroom) -> None:
    available = balance(server)
    assert any(canceled_within(server) < 5 for _ in range(3))  # this machine may stand still now and then
    assert balance(server) == available


def canceled_within(server: Darkroom) -> float:
    """Seconds until a task that hangs was canceled."""
    before = descendants(server.pid)
    task = submit(server, outcome="hang")
    client = server.client()
    until(lambda: client.get(f"/api/tasks/{task['id']}").json()["progress"])
    began = time.monotonic()
    answer = client.post(f"/api/tasks/{task['id']}/cancel").json()
    took = time.monotonic() - began
    assert answer["state"] == "canceled"
    until(lambda: not [pid for pid in descendants(server.pid) - before if alive(pid)])
    return took


def test_an_engine_that_hangs_past_its_time_is_stopped(tmp_path: Path) -> None:
    env = {"DARKROOM_TASK_HOURS": "0.003", "DARKROOM_RETRY_SECONDS": "60"}
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "1")) as server:
        available, _ = balance(server)
        task = submit(server, outcome="hang")
        child = started(server, task, set())
        done = final(server, task)
        assert (done["state"], done["attempt"], done["error"]["code"]) == ("failed", 1, "timed_out")
        assert not alive(child)
        assert balance(server) == (available, 0)
        assert final(server, submit(server, results=1))["state"] == "succeeded"


def test_no_key_is_ever_logged(tmp_path: Path) -> None:
    """Not a right one, not a wrong one, wherever it is sent, and whatever goes wrong."""
    wrong = "sk-canary0000000000000000000000000000000000"
    flags = ("--workers", "1")
    with Darkroom(tmp_path, engines="fake", env={"DARKROOM_LOG_LEVEL": "debug"}, flags=flags) as server:
        other = server.new_key()
        final(server, submit(server, outcome="fail"))
        for key in (server.key, other, wrong):
            client = server.client(key)
            client.get("/api/account")
            client.get("/api/tasks/unknown")
            client.post("/api/tasks", content=b"{", headers={"Content-Type": "application/json"})
            client.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"url": "http://127.0.0.1:1/a.png"}]})
            client.post("/v1/images/generations", json={"prompt": "x"}, headers={"Authorization": key})
            client.get(f"/api/account?key={key}")
        assert server.stop() == 0
        assert '"server.stopping"' in server.log
        for key in (server.key, other, wrong):
            assert key not in server.log
            assert key[10:30] not in server.log
        database = (server.data / "darkroom.db").read_bytes()
        assert server.key.encode() not in database
        assert other.encode() not in database
