"""One of two servers on a PostgreSQL has a clock that is wrong by ten minutes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from harness import Darkroom, until

from conftest import database
from darkroom.testing.server import module_path
from postgres import Postgres

WRONG = Path(__file__).parents[1] / "wrong_clock"
TASK = {"operation": "image.generate", "model": "fake"}


@pytest.fixture
def lease() -> int:
    """Seconds of a lease."""
    return 2


@pytest.fixture(params=[600, -600], ids=["ahead", "behind"])
def nodes(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path, lease: int
) -> Iterator[tuple[Darkroom, Darkroom]]:
    """One with the right clock, and one with a wrong one."""
    env = {
        "DARKROOM_OBJECTS": str(tmp_path / "objects"),
        "DARKROOM_LEASE_SECONDS": str(lease),
        "DARKROOM_RETRY_SECONDS": "0.05",
        "DARKROOM_MAX_FAILURES": "10",
    }
    wrong_env = {**env, "PYTHONPATH": f"{WRONG}{os.pathsep}{module_path()}", "CLOCK_AHEAD": str(request.param)}
    with (
        database(postgres) as url,
        Darkroom(tmp_path / "right", engines="fake", database=url, env=env) as right,
        Darkroom(tmp_path / "wrong", engines="fake", database=url, env=wrong_env) as wrong,
    ):
        wrong.key = right.key
        yield right, wrong


@pytest.mark.parametrize("lease", [7])  # so that a machine that stands still for a while ends none
def test_neither_takes_the_others_tasks_for_lost(nodes: tuple[Darkroom, Darkroom]) -> None:
    right, wrong = nodes
    assert "clock.wrong" in wrong.log
    assert "clock.wrong" not in right.log
    made = [node.client().post("/api/tasks", json=of(8)).raise_for_status().json() for node in (right, wrong) * 2]
    for task in made:
        done = until(lambda it=task: final(right, it["id"]), seconds=60)
        assert (done["state"], done["attempt"]) == ("succeeded", 1)
        age = datetime.now(UTC) - datetime.fromisoformat(done["created_at"])
        assert abs(age.total_seconds()) < 120


def test_what_a_dead_one_had_is_run_again_at_once(nodes: tuple[Darkroom, Darkroom]) -> None:
    right, wrong = nodes
    made = [wrong.client().post("/api/tasks", json=of(4)).raise_for_status().json() for _ in range(4)]
    until(lambda: all(state(right, task["id"]) == "running" for task in made))
    wrong.kill()
    done = [until(lambda it=task: final(right, it["id"]), seconds=60) for task in made]
    assert {task["state"] for task in done} == {"succeeded"}
    assert max(task["attempt"] for task in done) > 1


def test_links_of_both_are_good_for_as_long(nodes: tuple[Darkroom, Darkroom]) -> None:
    right, wrong = nodes
    body = {**TASK, "params": {"results": 1}}
    made = right.client().post("/api/tasks", json=body).raise_for_status().json()
    until(lambda: final(right, made["id"]))
    links = [final(node, made["id"])["outputs"][0]["url"] for node in (right, wrong)]
    ends = [int(parse_qs(urlsplit(link).query)["exp"][0]) for link in links]
    assert abs(ends[0] - ends[1]) <= 3_600_000  # a period of links
    for node in (right, wrong):
        for link in links:
            parts = urlsplit(link)
            assert node.client().get(f"{parts.path}?{parts.query}").raise_for_status().content


def of(seconds: int) -> dict[str, Any]:
    """A task that takes so long: more than a lease, and than the janitor's rounds."""
    return {**TASK, "params": {"steps": seconds * 10, "step_ms": 100}}


def state(node: Darkroom, task_id: str) -> str:
    """The task's state, as a node tells it."""
    return str(node.client().get(f"/api/tasks/{task_id}").raise_for_status().json()["state"])


def final(node: Darkroom, task_id: str) -> dict[str, Any] | None:
    """The task when it is final."""
    task = node.client().get(f"/api/tasks/{task_id}").raise_for_status().json()
    return task if task["state"] in ("succeeded", "failed", "canceled") else None
