"""A submit with an `Idempotency-Key` happens once, however often it is sent; and what was sent is not lost."""

from __future__ import annotations

import base64
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Darkroom
from samples import png
from vendors import MUYUHAN, NATIVE, TENSORSLAB, Request, Vendor, answered

VENDORS = pytest.mark.parametrize("vendor", [NATIVE, TENSORSLAB, MUYUHAN], ids=lambda vendor: vendor.name)
CONFLICTS = {"native": "409 conflict", "tensorslab": "200 9999", "muyuhan": "200 800"}


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


@VENDORS
def test_a_repeated_submit_gets_the_same_task(caller: httpx.Client, vendor: Vendor) -> None:
    ids = {vendor.task_id(answered(sent(caller, vendor.submit("once")))) for _ in range(3)}
    assert task_ids(caller) == [*ids]
    assert answered(caller.get(f"/api/tasks/{next(iter(ids))}?wait=20"))["state"] == "succeeded"
    assert vendor.task_id(answered(sent(caller, vendor.submit("once")))) in ids
    assert answered(caller.get("/api/account"))["available"] == 49


@VENDORS
def test_another_request_under_the_same_key_is_a_conflict(caller: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.task_id(answered(sent(caller, vendor.submit("once"))))
    assert vendor.refused(sent(caller, vendor.submit("twice"))) == CONFLICTS[vendor.name]
    assert task_ids(caller) == [task_id]


@VENDORS
def test_the_same_key_of_somebody_else_means_nothing(
    each_server: Darkroom, caller: httpx.Client, vendor: Vendor
) -> None:
    other = each_server.client(each_server.new_key(), headers={"Idempotency-Key": caller.headers["idempotency-key"]})
    mine, theirs = (vendor.task_id(answered(sent(client, vendor.submit("once")))) for client in (caller, other))
    assert mine != theirs


@VENDORS
def test_a_repeated_upload_counts_by_its_content(caller: httpx.Client, vendor: Vendor) -> None:
    def upload(content: bytes, name: str = "a.png") -> Request:
        if vendor is not NATIVE:
            return vendor.upload(name, content)
        kept = answered(caller.post("/api/files", files={"file": (name, content)}))["id"]
        return "POST", "/api/tasks", {"json": {"operation": "image.edit", "inputs": [{"file": kept}]}}

    ids = {vendor.task_id(answered(sent(caller, upload(png(40, 30))))) for _ in range(2)}
    assert task_ids(caller) == [*ids]
    assert vendor.refused(sent(caller, upload(png(30, 40)))) == CONFLICTS[vendor.name]
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
    assert NATIVE.refused(client.post("/api/tasks", json={**body, "count": 2})) == "409 conflict"
    del client.headers["Idempotency-Key"]
    assert NATIVE.refused(client.post("/api/tasks", json=body)) == NATIVE.no_credits
    data = f"data:image/png;base64,{inputs[0]['data']}"
    assert MUYUHAN.refused(client.post("/submitTask", json={"taskType": 4, "images": data})) == MUYUHAN.no_credits
    assert server.uploads() == kept
