"""Requests that cannot be read or make no sense: refused in the dialect's words, with the field at fault named."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from harness import Darkroom
from vendors import DIMILINKS, MUYUHAN, NATIVE, TENSORSLAB, Request, Vendor, answered, ask, form

JSON = {"Content-Type": "application/json"}
BOUNDARY = {"Content-Type": "multipart/form-data; boundary=here"}
PART = b'--here\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na lake\r\n'
SUBMIT, SEEDREAM = "/api/tasks", "/v1/images/seedreamv4"
QUERY, DELETE = "/v1/images/infobytaskid", "/v1/images/deleteimagestask"
GENERATE, EDIT = "/v1/images/generations", "/v1/images/edits"


def job(**fields: Any) -> dict[str, Any]:
    """A native submit."""
    return {"json": {"operation": "image.generate", **fields}}


def body(content: bytes, headers: dict[str, str] = JSON) -> dict[str, Any]:
    """Bytes that claim to be of a type."""
    return {"content": content, "headers": headers}


# what is wrong: the dialect, the request, the answer, and what its message names
CASES: dict[str, tuple[Vendor, Request, str, str]] = {
    "native: broken JSON": (NATIVE, ("POST", SUBMIT, body(b'{"operation": ')), "400 invalid_input", "JSON"),
    "native: no body": (NATIVE, ("POST", SUBMIT, {}), "400 invalid_input", "JSON"),
    "native: not UTF-8": (NATIVE, ("POST", SUBMIT, body(b'{"model": "\xff"}')), "400 invalid_input", "JSON"),
    "native: a list": (NATIVE, ("POST", SUBMIT, {"json": []}), "400 invalid_input", "object"),
    "native: very deep JSON": (NATIVE, ("POST", SUBMIT, body(b"[" * 100_000)), "400 invalid_input", "request body"),
    "native: a form": (NATIVE, ("POST", SUBMIT, form(operation="image.generate")), "400 invalid_input", "JSON"),
    "native: no operation": (NATIVE, ("POST", SUBMIT, {"json": {}}), "400 invalid_input", "operation"),
    "native: unknown operation": (
        *(NATIVE, ("POST", SUBMIT, {"json": {"operation": "image.eat"}})),
        *("400 invalid_input", "operation"),
    ),
    "native: wrong type": (NATIVE, ("POST", SUBMIT, job(count="many")), "400 invalid_input", "count"),
    "native: none at all": (NATIVE, ("POST", SUBMIT, job(count=0)), "400 invalid_input", "count"),
    "native: too many": (NATIVE, ("POST", SUBMIT, job(count=16)), "400 invalid_input", "count"),
    "native: unknown field": (NATIVE, ("POST", SUBMIT, job(modell="fake")), "400 invalid_input", "modell"),
    "native: unknown model": (NATIVE, ("POST", SUBMIT, job(model="fakee")), "400 unknown_model", "'fake'"),
    "native: a model of another kind": (
        *(NATIVE, ("POST", SUBMIT, job(model="filters-v1"))),
        *("400 unsupported", "image.filter"),
    ),
    "native: unknown parameter": (
        NATIVE,
        ("POST", SUBMIT, job(params={"promt": "x"})),
        "400 invalid_input",
        "'prompt'",
    ),
    "native: a parameter's type": (NATIVE, ("POST", SUBMIT, job(params={"prompt": 7})), "400 invalid_input", "prompt"),
    "native: a parameter's value": (
        *(NATIVE, ("POST", SUBMIT, job(params={"size": "9999x9"}))),
        *("400 invalid_input", "size"),
    ),
    "native: an input of nothing": (NATIVE, ("POST", SUBMIT, job(inputs=[{}])), "400 invalid_input", "file"),
    "native: a file of nobody": (NATIVE, ("POST", SUBMIT, job(inputs=[{"file": "x"}])), "404 not_found", "'x'"),
    "native: no base64": (NATIVE, ("POST", SUBMIT, job(inputs=[{"data": "?"}])), "400 invalid_media", "base64"),
    "native: a webhook": (NATIVE, ("POST", SUBMIT, job(webhook="ftp://example.com")), "400 invalid_input", "webhook"),
    "native: unknown event": (
        *(NATIVE, ("POST", SUBMIT, job(webhook="https://example.com", webhook_events=["done"]))),
        *("400 invalid_input", "task.succeeded"),
    ),
    "native: no time": (NATIVE, ("POST", f"{SUBMIT}?wait=soon", job()), "400 invalid_input", "wait"),
    "native: unknown state": (NATIVE, ("GET", f"{SUBMIT}?state=done", {}), "400 invalid_input", "state"),
    "native: a page of nothing": (NATIVE, ("GET", f"{SUBMIT}?limit=0", {}), "400 invalid_input", "limit"),
    "native: an invented cursor": (NATIVE, ("GET", f"{SUBMIT}?cursor=next", {}), "400 invalid_input", "cursor"),
    "native: no file": (NATIVE, ("POST", "/api/files", form(file="text")), "400 invalid_input", "file"),
    "native: broken multipart": (
        *(NATIVE, ("POST", "/api/files", body(b"no part at all", BOUNDARY))),
        *("400 invalid_input", "multipart"),
    ),
    "native: multipart without a boundary": (
        *(NATIVE, ("POST", "/api/files", body(PART, {"Content-Type": "multipart/form-data"}))),
        *("400 invalid_input", "boundary"),
    ),
    "tensorslab: no prompt": (TENSORSLAB, ("POST", SEEDREAM, form(resolution="2K")), "200 9999", "prompt"),
    "tensorslab: a blank prompt": (TENSORSLAB, ("POST", SEEDREAM, form(prompt="  ")), "200 9999", "prompt"),
    "tensorslab: wrong type": (
        *(TENSORSLAB, ("POST", SEEDREAM, form(prompt="a lake", batchsize="many"))),
        *("200 9999", "batchsize"),
    ),
    "tensorslab: too many": (
        *(TENSORSLAB, ("POST", SEEDREAM, form(prompt="a lake", batchsize="16"))),
        *("200 9999", "batchsize"),
    ),
    "tensorslab: an edit of nothing": (
        *(TENSORSLAB, ("POST", "/v1/images/quickedit", form(prompt="brighter"))),
        *("200 9999", "sourceImage"),
    ),
    "tensorslab: no link": (
        *(TENSORSLAB, ("POST", SEEDREAM, form(prompt="a lake", imageUrl="file:///etc/passwd"))),
        *("200 9999", "imageUrl"),
    ),
    "tensorslab: broken multipart": (
        *(TENSORSLAB, ("POST", SEEDREAM, body(b"no part at all", BOUNDARY))),
        *("200 9999", "multipart"),
    ),
    "tensorslab: multipart that breaks off": (
        *(TENSORSLAB, ("POST", SEEDREAM, body(PART[:30], BOUNDARY))),
        *("200 9999", ""),
    ),
    "tensorslab: JSON for a form": (TENSORSLAB, ("POST", SEEDREAM, {"json": {"prompt": "x"}}), "200 9999", "prompt"),
    "tensorslab: a query in broken JSON": (TENSORSLAB, ("POST", QUERY, body(b"{")), "404 9999", "JSON"),
    "tensorslab: a query of the wrong type": (
        TENSORSLAB,
        ("POST", QUERY, {"json": {"taskid": 7}}),
        "404 9999",
        "taskid",
    ),
    "tensorslab: a query of nothing": (TENSORSLAB, ("POST", QUERY, {"json": {}}), "404 9999", "taskid"),
    "tensorslab: a delete of nothing": (TENSORSLAB, ("POST", DELETE, {"json": {"taskids": []}}), "400 9999", "taskids"),
    "tensorslab: a delete of the wrong type": (
        *(TENSORSLAB, ("POST", DELETE, {"json": {"taskids": "x"}})),
        *("400 9999", "taskids"),
    ),
    "dimilinks: no prompt": (DIMILINKS, ("POST", GENERATE, {"json": {}}), "400 invalid_request_error", "prompt"),
    "dimilinks: a blank prompt": (
        *(DIMILINKS, ("POST", GENERATE, {"json": {"prompt": " "}})),
        *("400 invalid_request_error", "prompt"),
    ),
    "dimilinks: broken JSON": (DIMILINKS, ("POST", GENERATE, body(b"{")), "400 invalid_request_error", "JSON"),
    "dimilinks: wrong type": (
        *(DIMILINKS, ("POST", GENERATE, {"json": {"prompt": "a lake", "n": "many"}})),
        *("400 invalid_request_error", "n"),
    ),
    "dimilinks: unknown model": (
        *(DIMILINKS, ("POST", GENERATE, {"json": {"prompt": "a lake", "model": "dall-e"}})),
        *("400 model_not_found", "dall-e"),
    ),
    "dimilinks: no size": (
        *(DIMILINKS, ("POST", GENERATE, {"json": {"prompt": "a lake", "size": "large"}})),
        *("400 invalid_request_error", "size"),
    ),
    "dimilinks: ten references": (
        DIMILINKS,
        ("POST", GENERATE, {"json": {"prompt": "a lake", "images": [f"https://example.com/{n}" for n in range(10)]}}),
        *("400 invalid_request_error", "9"),
    ),
    "dimilinks: a reference that is no picture": (
        *(DIMILINKS, ("POST", GENERATE, {"json": {"prompt": "a lake", "image": "bm8gcGljdHVyZQ=="}})),
        *("400 invalid_reference_image", "参考图解析失败"),
    ),
    "dimilinks: an edit of nothing": (
        *(DIMILINKS, ("POST", EDIT, form(prompt="brighter"))),
        *("400 invalid_request_error", "image"),
    ),
    "dimilinks: an edit in broken multipart": (
        *(DIMILINKS, ("POST", EDIT, body(b"no part at all", BOUNDARY))),
        *("400 invalid_request_error", "multipart"),
    ),
    "muyuhan: no kind": (MUYUHAN, ("POST", "/submitTask", {}), "200 800", "taskType"),
    "muyuhan: unknown kind": (MUYUHAN, ("POST", "/submitTask", form(taskType="8")), "200 800", "taskType"),
    "muyuhan: wrong type": (MUYUHAN, ("POST", "/submitTask", {"json": {"taskType": [4]}}), "200 800", "taskType"),
    "muyuhan: broken JSON": (MUYUHAN, ("POST", "/submitTask", body(b"{")), "200 800", "JSON"),
    "muyuhan: broken multipart": (MUYUHAN, ("POST", "/submitTask", body(b"x", BOUNDARY)), "200 800", "multipart"),
    "muyuhan: no picture": (MUYUHAN, ("POST", "/submitTask", form(taskType="5")), "200 800", "images"),
    "muyuhan: one face for a swap": (
        *(MUYUHAN, ("POST", "/submitTask", form(taskType="3", images="https://example.com/a.png"))),
        *("200 800", "two pictures"),
    ),
    "muyuhan: unknown style": (
        *(MUYUHAN, ("POST", "/submitTask", form(taskType="5", styleId="99", images="https://example.com/a.png"))),
        *("200 800", "styleId"),
    ),
    "muyuhan: the number of an upload": (
        *(MUYUHAN, ("POST", "/submitTask", form(taskType="4", fileName="1127341859"))),
        *("200 800", "fileName"),
    ),
    "muyuhan: unknown upload": (MUYUHAN, ("POST", "/submitTask", form(taskType="4", fileName="x")), "200 900", "'x'"),
    "muyuhan: an upload of nothing": (MUYUHAN, ("POST", "/picUpload", form(taskType="8")), "200 800", "images"),
    "muyuhan: a query of nothing": (MUYUHAN, ("GET", "/getTaskInfo", {}), "200 800", "promptId"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_bad_request_is_refused_by_name_and_leaves_nothing(
    server: Darkroom, client: httpx.Client, case: tuple[Vendor, Request, str, str]
) -> None:
    vendor, request, expected, named = case
    kept, newest = server.uploads(), answered(client.get("/api/tasks", params={"limit": 1}))["items"]
    response = ask(client, request)
    assert vendor.refused(response) == expected
    assert named in response.text
    assert server.uploads() == kept
    assert [task["id"] for task in answered(client.get("/api/tasks", params={"limit": 1}))["items"]] == [
        task["id"] for task in newest
    ]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"operation": "image.eat"}, "operation"),
        ({"operation": "image.generate", "count": "many"}, "count"),
        ({"operation": "image.generate", "params": {"promt": "x"}}, "promt"),
        ({"operation": "image.generate", "params": {"size": "big"}}, "size"),
        ({"operation": "image.generate", "model": "nothing"}, "model"),
        ({"operation": "image.edit", "inputs": [{"url": "https://a", "data": "b"}]}, "inputs"),
    ],
)
def test_native_refusals_name_the_parameter_in_a_field_of_its_own(
    client: httpx.Client, fields: dict[str, Any], param: str
) -> None:
    assert client.post(SUBMIT, json=fields).json()["error"]["param"] == param


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/tasks/x/y/z", 404),
        ("GET", "/api/tasks/", 404),
        ("POST", "/v1/images/seedreamv4/", 404),
        ("POST", "/v1/images/seedreamv9", 404),
        ("GET", "/v1/images/infobytaskid", 405),
        ("PUT", "/api/tasks", 405),
        ("DELETE", "/getTaskInfo", 405),
    ],
)
def test_paths_and_methods_that_nobody_serves_are_not_found(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    response = client.request(method, path)
    assert response.status_code == status
    assert response.json()["error"]["code"] == "not_found"


def test_a_refusal_is_json_that_no_browser_takes_for_a_page(client: httpx.Client) -> None:
    response = client.get("/api/tasks/<script>alert(1)</script>")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("key", "content"), [("sk-of-nobody", b'{"operation": "image.generate"}'), ("", b"no JSON"), ("", bytes(80 << 20))]
)
def test_a_large_body_that_nobody_reads_ends_the_connection(server: Darkroom, key: str, content: bytes) -> None:
    client = server.client(key)
    answered(server.client().post(SUBMIT, json={"operation": "image.generate"}))
    response = client.post(SUBMIT, content=content + bytes(9 << 20))
    assert response.status_code in (400, 401, 413)
    assert response.headers["connection"] == "close"


def test_a_body_that_was_read_does_not_end_the_connection(client: httpx.Client) -> None:
    for request in (("POST", SUBMIT, {"json": {}}), ("POST", SEEDREAM, form(prompt="")), ("GET", "/api/tasks/x", {})):
        assert "connection" not in ask(client, request).headers


@pytest.mark.parametrize("size", [1_000, 6 << 20])
def test_who_is_refused_while_sending_reads_why(server: Darkroom, size: int) -> None:
    for _ in range(10):  # each time on a new connection, which is cut or not
        with server.client("sk-wrong") as stranger:
            refused = stranger.post("/api/files", files={"file": ("a.png", bytes(size))})
            assert refused.status_code == 401
            assert "connection" not in refused.headers
