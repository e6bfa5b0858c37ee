"""Inputs and results of a worker elsewhere, moved again and again while that fails.

They come from the storage and go to it where it is in the cloud and can be reached from here; otherwise they pass
through the server.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, BinaryIO

import httpx

from ..core.errors import Code, TaskError
from ..core.task import Task
from ..log import Event, write
from ..objects.folder import Source
from .link import Link
from .messages import Place

CHUNK = 256 << 10  # bytes
PATIENCE = 120.0  # seconds in which a file is tried again
PAUSE = 1.0  # seconds between tries


class RemoteFiles:
    """The object storage as a worker elsewhere sees it: the inputs of the tasks that it holds, and their results."""

    def __init__(self, link: Link, patience: float = PATIENCE) -> None:
        self._link = link
        self._patience = patience
        self._direct = True  # whether the storage itself is tried
        self._inputs: dict[str, str] = {}  # where the server has each input, by its key

    def learn(self, task: Task) -> None:
        """Know where the inputs of a task are."""
        for number, file in enumerate(task.inputs):
            self._inputs[file.key] = f"/tasks/{task.id}/{task.attempt}/inputs/{number}"

    def forget(self, task: Task) -> None:
        """Know a task's inputs no more."""
        for number, file in enumerate(task.inputs):
            if self._inputs.get(file.key) == f"/tasks/{task.id}/{task.attempt}/inputs/{number}":
                del self._inputs[file.key]

    async def download(self, key: str, path: Path) -> None:
        """Copy an input to `path`, or leave nothing there."""

        async def once() -> None:
            source = await self._elsewhere(f"{self._inputs[key]}/place")
            async with self._open("GET", source or self._inputs[key]) as answer:
                with path.open("wb") as file:
                    async for chunk in answer.aiter_bytes(CHUNK):
                        await asyncio.to_thread(file.write, chunk)

        try:
            await self._tried(once)
        except BaseException:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            raise

    async def put(self, key: str, source: Source, media_type: str = "") -> None:
        """Store a result; durable when this returns."""

        async def once() -> None:
            sink = await self._elsewhere(place(key, "places"))
            file = opened(source)
            try:
                size = file.seek(0, os.SEEK_END)
                file.seek(0)
                headers = {"Content-Length": str(size), "Content-Type": media_type or "application/octet-stream"}
                async with self._open("PUT", sink or place(key), content=chunks(file), headers=headers):
                    pass
            finally:
                if file is not source:
                    file.close()

        await self._tried(once)

    async def _elsewhere(self, path: str) -> str | None:
        """Where the storage itself has or takes a file, as long as it can be reached from here."""
        return (await self._link.read(path, Place)).url if self._direct else None

    @asynccontextmanager
    async def _open(self, method: str, target: str, **request: Any) -> AsyncIterator[httpx.Response]:
        """An answer of the server, or of the storage; where that fails, the server is asked from now on."""
        if target.startswith("/"):
            async with self._link.open(method, target, **request) as answer:
                yield answer
            return
        try:
            async with self._link.outside(method, target, **request) as answer:
                yield answer
        except TaskError as error:
            self._direct = False
            write(Event.STORAGE_FAILED, level=logging.WARNING, reason=f"{error.message} Files go through the server.")
            raise

    async def delete(self, *keys: str) -> None:
        """Remove results of a run that nobody wants."""
        for key in keys:
            await self._remove(place(key))

    async def delete_below(self, prefix: str) -> None:
        """Remove all that a run has stored."""
        await self._remove(place(prefix))

    async def _remove(self, path: str) -> None:
        async with self._link.open("DELETE", path):
            pass

    async def _tried(self, once: Callable[[], Awaitable[None]]) -> None:
        """Do something, again and again while the server is away."""
        give_up = time.monotonic() + self._patience
        while True:
            try:
                return await once()
            except TaskError as error:
                if error.code is not Code.UNAVAILABLE or time.monotonic() > give_up:
                    raise
                await asyncio.sleep(PAUSE)


def place(key: str, what: str = "files") -> str:
    """The path of a result's key, `tasks/<id>/<attempt>/<name>`."""
    head, task, attempt, name = key.split("/", 3)
    return f"/{head}/{task}/{attempt}/{what}/{name}"


def opened(source: Source) -> BinaryIO:
    """A source to be read from its beginning."""
    if isinstance(source, Path):
        return source.open("rb")
    return io.BytesIO(source) if isinstance(source, bytes) else source


async def chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    """The rest of a file, in pieces."""
    while chunk := await asyncio.to_thread(file.read, CHUNK):
        yield chunk
