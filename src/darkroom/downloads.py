"""Which stored file a signed link means."""

from __future__ import annotations

import hashlib

from .core.commands import Content, Download, DownloadFile
from .core.errors import Code, TaskError
from .core.task import Artifact
from .objects import Objects
from .objects.signing import Signer
from .store import Store


async def linked_result(store: Store, objects: Objects, signer: Signer, command: Download, now: int) -> Content:
    """A result, or its thumbnail, by a signed link."""
    signer.verify(command.signature, now)
    task = await store.task(command.task_id)
    if task is None or not 0 <= command.index < len(task.artifacts):
        raise TaskError(Code.NOT_FOUND, "There is no such result.")
    artifact = task.artifacts[command.index]
    if not command.thumbnail:
        return result(artifact)
    if artifact.thumbnail_key is None:
        raise TaskError(Code.NOT_FOUND, "This result has no thumbnail.")
    stat = await objects.stat(artifact.thumbnail_key)
    return content(artifact.thumbnail_key, "image/webp", stat.size if stat else 0)


async def linked_file(store: Store, signer: Signer, command: DownloadFile, now: int) -> Content:
    """An uploaded file, by a signed link."""
    signer.verify(command.signature, now)
    found = await store.file(command.file_id)
    if found is None:
        raise TaskError(Code.NOT_FOUND, "There is no such file.")
    return content(found[0].key, found[0].media_type, found[0].size)


def result(artifact: Artifact) -> Content:
    """A result to be sent."""
    return content(artifact.key, artifact.media_type, artifact.size)


def content(key: str, media_type: str, size: int) -> Content:
    """A stored file to be sent. A key is written once, so it makes a strong entity tag."""
    return Content(key, media_type, size, f'"{hashlib.sha256(key.encode()).hexdigest()[:24]}"')
