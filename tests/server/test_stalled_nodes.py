"""Two servers of which one stands still for longer than a lease: what it wakes up with counts for nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest
from harness import FAKE_DEFAULTS, Darkroom, until
from vendors import answered

from conftest import database
from postgres import Postgres

CREDITS = 100_000
ENV = {
    "DARKROOM_DEFAULTS": FAKE_DEFAULTS,
    "DARKROOM_INITIAL_CREDITS": str(CREDITS),
    "DARKROOM_LEASE_SECONDS": "7",
    "DARKROOM_LOG_LEVEL": "debug",
}
TASK = {"operation": "image.generate", "model": "fake"}


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Darkroom, Darkroom]]:
    folder = tmp_path_factory.mktemp("stalled")
    env = {**ENV, "DARKROOM_OBJECTS": str(folder / "objects")}
    with (
        database(postgres) as url,
        Darkroom(folder / "one", engines="fake", database=url, env=env, flags=("--workers", "2")) as one,
        Darkroom(folder / "other", engines="fake", database=url, env=env, flags=("--workers", "2")) as other,
    ):
        other.key = one.key
        yield one, other
        for node in (one, other):
            assert "Traceback" not in node.log


@contextmanager
def stalled(node: Darkroom) -> Iterator[None]:
    """The node stands still meanwhile: its connections stay, and it answers nothing."""
    os.kill(node.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(node.pid, signal.SIGCONT)


def told(node: Darkroom, event: str) -> list[str]:
    """The tasks of which a node told this event, by their internal ids."""
    lines = [json.loads(line) for line in node.log.splitlines()]
    return [line["task"] for line in lines if line["event"] == event]


def balance(client: httpx.Client) -> tuple[int, int]:
    """Credits that can be spent, and how many tasks there are."""
    return answered(client.get("/api/account"))["available"], len(answered(client.get("/api/tasks"))["items"])


@pytest.mark.parametrize("awake", ["while the other one runs it", "after the other one has done it"])
def test_a_worker_that_wakes_after_its_lease_ends_nothing(nodes: tuple[Darkroom, Darkroom], awake: str) -> None:
    known = {node: set(told(node, "task.claimed")) for node in nodes}
    busy = {**TASK, "params": {"steps": 10, "step_ms": 400}}
    made = answered(nodes[0].client().post("/api/tasks", json=busy))["id"]
    stale = until(lambda: next((node for node in nodes if set(told(node, "task.claimed")) - known[node]), None))
    (task_id,) = set(told(stale, "task.claimed")) - known[stale]
    (heir,) = set(nodes) - {stale}
    with stalled(stale):
        until(lambda: task_id in told(heir, "task.claimed"))
        if awake == "after the other one has done it":
            assert answered(heir.client().get(f"/api/tasks/{made}?wait=50"))["state"] == "succeeded"
    until(lambda: task_id in told(stale, "task.lost"))
    seen = [answered(node.client().get(f"/api/tasks/{made}?wait=50")) for node in (stale, heir)]
    assert [task["state"] for task in seen] == ["succeeded"] * 2
    assert seen[0]["attempt"] == seen[1]["attempt"] > 1
    assert [(told(node, "task.succeeded").count(task_id)) for node in (stale, heir)] == [0, 1]
    folder = stale.folder.parent / "objects" / "tasks" / task_id
    until(lambda: [path.name for path in folder.iterdir() if any(path.iterdir())] == [str(seen[0]["attempt"])])
    after = answered(stale.client().post("/api/tasks", json=TASK))["id"]
    assert answered(stale.client().get(f"/api/tasks/{after}?wait=50"))["state"] == "succeeded"
    available, tasks = balance(heir.client())
    assert available == CREDITS - tasks
    heir.command("doctor")


def test_a_request_that_a_stalled_node_answers_late_is_the_one_that_was_repeated_elsewhere(
    nodes: tuple[Darkroom, Darkroom],
) -> None:
    stale, other = nodes
    asked = {"json": TASK, "headers": {"Idempotency-Key": "once"}}
    client, elsewhere = stale.client(), other.client()
    _, before = balance(client)
    with ThreadPoolExecutor(1) as pool:
        with stalled(stale):
            late = pool.submit(client.post, "/api/tasks", **asked)
            made = answered(elsewhere.post("/api/tasks", **asked))["id"]
            assert answered(elsewhere.get(f"/api/tasks/{made}?wait=50"))["state"] == "succeeded"
        assert answered(late.result())["id"] == made
    assert balance(client) == (CREDITS - before - 1, before + 1)
