"""Server-sent events: how things stand, then each change, without a gap, until the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from harness import NO_TLS, PATIENCE, Darkroom, until
from samples import png
from vendors import MUYUHAN, answered, ask

HANGS = {"operation": "image.generate", "params": {"outcome": "hang"}}
STEPS = {"operation": "image.generate", "params": {"steps": 4, "step_ms": 300}}
Event = tuple[int | None, str, Any]


@pytest.fixture
def caller(each_server: Darkroom) -> httpx.Client:
    """A client of an account of its own, on either database."""
    return each_server.client(each_server.new_key())


@contextmanager
def following(client: httpx.Client, path: str, after: int | None = None) -> Iterator[Iterator[Event]]:
    """The events of a stream as they come: (number, name, data)."""
    headers = {"Last-Event-ID": str(after)} if after is not None else {}
    with client.stream("GET", path, headers=headers) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert (response.headers["cache-control"], response.headers["x-accel-buffering"]) == ("no-store", "no")
        yield events(response.iter_lines())


def events(lines: Iterator[str]) -> Iterator[Event]:
    """Events of a stream, as a browser reads it."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "data" in fields:
            number = int(fields["id"]) if "id" in fields else None
            yield number, fields["event"], json.loads(fields["data"])
            fields = {}
        else:
            fields = {}


def submitted(client: httpx.Client, body: dict[str, Any]) -> str:
    """The id of a new task."""
    return str(answered(client.post("/api/tasks", json=body))["id"])


def test_a_task_is_followed_from_how_it_stands_to_its_end(caller: httpx.Client) -> None:
    task_id = submitted(caller, STEPS)
    with following(caller, f"/api/tasks/{task_id}/events") as stream:
        told = list(stream)  # the stream ends by itself
    assert told[0][1] == "state"
    assert [data["state"] for _, name, data in told if name == "state"][-2:] == ["running", "succeeded"]
    assert {25, 50, 75} & {data["task"]["progress"] for _, _, data in told}
    numbers = [number for number, _, _ in told if number is not None]
    assert numbers == sorted(set(numbers))
    task = told[-1][2]["task"]
    assert (task["id"], task["progress"], len(task["outputs"])) == (task_id, 100, 1)
    assert told[0][2]["task"]["events_url"]


def test_a_waiting_task_tells_its_place_in_the_queue(tmp_path: Any) -> None:
    with Darkroom(tmp_path, flags=("--workers", "0")) as server:
        client = server.client()
        first, second = submitted(client, HANGS), submitted(client, HANGS)
        with following(client, f"/api/tasks/{second}/events") as stream:
            assert next(stream)[2]["task"]["position"] == 2
            assert client.post(f"/api/tasks/{first}/cancel").status_code == 200
            _, name, data = next(stream)  # within the time of a look
            assert (name, data["task"]["position"]) == ("task", 1)


def test_who_comes_back_is_told_what_happened_meanwhile(caller: httpx.Client) -> None:
    task_id = submitted(caller, {**STEPS, "params": {"outcome": "fail_once"}})
    with following(caller, f"/api/tasks/{task_id}/events") as stream:
        told = list(stream)
    assert told[-1][2]["state"] == "succeeded"
    with following(caller, f"/api/tasks/{task_id}/events", after=1) as stream:
        again = list(stream)
    assert [data["state"] for _, _, data in again] == ["running", "queued", "running", "succeeded"]
    for seen, (number, _, _) in enumerate(again[:-1], start=1):
        with following(caller, f"/api/tasks/{task_id}/events", after=number) as stream:
            assert [event[0] for event in stream] == [event[0] for event in again[seen:]]
    done = caller.get(f"/api/tasks/{task_id}/events", headers={"Last-Event-ID": str(again[-1][0])})
    assert (done.status_code, done.content) == (204, b"")


def test_a_finished_task_is_told_at_once(caller: httpx.Client) -> None:
    task_id = answered(caller.post("/api/tasks?wait=20", json=STEPS))["id"]
    with following(caller, f"/api/tasks/{task_id}/events") as stream:
        ((_, name, data),) = stream
    assert (name, data["state"]) == ("state", "succeeded")


def test_a_task_with_parts_is_followed_as_a_whole(caller: httpx.Client) -> None:
    assert MUYUHAN.parts
    task_id = MUYUHAN.task_id(answered(ask(caller, MUYUHAN.parts(png(40, 30), png(30, 40)))))
    with following(caller, f"/api/tasks/{task_id}/events") as stream:
        told = list(stream)
    assert told[-1][2]["state"] == "succeeded"
    assert len(told[-1][2]["task"]["outputs"]) == 2


