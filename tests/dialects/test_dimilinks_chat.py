"""The Dimilinks dialect: chats with models that make pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from darkroom.core.commands import Inline, Link, Submit, TaskResult
from darkroom.core.errors import TaskError
from darkroom.core.task import Operation, State, Task
from darkroom.dialects import EVENT_STREAM, WireRequest
from darkroom.dialects.dimilinks import dialect
from darkroom.testing import tasks
from darkroom.testing.dialects import ask

CHAT = "/v1/chat/completions"
USER = {"role": "user", "content": "a lighthouse"}


def request_of(**fields: Any) -> WireRequest:
    return ask(dialect, "POST", CHAT, body={"model": "gpt-image-2", "messages": [USER], **fields})[1]


ENDPOINT, _ = ask(dialect, "POST", CHAT)


def submit(**fields: Any) -> Submit:
    command = ENDPOINT.decode(request_of(**fields))
    assert isinstance(command, Submit)
    return command


def task_in(state: State) -> Task:
    made = tasks.task("img_1", state, artifacts=(tasks.artifact(), tasks.artifact(1)))
    return replace(made, extra={"resolution": "1k", "model": "gpt-image-2"})


def events(body: bytes) -> list[Any]:
    """What the events of a stream say."""
    lines = body.decode().split("\n\n")
    assert lines.pop() == ""
    assert all(line.startswith("data: ") for line in lines)
    return [line if line == "data: [DONE]" else json.loads(line.removeprefix("data: ")) for line in lines]


def test_the_last_message_of_the_user_is_the_prompt() -> None:
    earlier = {"role": "user", "content": "a lake"}
    said = [{"role": "system", "content": "be brief"}, earlier, {"role": "assistant", "content": "![generated](x)"}]
    command = submit(messages=[*said, USER, {"role": "assistant", "content": None}])
    assert (command.operation, command.model, command.wait) == (Operation.IMAGE_GENERATE, "gpt-image-2", 420)
    assert command.params["prompt"] == "a lighthouse"
    assert command.inputs == ()


def test_the_pictures_of_a_message_are_references() -> None:
    content = [
        {"type": "text", "text": "make it night"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "high"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AAAA"},
        {"type": "text", "text": "and rainy"},
        {"type": "input_audio", "input_audio": {"data": "AAAA"}},
    ]
    command = submit(messages=[{"role": "user", "content": content}])
    assert command.operation is Operation.IMAGE_EDIT
    assert command.params["prompt"] == "make it night\nand rainy"
    assert command.inputs == (Link("https://example.com/a.png"), Inline("data:image/png;base64,AAAA"))


def test_options_of_pictures_count_in_chats_and_those_of_language_models_do_not() -> None:
    command = submit(n=3, size="16:9", resolution="2k", temperature=0.5, response_format={"type": "text"}, tools=[])
    assert (command.count, command.params["size"]) == (3, "2048x1152")


def test_a_stream_does_not_wait() -> None:
    assert submit(stream=True).wait == 0
    assert submit(stream=False).wait == 420


@pytest.mark.parametrize(
    "messages", [None, [], [{"role": "system", "content": "x"}], [{"role": "user", "content": ""}]]
)
def test_a_chat_without_a_word_of_the_user_is_refused(messages: Any) -> None:
    refusal = submit(messages=messages).refusal
    assert refusal is not None
    assert "prompt" in refusal.message


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"model": None}, "'model'"), ({"model": "minimax-h3"}, "videos"), ({"messages": "hello"}, "messages")],
)
def test_a_chat_that_cannot_make_a_picture_is_refused(fields: dict[str, Any], word: str) -> None:
    with pytest.raises(TaskError, match=word):
        submit(**fields)


def test_an_answer_shows_the_pictures() -> None:
    response = ENDPOINT.encode(TaskResult(task_in(State.SUCCEEDED)), request_of())
    body = json.loads(response.body)
    content = body["choices"][0]["message"].pop("content").split("\n\n")
    assert [line[:60] for line in content] == [
        "![generated](https://darkroom.example/p/img/img_1/" + end for end in ("0?exp=1777", "1?exp=1777")
    ]
    assert body.pop("id").startswith("chatcmpl-")
    assert body == {
        "object": "chat.completion",
        "created": tasks.CREATED // 1000,
        "model": "gpt-image-2",
        "choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    }


def test_a_stream_begins_with_who_speaks_and_ends_with_the_pictures() -> None:
    assert ENDPOINT.opening is not None
    request = request_of(stream=True)
    opening = ENDPOINT.opening(TaskResult(task_in(State.QUEUED)), request)
    assert opening is not None
    end = ENDPOINT.encode(TaskResult(task_in(State.SUCCEEDED)), request)
    assert end.media_type == EVENT_STREAM
    *chunks, done = events(opening + end.body)
    assert done == "data: [DONE]"
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert deltas[1]["content"].count("![generated](") == 2
    assert deltas[2] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, "stop"]


def test_nothing_is_streamed_to_who_did_not_ask() -> None:
    assert ENDPOINT.opening is not None
    assert ENDPOINT.opening(TaskResult(task_in(State.QUEUED)), request_of()) is None


def test_a_failure_is_an_error_and_in_a_stream_an_event_with_it() -> None:
    failed = TaskResult(task_in(State.FAILED))
    whole = ENDPOINT.encode(failed, request_of())
    assert (whole.status, json.loads(whole.body)["error"]["code"]) == (502, "upstream_error")
    (event,) = events(ENDPOINT.encode(failed, request_of(stream=True)).body)
    assert event == json.loads(whole.body)


def test_a_chat_that_waited_too_long_names_its_task() -> None:
    response = ENDPOINT.encode(TaskResult(task_in(State.RUNNING)), request_of())
    error = json.loads(response.body)["error"]
    assert (response.status, error["code"]) == (502, "poll_timeout")
    assert "img_1" in error["message"]
