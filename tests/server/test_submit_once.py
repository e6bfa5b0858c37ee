"""A submit with an `Idempotency-Key` happens once, however often it is sent; and what was sent is not lost."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Darkroom, unsigned, until
from samples import png
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Request, Vendor, answered, form

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
MISMATCHES = {
    "native": "422 idempotency_mismatch",
    "tensorslab": "200 9999",
    "dimilinks": "422 invalid_request_error",
    "muyuhan": "200 800",
}
ROUTES = {
    "/v1/images/generations": lambda prompt: {"prompt": prompt, "size": "64x48"},
    "/v1/videos": lambda prompt: {"prompt": prompt},
    "/v1/videos/generations": lambda prompt: {"prompt": prompt},
    "/v1/chat/completions": lambda prompt: {
        "model": "gpt-image-2",
        "messages": [{"role": "user", "content": prompt}],
        "size": "64x48",
    },
}


@pytest.fixture
def caller(each_server: Darkroom) -> httpx.Client:
    """A client of the server on either database, of an account of its own, that sends a new key with every submit."""
    key = each_server.new_key(credits=50)
    return each_server.client(key, headers={"Idempotency-Key": secrets.token_hex(8)})


def sent(client: httpx.Client, request: Request) -> httpx.Response:
    """The answer to a submit."""
    method, path, options = request
    return client.request(method, path, **options)


def task_ids(client: httpx.Client) -> list[str]:
    """The ids of all tasks of the account."""
    return [task["id"] for task in answered(client.get("/api/tasks"))["items"]]


@EACH_VENDOR
def test_a_repeated_submit_gets_the_same_task(caller: httpx.Client, vendor: Vendor) -> None:
    ids = {vendor.task_id(answered(sent(caller, vendor.submit("once")))) for _ in range(3)}
    assert task_ids(caller) == [*ids]
    assert answered(caller.get(f"/api/tasks/{next(iter(ids))}?wait=20"))["state"] == "succeeded"
    assert vendor.task_id(answered(sent(caller, vendor.submit("once")))) in ids
    assert answered(caller.get("/api/account"))["available"] == 49


@pytest.mark.parametrize("path", ROUTES)
def test_each_route_of_a_vendor_submits_once(server: Darkroom, path: str) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    for _ in range(2):
        assert client.post(path, json=ROUTES[path]("a lake")).status_code == 200
    (task_id,) = task_ids(client)
    assert DIMILINKS.refused(client.post(path, json=ROUTES[path]("another lake"))) == MISMATCHES["dimilinks"]
    assert task_ids(client) == [task_id]


def test_a_video_by_form_is_submitted_once(server: Darkroom) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    for _ in range(2):
        answered(client.post("/v1/video/seedancev1", **form(prompt="waves")))
    assert len(task_ids(client)) == 1


def test_a_repeated_submit_is_answered_as_the_first_was_with_its_results(server: Darkroom) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    body = {"prompt": "a lake", "size": "64x48"}
    first, again = (answered(client.post("/v1/images/generations", json=body)) for _ in range(2))
    assert unsigned(first) == unsigned(again)
    assert len(first["data"]) == 1


def test_a_task_that_runs_is_the_same_task(server: Darkroom) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    body = {"operation": "image.generate", "params": {"outcome": "hang"}}
    task_id = answered(client.post("/api/tasks", json=body))["id"]
    until(lambda: answered(client.get(f"/api/tasks/{task_id}"))["state"] == "running")
    again = answered(client.post("/api/tasks", json=body))
    assert (again["id"], again["state"]) == (task_id, "running")
    assert client.delete(f"/api/tasks/{task_id}").status_code == 204
    assert answered(client.post("/api/tasks", json={**body, "params": {}}))["id"] != task_id  # the key is free


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_a_key_that_is_none_is_refused(server: Darkroom, key: str) -> None:
    response = server.client().post(
        "/api/tasks", json={"operation": "image.generate"}, headers={"Idempotency-Key": key}
    )
    assert NATIVE.refused(response) == "400 invalid_input"


def test_a_repeated_submit_needs_its_inputs_no_more(server: Darkroom, site: str) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    data = base64.b64encode(png(40, 30)).decode()
    body = {"operation": "image.edit", "inputs": [{"data": data}]}
    task_id = answered(client.post("/api/tasks", json=body))["id"]
    kept = server.uploads()
    assert answered(client.post("/api/tasks", json=body))["id"] == task_id
    assert server.uploads() == kept


@pytest.mark.parametrize("vendor", [TENSORSLAB, MUYUHAN, DIMILINKS], ids=lambda vendor: vendor.name)
def test_what_a_repeated_submit_uploads_is_not_kept(server: Darkroom, vendor: Vendor) -> None:
    client = server.client(server.new_key(credits=50), headers={"Idempotency-Key": secrets.token_hex(8)})
    request = vendor.upload("a.png", png(40, 30))
    task_id = vendor.task_id(answered(sent(client, request)))
    kept = server.uploads()
    assert vendor.task_id(answered(sent(client, request))) == task_id
    assert server.uploads() == kept


# ---- without a key


@pytest.fixture(scope="module")
def forgiving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server that takes equal requests within ten minutes for one."""
    with Darkroom(tmp_path_factory.mktemp("forgiving"), env={"DARKROOM_REPEAT_SECONDS": "600"}) as running:
        yield running


