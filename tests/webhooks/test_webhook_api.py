"""Webhooks through a real server: its API, its command line, and what a crash leaves."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import standardwebhooks
from receivers import Receiver, hang, receiving

from server.harness import Darkroom, fetched, unsigned, until

ENV = {"DARKROOM_WEBHOOK_ALLOW": "127.0.0.0/8"}
JOB = {"operation": "image.generate", "model": "fake", "params": {"results": 1}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    with Darkroom(tmp_path_factory.mktemp("server"), engines="fake", env=ENV, flags=("--workers", "2")) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def client(server: Darkroom) -> httpx.Client:
    """Somebody with an account of his own."""
    return server.client(server.new_key())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


def made(client: httpx.Client, path: str, **body: Any) -> Any:
    answer = client.post(f"/api{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def read(client: httpx.Client, path: str) -> Any:
    answer = client.get(f"/api{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def soon(client: httpx.Client, delivery: str, status: str) -> Any:
    """A delivery when it has this status."""
    async with asyncio.timeout(60):
        while (found := read(client, f"/deliveries/{delivery}"))["status"] != status:
            await asyncio.sleep(0.02)
    return found


async def test_the_url_of_a_submit_is_told_and_its_links_lead_to_the_server(
    server: Darkroom, client: httpx.Client, receiver: Receiver
) -> None:
    task = made(client, "/tasks", **JOB, webhook=receiver.url(), metadata={"mine": 1})
    (got,) = await receiver.until(1)
    secret = read(client, "/webhook-secret")["secret"]
    told = standardwebhooks.Webhook(secret).verify(got.body.decode(), got.headers)
    assert told["type"] == "task.succeeded"
    assert unsigned(told["data"]) == unsigned(read(client, f"/tasks/{task['id']}"))
    (output,) = told["data"]["outputs"]
    assert output["url"].startswith(f"{server.address}/api/tasks/")
    assert fetched(output["url"]).content.startswith(b"\x89PNG")
    (log,) = read(client, f"/deliveries?task={task['id']}")["items"]
    log = await soon(client, log["id"], "sent")
    assert (log["id"], log["task"], log["event"], log["webhook"]) == (got.id, task["id"], "task.succeeded", None)
    assert (log["url"], log["tries"], log["http_status"], log["error"]) == (receiver.url(), 1, 204, None)


async def test_the_links_of_a_batch_lead_to_the_server_too(
    server: Darkroom, client: httpx.Client, receiver: Receiver
) -> None:
    answer = client.post("/api/tasks/batch", json=[{**JOB, "webhook": receiver.url()}] * 2)
    assert answer.status_code == 201, answer.text
    for got in await receiver.until(2):
        (output,) = got.json["data"]["outputs"]
        assert output["url"].startswith(f"{server.address}/api/tasks/")


async def test_a_webhook_of_the_account_hears_of_tasks_of_every_dialect(
    client: httpx.Client, receiver: Receiver
) -> None:
    webhook = made(client, "/webhooks", url=receiver.url(), events=["task.succeeded"])
    made(client, "/tasks", **JOB)
    await receiver.until(1)
    answer = client.post("/v1/images/seedreamv5", data={"prompt": "a lake", "resolution": "80x60"})
    *_, got = await receiver.until(2)
    told = standardwebhooks.Webhook(webhook["secret"]).verify(got.body.decode(), got.headers)
    assert told["data"]["taskid"] == answer.json()["data"]["taskid"]
    assert {got.headers["darkroom-event"] for got in receiver.got} == {"task.succeeded"}


async def test_a_webhook_is_made_read_changed_and_deleted(client: httpx.Client, receiver: Receiver) -> None:
    new = made(client, "/webhooks", url=receiver.url("/a"))
    assert new["secret"].startswith("whsec_")
    assert new["events"] == ["task.succeeded", "task.failed", "task.canceled"]
    secret = new.pop("secret")
    assert read(client, f"/webhooks/{new['id']}") == new
    assert read(client, "/webhooks") == {"items": [new]}
    changed = client.patch(f"/api/webhooks/{new['id']}", json={"url": receiver.url("/b"), "events": ["task.running"]})
    assert (changed.json()["url"], changed.json()["events"]) == (receiver.url("/b"), ["task.running"])
    disabled = client.patch(f"/api/webhooks/{new['id']}", json={"disabled": True}).json()
    assert (disabled["disabled_at"] is None, disabled["disabled_reason"]) == (False, "It was disabled by its owner.")
    assert client.post(f"/api/webhooks/{new['id']}/test").status_code == 409
    made(client, "/tasks?wait=20", **JOB)
    enabled = client.patch(f"/api/webhooks/{new['id']}", json={"disabled": False}).json()
    assert (enabled["disabled_at"], enabled["disabled_reason"], enabled["url"]) == (None, None, receiver.url("/b"))
    test = made(client, f"/webhooks/{new['id']}/test")
    (got,) = await receiver.until(1)  # and nothing of the task that came while it was disabled
    assert (got.path, got.id, got.json["type"]) == ("/b", test["id"], "webhook.test")
    standardwebhooks.Webhook(secret).verify(got.body.decode(), got.headers)
    await soon(client, test["id"], "sent")
    assert client.delete(f"/api/webhooks/{new['id']}").status_code == 204
    assert client.get(f"/api/webhooks/{new['id']}").status_code == 404
    assert client.post(f"/api/deliveries/{test['id']}/replay").status_code == 409


async def test_after_a_rotation_both_secrets_are_good(client: httpx.Client, receiver: Receiver) -> None:
    webhook = made(client, "/webhooks", url=receiver.url())
    rotated = made(client, f"/webhooks/{webhook['id']}/rotate")
    assert rotated["secret"] != webhook["secret"]
    assert rotated["previous_secret_until"] is not None
    first = read(client, "/webhook-secret")["secret"]
    second = made(client, "/webhook-secret/rotate")["secret"]
    assert read(client, "/webhook-secret")["secret"] == second != first
    made(client, "/tasks", **JOB, webhook=receiver.url("/mine"))
    for got in await receiver.until(2):
        secrets = (first, second) if got.path == "/mine" else (webhook["secret"], rotated["secret"])
        for secret in secrets:
            standardwebhooks.Webhook(secret).verify(got.body.decode(), got.headers)


async def test_a_delivery_is_replayed_under_its_id_by_the_command_line_too(
    server: Darkroom, client: httpx.Client, receiver: Receiver
) -> None:
    receiver.answers.append(410)
    made(client, "/tasks", **JOB, webhook=receiver.url())
    (got,) = await receiver.until(1)
    failed = await soon(client, got.id, "failed")
    assert (failed["http_status"], failed["tries"], failed["next_try_at"]) == (410, 1, None)
    again = made(client, f"/deliveries/{got.id}/replay")
    assert (again["status"], again["tries"], again["id"]) == ("pending", 0, got.id)
    await soon(client, got.id, "sent")
    key = client.headers["authorization"].split()[1]
    talk = ("--server", server.address, "--key", key)
    assert got.id in await asyncio.to_thread(run, server, "webhook", "list", *talk)
    assert got.id in await asyncio.to_thread(run, server, "webhook", "replay", got.id, *talk)
    assert [each.id for each in await receiver.until(3)] == [got.id] * 3


def run(server: Darkroom, *arguments: str) -> str:
    """What a command prints."""
    done = subprocess.run([sys.executable, "-m", "darkroom", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_somebody_elses_webhooks_and_deliveries_are_not_found(
    server: Darkroom, client: httpx.Client, receiver: Receiver
) -> None:
    webhook = made(client, "/webhooks", url=receiver.url())
    task = made(client, "/tasks", **JOB)
    (got,) = await receiver.until(1)
    stranger = server.client(server.new_key())
    for method, path in (
        ("GET", f"/webhooks/{webhook['id']}"),
        ("PATCH", f"/webhooks/{webhook['id']}"),
        ("DELETE", f"/webhooks/{webhook['id']}"),
        ("POST", f"/webhooks/{webhook['id']}/rotate"),
        ("POST", f"/webhooks/{webhook['id']}/test"),
        ("GET", f"/deliveries/{got.id}"),
        ("POST", f"/deliveries/{got.id}/replay"),
        ("GET", f"/deliveries?task={task['id']}"),
    ):
        assert stranger.request(method, f"/api{path}", json={}).status_code == 404, path
    assert read(stranger, "/webhooks") == {"items": []}
    assert read(stranger, f"/deliveries?webhook={webhook['id']}") == {"items": [], "next_cursor": None}
    assert read(client, f"/webhooks/{webhook['id']}")["url"] == receiver.url()


def test_an_account_has_a_limited_number_of_webhooks(client: httpx.Client) -> None:
    for number in range(20):
        made(client, "/webhooks", url=f"https://example.com/{number}")
    refused = client.post("/api/webhooks", json={"url": "https://example.com/more"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/webhooks", {}, "url"),
        ("/webhooks", {"url": "file:///etc/passwd"}, "url"),
        ("/webhooks", {"url": "https://example.com", "events": ["done"]}, "events"),
        ("/tasks", {**JOB, "webhook": "https://user:word@example.com"}, "webhook"),
        ("/tasks", {**JOB, "webhook": "https://example.com", "webhook_events": ["done"]}, "webhook_events"),
    ],
)
def test_what_cannot_be_told_is_refused(client: httpx.Client, path: str, body: dict[str, Any], param: str) -> None:
    refused = client.post(f"/api{path}", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("query", ["status=done", "limit=0", "limit=x"])
def test_a_log_that_cannot_be_read_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/api/deliveries?{query}").status_code == 400


async def test_the_log_has_pages(client: httpx.Client, receiver: Receiver) -> None:
    ids = [made(client, "/tasks?wait=20", **JOB, webhook=receiver.url())["id"] for _ in range(3)]
    first = read(client, "/deliveries?limit=2")
    second = read(client, f"/deliveries?limit=2&cursor={first['next_cursor']}")
    assert [item["task"] for item in first["items"] + second["items"]] == ids[::-1]
    assert second["next_cursor"] is None


async def test_an_address_of_this_machine_is_not_told_unless_it_is_allowed(tmp_path: Path, receiver: Receiver) -> None:
    with Darkroom(tmp_path, engines="fake") as server:
        client = server.client()
        task = made(client, "/tasks?wait=20", **JOB, webhook=receiver.url())
        log = until(lambda: [each for each in read(client, f"/deliveries?task={task['id']}")["items"] if each["error"]])
        assert "private or reserved" in log[0]["error"]
    assert receiver.connections == 0


async def test_what_was_committed_and_not_sent_when_the_server_was_killed_is_sent_under_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    """Two requests hang, which is all that an unknown receiver gets; the third is committed and cannot be sent."""
    receiver.answers.extend([hang, hang])
    with Darkroom(tmp_path, engines="fake", env=ENV) as server:
        client = server.client()
        tasks = [made(client, "/tasks?wait=20", **JOB, webhook=receiver.url())["id"] for _ in range(3)]
        await receiver.until(2)
        (third,) = read(client, f"/deliveries?task={tasks[2]}")["items"]
        assert (third["status"], third["tries"]) == ("pending", 0)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)
        await receiver.until(5, 30)  # not only when the leases end
        ids = [got.id for got in receiver.got]
        assert (set(ids[:2]) < set(ids[2:]), len(set(ids)), third["id"] in ids[2:]) == (True, 3, True)
        assert {got.json["data"]["id"] for got in receiver.got} == set(tasks)


async def test_links_begin_with_the_public_url_where_one_is_set(tmp_path: Path, receiver: Receiver) -> None:
    env = {**ENV, "DARKROOM_PUBLIC_URL": "https://media.example.com"}
    with Darkroom(tmp_path, engines="fake", env=env) as server:
        made(server.client(headers={"Host": "evil.example"}), "/tasks", **JOB, webhook=receiver.url())
        (got,) = await receiver.until(1)
    assert got.json["data"]["outputs"][0]["url"].startswith("https://media.example.com/api/tasks/")
    assert b"evil" not in got.body


async def test_no_secret_is_in_the_log(server: Darkroom, client: httpx.Client, receiver: Receiver) -> None:
    secret = made(client, "/webhooks", url=receiver.url())["secret"]
    receiver.answers.append(500)
    made(client, "/tasks", **JOB, webhook=receiver.url("/hook?token=hidden"))
    await receiver.until(1)
    until(lambda: "webhook.failed" in server.log)
    assert secret not in server.log
    assert "whsec_" not in server.log
    assert "hidden" not in server.log
