"""Pictures and videos that callers hand in: checked, stored and remembered before any task sees them."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import re
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import msgspec

from .core.commands import Inline, Link, Source, Upload
from .core.errors import Code, TaskError
from .core.task import File
from .fetch import Fetcher
from .log import Event, level_of, write
from .media import Limits, probe
from .objects import Objects
from .retention import remove_files
from .store import LAST, Store

DATA_URL = re.compile(r"data:[^,]{0,200},", re.IGNORECASE)
SPOOL = 1 << 20  # bytes kept in memory before a download goes to disk


@dataclass(frozen=True, slots=True)
class Inputs:
    """Keeps callers' files. Every refusal is a `TaskError` and leaves nothing behind."""

    store: Store
    objects: Objects
    fetcher: Fetcher
    limits: Limits
    clock: Callable[[], int]

    async def keep(self, account_id: str, file: BinaryIO) -> File:
        """Check a file by its content and store it."""
        probed = await asyncio.to_thread(probe, file, limits=self.limits)
        file_id = f"file_{secrets.token_hex(16)}"
        kept = File(
            file_id, f"files/{file_id}", probed.media_type, probed.size, probed.width, probed.height, probed.duration
        )
        # The row is there before the object: what a crash leaves is forgotten as an input that nobody needs.
        await self.store.add_file(account_id, kept, self.clock())
        try:
            await self.objects.put(kept.key, file, kept.media_type)
        except BaseException:
            await self.discard([kept])
            raise
        return kept

    async def discard(self, files: Sequence[File]) -> None:
        """Forget files of a request that was refused. What cannot be removed is logged and goes when it is old.

        One that a task needs stays: a submit may be stored although its commit was not confirmed.
        """
        for file in files:
            try:
                if await self.store.remove_unused_file(file.id, LAST):
                    await remove_files(self.store, self.objects, file.key)
            except TaskError as error:
                write(Event.STORAGE_FAILED, level=level_of(error), reason=error.detail or error.message)

    async def remove_unused(self, before: int) -> int:
        """Remove files that no unfinished task has needed since `before`; return how many."""
        count = 0
        while files := await self.store.unused_files(before):
            gone = [file for file in files if await self.store.remove_unused_file(file.id, before)]
            await remove_files(self.store, self.objects, *(file.key for file in gone))
            count += len(gone)
            if not gone:
                break
        return count

    async def own(self, account_id: str, file_id: str) -> File:
        """An uploaded file of this account; anybody else's is not found."""
        found = await self.store.file(file_id)
        if found is None or found[1] != account_id:
            raise TaskError(Code.NOT_FOUND, f"There is no file '{file_id[:80]}'. Upload it first.", param="inputs")
        return found[0]

    async def fingerprint(self, source: Source) -> str:
        """What makes two sources the same one: the content of an upload, the text of a link or of base64 data."""
        found = hashlib.sha256()
        kept = await self.store.file(source.file_id) if isinstance(source, Upload) else None
        if kept is None:
            found.update(msgspec.json.encode(source))
        else:
            async for chunk in await self.objects.get(kept[0].key):
                found.update(chunk)
        return found.hexdigest()

    async def resolve(self, account_id: str, groups: tuple[tuple[Source, ...], ...]) -> tuple[tuple[File, ...], ...]:
        """Every source as a stored file, in place. The same source is fetched once."""
        if not any(groups):
            return ((),) * len(groups)
        files: dict[Source, File] = {}
        kept: list[File] = []
        try:
            for source in (source for group in groups for source in group):
                if source not in files:
                    files[source] = await self._resolve(account_id, source)
                    kept += [] if isinstance(source, Upload) else [files[source]]
        except BaseException:
            await self.discard(kept)
            raise
        return tuple(tuple(files[source] for source in group) for group in groups)

    async def _resolve(self, account_id: str, source: Source) -> File:
        if isinstance(source, Upload):
            return await self.own(account_id, source.file_id)
        with tempfile.SpooledTemporaryFile(SPOOL) as spooled:
            file = cast("BinaryIO", spooled)
            if isinstance(source, Link):
                await self._fetch(source, file)
            else:
                file.write(decoded(source))
            file.seek(0)
            return await self.keep(account_id, file)

    async def _fetch(self, link: Link, file: BinaryIO) -> None:
        try:
            await self.fetcher.fetch(link.url, file)
        except TaskError as error:
            error.param = "inputs.url"
            raise


def decoded(source: Inline) -> bytes:
    """The bytes of base64 text, standard or URL-safe, with or without `data:` in front."""
    text = DATA_URL.sub("", source.data, count=1).strip().replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise TaskError(Code.INVALID_MEDIA, "The input data is not valid base64.", param="inputs") from None
