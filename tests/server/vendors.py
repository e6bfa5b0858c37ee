"""One journey for each dialect, so that a test can ask the same of all four.

Everything here comes from the vendors' pages; nothing is imported from the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx

from darkroom.testing.journeys import NATIVE, Journey, Request, answered, ask, until_final

__all__ = [
    "DIMILINKS",
    "MUYUHAN",
    "NATIVE",
    "TENSORSLAB",
    "VENDORS",
    "Request",
    "Vendor",
    "answered",
    "ask",
    "form",
    "picture_form",
    "until_final",
]
Vendor = Journey


def form(**fields: str) -> dict[str, Any]:
    """Text fields as the vendors' clients send them: multipart parts without a file name."""
    return {"files": [(name, (None, value)) for name, value in fields.items()]}


def envelope(response: httpx.Response) -> str:
    """A refusal with a code in its body: HTTP status and code."""
    body = response.json()
    assert set(body) <= {"code", "msg", "data"}, body
    assert body["msg"], body
    return f"{response.status_code} {body['code']}"


def dimilinks_error(response: httpx.Response) -> str:
    error = response.json()["error"]
    assert set(error) == {"message", "type", "code"}, error
    assert error["message"], error
    return f"{response.status_code} {error['code']}"


def named(states: Mapping[Any, str], *path: str) -> Callable[[Any], str]:
    """A reader of a state in an answer."""

    def state(body: Any) -> str:
        for part in path:
            body = body[part]
        return states[body]

    return state


def picture_form(field: str, name: str, content: bytes, **fields: str) -> dict[str, Any]:
    """A picture and text fields in one form."""
    return {"files": [(field, (name, content)), *form(**fields)["files"]]}


TENSORSLAB = Journey(
    name="tensorslab",
    submit=lambda prompt: ("POST", "/v1/images/seedreamv4", form(prompt=prompt, resolution="64x48")),
    upload=lambda name, content: (
        *("POST", "/v1/images/seedreamv4"),
        picture_form("sourceImage", name, content, prompt="brighter", resolution="64x48"),
    ),
    query=lambda task_id: ("POST", "/v1/images/infobytaskid", {"json": {"taskid": task_id}}),
    delete=lambda task_id: ("POST", "/v1/images/deleteimagestask", {"json": {"taskids": [task_id]}}),
    task_id=lambda body: body["data"]["taskid"],
    state=named({1: "queued", 2: "running", 3: "succeeded", 4: "failed"}, "data", "image_status"),
    links=lambda body: body["data"]["url"],
    refused=envelope,
    missing_key="401 9999",
    invalid_key="401 9999",
    not_found="404 9999",
    invalid=("200 9999",),
    no_credits="200 9000",
)

DIMILINKS = Journey(
    name="dimilinks",
    submit=lambda prompt: ("POST", "/v1/images/generations?async=true", {"json": {"prompt": prompt, "size": "64x48"}}),
    upload=lambda name, content: (
        *("POST", "/v1/images/edits?async=true"),
        picture_form("image", name, content, prompt="brighter"),
    ),
    sync=lambda prompt: ("POST", "/v1/images/generations", {"json": {"prompt": prompt, "size": "64x48"}}),
    sync_links=lambda body: [item["url"] for item in body["data"]],
    query=lambda task_id: ("GET", f"/v1/tasks/{task_id}", {}),
    task_id=lambda body: body["task_id"],
    state=named({name: name for name in ("queued", "succeeded", "failed")} | {"in_progress": "running"}, "status"),
    links=lambda body: [item["url"] for item in body.get("result", {}).get("data", [])],
    refused=dimilinks_error,
    missing_key="401 missing_api_key",
    invalid_key="401 invalid_api_key",
    not_found="404 not_found",
    invalid=(
        *("400 invalid_request_error", "400 invalid_reference_image", "400 reference_image_too_large"),
        "400 model_not_found",
    ),
    no_credits="402 insufficient_balance",
)

MUYUHAN = Journey(
    name="muyuhan",
    submit=lambda prompt: (
        *("POST", "/submitTask"),
        {"json": {"taskType": 7, "content": prompt, "appId": "a", "udid": "u"}},
    ),
    upload=lambda name, content: ("POST", "/submitTask", picture_form("images", name, content, taskType="4")),
    parts=lambda first, second: (
        *("POST", "/submitTask"),
        {"files": [("images", ("a.png", first)), ("images", ("b.png", second)), *form(taskType="4")["files"]]},
    ),
    query=lambda task_id: ("GET", f"/getTaskInfo?promptId={task_id}", {}),
    task_id=lambda body: body["data"]["promptId"],
    state=named({10: "queued", 20: "running", 30: "succeeded", 2: "failed"}, "data", "state"),
    links=lambda body: [item["origin"] for item in body["data"]["imageList"]],
    refused=envelope,
    missing_key="200 401",
    invalid_key="200 401",
    not_found="200 900",
    invalid=("200 800",),
    no_credits="200 402",
)

VENDORS = (NATIVE, TENSORSLAB, DIMILINKS, MUYUHAN)
