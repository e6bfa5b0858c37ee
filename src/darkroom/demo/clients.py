"""Clients of three vendors' APIs, each written from its vendor's page alone, and one of Darkroom's own API.

None of them knows that the other vendors exist, or that one server answers all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

TIMEOUT = 30.0  # seconds of one request


class RefusedError(Exception):
    """An API said no. The text is its own message."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a result is read, and its thumbnail where the vendor makes one."""

    url: str
    thumbnail: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a task query said. `state` is spelled as the vendor spells it; `failure` says why there are no results."""

    state: str
    done: bool
    failure: str | None = None
    results: tuple[Link, ...] = ()


class Vendor(Protocol):
    """What every vendor's client can do with a task."""

    name: str

    def query(self, task_id: str) -> Answer:
        """Ask how a task is doing."""


class TensorsLab:
    """Pictures from a text: `POST /v1/images/seedreamv4`, `POST /v1/images/infobytaskid`."""

    name = "TensorsLab"
    states = {1: "queued", 2: "processing", 3: "completed", 4: "failed"}  # noqa: RUF012 - a table of the vendor's page

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def generate(self, prompt: str, resolution: str, seed: int) -> str:
        """Create a task; answer its id."""
        form = {"prompt": (None, prompt), "resolution": (None, resolution), "seed": (None, str(seed))}
        return str(self._call("/v1/images/seedreamv4", files=form)["taskid"])

    def query(self, task_id: str) -> Answer:
        """Ask how a task is doing."""
        data = self._call("/v1/images/infobytaskid", json={"taskid": task_id})
        status = data["image_status"]
        return Answer(
            state=f"{status} {self.states[status]}",
            done=status in (3, 4),
            failure=data.get("error_message", "no reason was given") if status == 4 else None,
            results=tuple(Link(url) for url in data["url"]),
        )

    def _call(self, path: str, **content: Any) -> dict[str, Any]:
        body = read(self._http.post(path, **content))
        if body.get("code") != 1000:
            raise RefusedError(body.get("msg", "the answer has no message"))
        data: dict[str, Any] = body["data"]
        return data


class Dimilinks:
    """Pictures from a text or a picture: `POST /v1/images/generations` and `/edits`, `GET /v1/tasks/{id}`."""

    name = "Dimilinks"

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def generate(self, prompt: str, size: str, seed: int) -> str:
        """Create a task from a text; answer its id."""
        body = {"model": "gpt-image-2", "prompt": prompt, "size": size, "seed": seed, "wait_for_result": False}
        return str(self._call("POST", "/v1/images/generations", json=body)["task_id"])

    def edit(self, picture: Path, prompt: str) -> str:
        """Create a task from a picture and a text; answer its id."""
        files = {"image": (picture.name, picture.read_bytes())}
        form = {"model": "gpt-image-2", "prompt": prompt}
        return str(self._call("POST", "/v1/images/edits?async=true", data=form, files=files)["task_id"])

    def query(self, task_id: str) -> Answer:
        """Ask how a task is doing."""
        task = self._call("GET", f"/v1/tasks/{task_id}")
        status = task["status"]
        return Answer(
            state=status,
            done=status in ("succeeded", "failed"),
            failure=task["error"]["message"] if status == "failed" else None,
            results=tuple(Link(image["url"]) for image in task["result"]["data"]) if status == "succeeded" else (),
        )

    def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        body = read(self._http.request(method, path, **content))
        if "error" in body and "status" not in body:
            raise RefusedError(body["error"]["message"])
        return body


class Muyuhan:
    """Work on portraits: `POST /picUpload`, `POST /submitTask`, `GET /getTaskInfo`."""

    name = "muyuhan"
    states = {10: "queued", 20: "running", 30: "done", 2: "failed"}  # noqa: RUF012 - a table of the vendor's page

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def upload(self, picture: Path) -> str:
        """Keep a picture for later tasks; answer its `fileName`."""
        return str(self._call("POST", "/picUpload", files={"images": (picture.name, picture.read_bytes())})["fileName"])

    def submit(self, task_type: int, file_names: Sequence[str], **fields: int) -> str:
        """Create a task for one picture or several; answer its `promptId`."""
        form = {"taskType": task_type, "fileName": list(file_names), **fields}
        return str(self._call("POST", "/submitTask", data=form)["promptId"])

    def query(self, task_id: str) -> Answer:
        """Ask how a task is doing."""
        task = self._call("GET", "/getTaskInfo", params={"promptId": task_id})
        state = task["state"]
        # A task of several pictures is 30 when any of them is done; this client wants all.
        failed = [part for part in (task, *task["taskList"]) if part["state"] == 2]
        return Answer(
            state=f"{state} {self.states[state]}",
            done=state in (30, 2),
            failure=failed[0]["reason"] if failed else None,
            results=tuple(Link(image["origin"], image["path"]) for image in task["imageList"]),
        )

    def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        body = read(self._http.request(method, path, **content))
        if body.get("code") != 200:
            raise RefusedError(body.get("msg", "the answer has no message"))
        data: dict[str, Any] = body["data"]
        return data


class Native:
    """Darkroom's own API: `POST /api/files`, `POST /api/tasks`, `GET /api/tasks/{id}`.

    It knows every task by the id that the vendor's client was given.
    """

    name = "Darkroom"

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def create(
        self, operation: str, model: str, inputs: Sequence[Path], params: Mapping[str, Any] | None = None
    ) -> str:
        """Upload the inputs, pictures or clips, and create a task for them; answer its id."""
        files = [{"file": self._upload(path)} for path in inputs]
        body = {"operation": operation, "model": model, "inputs": files, "params": params or {}}
        return str(self._call("POST", "/api/tasks", json=body)["id"])

    def query(self, task_id: str) -> Answer:
        """Ask how a task is doing."""
        task = self._call("GET", f"/api/tasks/{task_id}")
        state = task["state"]
        return Answer(
            state=state,
            done=state in ("succeeded", "failed", "canceled"),
            failure=task["error"]["message"] if task["error"] else None,
            results=tuple(Link(output["url"], output["thumbnail_url"]) for output in task["outputs"]),
        )

    def progress(self, task_id: str) -> int:
        """How far a task is, in percent."""
        return int(self._call("GET", f"/api/tasks/{task_id}")["progress"])

    def _upload(self, path: Path) -> str:
        return str(self._call("POST", "/api/files", files={"file": (path.name, path.read_bytes())})["id"])

    def _call(self, method: str, path: str, **content: Any) -> dict[str, Any]:
        response = self._http.request(method, path, **content)
        body = read(response)
        if not response.is_success:
            raise RefusedError(body["error"]["message"])
        return body


def connect(address: str, key: str) -> httpx.Client:
    """Connections to one server with one key; a proxy of the environment cannot reach it."""
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=address, headers=headers, timeout=TIMEOUT, trust_env=False)


def read(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of an answer, whatever its status: each vendor puts errors elsewhere."""
    try:
        body = response.json()
    except json.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise RefusedError(f"{response.request.url.path} answered HTTP {response.status_code} without JSON")
    return body


def download(url: str) -> bytes:
    """The file behind a signed link, which needs no key."""
    response = httpx.get(url, timeout=TIMEOUT, trust_env=False)
    if not response.is_success:
        raise RefusedError(f"the link of a result answered HTTP {response.status_code}")
    return response.content
