"""What clients of Dimilinks do, step by step, against a server that shows traces and lets one web page in.

The steps are those of the programs that talk to the vendor: its own check of every tier, an application that polls,
and a page in a browser.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness import Darkroom, fetched, polls, until
from samples import png, shape
from vendors import DIMILINKS, answered, dimilinks_error

from darkroom.dialects.dimilinks import dialect

PAGE = "https://app.example.com"
OPTIONS = {
    "DARKROOM_DIALECT": "{dimilinks = {trace = true}}",
    "DARKROOM_CORS_ORIGINS": PAGE,
    "DARKROOM_FETCH_ALLOW": "127.0.0.0/8",
    "DARKROOM_PRICES": "{fake = 2}",
}
GENERATE, EDIT = "/v1/images/generations", "/v1/images/edits"


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """A server of one's own."""
    with Darkroom(tmp_path_factory.mktemp("traced"), env=OPTIONS, flags=("--workers", "2")) as running:
        yield running
        assert "Traceback" not in running.log


@pytest.fixture
def caller(traced: Darkroom) -> httpx.Client:
    return traced.client()


# The vendor's own check: price table, a submit for each tier, the older query until the end


def ended(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """The last answer of the older query."""
    *_, last = polls(
        lambda: answered(client.get(f"/v1/images/tasks/{task_id}")),
        lambda task: task["status"] in ("success", "failed", "completed", "cancelled", "canceled"),
    )
    found: dict[str, Any] = last
    return found


def test_prices_are_there_for_anybody(traced: Darkroom) -> None:
    table = answered(traced.client(None).get("/api/pricing"))
    model = next(item for item in table["data"] if item["model_name"] == "gpt-image-2")
    assert {option["resolution"]: option["model_price"] for option in model["resolution_options"]} == {
        "1k": 2,
        "2k": 2,
        "4k": 2,
    }


@pytest.mark.parametrize("resolution", ["1k", "2k", "4k"])
def test_every_tier_is_echoed_and_paid(caller: httpx.Client, resolution: str) -> None:
    body = {"model": "gpt-image-2", "prompt": "a small card", "n": 1, "size": "1:1", "resolution": resolution}
    made = answered(caller.post(f"{GENERATE}?async=true", json=body))
    assert (made["data"], made["resolution"]) == ([], resolution)
    task = ended(caller, made["task_id"])
    assert (task["status"], task["resolution"], task["credit_cost"]) == ("success", resolution, 2)
    trace = task["provider_trace"]
    assert (trace["final"]["provider"], trace["resolution"], trace["attempts"]) == ("fake", resolution, 1)
    assert trace["timing"]["total_ms"] == trace["timing"]["queue_ms"] + trace["timing"]["run_ms"]
    side = {"1k": 1024, "2k": 2048, "4k": 2880}[resolution]
    assert shape(fetched(task["data"][0]["url"]).content) == ("PNG", (side, side))


def test_a_failed_task_says_why_wherever_a_client_may_look(caller: httpx.Client) -> None:
    task_id = answered(caller.post(f"{GENERATE}?async=true", json={"prompt": "fake:fail"}))["task_id"]
    old = ended(caller, task_id)
    new = answered(caller.get(f"/v1/tasks/{task_id}"))
    for task in (old, new):
        assert task["error_code"] == "upstream_error"
        assert task["error_message"] == task["fail_reason"] == new["error"]["message"]
    assert (old["credit_cost"], old["error"]) == (0, f"upstream_error: {new['error']['message']}")


# An application: it submits, polls, and follows links


def test_an_application_polls_until_the_picture_is_there(caller: httpx.Client) -> None:
    body = {"model": "nano-banana-pro", "prompt": "a lake", "n": 1, "size": "16:9", "output_format": "webp"}
    made = answered(caller.post(GENERATE, json={**body, "wait_for_result": False}))
    assert made["data"] == []
    *_, done = polls(
        lambda: answered(caller.get(f"/v1/tasks/{made['task_id']}")),
        lambda task: task["status"] in ("succeeded", "failed"),
    )
    (result,) = done["result"]["data"]
    assert result["file_id"].startswith("file_")
    assert shape(fetched(result["url"]).content) == ("WEBP", (1536, 864))


@pytest.mark.parametrize("form", ["link", "data", "base64", "url-safe"])
def test_a_reference_is_taken_in_every_form(caller: httpx.Client, site: str, picture: bytes, form: str) -> None:
    written = {
        "link": f"{site}/a.png",
        "data": f"data:image/png;base64,{base64.b64encode(picture).decode()}",
        "base64": base64.b64encode(picture).decode(),
        "url-safe": base64.urlsafe_b64encode(picture).decode().rstrip("="),
    }
    done = answered(caller.post(GENERATE, json={"prompt": "make it night", "image_urls": [written[form]]}))
    task = answered(caller.get(f"/api/tasks/{done['task_id']}"))
    assert (task["operation"], task["state"]) == ("image.edit", "succeeded")


def test_a_picture_and_its_mask_may_come_as_links(caller: httpx.Client, site: str) -> None:
    body = {"prompt": "make it night", "image_urls": f"{site}/a.png", "mask_url": f"{site}/mask.png"}
    assert len(answered(caller.post(GENERATE, json=body))["data"]) == 1


def test_pictures_come_inside_the_answer_of_an_edit(caller: httpx.Client, picture: bytes) -> None:
    parts = [("image[]", ("a.png", picture)), ("mask", ("m.png", png(40, 30))), ("prompt", (None, "make it night"))]
    body = answered(caller.post(EDIT, files=[*parts, ("response_format", (None, "b64_json")), ("n", (None, "2"))]))
    assert [item.keys() for item in body["data"]] == [{"b64_json", "file_id"}] * 2
    contents = [base64.b64decode(item["b64_json"]) for item in body["data"]]
    assert [shape(content)[0] for content in contents] == ["PNG", "PNG"]
    assert contents[0] != contents[1]


# What is refused, in the vendor's order


def refused(client: httpx.Client, body: Any, path: str = GENERATE) -> str:
    """Status and code of a refusal."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return dimilinks_error(client.post(path, content=content, headers={"Content-Type": "application/json"}))


def test_each_refusal_comes_before_the_next(traced: Darkroom, site: str) -> None:
    poor = traced.client(traced.new_key(credits=0))
    everything_wrong = {"prompt": "", "model": "dall-e", "image_url": f"{site}/missing"}
    assert refused(traced.client(None), b"{") == "401 missing_api_key"
    assert refused(traced.client("sk-nobody"), b"{") == "401 invalid_api_key"
    assert refused(poor, b"{") == "400 invalid_request_error"
    answer = poor.post(GENERATE, json=everything_wrong)
    assert answer.json()["error"]["message"] == "prompt 不能为空"
    named = {**everything_wrong, "prompt": "a lake"}
    assert refused(poor, {**named, "image_urls": [str(number) for number in range(12)]}) == "400 model_not_found"
    assert refused(poor, {**named, "model": "minimax-h3"}) == "400 model_type_mismatch"
    assert refused(poor, {**named, "model": "faceswap-v1"}) == "400 model_type_mismatch"
    assert refused(poor, {**named, "model": "gpt-image-2"}) == "400 invalid_reference_image"
    assert refused(poor, {"prompt": "a lake", "model": "gpt-image-2"}) == "402 insufficient_balance"
    assert answered(poor.get("/api/tasks"))["items"] == []


def test_a_refusal_in_the_shape_of_apimart_has_a_number(caller: httpx.Client) -> None:
    for path, headers in (
        (f"{GENERATE}?response_schema=api_mart", {}),
        (f"{GENERATE}?apimart=on", {}),
        (GENERATE, {"X-API-Format": "APIMart-Compatible"}),
    ):
        answer = caller.post(path, json={"prompt": "a lake", "model": "dall-e"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)
        ticket = answered(caller.post(path, json={"prompt": "a lake"}, headers=headers))
        assert (ticket["code"], ticket["data"][0]["status"]) == (200, "submitted")


# Videos


def test_a_clip_of_the_older_family(caller: httpx.Client) -> None:
    body = {"model": "grok-imagine-video", "prompt": "a lake", "seconds": "6", "size": "1280x720"}
    made = answered(caller.post("/v1/videos/generations", json=body | {"resolution_name": "720p", "preset": "fun"}))
    assert made == {"data": {"id": made["data"]["id"], "task_id": made["data"]["id"], "status": "queued"}}
    clip_id = made["data"]["id"]
    assert clip_id.startswith("video_")
    *_, done = polls(
        lambda: answered(caller.get(f"/v1/tasks/{clip_id}"))["data"], lambda clip: clip["status"] == "completed"
    )
    assert done.keys() == {"id", "task_id", "status", "progress", "created_at", "completed_at"}
    assert caller.get(f"/v1/videos/{clip_id}/content").content


def test_a_video_of_the_newer_family(caller: httpx.Client, site: str) -> None:
    references = [{"type": "image", "role": "first_frame", "source": f"{site}/a.png"}]
    body = {"model": "seedance2.0-A", "prompt": "a lake, fake:hang", "seconds": 8, "references": references}
    made = answered(caller.post("/v1/videos", json=body))
    assert made.pop("id") == made["task_id"]
    task_id = made.pop("task_id")
    assert task_id.startswith("task_")
    assert made == {"object": "video", "model": "seedance2.0-A", "status": "queued", "progress": 0}
    until(lambda: answered(caller.get(f"/v1/videos/{task_id}"))["status"] == "in_progress")
    assert dimilinks_error(caller.get(f"/v1/videos/{task_id}/content")) == "409 invalid_request_error"
    answered(caller.post(f"/api/tasks/{task_id}/cancel"))
    canceled = answered(caller.get(f"/v1/videos/{task_id}"))
    assert (canceled["status"], canceled["error"]["code"]) == ("failed", "interrupted")
    assert answered(caller.get(f"/v1/tasks/{task_id}"))["data"]["status"] == "cancelled"
    assert dimilinks_error(caller.get(f"/v1/videos/{task_id}/content")) == "404 not_found"


def test_a_video_is_its_owners_alone(traced: Darkroom, caller: httpx.Client) -> None:
    task_id = answered(caller.post("/v1/videos", json={"prompt": "a lake"}))["task_id"]
    until(lambda: answered(caller.get(f"/v1/videos/{task_id}"))["status"] == "completed")
    stranger = traced.client(traced.new_key())
    for path in (f"/v1/videos/{task_id}", f"/v1/videos/{task_id}/content"):
        assert dimilinks_error(stranger.get(path)) == "404 not_found"
        assert dimilinks_error(traced.client(None).get(path)) == "401 missing_api_key"
    whole = caller.get(f"/v1/videos/{task_id}/content")
    part = caller.get(f"/v1/videos/{task_id}/content", headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, whole.content[:10])


# A chat over plain HTTP


def test_a_streamed_chat_is_a_stream_of_events_for_proxies_too(caller: httpx.Client) -> None:
    body = {"model": "gpt-image-2", "messages": [{"role": "user", "content": "a lake"}], "stream": True}
    answer = caller.post("/v1/chat/completions", json=body)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert (answer.headers["cache-control"], answer.headers["x-accel-buffering"]) == ("no-store", "no")
    events = [event for event in answer.text.split("\n\n") if event and not event.startswith(":")]
    assert (len(events), events[-1]) == (4, "data: [DONE]")


# A page in a browser, and whoever watches the server


def test_a_browser_may_ask_what_the_page_may_do(traced: Darkroom) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    answer = traced.client(None).options("/v1/images/generations", headers=asked)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-max-age"] == "86400"
    methods = set(answer.headers["access-control-allow-methods"].split(", "))
    assert methods == {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    allowed = set(answer.headers["access-control-allow-headers"].split(", "))
    assert {"Authorization", "Content-Type", "X-Request-Id"} <= allowed


def test_a_page_may_read_answers_and_refusals(traced: Darkroom, caller: httpx.Client) -> None:
    for answer in (
        caller.get("/v1/models", headers={"Origin": PAGE}),
        traced.client(None).get("/v1/models", headers={"Origin": PAGE}),
    ):
        assert answer.headers["access-control-allow-origin"] == PAGE
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    other = caller.get("/v1/models", headers={"Origin": "https://evil.example.com"})
    assert "access-control-allow-origin" not in other.headers
    assert caller.options("/anything/at/all").status_code == 204


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_the_server_is_well(traced: Darkroom, path: str) -> None:
    body = answered(traced.client(None).get(path))
    assert body == {"code": 0, "message": "ok", "data": {"status": "ok"}}


def test_every_name_on_offer_can_be_asked_for(caller: httpx.Client) -> None:
    names = [model["id"] for model in answered(caller.get("/v1/models"))["data"]]
    assert set(dialect.models) <= set(names)
    for name in ("gpt-image-2.5-flare", "fake"):
        made = answered(caller.post(f"{GENERATE}?async=true", json={"prompt": "a lake", "model": name}))
        assert DIMILINKS.state(DIMILINKS.read(caller, made["task_id"])) != "failed"
