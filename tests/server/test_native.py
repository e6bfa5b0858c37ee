"""The native API, key by key: tasks, lists, files, models, the account."""

from __future__ import annotations

import base64
import re
from typing import Any

import httpx
import jsonschema_rs
import pytest
from harness import Darkroom, fetched, unsigned, until
from samples import shape
from vendors import NATIVE, TENSORSLAB, answered, ask

TASK = {
    *("id", "operation", "model", "state", "progress", "stage", "attempt", "created_at", "started_at", "finished_at"),
    *("start_at", "deadline", "waiting_for", "is_possible"),
    *("position", "eta_seconds", "outputs", "error", "warnings", "price", "cost", "children", "metadata"),
    "expires_at",
    "expired_at",
    "expired",
    "preview_url",
    "zip_url",
    "events_url",
}
OUTPUT = {"url", "thumbnail_url", "media_type", "width", "height", "size", "duration", "blurhash"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def submit(client: httpx.Client, wait: int = 20, **fields: Any) -> dict[str, Any]:
    """A new task, final unless told not to wait."""
    body = {"operation": "image.generate", **fields}
    response = client.post("/api/tasks", params={"wait": wait} if wait else {}, json=body)
    assert response.status_code == 201, response.text
    task: dict[str, Any] = response.json()
    return task


@pytest.fixture
def newcomer(server: Darkroom) -> httpx.Client:
    """A client whose account has no tasks yet."""
    return server.client(server.new_key(name="newcomer", credits=100))


def test_a_task_has_exactly_these_keys(client: httpx.Client) -> None:
    task = submit(client, count=2, params={"size": "80x60"}, metadata={"order": 7, "深": [True]})
    assert task.keys() == TASK
    assert re.fullmatch("[0-9a-f]{32}", task["id"])
    assert (task["operation"], task["model"]) == ("image.generate", "fake")
    assert (task["state"], task["progress"], task["attempt"], task["cost"]) == ("succeeded", 100, 1, 2)
    assert task["created_at"] <= task["started_at"] <= task["finished_at"]
    assert all(TIME.fullmatch(task[name]) for name in ("created_at", "started_at", "finished_at"))
    assert (task["position"], task["eta_seconds"], task["error"]) == (None, None, None)
    assert (task["warnings"], task["children"], task["metadata"]) == ([], [], {"order": 7, "深": [True]})
    assert [output.keys() for output in task["outputs"]] == [OUTPUT] * 2
    for output in task["outputs"]:
        assert (output["width"], output["height"], output["duration"]) == (80, 60, None)
    assert unsigned(answered(client.get(f"/api/tasks/{task['id']}"))) == unsigned(task)
    assert unsigned(answered(client.get("/api/tasks", params={"limit": 1}))["items"]) == [unsigned(task)]


def test_a_submit_is_answered_before_the_task_is_done(client: httpx.Client) -> None:
    task = submit(client, wait=0, params={"outcome": "hang"})
    assert (task["state"], task["outputs"], task["finished_at"], task["cost"]) in (
        ("queued", [], None, 0),
        ("running", [], None, 0),
    )
    assert client.delete(f"/api/tasks/{task['id']}").status_code == 204


def test_a_failed_task_says_why(client: httpx.Client) -> None:
    task = submit(client, params={"outcome": "fail"})
    assert (task["state"], task["outputs"], task["cost"]) == ("failed", [], 0)
    assert task["error"].keys() == {"code", "message", "param"}
    assert task["error"]["code"] == "engine_failed"


def test_a_knob_that_a_model_lacks_is_dropped_with_a_warning(client: httpx.Client) -> None:
    task = submit(client, params={"guidance": 7})
    assert task["warnings"] == ["Model 'fake' has no parameter 'guidance'; it was ignored."]


def test_progress_only_ever_grows(client: httpx.Client) -> None:
    task_id = submit(client, wait=0, params={"steps": 8, "step_ms": 150})["id"]
    seen = []
    while not seen or seen[-1]["state"] not in ("succeeded", "failed"):
        seen.append(answered(client.get(f"/api/tasks/{task_id}")))
    percents = [task["progress"] for task in seen]
    assert percents == sorted(percents)
    assert len(set(percents)) > 2
    assert percents[-1] == 100


# ---- lists


def test_a_list_is_read_page_by_page_from_the_newest(newcomer: httpx.Client) -> None:
    made = [submit(newcomer, wait=0)["id"] for _ in range(7)]
    pages, cursor = [], None
    while not pages or cursor:
        page = answered(newcomer.get("/api/tasks", params={"limit": 3} | ({"cursor": cursor} if cursor else {})))
        assert page.keys() == {"items", "next_cursor"}
        pages.append([task["id"] for task in page["items"]])
        cursor = page["next_cursor"]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert [task_id for page in pages for task_id in page] == made[::-1]


def test_tasks_made_meanwhile_do_not_move_the_next_page(newcomer: httpx.Client) -> None:
    made = [submit(newcomer, wait=0)["id"] for _ in range(4)]
    first = answered(newcomer.get("/api/tasks", params={"limit": 2}))
    submit(newcomer, wait=0)
    second = answered(newcomer.get("/api/tasks", params={"limit": 2, "cursor": first["next_cursor"]}))
    assert [task["id"] for task in second["items"]] == made[1::-1]


def test_a_list_of_one_state_has_tasks_in_that_state_alone(newcomer: httpx.Client) -> None:
    ids = {
        "succeeded": submit(newcomer)["id"],
        "failed": submit(newcomer, params={"outcome": "fail"})["id"],
        "running": submit(newcomer, wait=0, params={"outcome": "hang"})["id"],
    }
    canceled = submit(newcomer, wait=0, params={"outcome": "hang"})["id"]
    ids["canceled"] = answered(newcomer.post(f"/api/tasks/{canceled}/cancel"))["id"]
    until(lambda: answered(newcomer.get(f"/api/tasks/{ids['running']}"))["state"] == "running")
    for state, task_id in ids.items():
        found = answered(newcomer.get("/api/tasks", params={"state": state}))["items"]
        assert [(task["id"], task["state"]) for task in found] == [(task_id, state)]
    assert answered(newcomer.get("/api/tasks", params={"state": "queued"}))["items"] == []
    assert newcomer.delete(f"/api/tasks/{ids['running']}").status_code == 204


def test_a_list_shows_tasks_of_every_dialect_and_no_parts(newcomer: httpx.Client, picture: bytes) -> None:
    tensorslab = TENSORSLAB.made(newcomer, "a lake")
    files = [("images", ("a.png", picture))] * 2
    muyuhan = answered(newcomer.post("/submitTask", files=[*files, ("taskType", (None, "4"))]))["data"]["promptId"]
    items = answered(newcomer.get("/api/tasks"))["items"]
    assert [task["id"] for task in items] == [muyuhan, tensorslab]
    assert [len(task["children"]) for task in items] == [2, 0]
    assert items[0]["children"][0].keys() == TASK


# ---- files and inputs


def test_an_upload_is_an_input_as_often_as_it_is_named(client: httpx.Client, picture: bytes) -> None:
    response = client.post("/api/files", files={"file": ("a.png", picture)})
    assert response.status_code == 201
    kept = response.json()
    assert kept.keys() == {"id", "media_type", "size", "width", "height", "url"}
    assert (kept["media_type"], kept["size"], kept["width"], kept["height"]) == ("image/png", len(picture), 40, 30)
    for _ in range(2):
        task = submit(
            client, operation="image.filter", inputs=[{"file": kept["id"]}], params={"style": "sepia", "format": "png"}
        )
        assert task["state"] == "succeeded"
        content = client.get(task["outputs"][0]["url"]).content
        assert shape(content) == ("PNG", (40, 30))
        assert content != picture


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:;base64,"])
def test_an_input_may_come_as_base64(client: httpx.Client, picture: bytes, prefix: str) -> None:
    data = prefix + base64.b64encode(picture).decode()
    task = submit(client, operation="image.filter", inputs=[{"data": data}], params={"style": "noir"})
    assert (task["state"], task["outputs"][0]["width"]) == ("succeeded", 40)


def test_an_input_may_come_from_a_url(server: Darkroom, tmp_path_factory: pytest.TempPathFactory, site: str) -> None:
    env = {"DARKROOM_FETCH_ALLOW": "127.0.0.0/8"}
    with Darkroom(tmp_path_factory.mktemp("fetching"), env=env) as fetching:
        client = fetching.client()
        task = submit(client, operation="image.edit", inputs=[{"url": f"{site}/picture.png?x=1"}])
        assert task["state"] == "succeeded"
        missing = client.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"url": f"{site}/missing"}]})
        assert NATIVE.refused(missing) == "400 invalid_input"
        assert "404" in missing.json()["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        *("{site}/a.png", "http://localhost:{port}/a.png", "http://[::1]:{port}/a.png", "http://0x7f000001:{port}/a"),
        *("http://127.1:{port}/a.png", "http://[::ffff:127.0.0.1]:{port}/a.png", "http://0:{port}/a.png"),
        *("http://169.254.169.254/latest/meta-data", "http://10.0.0.1/a.png", "http://192.168.1.1/a.png"),
        *("ftp://127.0.0.1/a.png", "file:///etc/passwd", "http://user:pass@127.0.0.1/", "gopher://x", "http://", "x"),
    ],
)
def test_a_url_into_a_private_network_is_refused_unvisited(client: httpx.Client, site: str, url: str) -> None:
    url = url.format(site=site, port=site.rpartition(":")[2])
    response = client.post("/api/tasks", json={"operation": "image.edit", "inputs": [{"url": url}]})
    assert NATIVE.refused(response) == "400 invalid_input"
    assert visits(site) == []