def test_a_task_that_is_canceled_or_deleted_ends_its_stream(caller: httpx.Client) -> None:
    for end in ("cancel", "delete"):
        task_id = submitted(caller, HANGS)
        with following(caller, f"/api/tasks/{task_id}/events") as stream:
            while next(stream)[2]["state"] != "running":
                pass
            if end == "cancel":
                assert caller.post(f"/api/tasks/{task_id}/cancel").status_code == 200
                assert list(stream)[-1][2]["state"] == "canceled"
            else:
                assert caller.delete(f"/api/tasks/{task_id}").status_code == 204
                _, name, data = list(stream)[-1]  # it was canceled first, and may have been gone before that was seen
                assert (name == "state" and data["state"] == "canceled") or data["error"]["code"] == "not_found"


def test_an_account_is_told_of_all_its_tasks_and_of_nobody_elses(each_server: Darkroom, caller: httpx.Client) -> None:
    other = each_server.client(each_server.new_key())
    waiting = submitted(caller, HANGS)
    until(lambda: answered(caller.get(f"/api/tasks/{waiting}"))["state"] == "running")
    theirs = submitted(other, HANGS)
    with following(caller, "/api/events") as stream:
        _, name, data = next(stream)
        assert (name, data["task"]["id"], data["state"]) == ("task", waiting, "running")
        number, name, data = next(stream)
        assert (name, data) == ("synced", {})
        assert number
        task_id = submitted(caller, STEPS)
        states, progress = [], set()
        while states[-1:] != ["succeeded"]:
            number, name, data = next(stream)
            if data["task"]["id"] == waiting:
                continue  # it may still report how far it has come
            assert data["task"]["id"] == task_id
            assert (number is not None) == (name == "state")
            states += [data["state"]] if name == "state" else []
            progress.add(data["task"]["progress"])
        assert states == ["queued", "running", "succeeded"]
        assert progress & {25, 50, 75}
        last = number
    done = submitted(caller, {"operation": "image.generate"})
    assert answered(caller.get(f"/api/tasks/{done}?wait=20"))["state"] == "succeeded"
    with following(caller, "/api/events", after=last) as stream:
        assert next(stream)[:2] == (last, "synced")
        missed = [next(stream) for _ in range(3)]
        assert [data["state"] for _, _, data in missed] == ["queued", "running", "succeeded"]
        assert {data["task"]["id"] for _, _, data in missed} == {done}
    for client, left in ((caller, waiting), (other, theirs)):
        assert client.delete(f"/api/tasks/{left}").status_code == 204


def test_a_browser_follows_by_a_signed_link_without_a_key(each_server: Darkroom, caller: httpx.Client) -> None:
    task_id = submitted(caller, HANGS)
    task_link = answered(caller.get(f"/api/tasks/{task_id}"))["events_url"]
    account_link = answered(caller.get("/api/account"))["events_url"]
    with httpx.Client(verify=NO_TLS, trust_env=False, timeout=PATIENCE) as browser:
        for link in (task_link, account_link):
            with following(browser, link) as stream:
                assert next(stream)[2]["task"]["id"] == task_id
            altered = link.replace("sig=", "sig=0")
            assert browser.get(altered).status_code == 403
            assert browser.get(link.partition("?")[0]).status_code in (400, 401)
        stolen = account_link.replace("/accounts/", "/accounts/0")
        assert browser.get(stolen).status_code == 403
        assert browser.get(f"{each_server.address}/api/events").status_code == 401
        assert browser.get(f"{each_server.address}/api/events?key={each_server.key}").status_code == 401
    assert caller.delete(f"/api/tasks/{task_id}").status_code == 204


def test_what_is_somebody_elses_cannot_be_followed(server: Darkroom, client: httpx.Client, stranger: str) -> None:
    task_id = submitted(client, {"operation": "image.generate"})
    assert server.client(stranger).get(f"/api/tasks/{task_id}/events").status_code == 404


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 19])
def test_a_number_that_is_none_is_refused(client: httpx.Client, number: str) -> None:
    for path in ("/api/events", f"/api/tasks/{submitted(client, {'operation': 'image.generate'})}/events"):
        for ask_by in ({"headers": {"Last-Event-ID": number}}, {"params": {"after": number}}):
            response = client.get(path, **ask_by)  # type: ignore[arg-type]
            assert (response.status_code, response.json()["error"]["param"]) == (400, "after")


def test_a_head_request_is_answered_without_a_stream(client: httpx.Client) -> None:
    assert client.head("/api/events").status_code == 200


def test_many_followers_of_one_task_see_its_end(server: Darkroom) -> None:
    client = server.client(limits=httpx.Limits(max_connections=50))
    task_id = submitted(client, STEPS)

    def last(_: int) -> str:
        with following(client, f"/api/tasks/{task_id}/events") as stream:
            return str(list(stream)[-1][2]["state"])

    with ThreadPoolExecutor(20) as threads:
        assert set(threads.map(last, range(20))) == {"succeeded"}


def test_a_stream_ends_when_its_key_is_revoked(server: Darkroom) -> None:
    client = server.client(server.new_key(name="short-lived"))
    with following(client, "/api/events") as stream:
        assert next(stream)[1] == "synced"
        server.revoke("short-lived")
        assert list(stream) == []
