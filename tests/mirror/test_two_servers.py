"""Any dialect in, any engine out: one Darkroom sells what another one makes, and no caller sees that."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

from darkroom.testing.journeys import answered
from darkroom.testing.server import Darkroom, until

DIMILINKS, SEEDREAM, QUERY = "dimilinks", "/v1/images/seedreamv4", "/v1/images/infobytaskid"


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """The server that makes pictures."""
    env, flags = {"DARKROOM_DEFAULTS": "{}"}, ("--workers", "1")
    with Darkroom(tmp_path_factory.mktemp("maker"), engines="procedural,opencv", env=env, flags=flags) as running:
        yield running


@pytest.fixture(scope="module")
def seller(maker: Darkroom, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    """The server that sells them: its work is done by way of the other one's dimilinks dialect."""
    options = {"base_url": f"{maker.address}/dimilinks", "key": maker.key, "poll_seconds": 0.1}
    table = ", ".join(f"{name} = {json.dumps(value)}" for name, value in options.items())
    env = {
        "DARKROOM_ENGINE": f"{{{DIMILINKS} = {{{table}}}}}",
        "DARKROOM_DEFAULTS": '{"image.generate" = "dimilinks-gpt-image-2"}',
    }
    flags = ("--workers", "2")
    with Darkroom(tmp_path_factory.mktemp("seller"), engines=DIMILINKS, env=env, flags=flags) as running:
        yield running


def test_a_client_of_one_vendor_is_served_by_another(maker: Darkroom, seller: Darkroom) -> None:
    client = seller.client()
    form = {"prompt": "a lighthouse by the sea at sunset", "resolution": "1:1"}
    made = answered(client.post(SEEDREAM, files={name: (None, text) for name, text in form.items()}))
    task_id = made["data"]["taskid"]

    def look() -> dict[str, object]:
        data: dict[str, object] = answered(client.post(QUERY, json={"taskid": task_id}))["data"]
        assert data["image_status"] != 4, data
        return data

    until(lambda: look()["image_status"] == 3, seconds=90)
    (link,) = look()["url"]  # type: ignore[misc]
    assert link.startswith(seller.address), "the caller is led to the seller, and to nobody else"
    sold = httpx.get(link, timeout=60)
    assert sold.headers["content-type"].startswith("image/")
    (upstream,) = maker.client().get("/api/tasks").json()["items"]
    assert (upstream["model"], upstream["state"]) == ("procedural-v1", "succeeded")
    (task,) = client.get("/api/tasks").json()["items"]
    assert (task["model"], task["cost"] > 0) == ("dimilinks-gpt-image-2", True)
