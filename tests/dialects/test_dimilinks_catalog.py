"""The Dimilinks dialect: models, prices, health, and what its operator can choose."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from darkroom.core.catalog import Catalog, Model
from darkroom.core.commands import CheckHealth, Health, ListModels, TaskResult
from darkroom.core.errors import Code
from darkroom.core.task import Operation, State, Task
from darkroom.dialects import Dialect
from darkroom.dialects.dimilinks import configure, dialect
from darkroom.testing import tasks
from darkroom.testing.dialects import ask


def model(name: str, *operations: Operation, price: int = 1, max_count: int = 4) -> Model:
    description = "An example."
    return Model(
        name=name,
        engine="example",
        operations=operations,
        description=description,
        price=price,
        max_count=max_count,
    )


def read(target: str, catalog: Catalog) -> Any:
    """The answer that a server with this catalog gives."""
    endpoint, request = ask(dialect, "GET", target)
    command = endpoint.decode(request)
    assert isinstance(command, ListModels)
    return json.loads(endpoint.encode((*catalog.named(command.names), *catalog.models), request).body)


OFFER = (
    model("swapper", Operation.IMAGE_FACE_SWAP),
    model("painter", Operation.IMAGE_GENERATE, price=3),
    model("film", Operation.VIDEO_GENERATE, price=9),
    model("retoucher", Operation.IMAGE_UPSCALE, Operation.IMAGE_EDIT, price=2, max_count=2),
    model("cheap", Operation.IMAGE_GENERATE),
)
CATALOG = Catalog(OFFER, vendor_names=dialect.models, defaults={"image.generate": "cheap"})


def test_models_are_the_vendors_names_and_then_our_own_that_make_pictures_and_videos() -> None:
    body = read("/v1/models", CATALOG)
    assert body["object"] == "list"
    assert [item["id"] for item in body["data"]] == [*dialect.models, "painter", "film", "retoucher", "cheap"]
    created = body["data"][0]["created"]
    assert body["data"][0] == {"id": "gpt-image-2", "object": "model", "created": created, "owned_by": ""}


def test_names_that_mean_nothing_here_are_not_offered() -> None:
    only_pictures = Catalog(OFFER[1:2], vendor_names=dialect.models)
    names = [item["id"] for item in read("/v1/models", only_pictures)["data"]]
    assert names == ["gpt-image-2", "nano-banana-pro", "gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "painter"]


def test_the_price_of_a_vendors_name_is_that_of_the_model_that_it_means() -> None:
    prices = {item["model_name"]: item for item in read("/api/pricing", CATALOG)["data"]}
    assert (prices["gpt-image-2"]["model_price"], prices["painter"]["model_price"]) == (1, 3)
    assert prices["minimax-h3"]["model_price"] == prices["film"]["model_price"] == 9
    assert prices["retoucher"]["resolution_options"] == [
        {"resolution": tier, "model_price": 2, "max_n": 2} for tier in ("1k", "2k", "4k")
    ]


def test_the_price_table_has_the_vendors_shape() -> None:
    body = read("/api/pricing", CATALOG)
    assert body.keys() == {
        *("success", "pricing_version", "group_ratio", "usable_group", "auto_groups", "supported_endpoint", "data"),
    }
    assert (body["success"], body["group_ratio"], body["auto_groups"]) == (True, {"default": 1}, [])
    assert body["supported_endpoint"]["image_edits"] == {"path": "/v1/images/edits", "method": "POST"}
    first = body["data"][0]
    assert first.pop("resolution_options")
    assert first == {
        "model_name": "gpt-image-2",
        "enable_groups": ["default"],
        "model_ratio": 0,
        "completion_ratio": 0,
        "cache_ratio": None,
        "quota_type": 1,
        "model_price": 1,
        "supported_endpoint_types": ["image_generation", "image_edits", "openai"],
    }
    film = next(item for item in body["data"] if item["model_name"] == "film")
    assert film["supported_endpoint_types"] == ["video_generation"]
    assert "resolution_options" not in film


def test_the_version_of_the_price_table_is_another_one_when_a_price_is() -> None:
    dearer = Catalog(OFFER, vendor_names=dialect.models, defaults={"image.generate": "cheap"}, prices={"film": 10})
    versions = [read("/api/pricing", catalog)["pricing_version"] for catalog in (CATALOG, CATALOG, dearer)]
    assert versions[0] == versions[1] != versions[2]


@pytest.mark.parametrize(("path", "ready"), [("/healthz", False), ("/readyz", True)])
def test_health_has_the_vendors_shape(path: str, ready: bool) -> None:
    endpoint, request = ask(dialect, "GET", path)
    assert endpoint.public
    assert endpoint.decode(request) == CheckHealth(ready)
    body = {"code": 0, "message": "ok", "data": {"status": "ok"}}
    assert json.loads(endpoint.encode(Health(), request).body) == body


# The option `trace`


def task_in(state: State, **changes: Any) -> Task:
    made = tasks.task("img_1", state, artifacts=(tasks.artifact(),))
    return replace(made, engine="painters", model="painter", extra={"resolution": "2k"}, **changes)


def queried(made: Dialect, task: Task, target: str) -> dict[str, Any]:
    endpoint, request = ask(made, "GET", target)
    body: dict[str, Any] = json.loads(endpoint.encode(TaskResult(task), request).body)
    return body


TRACED = configure({"trace": True})
QUERIES = pytest.mark.parametrize("target", ["/v1/tasks/img_1", "/v1/images/tasks/img_1"])


@QUERIES
@pytest.mark.parametrize("state", State)
def test_queries_have_the_fields_of_the_page_unless_the_operator_wants_more(state: State, target: str) -> None:
    plain = queried(dialect, task_in(state), target)
    assert queried(configure({}), task_in(state), target) == plain
    traced = queried(TRACED, task_in(state), target)
    assert traced["resolution"] == "2k"
    assert {name: traced[name] for name in plain} == plain
    more = {"resolution"}
    more |= {"provider_trace", "provider_trace_summary", "timing"} if state is not State.QUEUED else set()
    if state in (State.FAILED, State.CANCELED):
        more |= {"error_code", "error_message", "error_msg", "message"}
        more |= {"failure_reason", "failed_reason", "fail_reason"}
    assert traced.keys() - plain.keys() == more


@QUERIES
def test_a_trace_says_what_is_known(target: str) -> None:
    traced = queried(TRACED, task_in(State.SUCCEEDED, attempt=2), target)
    timing = {"queue_ms": 5_000, "run_ms": 55_000, "total_ms": 60_000}
    assert traced["provider_trace"] == {
        "final": {"provider": "painters", "model": "painter"},
        "attempts": 2,
        "timing": timing,
        "resolution": "2k",
    }
    assert (traced["provider_trace_summary"], traced["timing"]) == ("painters(painter)", timing)


@QUERIES
def test_a_traced_failure_says_why_and_keeps_what_is_private(target: str) -> None:
    failed = task_in(State.FAILED, failure=tasks.failure(Code.ENGINE_FAILED, "It went wrong."))
    traced = queried(TRACED, failed, target)
    assert (traced["error_code"], traced["fail_reason"]) == ("upstream_error", "It went wrong.")
    assert tasks.SECRET not in json.dumps(traced)


@pytest.mark.parametrize("options", [{"trace": 1}, {"trace": "yes"}, {"tracing": True}])
def test_options_that_mean_nothing_stop_the_start(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="trac"):
        configure(options)
