"""The SDK: a small client of the native API. It imports nothing of the server."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx

FINAL = frozenset({"succeeded", "failed", "canceled"})
LONGEST_WAIT = 30  # seconds of one long-poll


class ApiError(Exception):
    """The server refused a request. `status` is the HTTP status, `code` and `param` say why."""

    def __init__(self, status: int, code: str, message: str, param: str | None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param


class Client:
    """Talks to one server with one key. Tasks are plain dictionaries, as the API answers them."""

    def __init__(self, server: str, key: str, *, timeout: float = LONGEST_WAIT + 30) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=server.rstrip("/") + "/api", headers=headers, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def submit(
        self,
        operation: str,
        *,
        model: str | None = None,
        params: Mapping[str, Any] | None = None,
        inputs: Sequence[Mapping[str, str]] = (),
        count: int = 1,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        webhook: str | None = None,
        webhook_events: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Create a task. `inputs` are `{"file": id}`, `{"url": …}` or `{"data": base64}`; `webhook` is told the end."""
        body = {
            "operation": operation,
            "model": model,
            "params": dict(params or {}),
            "inputs": list(inputs),
            "count": count,
            "metadata": dict(metadata or {}),
            "webhook": webhook,
            "webhook_events": list(webhook_events),
        }
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self._call("POST", "/tasks", json=body, headers=headers)

    def upload(self, path: Path) -> dict[str, Any]:
        """Upload an input file."""
        with path.open("rb") as file:
            return self._call("POST", "/files", files={"file": (path.name, file)})

    def get(self, task_id: str, *, wait: float = 0) -> dict[str, Any]:
        """Read a task, at once or when it is final within `wait` seconds."""
        return self._call("GET", f"/tasks/{quote(task_id, safe='')}", params={"wait": wait} if wait else {})

    def wait(self, task_id: str, *, timeout: float = 600) -> dict[str, Any]:
        """Read a task when it is final; `TimeoutError` after `timeout` seconds."""
        give_up = time.monotonic() + timeout
        while (left := give_up - time.monotonic()) > 0:
            task = self.get(task_id, wait=min(left, LONGEST_WAIT))
            if task["state"] in FINAL:
                return task
        raise TimeoutError(f"task {task_id} is not final after {timeout:g} s")

    def list(self, *, state: str | None = None, limit: int = 20) -> Iterator[dict[str, Any]]:
        """The account's tasks, newest first, page by page."""
        return self._pages("/tasks", {"state": state, "limit": limit})

    def deliveries(
        self, *, task: str | None = None, status: str | None = None, limit: int = 20
    ) -> Iterator[dict[str, Any]]:
        """What webhooks were sent and are to be sent, newest first, page by page."""
        return self._pages("/deliveries", {"task": task, "status": status, "limit": limit})

    def replay(self, delivery_id: str) -> dict[str, Any]:
        """Send a delivery again."""
        return self._call("POST", f"/deliveries/{quote(delivery_id, safe='')}/replay")

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        cursor: str | None = None
        while True:
            wanted = {name: value for name, value in {**query, "cursor": cursor}.items() if value}
            page = self._call("GET", path, params=wanted)
            yield from page["items"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def cancel(self, task_id: str) -> dict[str, Any]:
        """Stop a task."""
        return self._call("POST", f"/tasks/{quote(task_id, safe='')}/cancel")

    def download(self, url: str, path: Path) -> None:
        """Save a result. Its link is enough: the key does not travel to wherever it leads."""
        with httpx.stream("GET", url, timeout=self._http.timeout, follow_redirects=True) as response:
            if not response.is_success:
                raise ApiError(response.status_code, "unknown", f"the link answers {response.status_code}", None)
            with path.open("wb") as file:
                for chunk in response.iter_bytes():
                    file.write(chunk)

    def _call(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        response = self._http.request(method, path, **options)
        try:
            if response.is_success:
                body: dict[str, Any] = response.json()
                return body
            error = response.json()["error"]
            raise ApiError(response.status_code, error["code"], error["message"], error.get("param"))
        except (ValueError, KeyError, TypeError):
            text = f"unexpected answer with HTTP status {response.status_code}"
            raise ApiError(response.status_code, "unknown", text, None) from None