@EACH_VENDOR
def test_the_same_request_within_the_window_is_the_same_task(forgiving: Darkroom, vendor: Vendor) -> None:
    client, other = (forgiving.client(forgiving.new_key(credits=50)) for _ in range(2))
    ids = {vendor.task_id(answered(sent(client, vendor.submit("again")))) for _ in range(3)}
    assert task_ids(client) == [*ids]
    assert vendor.task_id(answered(sent(client, vendor.submit("something else")))) not in ids
    assert vendor.task_id(answered(sent(other, vendor.submit("again")))) not in ids


def test_a_batch_within_the_window_is_the_same_batch(forgiving: Darkroom) -> None:
    client = forgiving.client(forgiving.new_key(credits=50))
    body = [{"operation": "image.generate"}] * 2
    first, again = (answered(client.post("/api/tasks/batch", json=body))["ids"] for _ in range(2))
    assert first == again


def test_a_task_that_failed_does_not_stand_for_the_next_one(forgiving: Darkroom) -> None:
    client = forgiving.client(forgiving.new_key(credits=50))
    ids = [NATIVE.task_id(answered(sent(client, NATIVE.submit("fake:fail")))) for _ in range(1)]
    assert answered(client.get(f"/api/tasks/{ids[0]}?wait=20"))["state"] == "failed"
    assert NATIVE.task_id(answered(sent(client, NATIVE.submit("fake:fail")))) not in ids


def test_many_of_the_same_request_at_once_make_one_task_without_a_key(forgiving: Darkroom) -> None:
    client = forgiving.client(forgiving.new_key(credits=50))
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda _: answered(sent(client, NATIVE.submit("once"))), range(16))]
    assert len({answer["id"] for answer in answers}) == 1


def test_usually_the_same_request_makes_another_task(server: Darkroom) -> None:
    client = server.client(server.new_key(credits=50))
    assert len({NATIVE.task_id(answered(sent(client, NATIVE.submit("again")))) for _ in range(3)}) == 3


