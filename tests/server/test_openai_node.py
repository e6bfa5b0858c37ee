"""OpenAI's own client for Node.js, pinned in `tests/clients/openai_node`, against a running server."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, NoReturn

import pytest
from harness import Darkroom, fetched
from samples import png, shape
from vendors import answered

CLIENT = Path(__file__).parents[1] / "clients" / "openai_node"
PATIENCE = 120  # seconds


@pytest.fixture(scope="module")
def key(server: Darkroom) -> str:
    """A key of an account of its own."""
    return server.new_key(name="node")


@pytest.fixture(scope="module")
def got(server: Darkroom, key: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the client's program printed."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        unavailable("these tests need node and npm, version 20 or newer")
    folder = tmp_path_factory.mktemp("node") / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules"))
    for name in ("picture", "mask"):
        (folder / f"{name}.png").write_bytes(png(40, 30))
    try:
        installed = run(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)
    except subprocess.TimeoutExpired:
        unavailable(f"npm cannot install the client within {PATIENCE} s")
    if installed.returncode != 0:
        unavailable(f"npm cannot install the client: {installed.stderr}")
    address = f"{server.address}/v1"
    done = run(node, "client.mjs", address, key, "picture.png", "mask.png", cwd=folder)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def unavailable(reason: str) -> NoReturn:
    """Skip on a laptop; in CI it is a failure."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


def run(*command: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """How a program ended, and what it printed."""
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=cwd, timeout=PATIENCE)


def test_pictures_are_made(got: dict[str, Any]) -> None:
    made = got["generated"]["value"]
    assert [shape(fetched(url).content) for url in made["urls"]] == [("PNG", (1024, 1024))] * 2
    assert made["created"] > 1_700_000_000


def test_a_picture_comes_inside_the_answer(got: dict[str, Any]) -> None:
    assert [shape(base64.b64decode(text))[0] for text in got["embedded"]["value"]] == ["PNG"]


def test_a_picture_is_edited_where_a_mask_says(got: dict[str, Any]) -> None:
    assert [shape(fetched(url).content)[0] for url in got["edited"]["value"]] == ["PNG"]


def test_models_are_listed(got: dict[str, Any]) -> None:
    assert {"gpt-image-2", "fake"} <= set(got["models"]["value"])


def test_a_chat_shows_a_picture(got: dict[str, Any]) -> None:
    done = got["chatted"]["value"]
    assert done["content"].startswith("![generated](http")
    assert (done["reason"], done["usage"]["total_tokens"]) == ("stop", 0)


def test_a_streamed_chat_arrives_event_by_event(got: dict[str, Any]) -> None:
    first, second, third = got["streamed"]["value"]
    assert first["delta"]["role"] == "assistant"
    assert second["delta"]["content"].startswith("![generated](http")
    assert (third["delta"], third["finish_reason"]) == ({}, "stop")


@pytest.mark.parametrize(
    ("step", "error", "status", "code"),
    [
        ("broken", "APIError", None, "upstream_error"),
        ("failed", "InternalServerError", 502, "upstream_error"),
        ("nameless", "BadRequestError", 400, "model_not_found"),
        ("unknown", "NotFoundError", 404, "not_found"),
        ("keyless", "AuthenticationError", 401, "invalid_api_key"),
    ],
)
def test_what_goes_wrong_is_raised(got: dict[str, Any], step: str, error: str, status: int | None, code: str) -> None:
    raised = got[step]
    assert (raised["error"], raised.get("status"), raised["code"]) == (error, status, code)


def test_a_failed_task_is_not_submitted_again(server: Darkroom, key: str, got: dict[str, Any]) -> None:
    tasks = answered(server.client(key).get("/api/tasks", params={"limit": 50}))["items"]
    assert len([task for task in tasks if task["state"] == "failed"]) == 2  # of the steps `broken` and `failed`
    assert got.keys() >= {"broken", "failed"}
