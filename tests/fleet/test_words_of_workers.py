"""What a worker may say to a server, as bare requests: nothing that is not its own, and nothing that makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from workers import SERVES_NOTHING, submit, token_of, told

from darkroom.testing.server import Darkroom

WISH = {"engines": ["fake"], "room": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that runs nothing itself."""
    with Darkroom(tmp_path_factory.mktemp("server"), engines="fake", flags=SERVES_NOTHING) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture(scope="module")
def worker(server: Darkroom) -> httpx.Client:
    """Somebody who speaks as a worker."""
    return server.client(token_of(server))


def claimed(server: Darkroom, worker: httpx.Client, name: str = "one") -> dict[str, Any]:
    """A new task, leased."""
    made = submit(server)
    tasks = worker.post("/workers/claim", json={"worker": name, "wish": WISH}).raise_for_status().json()["tasks"]
    assert [task["public_id"] for task in tasks] == [made]
    return dict(tasks[0])


def end(worker: httpx.Client, task: dict[str, Any], **told_too: Any) -> bool:
    """Whether the end of an attempt was taken."""
    body = {"task": task["id"], "attempt": task["attempt"], **told_too}
    return bool(worker.post("/workers/finish", json=body).raise_for_status().json()["done"])


def test_a_worker_is_told_nothing_of_callers_that_it_need_not_know(server: Darkroom, worker: httpx.Client) -> None:
    body = {"operation": "image.generate", "model": "fake", "metadata": {"secret": "of the caller"}}
    server.client().post("/api/tasks", json=body).raise_for_status()
    answer = worker.post("/workers/claim", json={"worker": "one", "wish": WISH}).raise_for_status()
    assert "of the caller" not in answer.text
    [task] = answer.json()["tasks"]
    assert task["key_id"] is None
    assert end(worker, task)


@pytest.mark.parametrize("path", ["hello", "claim", "renew", "finish"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"task": 5}', b"\xff", b"[" * 10_000, b'{"protocol": "x"}'])
def test_nonsense_is_refused(worker: httpx.Client, path: str, body: bytes) -> None:
    answer = worker.post(f"/workers/{path}", content=body)
    if path == "renew" and body == b"[]":
        assert answer.json() == []
        return
    assert answer.status_code == 400
    assert answer.json()["code"] in ("invalid_input", "unsupported")


@pytest.mark.parametrize("room", [0, -1, 1025, 10**12])
def test_a_worker_wants_no_more_than_one_can_run(worker: httpx.Client, room: int) -> None:
    answer = worker.post("/workers/claim", json={"worker": "one", "wish": {**WISH, "room": room}})
    assert (answer.status_code, answer.json()["param"]) == (400, "room")


def test_nobody_without_a_workers_key_may_say_anything(server: Darkroom) -> None:
    for key, status in ((None, 401), ("sk-wrong", 401), (server.key, 403)):
        client = server.client(key)
        for method, path in (
            ("POST", "hello"),
            ("POST", "claim"),
            ("POST", "finish"),
            ("GET", "hints"),
            ("GET", "tasks/x/1/inputs/0"),
            ("PUT", "tasks/x/1/files/0"),
            ("DELETE", "tasks/x/1/files/0"),
        ):
            assert client.request(method, f"/workers/{path}", content=b"{}").status_code == status


def test_an_attempt_ends_once_and_its_number_is_its_owners(server: Darkroom, worker: httpx.Client) -> None:
    task = claimed(server, worker)
    assert not end(worker, {**task, "attempt": 2})
    assert not end(worker, {**task, "attempt": 0})
    assert not end(worker, {**task, "id": "nobody's"})
    assert end(worker, task)
    assert not end(worker, task)
    assert end(worker, task, again=True)  # its confirmation might have been lost
    assert told(server, task["public_id"])["state"] == "succeeded"


def test_two_workers_of_one_name_do_not_end_each_others_tasks(server: Darkroom, worker: httpx.Client) -> None:
    first, second = claimed(server, worker, "same"), claimed(server, worker, "same")
    assert first["id"] != second["id"]
    assert end(worker, first)
    renewed = worker.post(
        "/workers/renew", json=[{"task": task["id"], "attempt": 1, "news": {}} for task in (first, second)]
    )
    assert renewed.json() == ["LOST", "CONTINUE"]
    assert end(worker, second)


def test_results_lie_below_their_own_attempt(server: Darkroom, worker: httpx.Client) -> None:
    task, other = claimed(server, worker), claimed(server, worker)
    lease = f"/workers/tasks/{task['id']}/1/files"
    assert worker.put(f"{lease}/0", content=b"a picture").status_code == 204
    for path in ("../../x", "%2e%2e/%2e%2e/x", "..%2f..%2fx", ".hidden", "a//b", ""):
        refused = worker.put(f"{lease}/{path}", content=b"x").status_code
        assert refused in (400, 404, 405), (path, refused)
    assert not any(name.endswith("x") for name in server.objects())
    artifact = {"key": f"tasks/{other['id']}/1/0", "media_type": "image/png", "size": 9, "width": 1, "height": 1}
    body = {"task": task["id"], "attempt": 1, "artifacts": [artifact]}
    assert worker.post("/workers/finish", json=body).status_code == 409
    own = {**artifact, "key": f"tasks/{task['id']}/1/0"}
    assert end(worker, task, artifacts=[own])
    assert end(worker, other)
    for late in (worker.put(f"{lease}/0", content=b"another"), worker.delete(f"{lease}/0"), worker.delete(f"{lease}/")):
        assert late.status_code == 409
    assert server.objects()[f"tasks/{task['id']}/1/0"] == len(b"a picture")


def test_a_lost_lease_takes_no_results_and_gives_no_inputs(server: Darkroom, worker: httpx.Client) -> None:
    task = claimed(server, worker)
    assert end(worker, task, stop="release")
    lease = f"/workers/tasks/{task['id']}/1"
    assert worker.put(f"{lease}/files/0", content=b"late").status_code == 409
    assert worker.get(f"{lease}/inputs/0").status_code == 409
    assert worker.delete(f"{lease}/files/").status_code == 204
    server.client().post(f"/api/tasks/{task['public_id']}/cancel").raise_for_status()


def test_an_input_that_there_is_not_is_not_found(server: Darkroom, worker: httpx.Client) -> None:
    task = claimed(server, worker)
    assert worker.get(f"/workers/tasks/{task['id']}/1/inputs/0").status_code == 404
    assert end(worker, task)


def test_a_failure_is_told_in_the_workers_words(server: Darkroom, worker: httpx.Client) -> None:
    task = claimed(server, worker)
    problem = {"code": "invalid_media", "message": "The picture is of nothing.", "param": "inputs"}
    assert end(worker, task, error=problem)
    failed = told(server, task["public_id"])
    assert (failed["state"], failed["error"]["code"]) == ("failed", "invalid_media")
    assert failed["error"]["message"] == "The picture is of nothing."
