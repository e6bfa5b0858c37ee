"""Status polls that are answered from memory: never stale, never somebody else's, never for a revoked key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from harness import Darkroom, unsigned, until
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, VENDORS, Vendor, answered, ask, until_final

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)


def running(vendor: Vendor, client: httpx.Client) -> str:
    """A task that runs, and whose last answers came from memory."""
    task_id = vendor.made(client, "a lake, fake:hang")
    until(lambda: vendor.state(vendor.read(client, task_id)) == "running")
    for _ in range(5):
        assert vendor.state(vendor.read(client, task_id)) == "running"
    return task_id


@EACH_VENDOR
def test_a_change_shows_in_the_very_next_poll(client: httpx.Client, vendor: Vendor) -> None:
    task_id = running(vendor, client)
    answered(client.post(f"/api/tasks/{task_id}/cancel"))
    assert vendor.state(vendor.read(client, task_id)) == "failed"
    assert vendor.state(vendor.read(client, task_id)) == "failed"
    assert client.delete(f"/api/tasks/{task_id}").status_code == 204
    assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.not_found
    assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.not_found


@EACH_VENDOR
def test_a_deleted_task_is_gone_in_the_very_next_poll(client: httpx.Client, vendor: Vendor) -> None:
    task_id = running(vendor, client)
    assert client.delete(f"/api/tasks/{task_id}").status_code == 204
    assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.not_found


def test_two_ways_to_the_same_task_never_disagree_for_longer_than_a_request(client: httpx.Client) -> None:
    body = {"operation": "image.generate", "params": {"steps": 6, "step_ms": 150}}
    task_id = answered(client.post("/api/tasks", json=body))["id"]
    while True:
        before = answered(client.get(f"/api/tasks/{task_id}?wait=0"))  # the long way
        from_memory = answered(client.get(f"/api/tasks/{task_id}"))
        after = answered(client.get(f"/api/tasks/{task_id}?wait=0"))
        assert before["progress"] <= from_memory["progress"] <= after["progress"]
        if before["state"] == "succeeded":
            outputs = [unsigned(task["outputs"]) for task in (before, from_memory, after)]
            assert outputs[0] == outputs[1] == outputs[2]
            return


@EACH_VENDOR
def test_a_remembered_answer_is_for_its_own_caller_alone(
    server: Darkroom, client: httpx.Client, stranger: str, vendor: Vendor
) -> None:
    task_id = vendor.made(client, "a lake")
    until_final(vendor, client, task_id)
    for _ in range(3):
        vendor.read(client, task_id)
        for key, expected in ((stranger, vendor.not_found), (None, vendor.missing_key), ("sk-x", vendor.invalid_key)):
            assert vendor.refused(ask(server.client(key), vendor.query(task_id))) == expected


@EACH_VENDOR
def test_a_revoked_key_is_refused_although_it_never_stops_polling(server: Darkroom, vendor: Vendor) -> None:
    name = f"a {vendor.name} poller"
    client = server.client(server.new_key(name=name))
    task_id = vendor.made(client, "a lake")
    until_final(vendor, client, task_id)
    remembered = ask(client, vendor.query(task_id)).content
    server.revoke(name)
    until(lambda: ask(client, vendor.query(task_id)).content != remembered, seconds=2.0)
    assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.invalid_key


def test_polls_with_a_body_are_told_apart_by_it(client: httpx.Client) -> None:
    ids = [TENSORSLAB.made(client, prompt) for prompt in ("a lake", "a lake, fake:fail", "a lake")]
    expected = {task_id: TENSORSLAB.state(until_final(TENSORSLAB, client, task_id)) for task_id in ids}
    assert [*expected.values()] == ["succeeded", "failed", "succeeded"]
    for _ in range(3):
        for task_id in ids:
            body = TENSORSLAB.read(client, task_id)
            assert (body["data"]["taskid"], TENSORSLAB.state(body)) == (task_id, expected[task_id])
    for spelt in (b'{"taskid":"%s"}', b'{ "taskid" : "%s" }', b'{"more": 1, "taskid": "%s"}'):
        for task_id in ids * 2:
            content = spelt % task_id.encode()
            assert answered(client.post("/v1/images/infobytaskid", content=content))["data"]["taskid"] == task_id
    nobody = client.post("/v1/images/infobytaskid", json={"taskid": "abcd_1234567890abcdef"})
    assert TENSORSLAB.refused(nobody) == TENSORSLAB.not_found


def test_many_callers_polling_many_tasks_get_their_own(server: Darkroom) -> None:
    client = server.client(limits=httpx.Limits(max_connections=16))
    ids = [vendor.made(client, "a lake") for vendor in VENDORS for _ in range(3)]
    for task_id in ids:
        until_final(NATIVE, client, task_id)
    names: dict[str, Any] = {
        "native": lambda body: body["id"],
        "tensorslab": lambda body: body["data"]["taskid"],
        "dimilinks": lambda body: body["id"],
        "muyuhan": lambda body: body["data"]["promptId"],
    }

    def poll(number: int) -> tuple[str, str]:
        vendor, task_id = VENDORS[number % 4], ids[number * 7 % len(ids)]
        return task_id, names[vendor.name](vendor.read(client, task_id))

    with ThreadPoolExecutor(16) as threads:
        for asked, told in threads.map(poll, range(400)):
            assert asked == told


def test_the_same_task_is_remembered_apart_in_each_dialect_and_place(client: httpx.Client) -> None:
    task_id = NATIVE.made(client, "a lake")
    until_final(NATIVE, client, task_id)
    for _ in range(3):
        for vendor in VENDORS:
            assert vendor.state(vendor.read(client, task_id)) == "succeeded"
        root = DIMILINKS.links(DIMILINKS.read(client, task_id))[0]
        mounted = answered(client.get(f"/dimilinks/v1/tasks/{task_id}"))["result"]["data"][0]["url"]
        assert "/dimilinks/p/img/" in mounted
        assert "/dimilinks/" not in root
        assert client.get(root).content == client.get(mounted).content
        by_prompt = answered(client.get("/getTaskInfo", params={"promptId": task_id}))["data"]
        by_custom = answered(client.get("/getTaskInfo", params={"custom_task_id": task_id}))["data"]
        assert by_prompt["promptId"] == by_custom["taskInfo"]["customTaskId"] == task_id


def test_a_parent_shows_what_its_parts_do(client: httpx.Client, picture: bytes) -> None:
    files = [("images", ("a.png", picture))] * 3
    made = answered(client.post("/submitTask", files=[*files, ("taskType", (None, "4"))]))["data"]["promptId"]
    done = until_final(MUYUHAN, client, made)["data"]
    assert [part["state"] for part in done["taskList"]] == [30, 30, 30]
    part = done["taskList"][1]["promptId"]
    assert MUYUHAN.read(client, part)["data"]["state"] == 30
    assert client.delete(f"/api/tasks/{made}").status_code == 204
    assert MUYUHAN.refused(ask(client, MUYUHAN.query(made))) == MUYUHAN.not_found
    assert MUYUHAN.refused(ask(client, MUYUHAN.query(part))) == MUYUHAN.not_found


def test_a_head_of_a_poll_has_no_body(client: httpx.Client) -> None:
    task_id = NATIVE.made(client, "a lake")
    until_final(NATIVE, client, task_id)
    for _ in range(2):
        head = client.head(f"/api/tasks/{task_id}")
        assert (head.status_code, head.content) == (200, b"")
        assert client.get(f"/api/tasks/{task_id}").json()["id"] == task_id
