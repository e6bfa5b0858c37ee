"""What there is to see of a video while it is made, over real HTTP; and that it is gone afterwards."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from harness import Darkroom, fetched, until
from PIL import Image

PATIENCE = 120.0
VIDEO: dict[str, Any] = {
    "operation": "video.generate",
    "model": "procedural-video-v1",
    "params": {"prompt": "mountains at sunset", "duration": 8, "fps": 24, "resolution": "480p"},
}
SHORT = {**VIDEO, "params": {**VIDEO["params"], "duration": 3}}
PLAIN = {"DARKROOM_DEFAULTS": "{}"}


@pytest.fixture(scope="module")
def painter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Darkroom]:
    flags = ("--workers", "1")
    with Darkroom(tmp_path_factory.mktemp("painter"), engines="procedural", env=PLAIN, flags=flags) as running:
        yield running


def submitted(client: httpx.Client, video: dict[str, Any] = SHORT) -> str:
    task_id: str = client.post("/api/tasks", json=video).json()["id"]
    return task_id


def read(client: httpx.Client, task_id: str) -> dict[str, Any]:
    task: dict[str, Any] = client.get(f"/api/tasks/{task_id}").json()
    return task


def previews(server: Darkroom) -> list[Path]:
    return list((server.data / "objects" / "tasks").rglob("preview"))


def test_a_running_video_is_seen_and_its_preview_is_gone_in_the_end(painter: Darkroom) -> None:
    client = painter.client()
    task_id = submitted(client)
    link = until(lambda: read(client, task_id)["preview_url"], seconds=PATIENCE)
    picture = fetched(link)  # a signed link: without a key
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(picture.content)) as shown:
        assert max(shown.size) == 320
    until(lambda: read(client, task_id)["state"] == "succeeded", seconds=PATIENCE)
    assert read(client, task_id)["preview_url"] is None
    assert fetched(link).status_code == 404
    assert previews(painter) == []


def test_followers_are_told_of_each_preview(painter: Darkroom) -> None:
    client = painter.client()
    task_id = submitted(client)
    seen: list[str] = []
    with client.stream("GET", f"/api/tasks/{task_id}/events", timeout=PATIENCE) as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                task = json.loads(line.removeprefix("data: "))["task"]
                seen += [task["preview_url"]] if task["preview_url"] else []
    numbers = [int(link.rpartition("&n=")[2]) for link in seen]
    assert numbers
    assert numbers == sorted(numbers)
    assert numbers[0] == 1


def test_a_canceled_task_leaves_no_preview(painter: Darkroom) -> None:
    client = painter.client()
    task_id = submitted(client, VIDEO)
    until(lambda: read(client, task_id)["preview_url"], seconds=PATIENCE)
    assert client.post(f"/api/tasks/{task_id}/cancel", timeout=PATIENCE).json()["state"] == "canceled"
    assert previews(painter) == []


def test_a_preview_needs_its_signature_and_a_task_that_shows_something(painter: Darkroom) -> None:
    client = painter.client()
    task_id = submitted(client, VIDEO)
    link = until(lambda: read(client, task_id)["preview_url"], seconds=PATIENCE)
    assert fetched(link.partition("?")[0]).status_code == 400
    assert fetched(link.replace("sig=", "sig=0")).status_code in (400, 403)
    client.post(f"/api/tasks/{task_id}/cancel", timeout=PATIENCE)


@pytest.mark.parametrize("setting", ["DARKROOM_LABEL", "DARKROOM_MODERATION_URL"])
def test_nothing_is_shown_before_it_is_labelled_or_looked_at(tmp_path: Path, setting: str) -> None:
    value = {"DARKROOM_LABEL": "AI generated", "DARKROOM_MODERATION_URL": "http://127.0.0.1:9/"}[setting]
    env = {**PLAIN, setting: value, "DARKROOM_MODERATION_FAIL": "open"}
    with Darkroom(tmp_path, engines="procedural", env=env, flags=("--workers", "1")) as server:
        client = server.client()
        task_id = submitted(client)
        shown: list[str] = []

        def ended() -> bool:
            task = read(client, task_id)
            shown.extend([task["preview_url"]] if task["preview_url"] else previews(server) and ["a file"])
            return bool(task["state"] == "succeeded")

        until(ended, seconds=PATIENCE)
        assert shown == []