@EACH_VENDOR
def test_another_request_under_the_same_key_is_refused(caller: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.task_id(answered(sent(caller, vendor.submit("once"))))
    assert vendor.refused(sent(caller, vendor.submit("twice"))) == MISMATCHES[vendor.name]
    assert task_ids(caller) == [task_id]


@EACH_VENDOR
def test_the_same_key_of_somebody_else_means_nothing(
    each_server: Darkroom, caller: httpx.Client, vendor: Vendor
) -> None:
    other = each_server.client(each_server.new_key(), headers={"Idempotency-Key": caller.headers["idempotency-key"]})
    mine, theirs = (vendor.task_id(answered(sent(client, vendor.submit("once")))) for client in (caller, other))
    assert mine != theirs


@EACH_VENDOR
def test_a_repeated_upload_counts_by_its_content(caller: httpx.Client, vendor: Vendor) -> None:
    def upload(content: bytes, name: str = "a.png") -> Request:
        if vendor is not NATIVE:
            return vendor.upload(name, content)
        kept = answered(caller.post("/api/files", files={"file": (name, content)}))["id"]
        return "POST", "/api/tasks", {"json": {"operation": "image.edit", "inputs": [{"file": kept}]}}

    ids = {vendor.task_id(answered(sent(caller, upload(png(40, 30))))) for _ in range(2)}
    assert task_ids(caller) == [*ids]
    assert vendor.refused(sent(caller, upload(png(30, 40)))) == MISMATCHES[vendor.name]
    assert task_ids(caller) == [*ids]


def test_many_of_the_same_submit_at_once_make_one_task(caller: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as threads:
        answers = [*threads.map(lambda _: answered(sent(caller, NATIVE.submit("once"))), range(16))]
    assert len({answer["id"] for answer in answers}) == 1
    assert task_ids(caller) == [answers[0]["id"]]
    assert answered(caller.get("/api/account"))["available"] + answered(caller.get("/api/account"))["held"] <= 50


def test_a_repeated_submit_is_answered_although_the_credits_are_gone(each_server: Darkroom) -> None:
    client = each_server.client(each_server.new_key(credits=1), headers={"Idempotency-Key": secrets.token_hex(8)})
    task_id = NATIVE.task_id(answered(sent(client, NATIVE.submit("once"))))
    assert NATIVE.task_id(answered(sent(client, NATIVE.submit("once")))) == task_id
    del client.headers["Idempotency-Key"]
    assert NATIVE.refused(sent(client, NATIVE.submit("once more"))) == NATIVE.no_credits


def test_inputs_of_a_repeated_or_refused_submit_are_not_kept(server: Darkroom, picture: bytes) -> None:
    client = server.client(server.new_key(credits=1), headers={"Idempotency-Key": secrets.token_hex(8)})
    inputs = [{"data": base64.b64encode(picture).decode()}]
    body: dict[str, Any] = {"operation": "image.edit", "inputs": inputs}
    task_id = answered(client.post("/api/tasks", json=body))["id"]
    kept = server.uploads()
    assert answered(client.post("/api/tasks", json=body))["id"] == task_id
    assert NATIVE.refused(client.post("/api/tasks", json={**body, "count": 2})) == "422 idempotency_mismatch"
    del client.headers["Idempotency-Key"]
    assert NATIVE.refused(client.post("/api/tasks", json=body)) == NATIVE.no_credits
    data = f"data:image/png;base64,{inputs[0]['data']}"
    assert MUYUHAN.refused(client.post("/submitTask", json={"taskType": 4, "images": data})) == MUYUHAN.no_credits
    assert server.uploads() == kept


@pytest.mark.parametrize("vendor", [TENSORSLAB, MUYUHAN], ids=lambda vendor: vendor.name)
def test_the_upload_of_a_repeated_submit_is_not_kept_a_second_time(
    server: Darkroom, picture: bytes, vendor: Vendor
) -> None:
    client = server.client(server.new_key(), headers={"Idempotency-Key": secrets.token_hex(8)})
    before = server.uploads()
    task_id = vendor.task_id(answered(sent(client, vendor.upload("a.png", picture))))
    (kept,) = server.uploads() - before
    for _ in range(2):
        assert vendor.task_id(answered(sent(client, vendor.upload("a.png", picture)))) == task_id
    assert server.uploads() - before == {kept}
    assert answered(client.get(f"/api/tasks/{task_id}?wait=20"))["state"] == "succeeded"
