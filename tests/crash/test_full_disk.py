"""A server whose whole disk is full: it refuses what it cannot store, lives on, and recovers by itself."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from darkroom.store import Store
from darkroom.testing.databases import check_sums
from full_disk import full_disk
from server.harness import Darkroom, until

ENV = {"DARKROOM_RETRY_SECONDS": "0.05", "DARKROOM_MAX_FAILURES": "100"}
TASK = {"operation": "image.generate", "model": "fake", "params": {"results": 1, "size": "1024x1024"}}


@pytest.mark.parametrize("kind", ["file system", "limit"])
def test_a_server_survives_that_its_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    if kind == "limit":
        monkeypatch.setattr(os, "geteuid", lambda: 1000)  # as somebody who may not mount
    with full_disk(tmp_path / "data") as disk, Darkroom(tmp_path, engines="fake", env=ENV) as server:
        disk.pid, disk.biggest = server.pid, 64 << 10  # less than the database has already
        client = server.client()
        before = made(client.post("/api/tasks?wait=50", json=TASK))
        assert before["state"] == "succeeded"
        disk.fill()
        taken: list[Any] = []

        def refused() -> bool:
            answer = client.post("/api/tasks", json=TASK)
            if answer.status_code < 300:
                taken.append(answer.json()["id"])
                return False
            assert answer.status_code == 503, answer.text
            assert answer.json()["error"]["code"] in ("unavailable", "storage_failed")
            return True

        until(refused)
        assert made(client.get(f"/api/tasks/{before['id']}")) == before  # reading goes on
        disk.free()
        after = until(lambda: made(client.post("/api/tasks?wait=50", json=TASK)))
        assert after["state"] == "succeeded"
        for task_id in taken:  # what was acknowledged meanwhile is done as well
            assert client.get(f"/api/tasks/{task_id}?wait=50").json()["state"] == "succeeded"
        assert server.stop() == 0
        asyncio.run(sums(server))


def made(answer: Any) -> Any:
    """The task, unless the request was refused; its links without their signatures, which change each hour."""
    return json.loads(re.sub(r"\?exp=\d+&sig=\w+", "", answer.text)) if answer.status_code < 300 else None


async def sums(server: Darkroom) -> None:
    """Balances are what their ledgers say."""
    store = await Store.open(f"sqlite:{server.data}/darkroom.db")
    await check_sums(store)
    await store.close()
