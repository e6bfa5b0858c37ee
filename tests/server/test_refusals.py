"""Who may not: requests without a good key, for somebody else's tasks, or without credits."""

from __future__ import annotations

import re

import httpx
import pytest
from harness import Darkroom, until
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Request, Vendor, answered, ask, form

PICTURE_URL = {"json": {"prompt": "a lake", "image": "https://example.com/a.png"}}
ROUTES: list[tuple[Vendor, Request]] = [
    *((vendor, vendor.submit("a lake")) for vendor in VENDORS),
    *((vendor, vendor.query("nobody")) for vendor in VENDORS),
    (NATIVE, ("GET", "/api/tasks", {})),
    (NATIVE, ("POST", "/api/tasks/nobody/cancel", {})),
    (NATIVE, ("DELETE", "/api/tasks/nobody", {})),
    (NATIVE, ("GET", "/api/models", {})),
    (NATIVE, ("GET", "/api/account", {})),
    (TENSORSLAB, ("POST", "/v1/images/deleteimagestask", {"json": {"taskids": ["nobody"]}})),
    (TENSORSLAB, ("POST", "/tensorslab/v1/images/infobytaskid", {"json": {"taskid": "nobody"}})),
    (DIMILINKS, ("GET", "/v1/images/tasks/nobody", {})),
    (DIMILINKS, ("GET", "/v1/models", {})),
    (DIMILINKS, ("POST", "/v1/images/generations", PICTURE_URL)),
    (MUYUHAN, ("GET", "/getTaskInfo?custom_task_id=nobody", {})),
    (MUYUHAN, ("GET", "/muyuhan/getTaskInfo?promptId=nobody&wait=1", {})),
]
NAMES = [f"{vendor.name} {request[0]} {request[1]}" for vendor, request in ROUTES]
EACH_ROUTE = pytest.mark.parametrize(("vendor", "request_"), ROUTES, ids=NAMES)
EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


@EACH_ROUTE
def test_a_request_without_a_key_is_refused(server: Darkroom, vendor: Vendor, request_: Request) -> None:
    assert vendor.refused(ask(server.client(None), request_)) == vendor.missing_key


@pytest.mark.parametrize("credential", ["Bearer sk-of-nobody", "sk-of-nobody", "Bearer x\xe9"])
@EACH_ROUTE
def test_a_request_with_an_unknown_key_is_refused(
    server: Darkroom, vendor: Vendor, request_: Request, credential: str
) -> None:
    headers = {"Authorization": credential.encode("latin-1")}
    assert vendor.refused(ask(server.client(None, headers=headers), request_)) == vendor.invalid_key


@pytest.mark.parametrize("credential", ["", "Bearer"])
@EACH_VENDOR
def test_an_empty_key_counts_as_none(server: Darkroom, vendor: Vendor, credential: str) -> None:
    client = server.client(None, headers={"Authorization": credential})
    assert vendor.refused(ask(client, vendor.query("nobody"))) == vendor.missing_key


