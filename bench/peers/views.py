"""The JSON that the peers answer with: field for field what Darkroom answers, as pydantic models."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from typing import Any

from pydantic import BaseModel

DATABASE = os.environ.get("BENCH_DATABASE", "")
SECRET = b"a secret of at least 32 bytes....."
HOUR, DAY = 3_600_000, 86_400_000  # milliseconds


class ImageView(BaseModel):
    url: str
    file_id: str


class ResultView(BaseModel):
    created: int
    data: list[ImageView]


class TaskView(BaseModel):
    id: str
    task_id: str
    object: str
    status: str
    progress: int
    created_at: int
    completed_at: int
    result: ResultView


class TaskBody(BaseModel):
    operation: str
    model: str = "procedural-v1"
    params: dict[str, Any] = {}
    count: int = 1
    metadata: dict[str, Any] = {}


class SubmittedView(BaseModel):
    id: str
    operation: str
    model: str
    state: str
    progress: int
    attempt: int
    created_at: str
    started_at: str | None
    finished_at: str | None
    position: int | None
    eta_seconds: float | None
    outputs: list[ImageView]
    error: str | None
    warnings: list[str]
    cost: int
    children: list[str]
    metadata: dict[str, Any]


def digest_of(authorization: str) -> str:
    """What is stored of the key in an Authorization header."""
    return hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest()


def signed(base_url: str, path: str) -> str:
    """A link with an expiry in whole hours and an HMAC, as Darkroom makes it."""
    expires = -(-(time.time_ns() // 1_000_000 + DAY) // HOUR) * HOUR
    digest = hmac.digest(SECRET, f"{path}\n{expires}".encode(), "sha256").hex()[:24]
    return f"{base_url}{path}?exp={expires}&sig={digest}"


def file_id(public_id: str, index: int) -> str:
    """The opaque name of one result."""
    return "file_" + hashlib.sha256(f"{public_id}/{index}".encode()).hexdigest()[:32]


def images(public_id: str, count: int, base_url: str) -> list[ImageView]:
    """The results of a task."""
    return [
        ImageView(url=signed(base_url, f"/p/img/{public_id}/{index}"), file_id=file_id(public_id, index))
        for index in range(count)
    ]


def task_view(public_id: str, progress: int, created: int, finished: int, results: int, base_url: str) -> TaskView:
    """A finished task."""
    return TaskView(
        id=public_id,
        task_id=public_id,
        object="image.task",
        status="succeeded",
        progress=progress,
        created_at=created // 1000,
        completed_at=finished // 1000,
        result=ResultView(created=created // 1000, data=images(public_id, results, base_url)),
    )
