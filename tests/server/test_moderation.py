"""Content that others judge: a real service on loopback, asked by a real server."""

from __future__ import annotations

import base64
import email.message
import email.policy
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom, fetched, until
from samples import png
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, answered

from processes import refused

KEY = "a-key-of-the-moderator"
GENERATE = {"operation": "image.generate"}
Said = dict[str, Any] | bytes | None


class Judge:
    """A moderation service. `rule` makes its answer of each question; `None` is status 500."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.files: list[list[tuple[str, bytes]]] = []
        self.keys: list[str | None] = []
        self.rule: Callable[[dict[str, Any]], Said] = lambda _: {"verdict": "allow"}
        self.release = threading.Event()

    @property
    def stages(self) -> list[str]:
        return [question["stage"] for question in self.asked]

    def answer(self, content_type: str, body: bytes, key: str | None) -> Said:
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        parts = [part for part in form.iter_parts() if isinstance(part, email.message.EmailMessage)]
        contents = [part.get_payload(decode=True) for part in parts]
        question = json.loads(contents[0])
        self.asked.append(question)
        self.files.append(
            [(part.get_content_type(), bytes(data)) for part, data in zip(parts[1:], contents[1:], strict=True)]
        )
        self.keys.append(key)
        return self.rule(question)


@pytest.fixture
def judge() -> Iterator[Judge]:
    judge = Judge()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            said = judge.answer(self.headers["Content-Type"], body, self.headers.get("Authorization"))
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(500 if said is None else 200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        judge.url = f"http://127.0.0.1:{running.server_port}/check?token={KEY}"  # type: ignore[attr-defined]
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        try:
            yield judge
        finally:
            judge.release.set()
            running.shutdown()
            thread.join()


@pytest.fixture
def server(tmp_path: Path, judge: Judge) -> Iterator[Darkroom]:
    yield from judged(tmp_path, judge)


@pytest.fixture
def open_server(tmp_path: Path, judge: Judge) -> Iterator[Darkroom]:
    yield from judged(tmp_path, judge, DARKROOM_MODERATION_FAIL="open", DARKROOM_MODERATION_SECONDS="0.3")


def judged(folder: Path, judge: Judge, **env: str) -> Iterator[Darkroom]:
    asked = {"DARKROOM_MODERATION_URL": judge.url, "DARKROOM_MODERATION_KEY": KEY}  # type: ignore[attr-defined]
    with Darkroom(folder, engines="fake", env={**asked, "DARKROOM_RETRY_SECONDS": "0.01", **env}) as running:
        yield running
        assert "Traceback" not in running.log
        assert KEY not in running.log


def made(client: httpx.Client, wait: int = 20, **fields: Any) -> dict[str, Any]:
    return answered(client.post(f"/api/tasks?wait={wait}", json={**GENERATE, **fields}))


def credits_of(client: httpx.Client) -> tuple[int, int]:
    account = answered(client.get("/api/account"))
    return account["available"], account["held"]


def test_a_service_is_asked_before_and_after_with_the_files(server: Darkroom, judge: Judge) -> None:
    picture = png(40, 30)
    file = answered(server.client().post("/api/files", files={"file": picture}))["id"]
    fields = {"operation": "image.edit", "params": {"prompt": "a hat"}, "inputs": [{"file": file}]}
    task = made(server.client(), **fields)
    assert task["state"] == "succeeded"
    assert judge.stages == ["submit", "result"]
    submit, result = judge.asked
    assert (submit["operation"], submit["params"]["prompt"], submit["task"]) == ("image.edit", "a hat", task["id"])
    assert judge.files[0] == [("image/png", picture)]
    [(media_type, content)] = judge.files[1]
    assert content == fetched(task["outputs"][0]["url"]).content
    assert (media_type, result["task"]) == ("image/png", task["id"])
    assert set(judge.keys) == {f"Bearer {KEY}"}


def refusing(stage: str) -> Callable[[dict[str, Any]], Said]:
    return lambda asked: {"verdict": "refuse", "reason": "a public person."} if asked["stage"] == stage else ALLOW


ALLOW = {"verdict": "allow"}


def test_what_is_refused_before_is_never_stored(server: Darkroom, judge: Judge) -> None:
    judge.rule = refusing("submit")
    client, before = server.client(), credits_of(server.client())
    inputs = [{"data": base64.b64encode(png(8, 8)).decode()}]
    response = client.post("/api/tasks", json={"operation": "image.edit", "params": {"prompt": "x"}, "inputs": inputs})
    assert response.status_code == 400
    error = response.json()["error"]
    assert (error["code"], error["message"]) == ("content_rejected", "The content was refused: a public person.")
    assert answered(client.get("/api/tasks"))["items"] == []
    assert credits_of(client) == before
    assert server.objects() == {}


@pytest.mark.parametrize("vendor", [NATIVE, TENSORSLAB, DIMILINKS, MUYUHAN], ids=lambda vendor: vendor.name)
def test_every_dialect_tells_the_reason(server: Darkroom, judge: Judge, vendor: Any) -> None:
    judge.rule = refusing("result")
    client = server.client()
    task_id = vendor.made(client, "a lake")
    ended = until(lambda: (found := answered(client.get(f"/api/tasks/{task_id}")))["state"] == "failed" and found)
    assert ended["error"]["code"] == "content_rejected"


def test_a_result_that_is_refused_is_neither_delivered_nor_kept_nor_paid(server: Darkroom, judge: Judge) -> None:
    judge.rule = refusing("result")
    client, before = server.client(), credits_of(server.client())
    task = made(client)
    assert (task["state"], task["outputs"]) == ("failed", [])
    assert task["error"]["message"] == "The content was refused: a public person."
    assert judge.stages == ["submit", "result"]  # and was not tried again
    assert credits_of(client) == before
    assert server.objects() == {}


def review(stage: str) -> Callable[[dict[str, Any]], Said]:
    return lambda asked: {"verdict": "review"} if asked["stage"] == stage else ALLOW


def held(server: Darkroom) -> list[str]:
    return re.findall(r"^(\S+)  image", server.command("review", "list"), re.MULTILINE)


def test_a_task_held_before_its_run_waits_and_runs_when_it_is_approved(server: Darkroom, judge: Judge) -> None:
    judge.rule = review("submit")
    client = server.client()
    task = made(client, wait=1, params={"prompt": "a lake"})
    assert task["state"] == "queued"
    assert held(server) == [task["id"]]
    assert "prompt: 'a lake'" in server.command("review", "list")
    server.command("review", "approve", task["id"])
    ended = answered(client.get(f"/api/tasks/{task['id']}?wait=20"))
    assert ended["state"] == "succeeded"
    assert judge.stages == ["submit", "result"]


def test_a_result_held_after_its_run_is_delivered_as_it_is_when_it_is_approved(server: Darkroom, judge: Judge) -> None:
    judge.rule = review("result")
    client = server.client()
    task = made(client, wait=0)
    until(lambda: held(server) == [task["id"]], seconds=30)
    waiting = answered(client.get(f"/api/tasks/{task['id']}"))
    assert (waiting["state"], waiting["outputs"]) == ("queued", [])
    kept = server.objects()
    assert kept
    assert all(name in server.command("review", "list") for name in kept if not name.endswith("thumbnail"))
    server.restart()
    client = server.client()
    server.command("review", "approve", task["id"])
    ended = answered(client.get(f"/api/tasks/{task['id']}?wait=20"))
    assert ended["state"] == "succeeded"
    assert fetched(ended["outputs"][0]["url"]).status_code == 200
    assert server.objects() == kept
    assert judge.stages == ["submit", "result"]  # nothing ran twice


@pytest.mark.parametrize("stage", ["submit", "result"])
def test_a_held_task_that_is_refused_leaves_nothing_and_costs_nothing(
    server: Darkroom, judge: Judge, stage: str
) -> None:
    judge.rule = review(stage)
    client, before = server.client(), credits_of(server.client())
    task = made(client, wait=1)
    until(lambda: held(server) == [task["id"]])
    server.command("review", "refuse", task["id"], "--reason", "not in this house")
    ended = answered(client.get(f"/api/tasks/{task['id']}"))
    assert ended["state"] == "failed"
    assert ended["error"]["message"] == "The content was refused: not in this house."
    assert credits_of(client) == before
    assert server.objects() == {}
    assert held(server) == []


def test_a_held_task_that_its_caller_cancels_leaves_nothing(server: Darkroom, judge: Judge) -> None:
    judge.rule = review("result")
    client = server.client()
    task = made(client, wait=1)
    until(lambda: held(server) == [task["id"]])
    assert answered(client.post(f"/api/tasks/{task['id']}/cancel"))["state"] == "canceled"
    assert server.objects() == {}


@pytest.mark.parametrize("stage", ["submit", "result"])
def test_an_administrator_looks_at_held_tasks_and_decides_over_http(server: Darkroom, judge: Judge, stage: str) -> None:
    judge.rule = review(stage)
    client, admin = server.client(), server.client(server.command("key", "create", "--scope", "admin"))
    picture = png(40, 30)
    file = answered(client.post("/api/files", files={"file": picture}))["id"]
    fields = {"operation": "image.edit", "params": {"prompt": "a hat"}, "inputs": [{"file": file}]}
    made_ids = {made(client, 0, **fields)["id"] for _ in range(2)}
    until(lambda: len(answered(admin.get("/api/reviews"))["items"]) == 2)
    page = answered(admin.get("/api/reviews?limit=1"))
    (good,) = page["items"]
    (bad,) = answered(admin.get(f"/api/reviews?cursor={page['next_cursor']}"))["items"]
    assert {good["id"], bad["id"]} == made_ids
    assert (good["account"], good["params"]["prompt"]) == (answered(client.get("/api/account"))["id"], "a hat")
    assert [fetched(item["url"]).content for item in good["inputs"]] == [picture]
    assert len(good["outputs"]) == (stage == "result")
    assert all(fetched(item["url"]).headers["content-type"] == "image/png" for item in good["outputs"])
    assert answered(admin.post(f"/api/reviews/{good['id']}/approve"))["id"] == good["id"]
    refusal = admin.post(f"/api/reviews/{bad['id']}/refuse", json={"reason": "not in this house"})
    error = answered(refusal)["error"]
    assert (error["code"], "not in this house" in error["message"]) == ("content_rejected", True)
    assert answered(client.get(f"/api/tasks/{good['id']}?wait=30"))["state"] == "succeeded"
    assert answered(client.get(f"/api/tasks/{bad['id']}"))["state"] == "failed"
    assert all(fetched(item["url"]).status_code == 404 for item in (*good["outputs"], *bad["outputs"]))
    assert answered(admin.get("/api/reviews"))["items"] == []
    lines = answered(admin.get("/api/audit"))["items"][:2]
    assert [(line["action"], line["subject"], line["detail"]) for line in lines] == [
        ("task.refused", bad["id"], {"reason": "not in this house"}),
        ("task.approved", good["id"], {}),
    ]
    assert all(line["actor"].startswith("key ") for line in lines)


def test_a_decision_about_a_task_that_is_not_held_changes_nothing(server: Darkroom) -> None:
    client, admin = server.client(), server.client(server.command("key", "create", "--scope", "admin"))
    task = made(client)
    audited = answered(admin.get("/api/audit"))
    for task_id in (task["id"], "nobody"):
        for verdict in ("approve", "refuse"):
            response = admin.post(f"/api/reviews/{task_id}/{verdict}")
            assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
            assert client.post(f"/api/reviews/{task_id}/{verdict}").status_code == 403
    assert client.get("/api/reviews").status_code == 403
    assert answered(admin.get("/api/audit")) == audited


BROKEN: dict[str, Said] = {
    "status 500": None,
    "no JSON": b"maybe",
    "no verdict": {},
    "an unknown one": {"verdict": "?"},
}


@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN)
def test_a_moderator_that_fails_closes_the_door(server: Darkroom, judge: Judge, said: Said) -> None:
    judge.rule = lambda _: said
    response = server.client().post("/api/tasks", json=GENERATE)
    assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
    assert '"moderation.failed"' in server.log
    judge.rule = lambda asked: ALLOW if asked["stage"] == "submit" else said
    task = made(server.client())
    assert (task["state"], task["outputs"]) == ("failed", [])
    assert server.objects() == {}


def test_a_moderator_that_hangs_opens_the_door_if_the_settings_say_so(open_server: Darkroom, judge: Judge) -> None:
    def hang(_: dict[str, Any]) -> Said:
        judge.release.wait(20)
        return ALLOW

    judge.rule = hang
    assert made(open_server.client())["state"] == "succeeded"
    lines = [json.loads(line) for line in open_server.log.splitlines()]
    failed = [line for line in lines if line["event"] == "moderation.failed"]
    assert [line["stage"] for line in failed] == ["submit", "result"]
    assert "TimeoutError" in failed[0]["reason"]


PLUGIN = """
from darkroom.moderation import Answer, Verdict

