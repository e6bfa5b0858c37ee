"""A server on SQLite with work done and work waiting moves to PostgreSQL: callers notice nothing but the address."""

from __future__ import annotations

import asyncio
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
from harness import PATIENCE, Darkroom, fetched, until
from vendors import answered

from conftest import database
from darkroom.testing.server import module_path
from postgres import Postgres
from processes import environment, refused
from store.tables import contents

TASK = {"operation": "image.generate", "model": "fake"}
LONG = {**TASK, "params": {"steps": 600, "step_ms": 100}}
ENV = {"DARKROOM_WEBHOOK_ALLOW": "127.0.0.0/8", "DARKROOM_LEASE_SECONDS": "3"}
FEW = ("--workers", "1")
MANY = 1_500  # rows of some tables, so that a kill finds one half full


@pytest.fixture
def target(postgres: Postgres) -> Iterator[str]:
    with database(postgres) as url:
        yield url


def migrating(source: str, target: str) -> subprocess.Popen[str]:
    """The command, under way."""
    return subprocess.Popen(
        [sys.executable, "-m", "darkroom", "migrate", "--from", source, "--to", target],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"PYTHONPATH": module_path()}),
    )


def migrated(source: str, target: str) -> tuple[str, str]:
    """What the command prints, and its progress."""
    process = migrating(source, target)
    printed, progress = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, progress
    return printed, progress


@contextmanager
def receiving() -> Iterator[tuple[str, list[tuple[Any, bytes]]]]:
    """The URL of a receiver of webhooks, and what it was sent."""
    got: list[tuple[Any, bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.headers, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{running.server_port}/hook", got
        finally:
            running.shutdown()
            thread.join()


def submit(server: Darkroom, key: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    return answered(server.client(key, headers=headers).post("/api/tasks", json=body))


def read(server: Darkroom, key: str, path: str) -> dict[str, Any]:
    return answered(server.client(key).get(f"/api{path}"))


def test_an_installation_moves_and_its_callers_go_on(tmp_path: Path, target: str) -> None:
    with receiving() as (hook, got), Darkroom(tmp_path / "old", engines="fake", env=ENV, flags=FEW) as old:
        source, first = f"sqlite:{old.data}/darkroom.db", old.key
        webhook = answered(old.client().post("/api/webhooks", json={"url": hook, "events": ["task.succeeded"]}))
        rich = old.new_key(credits=500, name="rich")
        done = answered(old.client().post("/api/tasks?wait=50", json=TASK))
        picture = fetched(done["outputs"][0]["url"]).content
        running = submit(old, rich, LONG)
        until(lambda: read(old, rich, f"/tasks/{running['id']}")["state"] == "running")
        once = submit(old, rich, TASK, **{"Idempotency-Key": "once"})
        waiting = [submit(old, first, TASK) for _ in range(5)]
        account = read(old, first, "/account")
        ledger = old.command("credit", "list", account["id"])
        said = refused("migrate", "--from", source, "--to", target, env={"PYTHONPATH": module_path()})
        assert f"(process {old.pid})" in said
        assert "stop it and run this again" in said
        address = old.address
        old.kill()

        printed, progress = migrated(source, target)
        assert re.search(
            r"^moved \d+ rows in \d+ tables from sqlite:/\S+ to postgresql://\S+: both are equal$",
            printed,
            re.MULTILINE,
        )
        assert "the ledger of 2 accounts adds up" in printed
        assert re.search(r"^task: 8 rows, sha256 [0-9a-f]{64}, the same on both sides$", progress, re.MULTILINE)
        said = refused("serve", "--data", old.data, "--port", 0, env={"PYTHONPATH": module_path()})
        assert "everything was moved from here to postgresql://" in said

        env = {**ENV, "DARKROOM_OBJECTS": str(old.data / "objects")}
        with Darkroom(tmp_path / "new", engines="fake", database=target, env=env, flags=("--workers", "2")) as new:
            assert new.key == ""  # it has its keys
            assert read(new, first, f"/tasks/{done['id']}")["state"] == "succeeded"
            assert fetched(done["outputs"][0]["url"].replace(address, new.address)).content == picture
            assert submit(new, rich, TASK, **{"Idempotency-Key": "once"})["id"] == once["id"]
            for task in waiting:
                assert read(new, first, f"/tasks/{task['id']}?wait=50")["state"] == "succeeded"
            assert read(new, rich, f"/tasks/{once['id']}?wait=50")["state"] == "succeeded"
            assert ledger in new.command("credit", "list", account["id"])  # below what is new
            new.client(rich).post(f"/api/tasks/{running['id']}/cancel")  # its lease ends some time
            until(lambda: read(new, rich, f"/tasks/{running['id']}")["state"] == "canceled")
            later = submit(new, first, TASK)
            assert read(new, first, f"/tasks/{later['id']}?wait=50")["state"] == "succeeded"
            awaited = {task["id"] for task in (done, *waiting, later)}
            until(lambda: awaited <= {json.loads(body)["data"]["id"] for _, body in list(got)})
            headers, body = got[-1]
            standardwebhooks.Webhook(webhook["secret"]).verify(body.decode(), dict(headers))
            assert read(new, rich, "/account")["held"] == 0
            assert "everything agrees" in new.command("doctor", "--objects", str(old.data / "objects"))
            assert "Traceback" not in new.log


def test_a_move_that_is_killed_again_and_again_arrives(tmp_path: Path, target: str) -> None:
    with Darkroom(
        tmp_path, engines="fake", env={"DARKROOM_INITIAL_CREDITS": "100000"}, flags=("--workers", "0")
    ) as old:
        source = f"sqlite:{old.data}/darkroom.db"
        answered(old.client().post("/api/tasks/batch", content=f"{json.dumps(TASK)}\n" * MANY))
    before = rows(source)
    assert len(before["task"]) == len(before["event"]) == MANY
    told: list[str] = []
    for lines in (1, 3, 6, 10, 14, 18, 24, 32):
        process = migrating(source, target)
        assert process.stderr is not None
        for _ in range(lines):
            process.stderr.readline()
        process.kill()
        told.append(process.communicate()[1])
    printed, progress = migrated(source, target)
    assert any("rows are there already" in each for each in (*told, progress))
    assert "both are equal" in printed or "was moved to" in printed
    assert rows(target) == before
    assert "moved to postgresql://" in migrated(source, target)[0]
    assert rows(target) == before


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of everything that is moved."""
    found = asyncio.run(contents(url))
    return {name: each for name, each in found.items() if name not in ("migration", "move")}
