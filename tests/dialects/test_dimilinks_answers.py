"""The Dimilinks dialect: what its answers say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from darkroom.core.commands import Download, Get, Signature, TaskResult
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State, Task
from darkroom.dialects import WireResponse
from darkroom.dialects.dimilinks import dialect
from darkroom.testing import tasks
from darkroom.testing.dialects import ask

GENERATIONS = "/v1/images/generations"
EDITS = "/v1/images/edits"
QUERY, OLD_QUERY = "/v1/tasks/img_1", "/v1/images/tasks/img_1"
SIGNED = "exp=1777166400000&sig=0123456789abcdef01234567"


def answered(task: Task, target: str = GENERATIONS, body: Any = None, method: str = "POST", **kwargs: Any) -> Any:
    """Status and body of the answer to a task."""
    endpoint, request = ask(dialect, method, target, body=body or {"prompt": "a lighthouse"}, **kwargs)
    response = endpoint.encode(TaskResult(task), request)
    return response.status, json.loads(response.body)


def task_in(state: State, **changes: Any) -> Task:
    made = tasks.task("img_0af0fe5de388490597197ee8", state, artifacts=(tasks.artifact(), tasks.artifact(1)))
    return replace(made, extra={"resolution": "2k"}, **changes)


# Answers to a submit


@pytest.mark.parametrize("state", State)
def test_an_answer_at_once_has_the_task_and_no_data(state: State) -> None:
    status, body = answered(task_in(state), f"{GENERATIONS}?async=true")
    assert status == 200
    assert body == {
        "created": tasks.CREATED // 1000,
        "data": [],
        "task_id": "img_0af0fe5de388490597197ee8",
        "resolution": "2k",
    }
    assert answered(task_in(state), body={"prompt": "x", "wait_for_result": False}) == (200, body)


@pytest.mark.parametrize("state", [State.QUEUED, State.RUNNING])
@pytest.mark.parametrize("target", [GENERATIONS, EDITS])
def test_a_wait_that_ends_too_early_is_the_vendors_timeout_and_names_the_task(state: State, target: str) -> None:
    status, body = answered(task_in(state), target)
    assert (status, body["error"]["type"], body["error"]["code"]) == (502, "service_unavailable", "poll_timeout")
    assert "GET /v1/tasks/img_0af0fe5de388490597197ee8" in body["error"]["message"]


@pytest.mark.parametrize("state", [State.RUNNING, State.FAILED, State.CANCELED])
def test_openai_clients_are_told_not_to_submit_again_by_themselves(state: State) -> None:
    endpoint, request = ask(dialect, "POST", GENERATIONS, body={"prompt": "a lighthouse"})
    assert ("X-Should-Retry", "false") in endpoint.encode(TaskResult(task_in(state)), request).headers


def test_a_waited_answer_may_have_the_pictures_themselves() -> None:
    endpoint, request = ask(dialect, "POST", GENERATIONS, body={"prompt": "a lighthouse"})
    result = TaskResult(task_in(State.SUCCEEDED), embedded=(b"one", b"two"))
    data = json.loads(endpoint.encode(result, request).body)["data"]
    assert [item.keys() for item in data] == [{"b64_json", "file_id"}] * 2
    assert [item["b64_json"] for item in data] == ["b25l", "dHdv"]


@pytest.mark.parametrize("target", [GENERATIONS, EDITS])
def test_a_waited_answer_has_the_results(target: str) -> None:
    status, body = answered(task_in(State.SUCCEEDED), target)
    assert (status, body["resolution"], len(body["data"])) == (200, "2k", 2)
    assert body["data"][1]["url"].startswith("https://darkroom.example/p/img/img_0af0fe5de388490597197ee8/1?exp=")
    assert re.fullmatch("file_[0-9a-f]{32}", body["data"][1]["file_id"])
    assert body["data"][0]["file_id"] != body["data"][1]["file_id"]


def test_a_file_id_stays_the_same_in_every_answer() -> None:
    done = task_in(State.SUCCEEDED)
    waited = answered(done)[1]["data"]
    queried = answered(done, f"/v1/tasks/{done.public_id}", method="GET")[1]["result"]["data"]
    assert [item["file_id"] for item in waited] == [item["file_id"] for item in queried]


@pytest.mark.parametrize(
    ("code", "status", "word"),
    [
        (Code.ENGINE_FAILED, 502, "upstream_error"),
        (Code.TIMED_OUT, 502, "poll_timeout"),
        (Code.WORKER_LOST, 502, "interrupted"),
        (Code.STORAGE_FAILED, 502, "download_failed"),
        (Code.CONTENT_REJECTED, 400, "content_moderation"),
        (Code.RATE_LIMITED, 503, "rate_limited"),
        (Code.UNAVAILABLE, 503, "no_available_account"),
        (Code.INVALID_KEY, 502, "auth_required"),
    ],
)
def test_a_failure_that_was_waited_for_is_an_error(code: Code, status: int, word: str) -> None:
    failed = task_in(State.FAILED, failure=tasks.failure(code, "It went wrong."))
    answered_status, body = answered(failed)
    assert answered_status == status
    assert (body["error"]["code"], body["error"]["message"]) == (word, "It went wrong.")
    task = answered(failed, f"/v1/tasks/{failed.public_id}", method="GET")[1]
    assert task["error"] == {"code": word, "message": "It went wrong."}


def test_the_apimart_mode_has_its_own_answer() -> None:
    body = {"code": 200, "data": [{"status": "submitted", "task_id": "img_0af0fe5de388490597197ee8"}]}
    assert answered(task_in(State.QUEUED), f"{GENERATIONS}?compat=apimart") == (200, body)
    assert answered(task_in(State.QUEUED), EDITS, headers={"X-Compat-Mode": "APIMart"}) == (200, body)


# Queries


def queried(task: Task, target: str = QUERY) -> Any:
    return answered(task, target, method="GET")[1]


@pytest.mark.parametrize("target", [QUERY, OLD_QUERY])
def test_a_query_asks_for_the_task_and_may_wait(target: str) -> None:
    endpoint, request = ask(dialect, "GET", f"{target}?wait=5")
    assert endpoint.poll
    assert endpoint.decode(request) == Get("img_1", 5.0)


@pytest.mark.parametrize(
    ("state", "reported", "status", "progress"),
    [
        (State.QUEUED, 0, "queued", 0),
        (State.QUEUED, 40, "queued", 0),
        (State.RUNNING, 0, "in_progress", 1),
        (State.RUNNING, 37, "in_progress", 37),
        (State.RUNNING, 100, "in_progress", 99),
        (State.SUCCEEDED, 100, "succeeded", 100),
        (State.FAILED, 100, "failed", 100),
        (State.CANCELED, 100, "failed", 100),
    ],
)
def test_a_task_shows_its_state_and_progress(state: State, reported: int, status: str, progress: int) -> None:
    body = queried(task_in(state, progress=reported))
    assert (body["status"], body["progress"]) == (status, progress)


COMMON = {"id", "task_id", "object", "status", "progress", "created_at"}


@pytest.mark.parametrize(
    ("state", "more"),
    [
        (State.QUEUED, set()),
        (State.RUNNING, set()),
        (State.SUCCEEDED, {"completed_at", "result"}),
        (State.FAILED, {"completed_at", "error"}),
        (State.CANCELED, {"completed_at", "error"}),
    ],
)
def test_a_task_has_the_fields_of_its_state_and_no_others(state: State, more: set[str]) -> None:
    assert set(queried(task_in(state))) == COMMON | more


def test_a_canceled_task_says_that_it_was_interrupted() -> None:
    error = {"code": "interrupted", "message": "The task was canceled."}
    assert queried(task_in(State.CANCELED))["error"] == error


@pytest.mark.parametrize(
    ("state", "status", "error", "images", "finished"),
    [
        (State.QUEUED, "queued", "", 0, 0),
        (State.RUNNING, "running", "", 0, 0),
        (State.SUCCEEDED, "success", "", 2, tasks.FINISHED // 1000),
        (State.FAILED, "failed", "upstream_error: The engine could not draw this.", 0, tasks.FINISHED // 1000),
        (State.CANCELED, "failed", "interrupted: The task was canceled.", 0, tasks.FINISHED // 1000),
    ],
)
def test_the_older_query_has_every_field_in_every_state(
    state: State, status: str, error: str, images: int, finished: int
) -> None:
    body = queried(task_in(state, cost=3), OLD_QUERY)
    assert len(body.pop("data")) == images
    assert body == {
        "task_id": "img_0af0fe5de388490597197ee8",
        "status": status,
        "conversation_id": "",
        "created": tasks.CREATED // 1000,
        "finished_at": finished,
        "error": error,
        "credit_cost": 3,
    }


def test_ids_have_the_vendors_spelling() -> None:
    assert re.fullmatch("img_[0-9a-f]{24}", dialect.mint_id())


# Refusals


def refusal(code: Code, target: str = GENERATIONS, method: str = "POST", **options: Any) -> WireResponse:
    _endpoint, request = ask(dialect, method, target)
    return dialect.encode_error(TaskError(code, "Say it differently.", **options), request)


@pytest.mark.parametrize(
    ("code", "status", "kind", "word"),
    [
        (Code.MISSING_KEY, 401, "authentication_error", "missing_api_key"),
        (Code.INVALID_KEY, 401, "authentication_error", "invalid_api_key"),
        (Code.FORBIDDEN, 403, "invalid_request_error", "model_not_allowed"),
        (Code.NOT_FOUND, 404, "invalid_request_error", "not_found"),
        (Code.INVALID_INPUT, 400, "invalid_request_error", "invalid_request_error"),
        (Code.UNSUPPORTED, 400, "invalid_request_error", "invalid_request_error"),
        (Code.UNKNOWN_MODEL, 400, "invalid_request_error", "model_not_found"),
        (Code.NO_CREDITS, 402, "payment_required", "insufficient_balance"),
        (Code.RATE_LIMITED, 429, "rate_limit_error", "rate_limit_rpm"),
        (Code.INTERNAL, 500, "server_error", "internal_error"),
        (Code.UNAVAILABLE, 503, "service_unavailable", "service_unavailable"),
        (Code.ENGINE_FAILED, 502, "service_unavailable", "upstream_error"),
        (Code.CONFLICT, 409, "invalid_request_error", "invalid_request_error"),
        (Code.CONTENT_REJECTED, 400, "invalid_request_error", "content_moderation"),
        (Code.STORAGE_FAILED, 502, "service_unavailable", "download_failed"),
    ],
)
def test_refusals_have_the_vendors_status_type_and_code(code: Code, status: int, kind: str, word: str) -> None:
    response = refusal(code)
    assert response.status == status
    assert json.loads(response.body) == {"error": {"message": "Say it differently.", "type": kind, "code": word}}


@pytest.mark.parametrize(
    ("code", "options", "word"),
    [
        (Code.INVALID_MEDIA, {}, "invalid_reference_image"),
        (Code.INVALID_INPUT, {"param": "inputs.url"}, "invalid_reference_image"),
        (Code.TOO_LARGE, {}, "reference_image_too_large"),
        (Code.TIMED_OUT, {"param": "inputs.url"}, "reference_image_timeout"),
    ],
)
def test_a_reference_that_cannot_be_used_is_named_as_such(code: Code, options: dict[str, str], word: str) -> None:
    response = refusal(code, **options)
    error = json.loads(response.body)["error"]
    assert (response.status, error["code"]) == (400, word)
    assert error["message"] == "参考图解析失败:Say it differently."


@pytest.mark.parametrize(
    ("target", "param", "status", "word"),
    [
        (GENERATIONS, "model", 400, "model_type_mismatch"),
        (GENERATIONS, "operation", 500, "not_configured"),
        ("/v1/chat/completions", "operation", 501, "image_not_wired"),
        (GENERATIONS, "webhook", 400, "invalid_request_error"),
    ],
)
def test_what_nobody_here_does_has_the_vendors_word(target: str, param: str, status: int, word: str) -> None:
    response = refusal(Code.UNSUPPORTED, target, param=param)
    assert (response.status, json.loads(response.body)["error"]["code"]) == (status, word)


def test_a_chat_with_a_language_model_is_told_that_there_are_none() -> None:
    error = json.loads(refusal(Code.UNKNOWN_MODEL, "/v1/chat/completions").body)["error"]
    assert error["code"] == "model_not_found"
    assert "no language models" in error["message"]


@pytest.mark.parametrize("target", [QUERY, OLD_QUERY])
def test_an_unknown_task_is_not_found_in_the_vendors_words(target: str) -> None:
    response = refusal(Code.NOT_FOUND, target, "GET")
    error = {"message": "任务不存在", "type": "invalid_request_error", "code": "not_found"}
    assert (response.status, json.loads(response.body)) == (404, {"error": error})


def test_a_rate_limit_says_when_to_come_back() -> None:
    assert ("Retry-After", "7") in refusal(Code.RATE_LIMITED, retry_after=7).headers


def test_the_apimart_mode_has_numbers_as_error_codes() -> None:
    response = refusal(Code.NO_CREDITS, f"{GENERATIONS}?apimart=1")
    assert json.loads(response.body)["error"]["code"] == response.status == 402


@pytest.mark.parametrize(("header", "key"), [("Bearer sk-1", "sk-1"), ("sk-1", "sk-1"), ("Bearer ", None), ("", None)])
def test_the_key_comes_with_or_without_the_word_bearer(header: str, key: str | None) -> None:
    _endpoint, request = ask(dialect, "GET", QUERY, headers={"Authorization": header})
    assert dialect.credential(request) == key


def test_a_key_in_the_query_does_not_count() -> None:
    _endpoint, request = ask(dialect, "GET", f"{QUERY}?api_key=sk-1")
    assert dialect.credential(request) is None


# Results


def test_a_signed_link_opens_one_result() -> None:
    endpoint, request = ask(dialect, "GET", f"/p/img/img_1/64?{SIGNED}")
    signature = Signature("/p/img/img_1/64", 1777166400000, "0123456789abcdef01234567")
    assert endpoint.public
    assert endpoint.decode(request) == Download("img_1", 64, signature)


@pytest.mark.parametrize(
    "link", ["0", "0?exp=1&sig=", "0?sig=ab", "0?exp=soon&sig=ab", f"65?{SIGNED}", f"-1?{SIGNED}", f"x?{SIGNED}"]
)
def test_a_malformed_link_is_refused_without_a_body(link: str) -> None:
    endpoint, request = ask(dialect, "GET", f"/p/img/img_1/{link}")
    with pytest.raises(TaskError) as caught:
        endpoint.decode(request)
    response = dialect.encode_error(caught.value, request)
    assert (response.status, response.body) == (400, b"")


@pytest.mark.parametrize(
    ("code", "status"), [(Code.INVALID_LINK, 403), (Code.EXPIRED_LINK, 403), (Code.NOT_FOUND, 404)]
)
def test_a_link_that_opens_nothing_is_answered_without_a_body(code: Code, status: int) -> None:
    response = refusal(code, f"/p/img/img_1/0?{SIGNED}", "GET")
    assert (response.status, response.body) == (status, b"")
