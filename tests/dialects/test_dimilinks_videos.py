"""The Dimilinks dialect: videos of both families."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from darkroom.core.commands import Get, Inline, Link, ReadResult, Submit, TaskResult
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation, State, Task
from darkroom.dialects.dimilinks import dialect
from darkroom.testing import tasks
from darkroom.testing.dialects import ask

OLDER, NEWER = "/v1/videos/generations", "/v1/videos"
CLIP = {
    "model": "grok-imagine-video",
    "prompt": "jellyfish",
    "seconds": "10",
    "size": "720x1280",
    "resolution_name": "720p",
    "preset": "normal",
}
DATA_URL = "data:image/png;base64,AAAA"
PICTURE = "https://example.com/a.png"


def submit(path: str, **fields: Any) -> Submit:
    endpoint, request = ask(dialect, "POST", path, body={"prompt": "jellyfish", **fields})
    command = endpoint.decode(request)
    assert isinstance(command, Submit)
    return command


def refused(path: str, **fields: Any) -> tuple[int, str, str]:
    """Status, code and message of the answer to a video that is refused."""
    endpoint, request = ask(dialect, "POST", path, body={"prompt": "jellyfish", **fields})
    try:
        command = endpoint.decode(request)
    except TaskError as error:
        found: TaskError | None = error
    else:
        assert isinstance(command, Submit)
        found = command.refusal
    assert found is not None
    response = dialect.encode_error(found, request)
    error_view = json.loads(response.body)["error"]
    return response.status, error_view["code"], error_view["message"]


# The older family


def test_a_clip_is_never_waited_for() -> None:
    command = submit(OLDER, **CLIP)
    assert (command.operation, command.model, command.wait) == (Operation.VIDEO_GENERATE, "grok-imagine-video", 0)
    assert command.params == {"prompt": "jellyfish", "duration": 10, "size": "720x1280"}
    assert command.refusal is None


@pytest.mark.parametrize(
    ("size", "ratio"), [("1280x720", "16:9"), ("720x1280", "9:16"), ("1024x1024", "1:1"), (None, "16:9")]
)
def test_a_preview_has_the_shape_of_its_size(size: str | None, ratio: str) -> None:
    params = submit(OLDER, **CLIP | {"size": size, "resolution_name": "480p"}).params
    assert (params["ratio"], params["resolution"]) == (ratio, "480p")
    assert "size" not in params


@pytest.mark.parametrize(("preset", "style"), [("normal", None), ("custom", None), ("fun", "fun"), ("spicy", "spicy")])
def test_a_preset_is_a_style(preset: str, style: str | None) -> None:
    assert submit(OLDER, **CLIP | {"preset": preset}).params.get("style") == style


def test_a_clip_without_options_has_the_first_of_each_list() -> None:
    assert submit(OLDER).params == {"prompt": "jellyfish", "duration": 6, "size": "1280x720"}
    assert submit(OLDER, seconds=12).params["duration"] == 12


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"seconds": "7"}, "'seconds' takes one of 6, 10, 12, 16, 20"),
        ({"size": "1920x1080"}, "'size'"),
        ({"resolution_name": "1080p"}, "'resolution_name'"),
        ({"preset": "sad"}, "'preset'"),
        ({"prompt": "x" * 2_501}, "'prompt'"),
        ({"prompt": " "}, "prompt 不能为空"),
        ({"seconds": 6.5}, "请求参数错误:"),
        ({"input_reference": [f"{DATA_URL}{number}" for number in range(8)]}, "'input_reference'"),
    ],
)
def test_a_clip_that_the_vendor_does_not_take_is_refused(fields: dict[str, Any], word: str) -> None:
    status, code, message = refused(OLDER, **CLIP | fields)
    assert (status, code) == (400, "invalid_request_error")
    assert word in message


def test_the_references_of_a_clip_are_its_pictures() -> None:
    assert submit(OLDER, **CLIP, input_reference=[DATA_URL, DATA_URL, "BBBB"]).inputs == (
        Inline(DATA_URL),
        Inline("BBBB"),
    )


@pytest.mark.parametrize("path", [OLDER, NEWER])
def test_a_model_for_pictures_makes_no_videos(path: str) -> None:
    status, code, message = refused(path, model="gpt-image-2", seconds="7 or so")
    assert (status, code) == (400, "model_type_mismatch")
    assert "/v1/images/generations" in message


# The newer family


def test_a_video_without_options_has_the_vendors_defaults() -> None:
    command = submit(NEWER)
    assert (command.operation, command.model, command.wait) == (Operation.VIDEO_GENERATE, "minimax-h3", 0)
    assert command.params == {"prompt": "jellyfish", "duration": 4, "ratio": "16:9", "resolution": "480p"}


def test_a_video_with_every_option() -> None:
    command = submit(
        NEWER, model="seedance2.0-A", seconds="8", resolution="1080P", aspect_ratio="9:16", generate_audio=True
    )
    assert command.model == "seedance2.0-A"
    assert command.params == {
        "prompt": "jellyfish",
        "duration": 8,
        "ratio": "9:16",
        "resolution": "1080p",
        "audio": True,
    }
    assert "audio" not in submit(NEWER, generate_audio=False).params


def reference(role: str | None = None, source: str = PICTURE, kind: str = "image") -> dict[str, str]:
    return {"type": kind, "source": source} | ({"role": role} if role else {})


def test_a_video_goes_from_its_first_frame_to_its_last() -> None:
    references = [reference("last_frame", "https://example.com/b.png"), reference("first_frame")]
    command = submit(NEWER, references=references)
    assert command.inputs == (Link(PICTURE), Link("https://example.com/b.png"))
    assert "ratio" not in command.params  # that of the frames
    assert submit(NEWER, references=references, aspect_ratio="1:1").params["ratio"] == "1:1"


def test_pictures_that_are_referred_to_come_in_their_order() -> None:
    command = submit(NEWER, references=[reference(), reference("reference", "https://example.com/b.png")])
    assert command.inputs == (Link(PICTURE), Link("https://example.com/b.png"))
    assert command.params["ratio"] == "16:9"
    assert "ratio" not in submit(NEWER, aspect_ratio="Auto").params


@pytest.mark.parametrize(
    ("references", "word"),
    [
        ([reference(kind="video")], "type 'video'"),
        ([reference(kind="audio")], "type 'audio'"),
        ([reference("middle_frame")], "'role'"),
        ([reference("last_frame")], "first_frame"),
        ([reference("first_frame"), reference("first_frame")], "first_frame"),
        ([reference("first_frame"), reference("reference")], "not both"),
        ([{"type": "image"}], "source"),
    ],
)
def test_references_that_cannot_be_used_are_refused(references: list[dict[str, str]], word: str) -> None:
    status, code, message = refused(NEWER, references=references)
    assert (status, code) == (400, "invalid_request_error")
    assert word in message


@pytest.mark.parametrize("seconds", ["soon", "-4", "4.5", "9" * 5_000, ""])
def test_seconds_that_are_no_number_are_refused(seconds: str) -> None:
    status, _code, message = refused(NEWER, seconds=seconds)
    assert status == 400
    assert "'seconds'" in message


def test_what_a_model_refuses_is_told_in_the_callers_words() -> None:
    _endpoint, request = ask(dialect, "POST", NEWER)
    error = TaskError(Code.INVALID_INPUT, "Parameter 'duration' is above its maximum of 15.", param="duration")
    message = json.loads(dialect.encode_error(error, request).body)["error"]["message"]
    assert message == "Parameter 'seconds' is above its maximum of 15."


# Answers


def clip(state: State, **changes: Any) -> Task:
    made = tasks.task("video_1", state, operation=Operation.VIDEO_GENERATE, artifacts=(tasks.artifact(),))
    return replace(made, extra={"video": "grok-imagine-video"}, **changes)


def answered(task: Task, target: str, method: str = "GET") -> Any:
    endpoint, request = ask(dialect, method, target, body={"prompt": "x"})
    response = endpoint.encode(TaskResult(task), request)
    assert response.status == 200
    return json.loads(response.body)


@pytest.mark.parametrize(
    ("path", "spelling"),
    [(OLDER, "video_[0-9a-f]{24}"), (NEWER, "task_[0-9a-f]{24}")],
)
def test_ids_are_spelled_as_the_pages_of_each_family_show_them(path: str, spelling: str) -> None:
    endpoint, _request = ask(dialect, "POST", path)
    assert endpoint.mint_id is not None
    assert re.fullmatch(spelling, endpoint.mint_id())


@pytest.mark.parametrize(
    ("state", "older", "newer", "progress"),
    [
        (State.QUEUED, "queued", "queued", 0),
        (State.RUNNING, "processing", "in_progress", 50),
        (State.SUCCEEDED, "completed", "completed", 100),
        (State.FAILED, "failed", "failed", 100),
        (State.CANCELED, "cancelled", "failed", 100),
    ],
)
def test_each_address_has_its_own_words_and_shape(state: State, older: str, newer: str, progress: int) -> None:
    wrapped = answered(clip(state), "/v1/tasks/video_1")
    assert wrapped.keys() == {"data"}
    flat = answered(clip(state), "/v1/videos/video_1")
    assert (wrapped["data"]["status"], wrapped["data"]["progress"]) == (older, progress)
    assert (flat["status"], flat["progress"], flat["model"]) == (newer, progress, "grok-imagine-video")
    failed = state in (State.FAILED, State.CANCELED)
    assert ("completed_at" in wrapped["data"]) == state.final
    assert ("error" in wrapped["data"]) == ("error" in flat) == failed


def test_a_video_of_another_dialect_has_links_where_tasks_are_read() -> None:
    other = replace(clip(State.SUCCEEDED), extra={})
    body = answered(other, "/v1/tasks/video_1")
    assert (body["object"], len(body["result"]["data"])) == ("image.task", 1)


def test_videos_are_polled_like_pictures() -> None:
    endpoint, request = ask(dialect, "GET", "/v1/videos/task_1?wait=5")
    assert endpoint.poll
    assert endpoint.decode(request) == Get("task_1", 5.0)


def test_the_bytes_of_a_video_are_for_its_owner() -> None:
    endpoint, request = ask(dialect, "GET", "/v1/videos/task_1/content")
    assert not endpoint.public
    assert endpoint.decode(request) == ReadResult("task_1")
