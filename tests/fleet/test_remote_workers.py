"""Workers elsewhere run tasks for a server that they reach over HTTP alone; none is lost when either side dies."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from workers import (
    ENV,
    FAKE,
    SERVES_NOTHING,
    SHORT_LEASES,
    RemoteWorker,
    final,
    run_again,
    running,
    submit,
    target_of,
    token_of,
    told,
)

import darkroom
from cut import Cut
from darkroom.testing.server import Darkroom, fetched, until

ASTRONAUT = Path(darkroom.__file__).parent / "samples" / "astronaut.png"
LONG = {"steps": 30, "step_ms": 100}  # 3 s: longer than a short lease


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that runs nothing itself."""
    with Darkroom(tmp_path_factory.mktemp("server"), engines="fake,opencv", env=ENV, flags=SERVES_NOTHING) as found:
        yield found
        assert "Traceback" not in found.log


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """Another one, which soon takes a worker for lost."""
    with Darkroom(tmp_path_factory.mktemp("hasty"), engines="fake", env=SHORT_LEASES, flags=SERVES_NOTHING) as found:
        yield found
        assert "Traceback" not in found.log


@pytest.fixture(scope="module")
def token(server: Darkroom) -> str:
    """A key for workers."""
    return token_of(server)


@pytest.fixture(scope="module")
def hasty_token(hasty: Darkroom) -> str:
    """A key for workers of the hasty one."""
    return token_of(hasty)


def test_a_worker_elsewhere_fetches_inputs_and_hands_in_results(server: Darkroom, token: str, tmp_path: Path) -> None:
    client = server.client()
    with ASTRONAUT.open("rb") as picture:
        file = client.post("/api/files", files={"file": picture}).raise_for_status().json()["id"]
    body = {"operation": "image.filter", "model": "filters-v1", "inputs": [{"file": file}], "params": {"style": "noir"}}
    answer = client.post("/api/tasks", json=body).raise_for_status()
    assert answer.json()["is_possible"] is False
    assert "no" in answer.headers["x-waiting-for"]
    with RemoteWorker(tmp_path / "worker", server.address, token, engines="opencv") as worker:
        until(lambda: told(server, answer.json()["id"])["is_possible"] is not False)
        task = final(server, answer.json()["id"])
        assert (task["state"], task["attempt"], task["warnings"]) == ("succeeded", 1, [])
        [output] = task["outputs"]
        assert fetched(output["url"]).content.startswith(b"\x89PNG")
        assert fetched(output["thumbnail_url"]).status_code == 200
        assert worker.end() == 0
        assert "Traceback" not in worker.log


def test_a_cancel_stops_what_a_worker_elsewhere_runs(server: Darkroom, token: str, tmp_path: Path) -> None:
    with RemoteWorker(tmp_path / "worker", server.address, token):
        task = submit(server, steps=600, step_ms=100)
        until(lambda: running(server, task))
        server.client().post(f"/api/tasks/{task}/cancel").raise_for_status()
        assert final(server, task)["state"] == "canceled"


def test_what_a_stopped_worker_gives_back_is_no_failure(server: Darkroom, token: str, tmp_path: Path) -> None:
    with RemoteWorker(tmp_path / "first", server.address, token) as first:
        task = submit(server, **LONG, outcome="succeed")
        until(lambda: running(server, task))
        assert first.end() == 0
    assert told(server, task)["state"] == "queued"
    with RemoteWorker(tmp_path / "second", server.address, token):
        done = final(server, task)
    assert (done["state"], done["attempt"], done["error"]) == ("succeeded", 2, None)


def test_the_tasks_of_a_killed_worker_are_run_again(hasty: Darkroom, hasty_token: str, tmp_path: Path) -> None:
    with RemoteWorker(tmp_path / "first", hasty.address, hasty_token) as first:
        task = submit(hasty, **LONG, results=1)
        until(lambda: running(hasty, task))
        first.end(signal.SIGKILL)
        with RemoteWorker(tmp_path / "second", hasty.address, hasty_token):
            run_again(hasty, task)


