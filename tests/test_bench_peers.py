"""The servers that benchmarks put beside Darkroom work on the tables that it has today."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from processes import PATIENCE

sys.path.append(str(Path(__file__).parents[1] / "bench"))

import servers
from seed import Seeded, seed
from submits import BODY, stored


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Seeded:
    """A data folder with two tasks, of which one is finished."""
    return seed(tmp_path_factory.mktemp("bench") / "data", 2, finished=1)


@pytest.fixture(params=["orm", "plain", "bare"])
def peer(request: pytest.FixtureRequest, seeded: Seeded) -> Iterator[httpx.Client]:
    """One of the peers, on the data folder."""
    start = servers.script if request.param == "bare" else servers.fastapi
    headers = {"authorization": f"Bearer {seeded.key}"}
    with (
        start(request.param, seeded.database) as running,
        httpx.Client(base_url=running.address, headers=headers, timeout=PATIENCE) as it,
    ):
        yield it


def test_a_peer_tells_of_a_finished_task(peer: httpx.Client, seeded: Seeded) -> None:
    told = peer.get(f"/v1/tasks/{seeded.ids[0]}").json()
    assert (told["status"], len(told["result"]["data"])) == ("succeeded", 1)


def test_the_peer_with_an_orm_stores_a_task_its_hold_and_its_first_event(seeded: Seeded) -> None:
    before = stored(seeded)
    with servers.fastapi("orm", seeded.database) as running:
        headers = {"authorization": f"Bearer {seeded.key}"}
        answer = httpx.post(f"{running.address}/api/tasks", json=BODY, headers=headers, timeout=PATIENCE)
    assert (answer.status_code, stored(seeded)) == (201, tuple(count + 1 for count in before))
