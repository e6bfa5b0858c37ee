"""Two servers on one PostgreSQL and one folder of results: either answers for what the other one does."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from harness import FAKE_DEFAULTS, Darkroom, until

from conftest import database
from postgres import Postgres

ENV = {"DARKROOM_DEFAULTS": FAKE_DEFAULTS, "DARKROOM_INITIAL_CREDITS": "100000"}
TASK = {"operation": "image.generate", "model": "fake"}


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Darkroom, Darkroom]]:
    """One that only answers, and one that also works."""
    folder = tmp_path_factory.mktemp("nodes")
    env = {**ENV, "DARKROOM_OBJECTS": str(folder / "objects")}
    with (
        database(postgres) as url,
        Darkroom(folder / "first", engines="fake", database=url, env=env, flags=("--workers", "0")) as first,
        Darkroom(folder / "second", engines="fake", database=url, env=env, flags=("--workers", "2")) as second,
    ):
        second.key = first.key
        yield first, second
        for node in (first, second):
            assert "Traceback" not in node.log


def test_a_task_is_submitted_at_one_node_done_by_the_other_and_waited_for_at_the_first(nodes) -> None:
    first, second = nodes
    client = first.client()
    made = client.post("/api/tasks", json={**TASK, "params": {"steps": 3, "step_ms": 100}}).json()
    done = client.get(f"/api/tasks/{made['id']}?wait=50", timeout=60).json()
    assert done["state"] == "succeeded"
    assert second.client().get(f"/api/tasks/{made['id']}").json()["state"] == "succeeded"


def test_a_follower_at_one_node_is_told_what_the_other_one_does(nodes) -> None:
    first, _ = nodes
    client = first.client()
    made = client.post("/api/tasks", json={**TASK, "params": {"steps": 5, "step_ms": 100}}).json()
    told: list[tuple[str, str]] = []
    with client.stream("GET", f"/api/tasks/{made['id']}/events", timeout=60) as stream:
        event = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                event = line.removeprefix("event: ")
            elif line.startswith("data: "):
                told.append((event, json.loads(line.removeprefix("data: "))["state"]))
    states = [state for event, state in told if event == "state"]
    assert states[-1] == "succeeded"
    assert "running" in states


def test_a_cancel_at_one_node_stops_what_the_other_one_runs(nodes) -> None:
    first, _ = nodes
    client = first.client()
    made = client.post("/api/tasks", json={**TASK, "params": {"outcome": "hang"}}).json()
    until(lambda: client.get(f"/api/tasks/{made['id']}").json()["state"] == "running")
    assert client.post(f"/api/tasks/{made['id']}/cancel", timeout=60).json()["state"] == "canceled"