def test_a_worker_that_slept_through_its_lease_ends_nothing(hasty: Darkroom, hasty_token: str, tmp_path: Path) -> None:
    before = set(hasty.objects())
    with RemoteWorker(tmp_path / "sleeper", hasty.address, hasty_token) as sleeper:
        task = submit(hasty, **LONG, results=1)
        until(lambda: running(hasty, task))
        sleeper.send(signal.SIGSTOP)
        with RemoteWorker(tmp_path / "other", hasty.address, hasty_token):
            until(lambda: told(hasty, task)["attempt"] >= 2)
            sleeper.send(signal.SIGCONT)
            done = run_again(hasty, task)
            until(lambda: "task.lost" in sleeper.log)
    new = {name.split("/", 2)[2] for name in hasty.objects().keys() - before}
    assert new == {f"{done['attempt']}/0", f"{done['attempt']}/0.thumbnail"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_starts_again_finds_the_work_going_on(
    server: Darkroom, token: str, tmp_path: Path, number: int
) -> None:
    with Cut(target_of(server)) as network, RemoteWorker(tmp_path / "worker", network.address, token):
        two = [{**FAKE, "params": {**LONG, "results": 1}}] * 2
        tasks = server.client().post("/api/tasks/batch", json=two).raise_for_status().json()["ids"]
        until(lambda: all(running(server, task) for task in tasks))
        server.kill() if number == signal.SIGKILL else server.stop()
        server.start()
        network.mend(target_of(server))
        for task in tasks:
            done = final(server, task)
            assert (done["state"], len(done["outputs"])) == ("succeeded", 1)
            assert fetched(done["outputs"][0]["url"]).content.startswith(b"\x89PNG")


def test_a_network_that_is_away_for_less_than_a_lease_costs_nothing(
    server: Darkroom, token: str, tmp_path: Path
) -> None:
    with Cut(target_of(server)) as network, RemoteWorker(tmp_path / "worker", network.address, token) as worker:
        task = submit(server, steps=12, step_ms=100, results=1)
        until(lambda: running(server, task))
        network.cut()
        until(lambda: '"heartbeat"' in worker.log or "storage.failed" in worker.log)  # which did not arrive
        network.mend()
        done = final(server, task)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_a_network_that_is_away_for_longer_than_a_lease_lets_another_one_work(
    hasty: Darkroom, hasty_token: str, tmp_path: Path
) -> None:
    with Cut(target_of(hasty)) as network, RemoteWorker(tmp_path / "far", network.address, hasty_token) as far:
        task = submit(hasty, **LONG, results=1)
        until(lambda: running(hasty, task))
        network.cut()
        with RemoteWorker(tmp_path / "near", hasty.address, hasty_token):
            run_again(hasty, task)
            network.mend()
            until(lambda: "task.lost" in far.log)
            again = submit(hasty, results=1)
            assert final(hasty, again)["state"] == "succeeded"


def test_a_lease_whose_news_got_lost_is_told_again(server: Darkroom, token: str, tmp_path: Path) -> None:
    with Cut(target_of(server)) as network, RemoteWorker(tmp_path / "worker", network.address, token):
        lost = threading.Event()

        def first_claim(piece: bytes) -> bool:
            if b"POST /workers/claim" not in piece or lost.is_set():
                return False
            lost.set()
            return True

        network.swallow = first_claim
        done = final(server, submit(server, results=1))
        assert network.swallowed == 1
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_an_end_whose_confirmation_got_lost_stands(server: Darkroom, token: str, tmp_path: Path) -> None:
    with Cut(target_of(server)) as network, RemoteWorker(tmp_path / "worker", network.address, token) as worker:
        lost = threading.Event()

        def first_end(piece: bytes) -> bool:
            if b"POST /workers/finish" not in piece or lost.is_set():
                return False
            lost.set()
            return True

        network.swallow = first_end
        task = submit(server, results=1)
        done = final(server, task)
        until(lambda: "storage.failed" in worker.log)
        until(lambda: worker.log.count("storage.failed") and network.swallowed == 1)
        assert worker.end() == 0
        assert "task.lost" not in worker.log
    assert (done["state"], done["attempt"]) == ("succeeded", 1)
    assert fetched(done["outputs"][0]["url"]).content.startswith(b"\x89PNG")


# ---- who may


def test_a_wrong_token_and_a_key_of_another_kind_end_a_worker_with_a_sentence(server: Darkroom, tmp_path: Path) -> None:
    for name, token, sentence in (
        ("wrong", "sk-wrong", "unknown or was revoked"),
        ("caller", server.key, "scope 'worker'"),
    ):
        worker = RemoteWorker(tmp_path / name, server.address, token)
        worker.start(wait=False)
        assert worker.wait() == 1
        assert sentence in worker.log
        assert "Traceback" not in worker.log


def test_a_revoked_token_ends_the_worker_that_uses_it(server: Darkroom, tmp_path: Path) -> None:
    with RemoteWorker(tmp_path / "worker", server.address, token_of(server, "for a while")) as worker:
        server.revoke("for a while")
        assert worker.wait() == 1
        assert "revoked" in worker.log.splitlines()[-1]


def test_a_worker_of_another_language_is_told_so(server: Darkroom, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    body = {"protocol": 0, "nothing": "else is known of it"}
    answer = httpx.post(f"{server.address}/workers/hello", json=body, headers=headers, trust_env=False, timeout=60)
    assert answer.status_code == 400
    assert "same release" in answer.json()["message"]


def test_a_worker_ends_that_is_told_so(tmp_path: Path) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.dumps({"code": "unsupported", "message": "Run the same release of Darkroom on both."}).encode()
            self.send_response(400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Stranger) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        worker = RemoteWorker(tmp_path / "worker", f"http://127.0.0.1:{other.server_port}", "sk-any")
        worker.start(wait=False)
        assert worker.wait() == 1
        assert "same release" in worker.log
        other.shutdown()


def test_a_worker_waits_for_a_server_that_is_not_there_yet(server: Darkroom, token: str, tmp_path: Path) -> None:
    with Cut(target_of(server)) as network, ExitStack() as stack:
        network.cut()
        worker = RemoteWorker(tmp_path / "worker", network.address, token)
        stack.push(worker)
        worker.start(wait=False)
        until(lambda: "cannot be reached" in (worker.folder / "printed").read_text())
        network.mend()
        until(lambda: "worker.started" in worker.log)
        assert worker.end() == 0


# ---- which tasks


def test_a_model_that_needs_a_label_is_run_by_a_worker_that_has_it(tmp_path: Path) -> None:
    env = {**ENV, "DARKROOM_REQUIRES": '{"fake" = ["gpu=h200", "room=2"]}'}
    with Darkroom(tmp_path / "server", engines="fake", env=env, flags=SERVES_NOTHING) as server:
        token = token_of(server)
        with RemoteWorker(tmp_path / "plain", server.address, token, "--labels", "gpu=h200") as plain:
            task = submit(server, results=1)
            other = server.client().post("/api/tasks", json={**FAKE, "model": "fake-process"}).json()["id"]
            assert final(server, other)["state"] == "succeeded"
            assert told(server, task)["state"] == "queued"
            assert told(server, task)["is_possible"] is False
            with RemoteWorker(tmp_path / "fit", server.address, token, "--labels", "room=2,gpu=h200,more") as fit:
                assert final(server, task)["state"] == "succeeded"
                assert fit.end() == 0
            assert plain.end() == 0


def test_a_worker_for_some_models_leaves_the_others(server: Darkroom, token: str, tmp_path: Path) -> None:
    with RemoteWorker(tmp_path / "worker", server.address, token, "--models", "fake-process"):
        left = submit(server, results=1)
        taken = server.client().post("/api/tasks", json={**FAKE, "model": "fake-process"}).json()["id"]
        assert final(server, taken)["state"] == "succeeded"
        assert told(server, left)["state"] == "queued"
        server.client().post(f"/api/tasks/{left}/cancel").raise_for_status()
