"""Two servers on one PostgreSQL and one folder of results: either answers for what the other one does.

Nobody here looks by himself within an hour, so that it is the hints that wake; one who hears none is not woken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from harness import FAKE_DEFAULTS, Darkroom, changed, until

from conftest import database
from postgres import Postgres

ENV = {"DARKROOM_DEFAULTS": FAKE_DEFAULTS, "DARKROOM_INITIAL_CREDITS": "100000", "DARKROOM_LEASE_SECONDS": "3600"}
TASK = {"operation": "image.generate", "model": "fake"}
WAITS = ("service.REREAD", "follow.LOOK", "desk.StoreDesk.idle", "desk.HEARTBEAT")
WITHOUT_LOOKS = {f"darkroom.{name}": 3600.0 for name in WAITS}
DEAF = {"darkroom.hub.Hub.hear": "lambda self, hints: None"}


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Darkroom, ...]]:
    """One that only answers, one that also works, and one that only answers and hears nothing."""
    folder = tmp_path_factory.mktemp("nodes")
    env = {**ENV, "DARKROOM_OBJECTS": str(folder / "objects"), **changed(folder / "patient", WITHOUT_LOOKS)}
    deaf_env = {**env, **changed(folder / "deaf", {**WITHOUT_LOOKS, **DEAF})}
    with (
        database(postgres) as url,
        Darkroom(folder / "first", engines="fake", database=url, env=env, flags=("--workers", "0")) as first,
        Darkroom(folder / "second", engines="fake", database=url, env=env, flags=("--workers", "2")) as second,
        Darkroom(folder / "third", engines="fake", database=url, env=deaf_env, flags=("--workers", "0")) as deaf,
    ):
        second.key = deaf.key = first.key
        yield first, second, deaf
        for node in (first, second, deaf):
            assert "Traceback" not in node.log


def test_a_task_is_submitted_at_one_node_done_by_the_other_and_waited_for_at_the_first(nodes) -> None:
    first, second, _ = nodes
    client = first.client()
    made = client.post("/api/tasks", json={**TASK, "params": {"steps": 3, "step_ms": 100}}).json()
    done = client.get(f"/api/tasks/{made['id']}?wait=50", timeout=60).json()
    assert done["state"] == "succeeded"
    assert second.client().get(f"/api/tasks/{made['id']}").json()["state"] == "succeeded"


def test_a_follower_at_one_node_is_told_what_the_other_one_does(nodes) -> None:
    first, _, _ = nodes
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
    first, _, _ = nodes
    client = first.client()
    made = client.post("/api/tasks", json={**TASK, "params": {"outcome": "hang"}}).json()
    until(lambda: client.get(f"/api/tasks/{made['id']}").json()["state"] == "running")
    assert client.post(f"/api/tasks/{made['id']}/cancel", timeout=60).json()["state"] == "canceled"


def test_who_hears_no_hint_is_not_woken(nodes) -> None:
    first, _, deaf = nodes
    made = first.client().post("/api/tasks", json={**TASK, "params": {"steps": 5, "step_ms": 600}}).json()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(deaf.client().get, f"/api/tasks/{made['id']}?wait=50", timeout=90)
        assert first.client().get(f"/api/tasks/{made['id']}?wait=50", timeout=60).json()["state"] == "succeeded"
        assert deaf.client().get(f"/api/tasks/{made['id']}").json()["state"] == "succeeded"  # it could have known
        assert not wait([waiting], timeout=1).done
        deaf.stop()
