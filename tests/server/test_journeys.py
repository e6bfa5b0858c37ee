"""Whole journeys of each vendor's clients, written from the vendors' pages, on SQLite and on PostgreSQL."""

from __future__ import annotations

import httpx
import pytest
from harness import Darkroom, fetched, polls, unsigned, until
from samples import broken_png, png, shape
from vendors import (
    DIMILINKS,
    MUYUHAN,
    NATIVE,
    TENSORSLAB,
    VENDORS,
    Vendor,
    answered,
    ask,
    form,
    picture_form,
    until_final,
)

EACH_VENDOR = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
ORDER = ("queued", "running", "succeeded")


@pytest.fixture
def caller(each_server: Darkroom) -> httpx.Client:
    """A client of the server on either database."""
    return each_server.client()


def test_slow_tasks_of_every_vendor_pass_through_its_states_in_their_order(caller: httpx.Client) -> None:
    ids = {vendor.name: vendor.made(caller, "a lake, fake:slow") for vendor in VENDORS}
    seen: dict[str, list[str]] = {vendor.name: [] for vendor in VENDORS}

    def look() -> list[str]:
        states = [vendor.state(vendor.read(caller, ids[vendor.name])) for vendor in VENDORS]
        for vendor, state in zip(VENDORS, states, strict=True):
            seen[vendor.name].append(state)
        return states

    for states in polls(look, lambda states: set(states) == {"succeeded"}):
        assert "failed" not in states
    for states in seen.values():
        assert states == sorted(states, key=ORDER.index)
        assert {"running", "succeeded"} <= set(states)


def test_a_tensorslab_journey(caller: httpx.Client) -> None:
    made = answered(caller.post("/v1/images/seedreamv5", **form(prompt="a lake", resolution="80x60", batchsize="2")))
    assert made == {"code": 1000, "msg": "Task created successfully", "data": {"taskid": made["data"]["taskid"]}}
    task_id = made["data"]["taskid"]
    done = until_final(TENSORSLAB, caller, task_id)
    assert (done["code"], done["msg"]) == (1000, "OK")
    data = done["data"]
    assert data.keys() == {"taskid", "starttime", "url", "image_status", "width", "height"}
    assert (data["width"], data["height"], len(data["url"])) == (80, 60, 2)
    files = [fetched(url) for url in data["url"]]
    assert [shape(file.content) for file in files] == [("PNG", (80, 60))] * 2
    assert files[0].content != files[1].content
    assert TENSORSLAB.read(caller, task_id) == done
    deleted = answered(caller.post("/v1/images/deleteimagestask", json={"taskids": [task_id], "uid": "7"}))
    assert deleted == {"code": 1000, "msg": "Successfully", "data": {"status": "Success"}}
    assert TENSORSLAB.refused(ask(caller, TENSORSLAB.query(task_id))) == TENSORSLAB.not_found
    assert fetched(data["url"][0]).status_code == 404


def test_a_tensorslab_edit_of_an_upload(caller: httpx.Client, picture: bytes) -> None:
    parts = picture_form("sourceImage", "in.png", picture, prompt="brighter", resolution="2K")
    task_id = TENSORSLAB.task_id(answered(caller.post("/v1/images/quickedit", **parts)))
    done = until_final(TENSORSLAB, caller, task_id)["data"]
    assert done["image_status"] == 3
    assert abs(done["width"] / done["height"] - 40 / 30) < 0.02


def test_a_dimilinks_journey(caller: httpx.Client) -> None:
    body = {"model": "gpt-image-2", "prompt": "a lake", "size": "80x60", "n": 2, "output_format": "jpeg"}
    made = answered(caller.post("/v1/images/generations?async=true", json=body))
    assert made.keys() == {"created", "data", "task_id", "resolution"}
    assert made["data"] == []
    done = until_final(DIMILINKS, caller, made["task_id"])
    assert done.keys() == {"id", "task_id", "object", "status", "progress", "created_at", "completed_at", "result"}
    assert (done["object"], done["status"], done["progress"]) == ("image.task", "succeeded", 100)
    assert done["created_at"] == made["created"] <= done["completed_at"]
    files = [fetched(item["url"]) for item in done["result"]["data"]]
    assert [shape(file.content) for file in files] == [("JPEG", (80, 60))] * 2
    assert files[0].headers["content-type"] == "image/jpeg"
    assert len({item["file_id"] for item in done["result"]["data"]}) == 2
    assert unsigned(DIMILINKS.read(caller, made["task_id"])) == unsigned(done)
    old = answered(caller.get(f"/v1/images/tasks/{made['task_id']}"))
    assert (old["status"], old["error"], old["credit_cost"]) == ("success", "", 2)
    assert unsigned(old["data"]) == unsigned(done["result"]["data"])


