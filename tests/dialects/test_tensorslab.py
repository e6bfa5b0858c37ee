"""TensorsLab: what its clients send is understood, and what they read is there."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import pytest
import yaml

from darkroom.core.commands import Delete, Download, Get, Inline, Link, Signature, Submit, TaskResult, Upload
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import File, Operation, State
from darkroom.dialects import FormFile
from darkroom.dialects.tensorslab import dialect
from darkroom.testing import tasks
from darkroom.testing.exchange import ask, route

VENDOR = yaml.safe_load((Path(__file__).parent / "tensorslab" / "openapi.yaml").read_text(encoding="utf-8"))
QUERY, DELETE = "/v1/images/infobytaskid", "/v1/images/deleteimagestask"
TASK_ID = "abcd_1234567890abcdef"


def picture(file_id: str, width: int = 640, height: int = 480, field: str = "sourceImage") -> FormFile:
    return FormFile(field, "in.png", File(file_id, f"inputs/{file_id}", "image/png", 999, width, height))


def submit(model: str = "seedreamv5", files: tuple[FormFile, ...] = (), **form: str) -> Submit:
    fields = {"prompt": "a lighthouse", **form}
    endpoint, request = ask(dialect, "POST", f"/v1/images/{model}", form=list(fields.items()), files=files)
    command = endpoint.decode(request)
    assert isinstance(command, Submit)
    return command


def refusal(model: str = "seedreamv5", files: tuple[FormFile, ...] = (), **form: str) -> TaskError:
    with pytest.raises(TaskError) as caught:
        submit(model, files, **form)
    return caught.value


def answer(state: State, **changes: Any) -> dict[str, Any]:
    endpoint, request = ask(dialect, "POST", QUERY, body={"taskid": TASK_ID})
    task = replace(tasks.task(TASK_ID, state, artifacts=(tasks.artifact(), tasks.artifact(1, "image/webp"))), **changes)
    body: dict[str, Any] = json.loads(endpoint.encode(TaskResult(task), request).body)
    assert (body["code"], body["msg"]) == (1000, "OK")
    return body["data"]


def refused(code: Code, method: str, target: str) -> tuple[int, int, str]:
    _, request = ask(dialect, method, target)
    response = dialect.encode_error(TaskError(code, "Say why.", retry_after=7), request)
    body = json.loads(response.body)
    assert body.keys() == {"code", "msg"}
    assert ("Retry-After", "7") in response.headers
    return response.status, body["code"], body["msg"]


# submit


@pytest.mark.parametrize("model", ["seedreamv4", "seedreamv45", "seedreamv5", "zimage"])
def test_each_path_is_a_model_that_generates(model: str) -> None:
    command = submit(model)
    assert (command.operation, command.model, command.count) == (Operation.IMAGE_GENERATE, model, 1)
    assert command.params["prompt"] == "a lighthouse"


def test_an_unknown_model_has_no_route() -> None:
    assert route(dialect, "POST", "/v1/images/seedreamv9") is None


@pytest.mark.parametrize("prompt", ["", "   \n"])
def test_a_submit_without_prompt_says_so(prompt: str) -> None:
    error = refusal(prompt=prompt)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "prompt")
    assert "'prompt' is required" in error.message


def test_an_empty_submit_says_that_the_prompt_is_missing() -> None:
    endpoint, request = ask(dialect, "POST", "/v1/images/zimage")
    with pytest.raises(TaskError, match="'prompt' is required"):
        endpoint.decode(request)


def test_the_prompt_may_be_chinese() -> None:
    assert submit(prompt="一座灯塔，夜晚").params["prompt"] == "一座灯塔，夜晚"


@pytest.mark.parametrize(
    ("model", "resolution", "size"),
    [
        ("seedreamv45", "", "2048x2048"),
        ("seedreamv4", "2K", "2048x2048"),
        ("seedreamv4", "1k", "1024x1024"),
        ("seedreamv5", "3K", "3072x3072"),
        ("seedreamv5", "4k", "4096x4096"),
        ("seedreamv5", "8K", "4096x4096"),
        ("seedreamv5", "1:1", "2048x2048"),
        ("seedreamv5", "16:9", "2560x1440"),
        ("seedreamv5", "9:16", "1440x2560"),
        ("seedreamv5", "4:3", "2304x1728"),
        ("seedreamv5", "3:4", "1728x2304"),
        ("seedreamv5", "3:2", "2496x1664"),
        ("seedreamv5", "2:3", "1664x2496"),
        ("seedreamv5", "4:5", "1792x2240"),
        ("seedreamv5", "5:4", "2240x1792"),
        ("seedreamv5", "21:9", "3024x1296"),
        ("seedreamv5", "32:18", "2560x1440"),
        ("seedreamv5", "3840x2160", "3840x2160"),
        ("seedreamv5", "3750 X 1250", "3750x1250"),
        ("seedreamv5", "1024*768", "1024x768"),
        ("seedreamv5", "1024×768", "1024x768"),
        ("seedreamv5", "8192x4096", "4096x2048"),
        ("seedreamv5", "8x4", "32x16"),
        ("seedreamv5", "999999x1", "4096x16"),
        ("seedreamv5", "9999:1", "4096x16"),
        ("zimage", "", "1024x1024"),
        ("zimage", "1024*1024", "1024x1024"),
        ("zimage", "2K", "2048x2048"),
        ("zimage", "16:9", "1280x720"),
    ],
)
def test_a_resolution_is_a_level_a_ratio_or_a_size(model: str, resolution: str, size: str) -> None:
    assert submit(model, resolution=resolution).params["size"] == size


@pytest.mark.parametrize("resolution", ["huge", "0x0", "1:0", "0k", "x", "-1x5", "1x2x3", "٣:٤", "9" * 5000])
def test_a_resolution_that_means_nothing_is_the_default(resolution: str) -> None:
    assert submit("seedreamv5", resolution=resolution).params["size"] == "2048x2048"
    assert submit("zimage", resolution=resolution).params["size"] == "1024x1024"


def test_uploads_make_an_edit_in_their_order() -> None:
    command = submit(files=(picture("file_b"), picture("file_a")), resolution="1:1")
    assert command.operation is Operation.IMAGE_EDIT
    assert command.inputs == (Upload("file_b"), Upload("file_a"))
    assert command.params["size"] == "2048x2048"


def test_a_level_keeps_the_ratio_of_an_uploaded_picture() -> None:
    assert submit("quickedit", (picture("file_a", 1600, 900),), resolution="2K").params["size"] == "2731x1536"


def test_an_edit_of_a_linked_picture_keeps_its_shape_unless_told_otherwise() -> None:
    url = "https://example.com/a.png"
    assert "size" not in submit("seedreamv5", imageUrl=url, resolution="2K").params
    assert submit("seedreamv5", imageUrl=url, resolution="16:9").params["size"] == "2560x1440"


def test_several_links_may_come_with_commas_between_and_inside() -> None:
    command = submit(imageUrl="https://example.com/a,b.png, http://example.com/c.png,")
    assert command.operation is Operation.IMAGE_EDIT
    assert command.inputs == (Link("https://example.com/a,b.png"), Link("http://example.com/c.png"))


def test_uploads_come_before_links() -> None:
    command = submit(files=(picture("file_a"),), imageUrl="https://example.com/a.png")
    assert command.inputs == (Upload("file_a"), Link("https://example.com/a.png"))


def test_a_data_url_is_a_picture_inside_the_request() -> None:
    data = "data:image/png;base64,AAAA"
    assert submit(imageUrl=data).inputs == (Inline(data),)


@pytest.mark.parametrize("url", ["ftp://example.com/a.png", "/etc/passwd", "file:///etc/passwd", "http://", "a,b"])
def test_a_link_that_is_no_web_address_is_refused(url: str) -> None:
    error = refusal(imageUrl=url)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "imageUrl")


def test_a_file_under_another_name_is_refused() -> None:
    error = refusal(files=(picture("file_a", field="image"),))
    assert error.param == "image"
    assert "'sourceImage'" in error.message


def test_quickedit_needs_a_picture() -> None:
    assert refusal("quickedit").param == "sourceImage"
    assert submit("quickedit", (picture("file_a"),)).operation is Operation.IMAGE_EDIT


@pytest.mark.parametrize(("batchsize", "count"), [("", 1), ("1", 1), (" 15 ", 15)])
def test_a_batch_has_up_to_fifteen_images(batchsize: str, count: int) -> None:
    assert submit(batchsize=batchsize).count == count


@pytest.mark.parametrize("batchsize", ["0", "16", "-1", "two", "1.5", "²", "9" * 5000])
def test_a_batchsize_out_of_range_is_refused(batchsize: str) -> None:
    error = refusal(batchsize=batchsize)
    assert (error.code, error.param) == (Code.INVALID_INPUT, "batchsize")


def test_seed_and_prompt_extend_are_parameters() -> None:
    params = submit("zimage", seed="42", prompt_extend="1").params
    assert (params["seed"], params["prompt_extend"]) == (42, True)
    assert submit("zimage", prompt_extend="0").params["prompt_extend"] is False


def test_a_seed_of_minus_one_means_any() -> None:
    assert "seed" not in submit("zimage", seed="-1").params


@pytest.mark.parametrize(("name", "value"), [("seed", "lucky"), ("seed", "1e3"), ("prompt_extend", "2")])
def test_tuning_that_cannot_be_read_is_refused(name: str, value: str) -> None:
    assert refusal("zimage", **{name: value}).param == name


def test_the_category_is_kept_with_the_task() -> None:
    assert submit(category="seedreamv5").extra == {"category": "seedreamv5"}
    assert submit().extra == {}


def test_a_submit_answers_the_id_without_a_url() -> None:
    endpoint, request = ask(dialect, "POST", "/v1/images/zimage", form=[("prompt", "a lighthouse")])
    body = json.loads(endpoint.encode(TaskResult(tasks.task(TASK_ID)), request).body)
    assert body == {"code": 1000, "msg": "Task created successfully", "data": {"taskid": TASK_ID}}


def test_ids_are_spelled_as_the_vendors() -> None:
    assert re.fullmatch(r"[a-z]{4}_[0-9a-f]{16}", dialect.mint_id())


# query


def test_a_waiting_task_has_status_1_and_no_links() -> None:
    assert answer(State.QUEUED) == {"taskid": TASK_ID, "url": [], "image_status": 1}


def test_a_canceled_task_has_failed_and_says_why() -> None:
    data = answer(State.CANCELED)
    assert data == {"taskid": TASK_ID, "url": [], "image_status": 4, "error_message": "The task was canceled."}


def test_links_are_absolute_signed_and_end_in_the_kind_of_file() -> None:
    first, second = (urlsplit(url) for url in answer(State.SUCCEEDED)["url"])
    assert (first.scheme, first.netloc, first.path) == ("https", "darkroom.example", f"/images/{TASK_ID}_0.png")
    assert "sig=" in first.query
    assert second.path == f"/images/{TASK_ID}_1.webp"


def test_a_retried_task_does_not_show_its_last_failure() -> None:
    assert answer(State.QUEUED, failure=tasks.failure()).keys() == {"taskid", "url", "image_status"}


@pytest.mark.parametrize("state", list(State))
def test_answers_agree_with_the_vendors_own_description(state: State) -> None:
    schema = {"$ref": "#/components/schemas/ImageInfoResponse", "components": VENDOR["components"]}
    jsonschema_rs.validate(schema, {"code": 1000, "msg": "OK", "data": answer(state)})
    documented = VENDOR["components"]["schemas"]["ImageInfoData"]["properties"]
    assert answer(state).keys() <= documented.keys()


def test_a_query_may_wait() -> None:
    endpoint, request = ask(dialect, "POST", f"{QUERY}?wait=5", body={"taskid": TASK_ID})
    assert endpoint.decode(request) == Get(TASK_ID, 5.0)


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b'{"taskid": 7}', b'{"taskId": "x"}', b"\xff"])
def test_a_query_that_cannot_be_read_is_not_found(body: bytes) -> None:
    endpoint, request = ask(dialect, "POST", QUERY, body=body)
    with pytest.raises(TaskError) as caught:
        endpoint.decode(request)
    response = dialect.encode_error(caught.value, request)
    assert (response.status, json.loads(response.body)["code"]) == (404, 9999)


# delete and files


def test_a_delete_names_its_tasks_once() -> None:
    endpoint, request = ask(dialect, "POST", DELETE, body={"taskids": ["b", "a", "b"], "uid": "someone"})
    assert endpoint.decode(request) == Delete(("b", "a"))


@pytest.mark.parametrize("body", [b"", b"{}", b'{"taskids": []}', b'{"taskids": "a"}', b'{"taskids": [1]}'])
def test_a_delete_with_bad_parameters_is_refused(body: bytes) -> None:
    endpoint, request = ask(dialect, "POST", DELETE, body=body)
    with pytest.raises(TaskError) as caught:
        endpoint.decode(request)
    response = dialect.encode_error(caught.value, request)
    assert (response.status, json.loads(response.body)["code"]) == (400, 9999)


def test_a_link_of_an_answer_leads_to_its_result() -> None:
    link = urlsplit(answer(State.SUCCEEDED)["url"][1])
    endpoint, request = ask(dialect, "GET", f"{link.path}?{link.query}")
    signature = Signature(link.path, 1777166400000, "0123456789abcdef0123456789abcdef")
    assert endpoint.public
    assert endpoint.decode(request) == Download(TASK_ID, 1, signature)


@pytest.mark.parametrize("name", ["x", "x.png", "x_.png", "_0.png", "x_0", "x_12345.png", "x_².png"])
def test_a_name_that_is_no_result_is_not_found(name: str) -> None:
    endpoint, request = ask(dialect, "GET", f"/images/{name}?exp=1&sig=00")
    with pytest.raises(TaskError) as caught:
        endpoint.decode(request)
    assert caught.value.code is Code.NOT_FOUND


# refusals


@pytest.mark.parametrize("target", ["/v1/images/zimage", QUERY, DELETE])
def test_a_missing_or_wrong_key_is_401(target: str) -> None:
    assert refused(Code.MISSING_KEY, "POST", target) == (401, 9999, "Say why.")
    assert refused(Code.INVALID_KEY, "POST", target) == (401, 9999, "Say why.")


def test_too_few_credits_are_code_9000_in_an_answer_that_clients_read() -> None:
    assert refused(Code.NO_CREDITS, "POST", "/v1/images/seedreamv45") == (200, 9000, "Say why.")


@pytest.mark.parametrize("code", [Code.INVALID_INPUT, Code.INVALID_MEDIA, Code.TOO_LARGE, Code.UNSUPPORTED])
def test_a_refused_submit_is_an_answer_that_clients_read(code: Code) -> None:
    assert refused(code, "POST", "/v1/images/quickedit") == (200, 9999, "Say why.")


def test_an_unknown_task_is_404() -> None:
    assert refused(Code.NOT_FOUND, "POST", QUERY) == (404, 9999, "Say why.")


@pytest.mark.parametrize("target", ["/v1/images/zimage", QUERY, DELETE])
def test_faults_of_the_server_keep_their_status(target: str) -> None:
    assert refused(Code.INTERNAL, "POST", target)[:2] == (500, 9999)
    assert refused(Code.UNAVAILABLE, "POST", target)[:2] == (503, 9999)
    assert refused(Code.RATE_LIMITED, "POST", target)[:2] == (429, 9999)


@pytest.mark.parametrize(
    ("code", "status"),
    [(Code.INVALID_INPUT, 400), (Code.INVALID_LINK, 403), (Code.EXPIRED_LINK, 403), (Code.NOT_FOUND, 404)],
)
def test_links_are_refused_with_their_own_status(code: Code, status: int) -> None:
    assert refused(code, "GET", f"/images/{TASK_ID}_0.png") == (status, 9999, "Say why.")


@pytest.mark.parametrize("value", ["tl-key", "Bearer tl-key", "bearer  tl-key"])
def test_the_key_comes_with_or_without_the_word_bearer(value: str) -> None:
    _, request = ask(dialect, "POST", QUERY, headers={"Authorization": value})
    assert dialect.credential(request) == "tl-key"
