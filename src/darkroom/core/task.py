"""What a task is: its states, what moves it between them, and what it holds.

Everything about states lives here; no other module decides which state follows which.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from .errors import Code
from .unchanged import unchanged


class State(StrEnum):
    """Where a task is. Closed: a retry is `queued` with a later `run_at`."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def final(self) -> bool:
        """True when nothing can change any more."""
        return self in FINAL


class Trigger(StrEnum):
    """What moves a task from one state to the next."""

    CLAIM = "claim"
    COMPLETE = "complete"
    FAIL = "fail"
    RETRY = "retry"
    RELEASE = "release"
    CANCEL = "cancel"


class Gate(IntEnum):
    """What a waiting task waits for: a worker, its account's limit of running tasks, or its time.

    A task counts for its account's limit from the moment when it is let in.
    """

    OPEN = 0
    COUNTED = 1
    LIMIT = 2
    TIME = 3


STORING = "storing"  # the stage in which results are stored
FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELED})

TRANSITIONS: Mapping[tuple[State, Trigger], State] = {
    (State.QUEUED, Trigger.CLAIM): State.RUNNING,
    (State.QUEUED, Trigger.CANCEL): State.CANCELED,
    (State.QUEUED, Trigger.FAIL): State.FAILED,  # its deadline passed before anybody could run it
    (State.RUNNING, Trigger.COMPLETE): State.SUCCEEDED,
    (State.RUNNING, Trigger.FAIL): State.FAILED,
    (State.RUNNING, Trigger.CANCEL): State.CANCELED,
    (State.RUNNING, Trigger.RETRY): State.QUEUED,  # failed, tries left: later run_at
    (State.RUNNING, Trigger.RELEASE): State.QUEUED,  # clean shutdown: at once, and not counted as a failure
}


class Operation(StrEnum):
    """Kind of work. An engine offers models for some of them."""

    IMAGE_GENERATE = "image.generate"
    IMAGE_EDIT = "image.edit"
    IMAGE_FACE_SWAP = "image.face_swap"
    IMAGE_ENHANCE = "image.enhance"
    IMAGE_FILTER = "image.filter"
    IMAGE_UPSCALE = "image.upscale"
    VIDEO_GENERATE = "video.generate"
    VIDEO_FACE_SWAP = "video.face_swap"
    VIDEO_FILTER = "video.filter"
    VIDEO_ENHANCE = "video.enhance"
    VIDEO_UPSCALE = "video.upscale"


@dataclass(frozen=True, slots=True)
class File:
    """A picture or video that a caller handed in. `key` is its place in object storage; sizes in bytes and pixels.

    `duration` is in seconds; a picture has none.
    """

    id: str
    key: str
    media_type: str
    size: int
    width: int
    height: int
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Artifact:
    """A stored result. `size` in bytes, `width` and `height` in pixels, `duration` in seconds (videos)."""

    key: str
    media_type: str
    size: int
    width: int
    height: int
    thumbnail_key: str | None = None
    blurhash: str | None = None
    duration: float | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed. `detail` is for the operator and never leaves the server."""

    code: Code
    message: str
    param: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class Callback:
    """Somebody to be told when one of some states begins: a webhook of the account, or a URL of the request alone.

    `lane` groups what goes to the URL's host.
    """

    events: tuple[State, ...]
    webhook_id: str | None = None
    url: str = ""
    lane: str = ""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Who is to be told of a task. `base_url` is the address under which its submitter knows the dialect."""

    base_url: str
    to: tuple[Callback, ...]


@unchanged(frozen=True, slots=True, kw_only=True)
class Task:
    """One request for media. Times are integers of UTC milliseconds, credits are integers.

    `stage` is what a running task does now, in its engine's word, or `STORING`.
    Its results are kept until `expires_at`, where that is set, and gone since `expired_at`.
    `previews` counts the pictures of its work that attempt `previews_of` has shown.
    `turn` says where it stands in the queue (`fairness`), `gate` whether it is in the queue at all.
    `key_id` is the API key that it was submitted with.
    A task with `children` has no run of its own: `family.combine` computes its state from theirs.
    """

    id: str
    public_id: str
    account_id: str
    dialect: str
    operation: Operation
    model: str
    engine: str
    seq: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[File, ...] = ()
    count: int = 1
    state: State = State.QUEUED
    progress: int = 0
    stage: str = ""
    attempt: int = 0
    failures: int = 0
    priority: int = 0
    run_at: int = 0
    turn: int = 0
    gate: Gate = Gate.OPEN
    deadline: int | None = None
    lease_until: int | None = None
    cancel: bool = False
    checkpoint: str | None = None
    previews: int = 0
    previews_of: int = 0
    failure: Failure | None = None
    warnings: tuple[str, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    price: int = 0
    cost: int = 0
    parent_id: str | None = None
    parts: int = 0
    children: tuple[Task, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Callbacks | None = None
    key_id: str | None = None
    created_at: int = 0
    started_at: int | None = None
    finished_at: int | None = None
    expires_at: int | None = None
    expired_at: int | None = None
    version: int = 0

    @property
    def shown(self) -> int:
        """The number of the picture that shows its work now; 0 if there is none."""
        return self.previews if self.state is State.RUNNING and self.previews_of == self.attempt else 0