def visits(site: str) -> list[str]:
    """The paths that were asked of the site."""
    paths: list[str] = fetched(f"{site}/visits").json()
    return paths


# ---- models and the account


def test_models_describe_their_parameters_as_json_schema(client: httpx.Client) -> None:
    models = {model["name"]: model for model in answered(client.get("/api/models"))["items"]}
    assert {"fake", "filters-v1", "edit-v1", "upscale-v1"} <= models.keys()
    for model in models.values():
        assert model.keys() == {
            *("name", "operations", "description", "price", "pricing"),
            *("min_inputs", "max_inputs", "max_count", "parameters"),
        }
        jsonschema_rs.meta.validate(model["parameters"])
    accepts = jsonschema_rs.validator_for(models["fake"]["parameters"]).is_valid
    for params in (
        {"size": "64x48", "prompt": "x"},
        {"size": "big"},
        {"promt": "x"},
        {"steps": -1},
        {"format": "tiff"},
    ):
        response = client.post("/api/tasks", json={"operation": "image.generate", "model": "fake", "params": params})
        assert (response.status_code == 201) == accepts(params), params


def test_the_account_shows_credits_and_holds(newcomer: httpx.Client) -> None:
    account = answered(newcomer.get("/api/account"))
    assert account.keys() == {"id", "name", "available", "free", "paid", "held", "created_at", "events_url"}
    assert (account["name"], account["available"], account["held"]) == ("newcomer", 100, 0)
    task = submit(newcomer, wait=0, count=4, params={"outcome": "hang"})
    held = answered(newcomer.get("/api/account"))
    assert (held["available"], held["held"]) == (96, 4)
    assert newcomer.delete(f"/api/tasks/{task['id']}").status_code == 204
    assert unsigned(answered(newcomer.get("/api/account"))) == unsigned(account)


def test_an_unknown_task_cannot_be_canceled_or_deleted(client: httpx.Client) -> None:
    for request in (("POST", "/api/tasks/x/cancel", {}), ("DELETE", "/api/tasks/x", {})):
        assert NATIVE.refused(ask(client, request)) == "404 not_found"
