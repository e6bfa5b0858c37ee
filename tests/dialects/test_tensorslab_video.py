"""TensorsLab's videos: what its clients send is understood, and what they read is there."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest

from darkroom.core.commands import Delete, Download, Get, Link, Signature, Submit, TaskResult, Upload
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import STORING, File, Operation, State
from darkroom.dialects import FormFile
from darkroom.dialects.tensorslab import dialect
from darkroom.testing import tasks
from darkroom.testing.exchange import ask

QUERY, DELETE = "/v1/video/infobytaskid", "/v1/video/deletevideotask"
TASK_ID = "abcd_1234567890abcdef"


def frame(file_id: str) -> FormFile:
    return FormFile("sourceImage", "in.png", File(file_id, f"inputs/{file_id}", "image/png", 999, 640, 480))


def submit(model: str = "seedancev2", files: tuple[FormFile, ...] = (), **form: str) -> Submit:
    fields = {"prompt": "waves on a beach", **form}
    endpoint, request = ask(dialect, "POST", f"/v1/video/{model}", form=list(fields.items()), files=files)
    command = endpoint.decode(request)
    assert isinstance(command, Submit)
    return command


def answer(state: State, *, more: bool = False, **changes: Any) -> dict[str, Any]:
    endpoint, request = ask(dialect, "POST", QUERY, body={"taskid": TASK_ID, "moreTaskInfo": more})
    artifacts = (tasks.artifact(0, "video/mp4"), tasks.artifact(1, "image/png"))
    task = replace(tasks.task(TASK_ID, state, artifacts=artifacts), **changes)
    body: dict[str, Any] = json.loads(endpoint.encode(TaskResult(task), request).body)
    assert (body["code"], body["msg"]) == (1000, "OK")
    return body["data"]


@pytest.mark.parametrize("model", ["seedancev2", "seedancev15pro", "seedancev1profast", "seedancev1"])
def test_each_path_is_a_model_that_makes_videos(model: str) -> None:
    command = submit(model)
    assert (command.operation, command.model, command.count) == (Operation.VIDEO_GENERATE, model, 1)
    assert command.params == {
        "prompt": "waves on a beach",
        "duration": 5,
        "fps": 24,
        "ratio": "9:16",
        "resolution": "1080p" if model == "seedancev2" else "720p",
    }


def test_what_the_vendors_own_client_sends_is_understood() -> None:
    form = {"ratio": "16:9", "duration": "10", "resolution": "720p", "fps": "24", "seed": "42"}
    command = submit("seedancev2", (), **form, generate_audio="1", return_last_frame="1")
    assert command.params == {
        "prompt": "waves on a beach",
        "ratio": "16:9",
        "duration": 10,
        "resolution": "720p",
        "fps": 24,
        "seed": 42,
        "audio": True,
        "last_frame": True,
    }


def test_one_or_two_files_are_the_first_and_the_last_frame() -> None:
    assert submit(files=(frame("first"), frame("last"))).inputs == (Upload("first"), Upload("last"))


def test_links_come_with_a_comma_between() -> None:
    links = "https://example.com/first.png,https://example.com/last.png"
    assert submit(imageUrl=links).inputs == (
        Link("https://example.com/first.png"),
        Link("https://example.com/last.png"),
    )


@pytest.mark.parametrize(
    ("ratio", "meant"),
    [
        ("", "9:16"),
        ("21:9", "21:9"),
        (" 4 : 3 ", "4:3"),
        ("2:1", "16:9"),
        ("5:4", "4:3"),
        ("1:5", "9:16"),
        ("?", "9:16"),
    ],
)
def test_a_ratio_is_the_nearest_of_the_vendors(ratio: str, meant: str) -> None:
    assert submit(ratio=ratio).params["ratio"] == meant


def test_an_adaptive_ratio_is_left_to_the_engine() -> None:
    assert "ratio" not in submit(ratio="adaptive", files=(frame("first"),)).params


@pytest.mark.parametrize(
    ("resolution", "meant"),
    [
        *[("", "1080p"), ("480P", "480p"), ("1440p", "1440p"), ("2K", "1440p"), ("4k", "1440p"), ("2160p", "1440p")],
        *[("360p", "480p"), ("720", "720p"), ("1000p", "1080p"), ("sharp", "1080p")],
    ],
)
def test_a_resolution_is_the_nearest_of_the_vendors(resolution: str, meant: str) -> None:
    assert submit(resolution=resolution).params["resolution"] == meant


@pytest.mark.parametrize(("duration", "meant"), [("", 5), ("5", 5), ("15", 15), ("60", 15), ("0", 1), ("-3", 1)])
def test_a_duration_beyond_the_limits_is_the_nearest_one(duration: str, meant: int) -> None:
    assert submit("seedancev15pro", duration=duration).params["duration"] == meant


@pytest.mark.parametrize(
    ("name", "value"), [("duration", "long"), ("fps", "fast"), ("seed", "1.5"), ("generate_audio", "2")]
)
def test_what_cannot_be_read_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(TaskError) as caught:
        submit(**{name: value})
    assert (caught.value.code, caught.value.param) == (Code.INVALID_INPUT, name)


def test_a_submit_without_prompt_is_refused() -> None:
    with pytest.raises(TaskError) as caught:
        submit(prompt=" ")
    assert caught.value.param == "prompt"


@pytest.mark.parametrize(
    ("state", "status"), [(State.QUEUED, 1), (State.RUNNING, 2), (State.FAILED, 4), (State.CANCELED, 4)]
)
def test_a_task_without_results_has_no_links(state: State, status: int) -> None:
    data = answer(state)
    assert (data["url"], data["task_status"]) == ([], status)
    assert ("message" in data) == (status == 4)
    assert "error_message" not in data


def test_a_task_whose_results_are_stored_is_uploading() -> None:
    assert answer(State.RUNNING, stage=STORING)["task_status"] == 5
    assert answer(State.RUNNING, stage="drawing")["task_status"] == 2


def test_links_are_absolute_signed_and_end_in_the_kind_of_file() -> None:
    data = answer(State.SUCCEEDED)
    video, last_frame = (urlsplit(url) for url in data["url"])
    assert data["task_status"] == 3
    assert (video.scheme, video.netloc, video.path) == ("https", "darkroom.example", f"/videos/{TASK_ID}_0.mp4")
    assert "sig=" in video.query
    assert last_frame.path == f"/videos/{TASK_ID}_1.png"


def test_a_link_of_an_answer_leads_to_its_result() -> None:
    link = urlsplit(answer(State.SUCCEEDED)["url"][0])
    endpoint, request = ask(dialect, "GET", f"{link.path}?{link.query}")
    signature = Signature(link.path, 1777166400000, "0123456789abcdef0123456789abcdef")
    assert endpoint.public
    assert endpoint.decode(request) == Download(TASK_ID, 0, signature)


def test_what_was_asked_for_is_told_on_demand() -> None:
    command = submit("seedancev2", imageUrl="https://example.com/first.png", ratio="adaptive", seed="42")
    asked = {"params": command.params, "extra": command.extra}
    assert answer(State.RUNNING, **asked).keys() == {"taskid", "url", "task_status"}
    assert answer(State.RUNNING, more=True, **asked) == {
        "taskid": TASK_ID,
        "url": [],
        "task_status": 2,
        "prompt": "waves on a beach",
        "imageurl": "https://example.com/first.png",
        "resolution": "1080p",
        "fps": 24,
        "source": "seedancev2",
        "duration": 5,
        "seed": 42,
        "ratio": "adaptive",
    }


def test_a_query_names_its_task() -> None:
    endpoint, request = ask(dialect, "POST", f"{QUERY}?wait=5", body={"taskid": TASK_ID, "moreTaskInfo": False})
    assert endpoint.decode(request) == Get(TASK_ID, 5.0)


def test_a_delete_names_its_tasks_once() -> None:
    endpoint, request = ask(dialect, "POST", DELETE, body={"taskids": ["b", "a", "b"]})
    assert endpoint.decode(request) == Delete(("b", "a"))


@pytest.mark.parametrize(
    ("target", "code", "status", "wire_code"),
    [
        ("/v1/video/seedancev2", Code.NO_CREDITS, 200, 9000),
        ("/v1/video/seedancev1", Code.INVALID_INPUT, 200, 9999),
        (QUERY, Code.NOT_FOUND, 404, 9999),
        (DELETE, Code.INVALID_INPUT, 400, 9999),
        (QUERY, Code.INVALID_KEY, 401, 9999),
    ],
)
def test_refusals_have_the_status_that_clients_of_the_route_read(
    target: str, code: Code, status: int, wire_code: int
) -> None:
    _, request = ask(dialect, "POST", target)
    response = dialect.encode_error(TaskError(code, "Say why."), request)
    assert (response.status, json.loads(response.body)) == (status, {"code": wire_code, "msg": "Say why."})
