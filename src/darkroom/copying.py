"""Copies every file of one object storage to another, beside servers that use them.

Guarantees: a file is at its target whole or not at all, and counts as copied once it was read there again and was the
same; what is there already is not copied again, so that an interrupted copy goes on where it was, and a later one takes
what has come in between. At no time is more than a few keys and pieces of files in memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from .core.errors import Code, TaskError
from .media import sniff
from .objects import Objects, Stat

HEAD = 64  # bytes that tell what a file is
MD5 = re.compile(r'"[0-9a-f]{32}"')  # an entity tag that is the same wherever the file lies
HOPELESS = 10  # failures one after the other


@dataclass(slots=True)
class Copied:
    """What a copy has done so far: files, their bytes, what was there already, what ended meanwhile, what failed."""

    files: int = 0
    bytes: int = 0
    present: int = 0
    gone: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    in_a_row: int = 0

    @property
    def seen(self) -> int:
        """How many files were looked at."""
        return self.files + self.present + self.gone + len(self.failed)


class Copier:
    """Copies from `source` to `target`, `at_once` files at the same time; each has a copy in a temporary folder.

    With `verify` each copy is read again. `told` hears of the state after each file.
    """

    def __init__(
        self,
        source: Objects,
        target: Objects,
        *,
        at_once: int = 8,
        verify: bool = True,
        told: Callable[[Copied], None] = lambda _: None,
    ) -> None:
        self._source = source
        self._target = target
        self._at_once = at_once
        self._verify = verify
        self._told = told
        self.copied = Copied()

    async def run(self) -> Copied:
        """Copy everything that is there. `storage_failed` when there is no hope."""
        queue: asyncio.Queue[Stat | None] = asyncio.Queue(self._at_once)
        try:
            with tempfile.TemporaryDirectory(prefix="darkroom-copy-") as folder:
                async with asyncio.TaskGroup() as group:
                    for number in range(self._at_once):
                        group.create_task(self._work(queue, Path(folder) / str(number)))
                    async for stat in self._source.list():
                        await queue.put(stat)
                    for _ in range(self._at_once):
                        await queue.put(None)
        except* TaskError as errors:
            raise errors.exceptions[0] from None
        return self.copied

    async def _work(self, queue: asyncio.Queue[Stat | None], path: Path) -> None:
        while (stat := await queue.get()) is not None:
            try:
                await self._copy(stat, path)
                self.copied.in_a_row = 0
            except TaskError as error:
                self.copied.failed[stat.key] = error.detail or error.message
                self.copied.in_a_row += 1
                if self.copied.in_a_row >= HOPELESS:
                    raise
            self._told(self.copied)

    async def _copy(self, stat: Stat, path: Path) -> None:
        there = await self._target.stat(stat.key)
        if there is not None and same(stat, there):
            self.copied.present += 1
            return
        try:
            size, digest, head = await received(await self._source.get(stat.key), path)
        except TaskError as error:
            if error.code is not Code.NOT_FOUND:
                raise
            self.copied.gone += 1  # deleted since it was listed
            return
        await self._target.put(stat.key, path, sniff(head) or "")
        if self._verify and (size, digest) != (await received(await self._target.get(stat.key)))[:2]:
            await self._target.delete(stat.key)
            raise TaskError(Code.STORAGE_FAILED, "The copy differs.", detail=f"{stat.key}: the copy differs")
        self.copied.files += 1
        self.copied.bytes += size


def same(here: Stat, there: Stat) -> bool:
    """Whether a file is there already, as far as sizes and comparable entity tags tell."""
    comparable = MD5.fullmatch(here.etag) and MD5.fullmatch(there.etag)
    return here.size == there.size and (not comparable or here.etag == there.etag)


async def received(stream: AsyncGenerator[bytes, None], path: Path | None = None) -> tuple[int, bytes, bytes]:
    """Size, digest and first bytes of what a stream has, which is also written to `path`."""
    digest, size, head = hashlib.sha256(), 0, b""
    with (path or Path("/dev/null")).open("wb") as file:
        async with aclosing(stream):
            async for chunk in stream:
                head = head or bytes(chunk[:HEAD])
                digest.update(chunk)
                size += len(chunk)
                await asyncio.to_thread(file.write, chunk)
    return size, digest.digest(), head
