"""Example tasks in every state, filled with secrets that no answer may show.

Whatever is private in a task (its internal id, its account, storage keys, the operator's detail, the checkpoint)
contains `SECRET`, so that one search of an answer finds every leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from ..core.errors import Code
from ..core.family import combine
from ..core.task import Artifact, Failure, File, Operation, State, Task
from ..core.webhook_commands import DeliveryPage, NewWebhook, RequestSecret, WebhookList, WebhookResult
from ..core.webhooks import ENDS, TEST, Delivery, Status, Webhook

SECRET = "never-to-be-shown"  # noqa: S105 - a marker to search for, not a password

CREATED = 1_769_774_400_000  # 2026-01-30 12:00:00 UTC, in milliseconds
STARTED = CREATED + 5_000
FINISHED = CREATED + 60_000

FAMILIES: dict[State, tuple[State, State]] = {
    State.QUEUED: (State.QUEUED, State.QUEUED),
    State.RUNNING: (State.RUNNING, State.QUEUED),
    State.SUCCEEDED: (State.SUCCEEDED, State.FAILED),
    State.FAILED: (State.FAILED, State.CANCELED),
    State.CANCELED: (State.CANCELED, State.CANCELED),
}
PROGRESS = {State.QUEUED: 0, State.RUNNING: 50}


def artifact(
    index: int = 0, media_type: str = "image/png", width: int = 64, height: int = 48, duration: float | None = None
) -> Artifact:
    """A stored result with a thumbnail."""
    key = f"{SECRET}/1/{index}"
    return Artifact(key, media_type, 1_234, width, height, f"{key}.thumbnail", "LEHV6nWB2yk8pyo0adR*.7kCMdnj", duration)


def input_file(media_type: str = "image/png") -> File:
    """A file that a caller handed in."""
    return File("file_0123456789abcdef", f"{SECRET}/input", media_type, 1_234, 64, 48)


def failure(code: Code = Code.ENGINE_FAILED, message: str = "The engine could not draw this.") -> Failure:
    """A reason with a detail for the operator."""
    return Failure(code, message, None, f"{SECRET}: stack trace")


def task(
    public_id: str,
    state: State = State.QUEUED,
    *,
    operation: Operation = Operation.IMAGE_GENERATE,
    artifacts: tuple[Artifact, ...] = (),
    code: Code = Code.ENGINE_FAILED,
    seq: int = 1,
) -> Task:
    """A task in this state; `artifacts` count only where it succeeded."""
    failures = {State.FAILED: failure(code), State.CANCELED: failure(Code.CANCELED, "The task was canceled.")}
    started = state is not State.QUEUED
    return Task(
        id=f"{SECRET}-{seq}",
        public_id=public_id,
        account_id=f"{SECRET}-account",
        dialect="example",
        operation=operation,
        model="example-model",
        engine=f"{SECRET}-engine",
        seq=seq,
        params={"prompt": "a lighthouse"},
        inputs=(input_file(),),
        state=state,
        progress=PROGRESS.get(state, 100),
        attempt=int(started),
        checkpoint=f"{SECRET}-checkpoint",
        failure=failures.get(state),
        artifacts=artifacts if state is State.SUCCEEDED else (),
        price=1,
        cost=int(state is State.SUCCEEDED),
        created_at=CREATED,
        started_at=STARTED if started else None,
        finished_at=FINISHED if state.final else None,
    )


def family(mint_id: Callable[[], str], state: State) -> Task:
    """A parent in this state, as `combine` makes it from two children."""
    parent = task(mint_id(), seq=1)
    children = tuple(
        task(mint_id(), of_child, artifacts=(artifact(),), seq=number)
        for number, of_child in enumerate(FAMILIES[state], start=2)
    )
    return combine(parent, children)


def webhook_results() -> Iterator[WebhookResult]:
    """What is answered about webhooks, in every situation."""
    lane = f"{SECRET}-account https://host.example:443"
    fine = Webhook("webhook", f"{SECRET}-account", "https://host.example/hook", lane, ENDS, f"{SECRET}-secret")
    disabled = replace(
        fine,
        previous_secret=SECRET,
        previous_until=FINISHED,
        failures=9,
        failing_since=CREATED,
        disabled_at=FINISHED,
        disabled_reason="It failed.",
    )
    yield from (fine, disabled)
    yield from (WebhookList((fine, disabled)), WebhookList(()))
    yield NewWebhook(replace(fine, secret="whsec_shown"))  # noqa: S106 - to be shown
    yield RequestSecret("whsec_shown")
    times = (CREATED, None, None, CREATED, None, CREATED)
    known = (f"{SECRET}-account", SECRET, "task", 2, "task.succeeded", "https://host.example/hook", lane)
    log = tuple(Delivery(f"msg_{status}", *known, None, status, 1, *times) for status in Status)
    test = replace(log[0], internal_id=None, task_id=None, webhook_id="webhook", event=TEST, finished_at=FINISHED)
    yield from (*log, test)
    yield from (DeliveryPage(log, "msg_waiting"), DeliveryPage((), None))


def every_task(mint_id: Callable[[], str]) -> Iterator[Task]:
    """Tasks and families in every state, of every operation, with every failure, and many kinds of results."""
    for state in State:
        yield task(mint_id(), state, artifacts=(artifact(), artifact(1)))
        yield family(mint_id, state)
    yield task(mint_id(), State.SUCCEEDED)
    yield replace(task(mint_id(), State.SUCCEEDED), expired_at=FINISHED + 1)
    for code in Code:
        yield task(mint_id(), State.FAILED, code=code)
    for operation in Operation:
        video = operation.startswith("video.")
        result = artifact(media_type="video/mp4", duration=2.5) if video else artifact(media_type="image/jpeg")
        yield task(mint_id(), operation=operation)
        yield task(mint_id(), State.SUCCEEDED, operation=operation, artifacts=(result,))
    for media_type in ("image/webp", "image/gif", "video/webm", "application/octet-stream"):
        yield task(mint_id(), State.SUCCEEDED, artifacts=(artifact(media_type=media_type),))