async def moderate(question):
    if question.stage == "submit" and "hat" in question.params.get("prompt", ""):
        return Answer(Verdict.REFUSE, "no hats")
    if question.stage == "result":
        assert all(media.path.read_bytes()[:4] == b"\\x89PNG" for media in question.files)
    return Answer(Verdict.ALLOW)
"""


def test_a_function_of_an_installed_package_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "plugin"
    (package / "hats-1.dist-info").mkdir(parents=True)
    (package / "hats.py").write_text(PLUGIN)
    (package / "hats-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: hats\nVersion: 1\n")
    (package / "hats-1.dist-info" / "entry_points.txt").write_text("[darkroom.moderators]\nhats = hats:moderate\n")
    env = {"DARKROOM_MODERATORS": "hats", "PYTHONPATH": str(package)}
    with Darkroom(tmp_path / "server", engines="fake", env=env) as server:
        client = server.client()
        answer = client.post("/api/tasks", json={**GENERATE, "params": {"prompt": "a hat"}})
        assert answer.json()["error"]["message"] == "The content was refused: no hats."
        assert made(client, params={"prompt": "a lake"})["state"] == "succeeded"


def test_a_moderator_that_nobody_offers_stops_the_start(tmp_path: Path) -> None:
    said = refused("serve", "--data", tmp_path, "--port", "0", env={"DARKROOM_MODERATORS": "nobody"})
    assert "there is no moderator 'nobody'" in said


def test_face_swaps_need_consent_where_the_settings_say_so(tmp_path: Path) -> None:
    env = {"DARKROOM_REQUIRE_CONSENT": "true"}
    with Darkroom(tmp_path, engines="fake", env=env) as server:
        client = server.client()
        file = answered(client.post("/api/files", files={"file": png(40, 30)}))["id"]
        swap = {"operation": "image.face_swap", "inputs": [{"file": file}, {"file": file}]}
        for metadata in ({}, {"consent": False}, {"consent": "true"}, {"consent": 1}):
            response = client.post("/api/tasks", json={**swap, "metadata": metadata})
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["param"]) == (403, "forbidden", "metadata.consent")
        answered(client.post("/api/tasks", json={**swap, "metadata": {"consent": True}}))
        assert made(client)["state"] == "succeeded"
        faces = [("images", ("a.png", png(40, 30))), ("images", ("b.png", png(40, 30)))]
        other = client.post("/submitTask", data={"taskType": "3"}, files=faces)
        assert "consent" in other.text
