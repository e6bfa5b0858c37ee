"""The muyuhan dialect: how tasks, errors and links are answered."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from darkroom.core.commands import Download, Get, Signature, TaskResult
from darkroom.core.errors import Code, TaskError
from darkroom.core.family import combine
from darkroom.core.task import Artifact, Failure, Operation, State, Task
from darkroom.dialects import WireResponse
from darkroom.dialects.muyuhan import dialect
from darkroom.testing.exchange import ask
from darkroom.testing.transcripts import run_transcripts


def picture(index: int = 0, *, thumbnail: bool = True, media_type: str = "image/png") -> Artifact:
    return Artifact(f"out/{index}", media_type, 10, 4, 4, f"thumb/{index}" if thumbnail else None)


def task(public_id: str = "aa11", state: State = State.QUEUED, seq: int = 7, **fields: Any) -> Task:
    values: dict[str, Any] = {"operation": Operation.IMAGE_FACE_SWAP, "model": "m", "engine": "e", **fields}
    return Task(
        id=f"id-{seq}", public_id=public_id, account_id="account", dialect="muyuhan", seq=seq, state=state, **values
    )


def parent(*children: Task) -> Task:
    return combine(task("parent", seq=6, extra={"taskType": 3}), children)


def answer_about(shown: Task) -> dict[str, Any]:
    endpoint, wire = ask(dialect, "GET", f"/getTaskInfo?promptId={shown.public_id}")
    response = endpoint.encode(TaskResult(shown), wire)
    assert response.status == 200
    body = json.loads(response.body)
    assert list(body) == ["code", "msg", "data"]
    assert (body["code"], body["msg"]) == (200, "SUCCESS")
    data: dict[str, Any] = body["data"]
    return data


def test_the_vendors_own_examples_are_answered_as_printed() -> None:
    assert run_transcripts(dialect, Path(__file__).parent / "muyuhan") == 12


def test_a_submitted_task_is_answered_under_both_names() -> None:
    endpoint, wire = ask(dialect, "POST", "/submitTask", body={})
    body = json.loads(endpoint.encode(TaskResult(task("aa11", seq=7)), wire).body)
    data = {"promptId": "aa11", "customTaskId": "aa11", "taskId": 7, "id": 7, "state": 10}
    assert body == {"code": 200, "msg": "SUCCESS", "data": data}


def test_a_submitted_parent_goes_by_the_number_of_its_first_part() -> None:
    endpoint, wire = ask(dialect, "POST", "/submitTask", body={})
    data = json.loads(endpoint.encode(TaskResult(parent(task(seq=7), task(seq=8))), wire).body)["data"]
    assert (data["promptId"], data["taskId"], data["id"]) == ("parent", 7, 7)


def test_the_number_of_a_submit_is_that_of_the_query() -> None:
    shown = parent(task(seq=7), task(seq=8))
    endpoint, wire = ask(dialect, "POST", "/submitTask", body={})
    submitted = json.loads(endpoint.encode(TaskResult(shown), wire).body)["data"]
    assert answer_about(shown)["taskId"] == submitted["taskId"]


def test_minted_ids_look_like_the_vendors() -> None:
    minted = dialect.mint_id()
    assert len(minted) == 32
    assert set(minted) <= set("0123456789abcdef")


@pytest.mark.parametrize("name", ["promptId", "custom_task_id"])
def test_a_task_is_queried_by_either_name(name: str) -> None:
    endpoint, wire = ask(dialect, "GET", f"/getTaskInfo?{name}=aa11")
    assert endpoint.poll
    assert endpoint.decode(wire) == Get("aa11")


def test_a_query_by_the_sister_applications_name_is_answered_in_its_shape() -> None:
    children = [task(f"c{seq}", State.SUCCEEDED, seq, artifacts=(picture(),), price=3, cost=3) for seq in (7, 8)]
    endpoint, wire = ask(dialect, "GET", "/getTaskInfo?custom_task_id=parent")
    body = json.loads(endpoint.encode(TaskResult(parent(*children)), wire).body)
    assert (body["code"], body["msg"]) == (200, "")
    assert list(body["data"]) == ["imageList", "taskInfo"]
    info = body["data"]["taskInfo"]
    assert (info["customTaskId"], info["id"], info["state"], info["cost"]) == ("parent", 7, 30, 6)
    assert (info["seed"], info["content"], info["aspectRatio"], info["styleId"]) == (-1, "", 0, 0)
    assert [image["taskId"] for image in body["data"]["imageList"]] == [7, 8]


def test_a_failed_task_in_the_sister_applications_shape_tells_that_credits_came_back() -> None:
    lost = task("aa11", State.FAILED, failure=Failure(Code.ENGINE_FAILED, "No face was found."), price=3, cost=0)
    endpoint, wire = ask(dialect, "GET", "/getTaskInfo?custom_task_id=aa11")
    info = json.loads(endpoint.encode(TaskResult(lost), wire).body)["data"]["taskInfo"]
    assert (info["state"], info["reason"], info["cost"], info["returnState"]) == (2, "No face was found.", 0, 1)


def test_who_sends_both_names_gets_the_apps_own_shape() -> None:
    endpoint, wire = ask(dialect, "GET", "/getTaskInfo?promptId=aa11&custom_task_id=bb22")
    assert endpoint.decode(wire) == Get("aa11")
    assert "taskList" in json.loads(endpoint.encode(TaskResult(task("aa11")), wire).body)["data"]


@pytest.mark.parametrize("target", ["/getTaskInfo", "/getTaskInfo?promptId="])
def test_a_query_without_an_id_is_a_parameter_error(target: str) -> None:
    endpoint, wire = ask(dialect, "GET", target)
    with pytest.raises(TaskError) as caught:
        endpoint.decode(wire)
    assert json.loads(dialect.encode_error(caught.value, wire).body)["code"] == 800


def test_a_query_can_wait_for_the_end() -> None:
    endpoint, wire = ask(dialect, "GET", "/getTaskInfo?promptId=aa11&wait=5")
    assert endpoint.decode(wire) == Get("aa11", 5.0)


def test_a_waiting_task_has_every_key_in_the_vendors_order() -> None:
    data = answer_about(task("aa11", seq=7))
    assert list(data.items()) == [
        ("taskId", 7),
        ("promptId", "aa11"),
        ("taskType", 3),
        ("thumbFileUrl", ""),
        ("state", 10),
        ("reason", ""),
        ("imageList", []),
        ("taskList", []),
    ]


@pytest.mark.parametrize(
    ("state", "number"),
    [(State.QUEUED, 10), (State.RUNNING, 20), (State.SUCCEEDED, 30), (State.FAILED, 2), (State.CANCELED, 2)],
)
def test_each_state_has_its_number(state: State, number: int) -> None:
    assert answer_about(task(state=state))["state"] == number


def test_a_failed_task_tells_why_and_keeps_the_detail_inside() -> None:
    failure = Failure(Code.ENGINE_FAILED, "No face was found.", detail="trace")
    data = answer_about(task(state=State.FAILED, failure=failure))
    assert (data["state"], data["reason"]) == (2, "No face was found.")
    assert "trace" not in json.dumps(data)


def test_a_task_that_will_be_tried_again_has_not_failed() -> None:
    data = answer_about(task(state=State.QUEUED, failure=Failure(Code.WORKER_LOST, "The worker was lost.")))
    assert (data["state"], data["reason"]) == (10, "")


def test_a_task_of_another_dialect_gets_the_nearest_type() -> None:
    shown = {operation: answer_about(task(operation=operation))["taskType"] for operation in Operation}
    images = {name.removeprefix("image."): number for name, number in shown.items() if name.startswith("image.")}
    assert images == {"generate": 1, "edit": 2, "face_swap": 3, "enhance": 4, "filter": 5, "upscale": 6}
    assert {number for name, number in shown.items() if name.startswith("video.")} == {7}


def test_the_type_that_was_asked_for_is_the_type_that_is_shown() -> None:
    assert answer_about(task(operation=Operation.IMAGE_ENHANCE, extra={"taskType": 6}))["taskType"] == 6


def test_results_have_numbers_and_two_links_each() -> None:
    done = task("aa11", State.SUCCEEDED, 7, artifacts=(picture(), picture(1, media_type="image/jpeg")))
    data = answer_about(done)
    assert [list(image) for image in data["imageList"]] == [["id", "taskId", "path", "origin"]] * 2
    assert [(image["id"], image["taskId"]) for image in data["imageList"]] == [(700, 7), (701, 7)]
    paths = [[urlsplit(image[kind]).path for kind in ("path", "origin")] for image in data["imageList"]]
    assert paths == [
        ["/faceWap/thumb/aa11_0.webp", "/faceWap/original/aa11_0.png"],
        ["/faceWap/thumb/aa11_1.webp", "/faceWap/original/aa11_1.jpg"],
    ]
    assert data["thumbFileUrl"] == data["imageList"][0]["path"]


def test_without_a_thumbnail_both_links_lead_to_the_result() -> None:
    image = answer_about(task(state=State.SUCCEEDED, artifacts=(picture(thumbnail=False),)))["imageList"][0]
    assert image["path"] == image["origin"]


def test_a_parent_shows_its_parts_and_joins_their_results() -> None:
    children = [task(f"c{seq}", State.SUCCEEDED, seq, artifacts=(picture(),)) for seq in (7, 8)]
    data = answer_about(parent(*children))
    assert (data["promptId"], data["taskId"], data["state"], data["taskType"]) == ("parent", 7, 30, 3)
    assert [part["promptId"] for part in data["taskList"]] == ["c7", "c8"]
    assert [part["taskId"] for part in data["taskList"]] == [7, 8]
    assert data["imageList"] == [part["imageList"][0] for part in data["taskList"]]
    assert [image["id"] for image in data["imageList"]] == [700, 800]
    assert all("taskList" not in part for part in data["taskList"])
    assert list(data)[:-1] == list(data["taskList"][0])


def test_one_good_part_makes_a_parent_done_and_the_other_tells_why_it_failed() -> None:
    good = task("c7", State.SUCCEEDED, 7, artifacts=(picture(),))
    bad = task("c8", State.FAILED, 8, failure=Failure(Code.ENGINE_FAILED, "No face was found."))
    data = answer_about(parent(bad, good))
    assert (data["state"], data["reason"], data["taskId"]) == (30, "", 8)
    assert [(part["state"], part["reason"]) for part in data["taskList"]] == [(2, "No face was found."), (30, "")]
    assert [image["taskId"] for image in data["imageList"]] == [7]


def test_a_part_is_answered_alone_when_it_is_queried() -> None:
    data = answer_about(task("c7", State.SUCCEEDED, 7, artifacts=(picture(),), parent_id="id-6"))
    assert (data["promptId"], data["taskList"]) == ("c7", [])


@pytest.mark.parametrize("public_id", ["aa11", "abcd_1234567890"])
@pytest.mark.parametrize(("kind", "thumbnail"), [("path", True), ("origin", False)])
def test_a_link_decodes_to_the_result_it_was_made_for(public_id: str, kind: str, thumbnail: bool) -> None:
    done = task(public_id, State.SUCCEEDED, artifacts=(picture(), picture(1)))
    link = urlsplit(answer_about(done)["imageList"][1][kind])
    endpoint, wire = ask(dialect, "GET", f"{link.path}?{link.query}")
    assert endpoint.public
    wanted = {part.partition("=")[0]: part.partition("=")[2] for part in link.query.split("&")}
    signature = Signature(link.path, int(wanted["exp"]), wanted["sig"])
    assert endpoint.decode(wire) == Download(public_id, 1, signature, thumbnail)


@pytest.mark.parametrize("name", ["aa11.png", "aa11_x.png", "_0.png", "aa11_00000.png", "aa11_²"])
def test_a_link_that_names_no_result_is_refused(name: str) -> None:
    endpoint, wire = ask(dialect, "GET", f"/faceWap/original/{name}?exp=1&sig=a")
    with pytest.raises(TaskError, match="names no result"):
        endpoint.decode(wire)


def error_at(target: str, code: Code, retry_after: int | None = None) -> WireResponse:
    _, wire = ask(dialect, "GET", target)
    return dialect.encode_error(TaskError(code, "Say it differently.", retry_after=retry_after), wire)


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (Code.INTERNAL, 510),
        (Code.UNAVAILABLE, 510),
        (Code.INVALID_INPUT, 800),
        (Code.INVALID_MEDIA, 800),
        (Code.UNSUPPORTED, 800),
        (Code.NOT_FOUND, 900),
        (Code.MISSING_KEY, 401),
        (Code.INVALID_KEY, 401),
        (Code.NO_CREDITS, 402),
    ],
)
def test_each_error_has_its_number_in_an_answer_of_status_200(code: Code, number: int) -> None:
    response = error_at("/getTaskInfo?promptId=aa11", code)
    assert response.status == 200
    assert json.loads(response.body) == {"code": number, "msg": "Say it differently.", "data": None}


def test_every_error_has_one_of_the_documented_numbers() -> None:
    numbers = {json.loads(error_at("/getTaskInfo", code).body)["code"] for code in Code}
    assert numbers == {401, 402, 510, 800, 900}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.INVALID_INPUT, 400),
        (Code.INVALID_LINK, 403),
        (Code.EXPIRED_LINK, 403),
        (Code.NOT_FOUND, 404),
        (Code.STORAGE_FAILED, 500),
    ],
)
@pytest.mark.parametrize("kind", ["original", "thumb"])
def test_file_links_answer_with_a_http_status_and_the_same_envelope(code: Code, status: int, kind: str) -> None:
    response = error_at(f"/faceWap/{kind}/aa11_0.png", code)
    assert response.status == status
    assert list(json.loads(response.body)) == ["code", "msg", "data"]


def test_a_refusal_says_when_to_come_back() -> None:
    assert error_at("/getTaskInfo", Code.RATE_LIMITED, 7).headers == (("Retry-After", "7"),)


@pytest.mark.parametrize("value", ["0123456789abcdef", "Bearer 0123456789abcdef", "bearer 0123456789abcdef"])
def test_the_token_is_taken_raw_or_with_its_scheme(value: str) -> None:
    _, wire = ask(dialect, "GET", "/getTaskInfo", headers={"Authorization": value})
    assert dialect.credential(wire) == "0123456789abcdef"
    assert dialect.credential(replace(wire, headers={})) is None
