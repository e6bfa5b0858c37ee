"""Answers that wait: they come when the task ends, when the time is over, and not for who has gone."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Darkroom, unsigned, until
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Vendor, answered, ask

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
JOB = {"operation": "image.generate"}
HANGS = {**JOB, "params": {"outcome": "hang"}}
TAKES_A_WHILE = {**JOB, "params": {"steps": 1, "step_ms": 700}}


def waiting(vendor: Vendor, task_id: str, seconds: float) -> tuple[str, str, dict[str, Any]]:
    """A query that waits."""
    method, path, options = vendor.query(task_id)
    return method, f"{path}{'&' if '?' in path else '?'}wait={seconds}", options


@EACH_VENDOR
def test_a_waiting_query_is_answered_when_the_task_ends(server: Darkroom, client: httpx.Client, vendor: Vendor) -> None:
    task = answered(client.post("/api/tasks", json=TAKES_A_WHILE))
    assert task["state"] in ("queued", "running")
    started = time.monotonic()
    body = answered(ask(client, waiting(vendor, task["id"], 20)))
    assert vendor.state(body) == "succeeded"
    assert time.monotonic() - started < 10  # not when the time is over


OTHER_QUERIES = {
    "/v1/images/tasks/{}": ("GET", {}),
    "/v1/videos/{}": ("GET", {}),
    "/getTaskInfo?custom_task_id={}": ("GET", {}),
    "/v1/video/infobytaskid": ("POST", {"json": {"taskid": "{}", "moreTaskInfo": False}}),
}
ENDS = ("succeeded", "success", "completed", 30, 3)


@pytest.mark.parametrize("by", ["query", "header"])
@pytest.mark.parametrize("path", OTHER_QUERIES)
def test_every_other_query_waits_too(client: httpx.Client, path: str, by: str) -> None:
    task_id = answered(client.post("/api/tasks", json=TAKES_A_WHILE))["id"]
    method, options = OTHER_QUERIES[path]
    body = {"json": {**options["json"], "taskid": task_id}} if options else {}
    where = path.format(task_id)
    asked = {"headers": {"Prefer": "wait=20"}} if by == "header" else {}
    if by == "query":
        where += f"{'&' if '?' in where else '?'}wait=20"
    found = answered(client.request(method, where, **body, **asked))
    found = found["data"] if isinstance(found.get("data"), dict) else found
    found = found.get("taskInfo", found)
    states = [found.get(name) for name in ("status", "state", "task_status")]
    assert any(state in ENDS for state in states if state is not None), found


@EACH_VENDOR
def test_a_waiting_query_is_answered_when_its_time_is_over(client: httpx.Client, vendor: Vendor) -> None:
    task = answered(client.post("/api/tasks", json=HANGS))
    started = time.monotonic()
    body = answered(ask(client, waiting(vendor, task["id"], 0.4)))
    assert vendor.state(body) in ("queued", "running")
    assert time.monotonic() - started >= 0.4
    assert client.delete(f"/api/tasks/{task['id']}").status_code == 204


@pytest.mark.parametrize(("path", "headers"), [("/api/tasks?wait=20", {}), ("/api/tasks", {"Prefer": "wait=20"})])
def test_a_submit_can_wait_for_the_end(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    response = client.post(path, json=TAKES_A_WHILE, headers=headers)
    assert (response.status_code, response.json()["state"]) == (201, "succeeded")


def test_a_preference_to_wait_counts_for_queries_too(client: httpx.Client) -> None:
    task_id = answered(client.post("/api/tasks", json=TAKES_A_WHILE))["id"]
    response = client.get(f"/api/tasks/{task_id}", headers={"Prefer": "respond-async, wait=20"})
    assert answered(response)["state"] == "succeeded"


def test_a_waiting_query_of_a_finished_task_is_answered_at_once(client: httpx.Client) -> None:
    task = answered(client.post("/api/tasks?wait=20", json=JOB))
    assert unsigned(answered(client.get(f"/api/tasks/{task['id']}?wait=50"))) == unsigned(task)


@pytest.mark.parametrize("wait", ["-1", "soon", "nan", "inf", "1e999", ""])
def test_a_time_that_is_none_is_refused(client: httpx.Client, wait: str) -> None:
    task_id = answered(client.post("/api/tasks", json=JOB))["id"]
    for vendor in VENDORS:
        method, path, options = vendor.query(task_id)
        response = client.request(method, f"{path}{'&' if '?' in path else '?'}wait={wait}", **options)
        assert "wait" in response.text
        assert vendor.refused(response) in (*vendor.invalid, "404 9999")


def test_a_cancel_and_a_delete_wake_whoever_waits(client: httpx.Client) -> None:
    with ThreadPoolExecutor(2) as threads:
        for end in ("cancel", "delete"):
            task_id = answered(client.post("/api/tasks", json=HANGS))["id"]
            until(lambda: answered(client.get(f"/api/tasks/{task_id}"))["state"] == "running")  # noqa: B023
            waiter = threads.submit(client.get, f"/api/tasks/{task_id}?wait=25")
            if end == "cancel":
                assert answered(client.post(f"/api/tasks/{task_id}/cancel"))["state"] == "canceled"
            else:
                assert client.delete(f"/api/tasks/{task_id}").status_code == 204
            answer = waiter.result(timeout=10)
            assert (answer.status_code == 404 and end == "delete") or answer.json()["state"] == "canceled"


def test_many_can_wait_for_the_same_task(server: Darkroom) -> None:
    client = server.client(limits=httpx.Limits(max_connections=100))
    task_id = answered(client.post("/api/tasks", json=TAKES_A_WHILE))["id"]
    with ThreadPoolExecutor(40) as threads:
        answers = [*threads.map(lambda _: client.get(f"/api/tasks/{task_id}?wait=20"), range(40))]
    assert {answered(response)["state"] for response in answers} == {"succeeded"}


# ---- the vendor whose submit waits


def test_a_dimilinks_submit_waits_for_its_pictures(client: httpx.Client) -> None:
    body = answered(client.post("/v1/images/generations", json={"prompt": "a lake", "size": "64x48", "n": 2}))
    assert body.keys() == {"created", "data", "task_id", "resolution"}
    assert [item.keys() for item in body["data"]] == [{"url", "file_id"}] * 2
    assert DIMILINKS.links(DIMILINKS.read(client, body["task_id"])) == [item["url"] for item in body["data"]]


def test_a_dimilinks_submit_that_fails_while_it_waits_is_an_error(client: httpx.Client) -> None:
    response = client.post("/v1/images/generations", json={"prompt": "a lake, fake:fail"})
    assert DIMILINKS.refused(response) == "502 upstream_error"


@pytest.mark.parametrize(
    ("query", "headers", "fields"),
    [
        ("?async=true", {}, {}),
        ("?async=1", {}, {}),
        ("?wait_for_result=false", {}, {}),
        ("", {"Prefer": "respond-async"}, {}),
        ("", {}, {"wait_for_result": False}),
    ],
)
def test_a_dimilinks_submit_is_answered_at_once_where_its_caller_says_so(
    client: httpx.Client, query: str, headers: dict[str, str], fields: dict[str, Any]
) -> None:
    body = {"prompt": "a lake, fake:hang", "size": "64x48", **fields}
    made = answered(client.post(f"/v1/images/generations{query}", json=body, headers=headers))
    assert made["data"] == []
    assert DIMILINKS.state(DIMILINKS.read(client, made["task_id"])) in ("queued", "running")
    assert client.delete(f"/api/tasks/{made['task_id']}").status_code == 204


def test_a_dimilinks_submit_in_the_shape_of_apimart_has_a_ticket(client: httpx.Client) -> None:
    made = answered(client.post("/v1/images/generations?compat=apimart", json={"prompt": "a lake"}))
    ticket = made["data"][0]
    assert made == {"code": 200, "data": [{"status": "submitted", "task_id": ticket["task_id"]}]}
    refused = client.post("/v1/images/generations?compat=apimart", json={})
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, 400)


# ---- headers


@EACH_VENDOR
def test_an_unfinished_task_says_when_to_ask_again_and_a_finished_one_has_a_tag(
    client: httpx.Client, vendor: Vendor
) -> None:
    hanging, done = vendor.made(client, "a lake, fake:hang"), vendor.made(client, "a lake")
    unfinished = ask(client, vendor.query(hanging))
    assert 1 <= int(unfinished.headers["retry-after"]) <= 30
    assert "etag" not in unfinished.headers
    answered(ask(client, waiting(vendor, done, 20)))
    finished = ask(client, vendor.query(done))
    assert "retry-after" not in finished.headers
    method, path, options = vendor.query(done)
    for _ in range(2):
        again = client.request(method, path, headers={"If-None-Match": finished.headers["etag"]}, **options)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", finished.headers["etag"])
        other = client.request(method, path, headers={"If-None-Match": '"another"'}, **options)
        assert (other.status_code, other.content) == (200, finished.content)
    assert client.delete(f"/api/tasks/{hanging}").status_code == 204


def test_a_submit_says_when_to_ask_for_the_first_time(client: httpx.Client) -> None:
    response = client.post("/api/tasks", json=HANGS)
    assert response.status_code == 201
    assert int(response.headers["retry-after"]) >= 1
    assert client.delete(f"/api/tasks/{response.json()['id']}").status_code == 204


# ---- callers that hang up


def hang_up(server: Darkroom, key: str, path: str, body: bytes, *, sent: int | None = None) -> None:
    """Send a JSON submit as soon as the server wants its body, and close the connection without reading the answer.

    With `sent`, only that many bytes of the body are sent.
    """
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {key}\r\nExpect: 100-continue\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with server.connect() as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[:sent])


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/tasks", b'{"operation": "image.generate"}'),
        ("/api/tasks?wait=20", b'{"operation": "image.generate", "params": {"step_ms": 300}}'),
        ("/v1/images/generations", b'{"prompt": "a lake"}'),
        ("/v1/images/generations?async=true", b'{"prompt": "a lake"}'),
        ("/submitTask", b'{"taskType": 7, "content": "a lake"}'),
    ],
)
def test_a_task_goes_on_when_its_caller_hangs_up_before_the_answer(server: Darkroom, path: str, body: bytes) -> None:
    key = server.new_key(credits=10)
    client = server.client(key)
    for count in range(1, 6):
        hang_up(server, key, path, body)
        until(lambda: len(answered(client.get("/api/tasks"))["items"]) == count)  # noqa: B023
    for task in answered(client.get("/api/tasks"))["items"]:
        assert answered(client.get(f"/api/tasks/{task['id']}?wait=20"))["state"] == "succeeded"
    assert answered(client.get("/api/account"))["available"] == 5


def test_a_task_goes_on_when_its_caller_hangs_up_before_the_server_has_looked(
    each_server: Darkroom, picture: bytes
) -> None:
    parts = b'--here\r\nContent-Disposition: form-data; name="sourceImage"; filename="a.png"\r\n\r\n' + picture
    parts += b'\r\n--here\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nbrighter\r\n--here--\r\n'
    for path, kind, body in (
        ("/api/tasks", "application/json", b'{"operation": "image.generate"}'),
        ("/v1/images/seedreamv4", "multipart/form-data; boundary=here", parts),
    ):
        key = each_server.new_key(credits=1)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Type: {kind}\r\n"
        with each_server.connect() as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        client = each_server.client(key)
        (task,) = until(lambda: answered(client.get("/api/tasks"))["items"])  # noqa: B023
        assert answered(client.get(f"/api/tasks/{task['id']}?wait=20"))["state"] == "succeeded"


def test_a_task_goes_on_when_its_caller_hangs_up_while_it_runs(server: Darkroom) -> None:
    key = server.new_key()
    client = server.client(key)
    body = b'{"operation": "image.generate", "params": {"steps": 8, "step_ms": 250}}'
    head = f"POST /api/tasks?wait=20 HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head.encode() + body)
        (task,) = until(lambda: answered(client.get("/api/tasks", params={"state": "running"}))["items"])
    assert answered(client.get(f"/api/tasks/{task['id']}?wait=20"))["state"] == "succeeded"


def test_a_task_goes_on_when_whoever_waits_for_it_hangs_up(server: Darkroom, client: httpx.Client) -> None:
    task_id = answered(client.post("/api/tasks", json=TAKES_A_WHILE))["id"]
    with server.connect() as connection:
        connection.sendall(
            f"GET /api/tasks/{task_id}?wait=20 HTTP/1.1\r\nHost: x\r\nAuthorization: {server.key}\r\n\r\n".encode()
        )
    assert answered(client.get(f"/api/tasks/{task_id}?wait=20"))["state"] == "succeeded"


def test_a_submit_whose_body_breaks_off_makes_no_task(server: Darkroom, picture: bytes) -> None:
    key = server.new_key()
    client = server.client(key)
    kept = server.uploads()
    hang_up(server, key, "/api/tasks", b'{"operation": "image.generate"}', sent=20)
    form = b'--here\r\nContent-Disposition: form-data; name="sourceImage"; filename="a.png"\r\n\r\n' + picture
    with server.connect() as connection:
        connection.sendall(
            f"POST /v1/images/seedreamv4 HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\nContent-Length: 99999\r\n"
            "Content-Type: multipart/form-data; boundary=here\r\n\r\n".encode()
            + form
        )
    NATIVE.made(client, "after all that")
    assert len(answered(client.get("/api/tasks"))["items"]) == 1
    assert server.uploads() == kept


def test_a_client_that_hangs_up_in_the_middle_of_a_file_harms_nobody(server: Darkroom, client: httpx.Client) -> None:
    task = answered(client.post("/api/tasks?wait=20", json={**JOB, "params": {"size": "2048x2048"}}))
    url = task["outputs"][0]["url"]
    for _ in range(5):
        with server.client(None).stream("GET", url) as response:
            next(response.iter_raw(100))
    assert len(server.client(None).get(url).content) == task["outputs"][0]["size"]


def test_links_and_files_are_there_for_vendors_that_do_not_wait(client: httpx.Client) -> None:
    for vendor in (TENSORSLAB, MUYUHAN):
        task_id = vendor.made(client, "a lake")
        body = answered(ask(client, waiting(vendor, task_id, 20)))
        assert client.get(vendor.links(body)[0]).status_code == 200
