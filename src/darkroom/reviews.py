"""A person's decisions about held tasks: let them go on, or refuse them. Each is in the audit log with its effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import metrics
from .administration import cursor
from .core.admin_commands import Approve, ListReviews, Refuse, Review, ReviewCommand, ReviewPage
from .core.commands import Content, DownloadHeld, TaskResult
from .core.errors import Code, TaskError
from .core.machine import Policy, decide
from .core.review import held
from .core.task import Task, Trigger
from .downloads import content, no_result, result_name
from .hub import WORK
from .log import write_outcome
from .moderation import refusal
from .objects import Objects
from .store import Store
from .store.credits import Audit
from .withheld import discard, made_of

if TYPE_CHECKING:
    from .service import Service

APPROVED, REFUSED = "task.approved", "task.refused"


async def decide_on(service: Service, actor: str, command: ReviewCommand) -> ReviewPage | TaskResult:
    """Carry out what an administrator wants with held tasks."""
    now = service.clock()
    match command:
        case ListReviews():
            tasks = await service.store.held(command.limit + 1, after=cursor(command.cursor) if command.cursor else 0)
            page = tuple(tasks[: command.limit])
            more = str(page[-1].seq) if len(tasks) > command.limit else None
            return ReviewPage(tuple(Review(task, made_of(task)) for task in page), more)
        case Approve():
            task = await approve(service.store, actor, command.task_id, now)
        case Refuse():
            task = await refuse(service.store, service.objects, actor, command.task_id, command.reason, now)
    service.hub.changed(task)
    service.hub.notify(WORK)
    return TaskResult(task)


async def approve(store: Store, actor: str, public_id: str, now: int) -> Task:
    """Let a held task go on: with its run, or with the delivery of what it made."""
    if not await store.release_held(public_id, Audit(actor, APPROVED, public_id, now, {})):
        raise none_held(public_id)
    task = await store.task(public_id)
    if task is None:
        raise none_held(public_id)
    return task


async def refuse(store: Store, objects: Objects, actor: str, public_id: str, reason: str, now: int) -> Task:
    """End a held task as refused; its credits come back, and what it made is removed."""
    task = await store.task(public_id)
    if task is None or not held(task):
        raise none_held(public_id)
    error = TaskError(Code.CONTENT_REJECTED, refusal(reason))
    change = decide(task, Trigger.FAIL, now=now, policy=Policy(), error=error)
    audit = Audit(actor, REFUSED, public_id, now, {"reason": reason})
    ended = await store.apply(change, audit) if change is not None else None
    if ended is None:
        raise TaskError(Code.CONFLICT, f"Task {public_id[:80]} has just changed; look at the list again.")
    write_outcome(ended, error)
    metrics.ended(ended, error)
    await discard(objects, task)
    return ended


async def download_held(service: Service, command: DownloadHeld) -> Content:
    """What a held task's run made, by a signed link."""
    service.signer.verify(command.signature, service.clock())
    task = await service.store.task(command.task_id)
    found = made_of(task) if task is not None and held(task) else ()
    if task is None or not 0 <= command.index < len(found):
        raise no_result()
    artifact = found[command.index]
    name = result_name(task, command.index)
    return content(artifact.key, artifact.media_type, artifact.size, name, command.signature)


def none_held(public_id: str) -> TaskError:
    """The answer for a task that waits for nobody."""
    return TaskError(
        Code.NOT_FOUND,
        f"There is no held task {public_id[:80]}; `darkroom review list` and GET /api/reviews show them.",
    )


def looked_at(task: Task) -> list[str]:
    """What a person decides about: the prompt, and where inputs and results lie in object storage."""
    prompt = [f"prompt: {task.params['prompt']!r}"] if task.params.get("prompt") else []
    inputs = [f"input: {file.key} ({file.media_type})" for file in task.inputs]
    return prompt + inputs + [f"result: {item.key} ({item.media_type})" for item in made_of(task)]