@EACH_VENDOR
def test_a_key_works_with_and_without_the_word_bearer(server: Darkroom, client: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.made(client, "a lake")
    bare = server.client(None, headers={"Authorization": server.key})
    assert ask(bare, vendor.query(task_id)).status_code == 200


@EACH_VENDOR
def test_an_upload_without_a_key_is_neither_read_nor_kept(server: Darkroom, vendor: Vendor, picture: bytes) -> None:
    kept = server.uploads()
    for key in (None, "sk-of-nobody"):
        answer = ask(server.client(key), vendor.upload("a.png", picture))
        assert vendor.refused(answer) == (vendor.invalid_key if key else vendor.missing_key)
    assert server.uploads() == kept


def test_a_revoked_key_is_refused_everywhere_within_a_second_or_so(server: Darkroom) -> None:
    client = server.client(server.new_key(name="to be revoked"))
    tasks = {vendor.name: vendor.made(client, "a lake") for vendor in VENDORS}
    for vendor in VENDORS:
        until(lambda: vendor.state(vendor.read(client, tasks[vendor.name])) == "succeeded")  # noqa: B023
        vendor.read(client, tasks[vendor.name])  # from memory now
    server.revoke("to be revoked")
    until(lambda: client.get("/api/account").status_code == 401, seconds=2.0)
    for vendor, request in (*ROUTES, *((vendor, vendor.query(tasks[vendor.name])) for vendor in VENDORS)):
        assert vendor.refused(ask(client, request)) == vendor.invalid_key


# ---- what is somebody else's


def requests_for(vendor: Vendor, task_id: str) -> list[Request]:
    """Every request of a dialect that names a task."""
    return [
        vendor.query(task_id),
        *{
            "native": [
                ("POST", f"/api/tasks/{task_id}/cancel", {}),
                ("DELETE", f"/api/tasks/{task_id}", {}),
                ("GET", f"/api/tasks/{task_id}?wait=5", {}),
            ],
            "tensorslab": [("POST", "/v1/images/infobytaskid?wait=5", {"json": {"taskid": task_id}})],
            "dimilinks": [("GET", f"/v1/images/tasks/{task_id}", {}), ("GET", f"/v1/tasks/{task_id}?wait=5", {})],
            "muyuhan": [("GET", f"/getTaskInfo?custom_task_id={task_id}", {})],
        }[vendor.name],
    ]


def visible(response: httpx.Response, task_id: str) -> tuple[int, str, list[tuple[str, str]]]:
    """Everything of an answer that its caller can see, but for the time and the ids of request and task."""
    its_own = ("date", "x-request-id")
    headers = sorted((name, value) for name, value in response.headers.items() if name not in its_own)
    return response.status_code, response.text.replace(task_id, "ID"), headers


@EACH_VENDOR
def test_a_task_of_somebody_else_looks_like_one_that_never_was(
    server: Darkroom, client: httpx.Client, stranger: str, vendor: Vendor
) -> None:
    task_id = vendor.made(client, "a lake")
    missing = re.sub("[0-9a-f]{8}$", "00000000", task_id)
    other = server.client(stranger)
    for mine, nobodys in zip(requests_for(vendor, task_id), requests_for(vendor, missing), strict=True):
        assert vendor.refused(ask(other, mine)) == vendor.not_found
        assert visible(ask(other, mine), task_id) == visible(ask(other, nobodys), missing)
    assert vendor.state(vendor.read(client, task_id)) != "failed"


def test_a_delete_of_somebody_elses_task_looks_like_one_of_no_task(
    server: Darkroom, client: httpx.Client, stranger: str
) -> None:
    task_id, missing = TENSORSLAB.made(client, "a lake"), "abcd_1234567890abcdef"
    answers = [
        server.client(stranger).post("/v1/images/deleteimagestask", json={"taskids": [name]})
        for name in (task_id, missing)
    ]
    assert TENSORSLAB.refused(answers[0]) == "400 9999"
    assert visible(answers[0], task_id) == visible(answers[1], missing)
    assert ask(client, TENSORSLAB.query(task_id)).status_code == 200


def test_tasks_of_others_are_passed_over_when_a_delete_names_one_of_ones_own(
    server: Darkroom, client: httpx.Client, stranger: str
) -> None:
    other = server.client(stranger)
    own, foreign = TENSORSLAB.made(other, "a lake"), TENSORSLAB.made(client, "a lake")
    answered(other.post("/v1/images/deleteimagestask", json={"taskids": [own, foreign]}))
    assert TENSORSLAB.refused(ask(other, TENSORSLAB.query(own))) == TENSORSLAB.not_found
    assert ask(client, TENSORSLAB.query(foreign)).status_code == 200


def test_a_file_of_somebody_else_is_not_found_as_an_input(
    server: Darkroom, client: httpx.Client, stranger: str, picture: bytes
) -> None:
    file_id = answered(ask(client, NATIVE.upload("a.png", picture)))["id"]
    missing = "file_" + "0" * 32
    other = server.client(stranger)
    native = [
        other.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"file": name}]})
        for name in (file_id, missing)
    ]
    muyuhan = [other.post("/submitTask", **form(taskType="4", fileName=name)) for name in (file_id, missing)]
    assert NATIVE.refused(native[0]) == NATIVE.not_found
    assert MUYUHAN.refused(muyuhan[0]) == MUYUHAN.not_found
    for answers in (native, muyuhan):
        assert visible(answers[0], file_id) == visible(answers[1], missing)


def test_a_list_shows_the_callers_own_tasks_alone(server: Darkroom, client: httpx.Client) -> None:
    NATIVE.made(client, "a lake")
    newcomer = server.client(server.new_key())
    assert answered(newcomer.get("/api/tasks")) == {"items": [], "next_cursor": None}


# ---- credits


@EACH_VENDOR
def test_without_credits_a_submit_is_refused_and_leaves_nothing(
    server: Darkroom, vendor: Vendor, picture: bytes
) -> None:
    poor = server.client(server.new_key(credits=0))
    kept = server.uploads()
    assert vendor.refused(ask(poor, vendor.submit("a lake"))) == vendor.no_credits
    if vendor is not NATIVE:  # where an upload is a task
        assert vendor.refused(ask(poor, vendor.upload("a.png", picture))) == vendor.no_credits
    assert answered(poor.get("/api/tasks"))["items"] == []
    account = answered(poor.get("/api/account"))
    assert (account["available"], account["held"]) == (0, 0)
    assert server.uploads() == kept


def test_a_task_whose_parts_cost_more_than_there_is_leaves_nothing(server: Darkroom, picture: bytes) -> None:
    poor = server.client(server.new_key(credits=2))
    kept = server.uploads()
    files = [("images", ("a.png", picture))] * 3
    refused = poor.post("/submitTask", files=[*files, *form(taskType="4")["files"]])
    assert MUYUHAN.refused(refused) == MUYUHAN.no_credits
    assert answered(poor.get("/api/tasks"))["items"] == []
    account = answered(poor.get("/api/account"))
    assert (account["available"], account["held"]) == (2, 0)
    assert server.uploads() == kept


def test_credits_are_held_then_spent_for_what_was_delivered_alone(server: Darkroom) -> None:
    client = server.client(server.new_key(credits=5))

    def submit(**fields: object) -> dict[str, object]:
        body = {"operation": "image.generate", "count": 3, **fields}
        task: dict[str, object] = answered(client.post("/api/tasks?wait=20", json=body))
        return task

    def balance() -> tuple[int, int]:
        account = answered(client.get("/api/account"))
        return account["available"], account["held"]

    assert submit(params={"outcome": "fail"})["cost"] == 0
    assert balance() == (5, 0)
    assert submit(params={"results": 2})["cost"] == 2
    assert balance() == (3, 0)
    hanging = answered(
        client.post("/api/tasks", json={"operation": "image.generate", "count": 2, "params": {"outcome": "hang"}})
    )
    assert balance() == (1, 2)
    refused = client.post("/api/tasks", json={"operation": "image.generate", "count": 2})
    assert NATIVE.refused(refused) == NATIVE.no_credits
    answered(client.post(f"/api/tasks/{hanging['id']}/cancel"))
    assert balance() == (3, 0)
