"""The server is killed at random moments, again and again, while callers submit and engines work."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom.store import Store
from darkroom.testing.databases import check_sums
from darkroom.testing.processes import alive, descendants
from server.harness import Darkroom, until

ROUNDS = 6
ENV = {
    "DARKROOM_MAX_FAILURES": "100",
    "DARKROOM_RETRY_SECONDS": "0.05",
    "DARKROOM_INITIAL_CREDITS": "1000000",
}
WORK: tuple[dict[str, Any], ...] = (
    {"model": "fake", "params": {"results": 0}},
    {"model": "fake", "params": {"results": 0, "steps": 5, "step_ms": 60}},
    {"model": "fake", "params": {"results": 1, "steps": 2, "step_ms": 30}},
    {"model": "fake-process", "params": {"results": 1, "steps": 3, "step_ms": 50}},
    {"model": "fake", "params": {"results": 0, "outcome": "fail_once"}},
)


class Caller(threading.Thread):
    """Submits without end and repeats what was not acknowledged; `acknowledged` are ids by idempotency key."""

    def __init__(self, server: Darkroom) -> None:
        super().__init__(daemon=True)
        self.acknowledged: dict[str, str] = {}
        self.tries = 0
        self.wrong: list[str] = []
        self._server = server
        self._over = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            key = f"request-{number}"
            while not self._submit(key, WORK[number % len(WORK)]):
                if self._over.wait(0.02):
                    return
            if self._over.wait(random.uniform(0, 0.03)):
                return

    def finish(self) -> None:
        self._over.set()
        self.join()

    def _submit(self, key: str, work: dict[str, Any]) -> bool:
        self.tries += 1
        headers = {"Authorization": f"Bearer {self._server.key}", "Idempotency-Key": key}
        try:
            with httpx.Client(trust_env=False, timeout=10) as client:
                body = {"operation": "image.generate", **work}
                answer = client.post(f"{self._server.address}/api/tasks", json=body, headers=headers)
        except httpx.HTTPError:
            return False
        if answer.status_code >= 300:
            self.wrong.append(answer.text)
            return False
        self.acknowledged[key] = answer.json()["id"]
        return True


@pytest.fixture
def survivor(tmp_path: Path) -> Any:
    """A server that was killed several times, started once more, and had the time to finish everything."""
    with Darkroom(tmp_path, engines="fake", env=ENV, flags=("--workers", "4")) as server:
        caller = Caller(server)
        caller.start()
        for _ in range(ROUNDS):
            known = len(caller.acknowledged)
            time.sleep(random.uniform(0.05, 1.5))
            until(lambda before=known: len(caller.acknowledged) > before + 3, seconds=60)
            children = descendants(server.pid)
            server.kill()
            until(lambda left=children: not any(alive(pid) for pid in left))
            server.start()
            assert len(list((server.data / "work").iterdir())) == 1  # what the killed ones left is gone
        caller.finish()
        yield server, caller


def test_no_acknowledged_task_is_lost_or_done_twice(survivor: tuple[Darkroom, Caller]) -> None:
    server, caller = survivor
    client = server.client()
    assert caller.wrong == []
    assert len(caller.acknowledged) > 20
    assert caller.tries > len(caller.acknowledged)  # some were cut off
    tasks = [until(lambda it=it: finished(client, it), seconds=60) for it in caller.acknowledged.values()]
    assert Counter(task["state"] for task in tasks) == {"succeeded": len(tasks)}
    for task in tasks:
        for output in task["outputs"]:
            assert client.get(output["url"]).content.startswith(b"\x89PNG")
    assert server.stop() == 0

    with closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        events = database.execute("SELECT task_id FROM event WHERE state = 'succeeded'").fetchall()
        assert len(events) == len(set(events))
        rows = database.execute("SELECT public_id, idempotency_key, state, attempt FROM task").fetchall()
        known = {key: public_id for public_id, key, _, _ in rows}
        assert len(known) == len(rows)  # each request made one task, however often it was repeated
        assert caller.acknowledged.items() <= known.items()
        assert {state for _, _, state, _ in rows} == {"succeeded"}
        assert max(attempt for _, _, _, attempt in rows) > 1  # some were interrupted
        captures = database.execute("SELECT task_id FROM entry WHERE kind = 'capture'").fetchall()
        paid = database.execute("SELECT id FROM task WHERE cost > 0").fetchall()
        assert sorted(captures) == sorted(paid)
        artifacts = database.execute("SELECT artifacts FROM task").fetchall()
    stored = {name for name in server.objects() if name.startswith("tasks/")}
    assert all(any(name in text for (text,) in artifacts) for name in stored)  # no file that nobody will see
    assert len(stored) == 2 * len(paid)
    assert list((server.data / "work").iterdir()) == []
    asyncio.run(sums(server))


def finished(client: httpx.Client, task_id: str) -> dict[str, Any] | None:
    """The task when it is final."""
    task: dict[str, Any] = client.get(f"/api/tasks/{task_id}").raise_for_status().json()
    return task if task["state"] in ("succeeded", "failed", "canceled") else None


async def sums(server: Darkroom) -> None:
    """Balances are what their ledgers say."""
    store = await Store.open(f"sqlite:{server.data}/darkroom.db")
    await check_sums(store)
    (account,) = await store.accounts()
    assert account.held == 0
    await store.close()