def test_a_dimilinks_edit_of_uploads(caller: httpx.Client, picture: bytes) -> None:
    parts = [("image[]", ("a.png", picture)), ("image[]", ("b.png", png(50, 50))), ("prompt", (None, "together"))]
    done = answered(caller.post("/v1/images/edits", files=parts))
    assert [shape(fetched(item["url"]).content)[0] for item in done["data"]] == ["PNG"]


def test_a_muyuhan_journey_with_a_face_and_two_targets(caller: httpx.Client) -> None:
    pictures = [("images", (f"{side}.png", png(side, side))) for side in (30, 40, 50)]
    made = answered(caller.post("/submitTask", files=[*pictures, *form(taskType="3", appId="a", udid="u")["files"]]))
    assert (made["code"], made["msg"]) == (200, "SUCCESS")
    assert made["data"].keys() == {"promptId", "customTaskId", "taskId", "id", "state"}
    done = until_final(MUYUHAN, caller, made["data"]["promptId"])["data"]
    keys = {"taskId", "promptId", "taskType", "thumbFileUrl", "state", "reason", "imageList", "taskList"}
    assert done.keys() == keys
    assert (done["state"], done["taskType"], done["reason"]) == (30, 3, "")
    assert len(done["taskList"]) == len(done["imageList"]) == 2
    assert all(part.keys() == keys - {"taskList"} for part in done["taskList"])
    assert [image for part in done["taskList"] for image in part["imageList"]] == done["imageList"]
    assert done["taskId"] == done["taskList"][0]["taskId"] == made["data"]["taskId"]
    assert done["thumbFileUrl"] == done["imageList"][0]["path"]
    for image in done["imageList"]:
        assert shape(fetched(image["origin"]).content)[0] == "PNG"
        assert shape(fetched(image["path"]).content)[0] == "WEBP"
    part = answered(caller.get("/getTaskInfo", params={"promptId": done["taskList"][1]["promptId"]}))["data"]
    assert unsigned(part) == unsigned({**done["taskList"][1], "taskList": []})
    assert unsigned(MUYUHAN.read(caller, done["promptId"])["data"]) == unsigned(done)


def test_a_muyuhan_journey_by_way_of_an_upload(caller: httpx.Client, picture: bytes) -> None:
    kept = answered(caller.post("/picUpload", **picture_form("images", "a.png", picture, taskType="8")))["data"]
    assert (kept["state"], kept["customTaskId"]) == (30, kept["fileName"])
    body = {"taskType": 6, "scale": 2, "fileName": kept["fileName"]}
    made = answered(caller.post("/submitTask", json=body))
    assert until_final(MUYUHAN, caller, made["data"]["promptId"])["data"]["state"] == 30


def test_a_muyuhan_task_delivers_the_parts_that_succeeded(caller: httpx.Client, picture: bytes) -> None:
    files = [("images", ("a.png", picture)), ("images", ("b.png", broken_png()))]
    made = answered(caller.post("/submitTask", files=[*files, *form(taskType="5", styleId="12")["files"]]))
    done = until_final(MUYUHAN, caller, made["data"]["promptId"])["data"]
    assert [part["state"] for part in done["taskList"]] == [30, 2]
    assert (done["state"], len(done["imageList"])) == (30, 1)
    assert done["taskList"][1]["reason"]
    assert shape(fetched(done["imageList"][0]["origin"]).content) == ("PNG", (40, 30))
    native = answered(caller.get(f"/api/tasks/{made['data']['promptId']}"))
    assert (native["state"], native["cost"]) == ("succeeded", native["children"][0]["cost"])
    assert [child["state"] for child in native["children"]] == ["succeeded", "failed"]


def test_a_muyuhan_task_fails_when_every_part_does(caller: httpx.Client) -> None:
    files = [("images", ("a.png", broken_png())), ("images", ("b.png", broken_png()))]
    made = answered(caller.post("/submitTask", files=[*files, *form(taskType="5")["files"]]))
    done = until_final(MUYUHAN, caller, made["data"]["promptId"])["data"]
    assert [part["state"] for part in done["taskList"]] == [2, 2]
    assert (done["state"], done["imageList"], done["thumbFileUrl"]) == (2, [], "")
    assert done["reason"] == done["taskList"][0]["reason"] != ""


REASON = "The fake engine failed, as asked. Ask for success."


