"""A server that is told to stop gives its tasks back, ends in time, and goes on with them after the next start."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from darkroom.testing.processes import alive, descendants
from processes import PATIENCE, SIGNALS, environment
from server.harness import Darkroom, until

IN_TIME = 20.0  # seconds, less than callers ask to wait
SENT = "http11.send_request_body.complete"  # what a client's trace says
WORK = {"results": 1, "steps": 100, "step_ms": 50}


def submit(server: Darkroom, model: str, **params: Any) -> str:
    body = {"operation": "image.generate", "model": model, "params": params}
    return str(server.client().post("/api/tasks", json=body).raise_for_status().json()["id"])


def rows(server: Darkroom, columns: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(server.data / "darkroom.db")) as database:
        return database.execute(f"SELECT {columns} FROM task ORDER BY seq").fetchall()


def works(server: Darkroom, task_id: str) -> bool:
    """Whether an engine has told of a task."""
    return bool(server.client().get(f"/api/tasks/{task_id}").json()["progress"])


@pytest.mark.parametrize("name", SIGNALS)
def test_running_tasks_are_given_back_and_finish_after_the_next_start(tmp_path: Path, name: str) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "2")) as server:
        ids = [submit(server, "fake-process", **WORK)]
        until(lambda: works(server, ids[0]))  # a process takes its time to start
        ids += [submit(server, "fake", **WORK), submit(server, "fake", results=1)]
        until(lambda: works(server, ids[1]))
        children = descendants(server.pid)
        assert children
        began = time.monotonic()
        assert server.stop(SIGNALS[name]) == 0
        assert time.monotonic() - began < IN_TIME
        assert not any(alive(pid) for pid in children)
        assert rows(server, "state, failures, error_code") == [("queued", 0, None)] * 3
        assert [attempt for (attempt,) in rows(server, "attempt")] == [1, 1, 0]
        server.start()
        for task_id in ids:
            task = server.client().get(f"/api/tasks/{task_id}?wait=50").json()
            assert task["state"] == "succeeded"
        assert rows(server, "failures, attempt") == [(0, 2), (0, 2), (0, 1)]


def test_callers_who_wait_do_not_keep_a_server_from_stopping(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "1")) as server:
        task_id = submit(server, "fake", outcome="hang")
        waiting = threading.Thread(target=lambda: wait(server, task_id), daemon=True)
        waiting.start()
        until(lambda: rows(server, "state") == [("running",)])
        began = time.monotonic()
        process = server._process
        assert process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        assert time.monotonic() - began < IN_TIME
        waiting.join(PATIENCE)


def test_callers_who_wait_or_follow_are_answered_when_the_server_stops(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "1")) as server:
        task_id = submit(server, "fake-process", outcome="hang")
        until(lambda: rows(server, "state") == [("running",)])
        paths = [f"/api/tasks/{task_id}?wait=50", f"/api/tasks/{task_id}/events", "/api/events"]
        answers: list[httpx.Response] = []
        sent: list[str] = []

        def trace(event: str, _: Any) -> None:
            if event == SENT:
                sent.append(event)

        def ask(client: httpx.Client, path: str) -> None:
            answers.append(client.get(path, extensions={"trace": trace}))

        clients = [server.client() for _ in paths]
        threads = [threading.Thread(target=ask, args=(at, path)) for at, path in zip(clients, paths, strict=True)]
        for thread in threads:
            thread.start()
        until(lambda: len(sent) == len(paths), seconds=PATIENCE)
        assert server.client().get("/healthz").status_code == 200  # who comes later is read later
        process = server._process
        assert process
        process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(PATIENCE)
        assert process.wait(PATIENCE) == 0
        assert [answer.status_code for answer in answers] == [200] * len(paths)
        assert "Traceback" not in server.log


def wait(server: Darkroom, task_id: str) -> None:
    """Wait for a task, whatever comes of it."""
    with contextlib.suppress(httpx.HTTPError):
        server.client().get(f"/api/tasks/{task_id}?wait=30")


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    with Darkroom(tmp_path, engines="fake", flags=("--workers", "1")) as server:
        submit(server, "fake-process", outcome="hang")
        until(lambda: rows(server, "state") == [("running",)])
        process = server._process
        assert process
        for number in (signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        assert rows(server, "state, failures") == [("queued", 0)]


STUBBORN = """
import asyncio
from darkroom.core.catalog import Model, Param
from darkroom.core.task import Operation

class Stubborn:
    name, slots = "stubborn", 1
    def models(self):
        params = (Param("prompt", "string", "Anything."),)
        return (Model(name="stubborn", engine="stubborn", operations=tuple(Operation), description="", params=params),)
    async def __aenter__(self):
        return self
    async def __aexit__(self, *_):
        return
    async def run(self, job, context):
        print("at work", flush=True)
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                pass

def create(settings):
    return Stubborn()
"""


def test_an_engine_that_does_not_stop_is_left_behind(tmp_path: Path) -> None:
    """It comes as a package of its own. The server's patience is shortened for the test."""
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "stubborn-1.dist-info").mkdir()
    (tmp_path / "stubborn-1.dist-info" / "METADATA").write_text("Name: stubborn\nVersion: 1\n")
    (tmp_path / "stubborn-1.dist-info" / "entry_points.txt").write_text(
        "[darkroom.engines]\nstubborn = stubborn:create\n"
    )
    code = (
        "from darkroom import serve, worker; from darkroom.cli import main;"
        " serve.LAST_RESORT = 1.0; worker.STOP_WITHIN = 0.2; main()"
    )
    arguments = ["serve", "--port", "0", "--data", str(tmp_path / "data"), "--engines", "stubborn", "--workers", "1"]
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"PYTHONPATH": str(tmp_path)}),
    ) as process:
        assert process.stdout
        printed = ""
        while "darkroom ready" not in printed:
            printed += process.stdout.readline()
        curl = printed[printed.index("curl ") : printed.index("darkroom ready")].replace("wait=30", "wait=0.1")
        subprocess.run(["bash", "-c", curl], check=True, capture_output=True, timeout=PATIENCE)
        while "at work" not in printed:
            printed += process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0
        assert "an engine did not stop in time" in log
