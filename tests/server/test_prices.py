"""Prices from the settings, in the catalog, on tasks and in the ledger, over a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from harness import Darkroom

from darkroom.testing.journeys import answered

PRICES = '{"fake" = {each = 2, second = 3, tiers = {"1k" = 5}}, "filters-v1" = 7}'


@pytest.fixture(scope="module")
def priced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    env = {"DARKROOM_PRICES": PRICES, "DARKROOM_INPUT_HOURS": "0.0003"}
    with Darkroom(tmp_path_factory.mktemp("prices"), env=env, flags=("--workers", "2")) as running:
        yield running


@pytest.fixture
def caller(priced: Darkroom) -> httpx.Client:
    return priced.client(priced.new_key(credits=100))


def submit(client: httpx.Client, **body: Any) -> dict[str, Any]:
    task: dict[str, Any] = answered(
        client.post("/api/tasks?wait=20", json={"operation": "image.generate", "model": "fake"} | body)
    )
    return task


def test_models_tell_what_they_cost(caller: httpx.Client) -> None:
    models = {model["name"]: model for model in answered(caller.get("/api/models"))["items"]}
    assert models["fake"]["price"] == 2
    assert models["fake"]["pricing"] == {"each": 2, "second": 3, "megapixel": 0, "tiers": {"1k": 5}}
    assert models["filters-v1"]["pricing"] == {"each": 7, "second": 0, "megapixel": 0, "tiers": {}}
    vendors = {item["model_name"]: item["model_price"] for item in answered(caller.get("/api/pricing"))["data"]}
    assert vendors["fake"] == 2


def test_a_task_costs_by_size_and_length_and_for_what_was_delivered(caller: httpx.Client) -> None:
    small = submit(caller, count=2, params={"size": "64x64"})
    large = submit(caller, params={"size": "1024x16"})
    long = submit(caller, params={"size": "64x64", "duration": 1.5})
    part = submit(caller, count=4, params={"size": "64x64", "results": 1})
    failed = submit(caller, params={"outcome": "fail"})
    assert [(task["price"], task["cost"]) for task in (small, large, long, part, failed)] == [
        *((4, 4), (5, 5), (7, 7), (8, 2), (2, 0))
    ]
    account = answered(caller.get("/api/account"))
    assert (account["available"], account["free"], account["paid"], account["held"]) == (82, 82, 0, 0)


def test_the_ledger_is_read_in_pages_and_by_task(caller: httpx.Client) -> None:
    tasks = [submit(caller, params={"size": "64x64"})["id"] for _ in range(2)]
    lines: list[dict[str, Any]] = []
    cursor = ""
    while cursor is not None:
        page = answered(caller.get("/api/ledger", params={"limit": 2} | ({"cursor": cursor} if cursor else {})))
        lines += page["items"]
        cursor = page["next_cursor"]
    assert [(line["kind"], line["task"]) for line in lines] == [
        *(("capture", tasks[1]), ("hold", tasks[1]), ("capture", tasks[0]), ("hold", tasks[0]), ("grant", None))
    ]
    assert sum(line["free"] + line["paid"] for line in lines) == answered(caller.get("/api/account"))["available"]
    assert answered(caller.get("/api/ledger", params={"task": tasks[0]}))["items"] == lines[2:4]
    assert caller.delete(f"/api/tasks/{tasks[0]}").status_code == 204
    assert answered(caller.get("/api/ledger", params={"task": tasks[0]}))["items"] == lines[2:4]
    assert caller.get("/api/ledger?cursor=x").status_code == 400


def test_the_ledger_of_somebody_else_is_not_shown(priced: Darkroom, caller: httpx.Client) -> None:
    task_id = submit(priced.client(), params={"size": "64x64"})["id"]
    assert answered(caller.get("/api/ledger", params={"task": task_id}))["items"] == []
