"""Files that callers read: results, thumbnails, uploads, and all results of some tasks."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from .core import commands
from .core.commands import Archive, Content
from .core.errors import Code, TaskError
from .core.task import Artifact, Task
from .previews import MEDIA_TYPE, preview_key

if TYPE_CHECKING:
    from .service import Service

MOST_TASKS = 500  # of one archive


def content(
    key: str, media_type: str, size: int | None, name: str, signature: commands.Signature | None = None
) -> Content:
    """A stored file to be sent, to whom has this link. A key is written once, so it makes a strong entity tag."""
    etag = f'"{hashlib.sha256(key.encode()).hexdigest()[:24]}"'
    return Content(key, media_type, size, etag, name, signature.expires if signature else None)


def result_name(task: Task, index: int) -> str:
    """What a result is called when it is saved, less the extension; numbers count from 1 there, as people do."""
    return f"{task.public_id}-{index + 1}"


async def download(service: Service, command: commands.Download) -> Content:
    """A result, or its thumbnail, by a signed link."""
    service.signer.verify(command.signature, service.clock())
    task = await service.store.task(command.task_id)
    if task is None:
        raise no_result()
    artifact = artifact_of(task, command.index)
    name = result_name(task, command.index)
    if not command.thumbnail:
        return content(artifact.key, artifact.media_type, artifact.size, name, command.signature)
    if artifact.thumbnail_key is None:
        raise TaskError(Code.NOT_FOUND, "This result has no thumbnail.")
    return content(artifact.thumbnail_key, MEDIA_TYPE, None, f"{name}-thumbnail", command.signature)


async def download_preview(service: Service, command: commands.DownloadPreview) -> Content:
    """The picture that shows a task's work, by a signed link. It changes and goes too soon to be sent for elsewhere."""
    service.signer.verify(command.signature, service.clock())
    task = await service.store.task(command.task_id)
    stat = await service.objects.stat(preview_key(task)) if task is not None and task.shown else None
    if task is None or stat is None:
        raise TaskError(Code.NOT_FOUND, "There is no preview: the task does not run, or has shown nothing yet.")
    return replace(content(stat.key, MEDIA_TYPE, stat.size, f"{task.public_id}-preview"), etag=stat.etag)


async def read_result(service: Service, account_id: str, command: commands.ReadResult) -> Content:
    """A result, to its owner."""
    task = await service.own_task(account_id, command.task_id)
    if not task.state.final:
        raise unfinished()
    artifact = artifact_of(task, command.index)
    return content(artifact.key, artifact.media_type, artifact.size, result_name(task, command.index))


async def download_file(service: Service, command: commands.DownloadFile) -> Content:
    """An uploaded file, by a signed link."""
    service.signer.verify(command.signature, service.clock())
    found = await service.store.file(command.file_id)
    if found is None:
        raise TaskError(Code.NOT_FOUND, "There is no such file.")
    return content(found[0].key, found[0].media_type, found[0].size, found[0].id, command.signature)


async def archive(service: Service, account_id: str | None, command: commands.ReadAll) -> Archive:
    """All results of some tasks: of one by a signed link, of any to their owner."""
    if not 1 <= len(command.task_ids) <= MOST_TASKS:
        raise TaskError(Code.INVALID_INPUT, f"Name 1 to {MOST_TASKS} tasks.", param="id")
    files: list[Content] = []
    for task_id in dict.fromkeys(command.task_ids):
        task = await service.linked_task(account_id, task_id, command.signature)
        if not task.state.final:
            raise unfinished()
        if task.expired_at is not None:
            raise expired()
        files += (
            content(artifact.key, artifact.media_type, artifact.size, result_name(task, index))
            for index, artifact in enumerate(task.artifacts)
        )
    if not files:
        raise no_result()
    return Archive(tuple(files), command.task_ids[0] if len(command.task_ids) == 1 else "results")


def artifact_of(task: Task, index: int) -> Artifact:
    """One result of a task."""
    if task.expired_at is not None:
        raise expired()
    if not 0 <= index < len(task.artifacts):
        raise no_result()
    return task.artifacts[index]


def no_result() -> TaskError:
    """The answer for a result that does not exist."""
    return TaskError(Code.NOT_FOUND, "There is no such result.")


def expired() -> TaskError:
    """The answer for a result that was kept long enough."""
    return TaskError(Code.RESULTS_EXPIRED, "The results were kept as long as this server does. Submit the task again.")


def unfinished() -> TaskError:
    """The answer for a result that is still to come."""
    return TaskError(Code.CONFLICT, "The task is not finished yet. Query it until it is.", retryable=True)