def test_a_failed_task_says_why_in_every_dialect(caller: httpx.Client) -> None:
    for maker in VENDORS:
        task_id = maker.made(caller, "a lake, fake:fail")
        native = until_final(NATIVE, caller, task_id)
        assert (native["state"], native["outputs"], native["cost"]) == ("failed", [], 0)
        assert native["error"] == {"code": "engine_failed", "message": REASON, "param": None}
        data = TENSORSLAB.read(caller, task_id)
        expected = {"taskid": task_id, "url": [], "image_status": 4, "error_message": REASON}
        assert data == {"code": 1000, "msg": "OK", "data": expected}
        assert DIMILINKS.read(caller, task_id)["error"] == {"code": "upstream_error", "message": REASON}
        old = answered(caller.get(f"/v1/images/tasks/{task_id}"))
        assert (old["status"], old["error"]) == ("failed", f"upstream_error: {REASON}")
        muyuhan = MUYUHAN.read(caller, task_id)["data"]
        assert (muyuhan["state"], muyuhan["reason"], muyuhan["imageList"]) == (2, REASON, [])


@EACH_VENDOR
def test_a_task_is_read_through_every_dialect(caller: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.made(caller, "a lake")
    until_final(vendor, caller, task_id)
    files = []
    for other in VENDORS:
        body = other.read(caller, task_id)
        assert other.state(body) == "succeeded"
        files += [fetched(link) for link in other.links(body)]
    assert len(files) == len(VENDORS)
    assert {file.status_code for file in files} == {200}
    assert len({file.content for file in files}) == 1


@EACH_VENDOR
def test_a_task_that_fails_once_succeeds_in_the_end(caller: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.made(caller, "a lake, fake:fail_once")
    assert vendor.state(until_final(vendor, caller, task_id)) == "succeeded"
    assert answered(caller.get(f"/api/tasks/{task_id}"))["attempt"] == 2


@EACH_VENDOR
def test_a_running_task_can_be_canceled(caller: httpx.Client, vendor: Vendor) -> None:
    task_id = vendor.made(caller, "a lake, fake:hang")
    until(lambda: vendor.state(vendor.read(caller, task_id)) == "running")
    canceled = answered(caller.post(f"/api/tasks/{task_id}/cancel"))
    assert (canceled["state"], canceled["error"]["code"], canceled["cost"]) == ("canceled", "canceled", 0)
    assert vendor.state(vendor.read(caller, task_id)) == "failed"
    again = answered(caller.post(f"/api/tasks/{task_id}/cancel"))
    assert again["state"] == "canceled"
    assert DIMILINKS.read(caller, task_id)["error"]["code"] == "interrupted"


def test_a_finished_task_cannot_be_canceled(caller: httpx.Client) -> None:
    task_id = NATIVE.made(caller, "a lake")
    until_final(NATIVE, caller, task_id)
    assert NATIVE.refused(caller.post(f"/api/tasks/{task_id}/cancel")) == "409 conflict"
    assert answered(caller.get(f"/api/tasks/{task_id}"))["state"] == "succeeded"


def test_a_waiting_task_with_parts_is_canceled_with_all_of_them(caller: httpx.Client, picture: bytes) -> None:
    hanging = [NATIVE.made(caller, "fake:hang") for _ in range(4)]  # one for each slot of the server
    files = [("images", ("a.png", picture))] * 3
    made = answered(caller.post("/submitTask", files=[*files, *form(taskType="4")["files"]]))["data"]
    task = answered(caller.post(f"/api/tasks/{made['promptId']}/cancel"))
    assert task["state"] == "canceled"
    assert [child["state"] for child in task["children"]] == ["canceled"] * 3
    for task_id in hanging:
        assert caller.delete(f"/api/tasks/{task_id}").status_code == 204


@EACH_VENDOR
def test_a_running_task_can_be_deleted(each_server: Darkroom, caller: httpx.Client, vendor: Vendor) -> None:
    client = each_server.client(each_server.new_key(credits=5))
    task_id = vendor.made(client, "a lake, fake:hang")
    until(lambda: vendor.state(vendor.read(client, task_id)) == "running")
    assert client.delete(f"/api/tasks/{task_id}").status_code == 204
    assert vendor.refused(ask(client, vendor.query(task_id))) == vendor.not_found
    assert NATIVE.refused(client.delete(f"/api/tasks/{task_id}")) == "404 not_found"
    account = answered(client.get("/api/account"))
    assert (account["available"], account["held"]) == (5, 0)
    assert answered(client.get("/api/tasks"))["items"] == []
