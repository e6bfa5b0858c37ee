"""Object storage: files by key, in a local folder or in the cloud, through obstore.

What `put` returned from is safe: on a local folder the bytes and the name are on the disk, and no reader ever sees a
half-written file under a key. Keys are plain (`[A-Za-z0-9._/-]`, no segment starts with a dot), so no key leads out of
the store.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from ..core.errors import Code, TaskError

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, ObjectMeta
    from obstore.store import ObjectStore

KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,15}")
CLOUDS = ("s3", "gs", "az")
CHUNK = 256 * 1024  # bytes
INCOMING = ".incoming"  # in a local folder: files being written; no key can name it
ABANDONED = 3_600_000  # milliseconds after which a file in INCOMING is a crash's leftover
Source = Path | bytes | BinaryIO
FAILURES = (OSError, BaseError)  # what obstore and the file system raise


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a stored file: size in bytes, quoted entity tag, last change in UTC milliseconds."""

    key: str
    size: int
    etag: str
    last_modified: int


class Files(Protocol):
    """What those need who write results and remove them."""

    async def put(self, key: str, source: Source) -> None:
        """Store a file, over an older one if there is one; durable when this returns."""

    async def download(self, key: str, path: Path) -> None:
        """Copy a stored file to `path`, or leave nothing there."""

    async def delete(self, *keys: str) -> None:
        """Remove files; what is absent already is no error."""

    async def delete_below(self, prefix: str) -> None:
        """Remove every file in a folder."""


class Objects:
    """A store of files. Its methods raise `ValueError` for a malformed key, `storage_failed` when the store fails."""

    def __init__(self, store: ObjectStore, folder: Path | None = None) -> None:
        self._store = store
        self._folder = folder

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at a path, which is created, or at a `file:///`, `memory://`, `s3://`, `gs://` or `az://` URL."""
        scheme, separator, _ = url.partition("://")
        if not separator:
            return cls._open_folder(Path(url))
        if scheme == "file":
            parts = urlsplit(url)
            if parts.netloc or not parts.path.startswith("/"):
                raise ValueError(f"{url!r} is not an absolute file URL: write file:///path/to/folder")
            return cls._open_folder(Path(unquote(parts.path)))
        if scheme == "memory":
            return cls(MemoryStore())
        if scheme not in CLOUDS:
            raise ValueError(f"{url!r} is no object storage: use a path, file:///, memory://, s3://, gs:// or az://")
        return cls(from_url(url))

    @classmethod
    def _open_folder(cls, path: Path) -> Self:
        folder = path.resolve()
        (folder / INCOMING).mkdir(parents=True, exist_ok=True)
        _remove_abandoned(folder, time.time_ns() // 1_000_000)
        return cls(LocalStore(folder), folder)

    async def put(self, key: str, source: Source) -> None:
        """Store a file, over an older one if there is one. An open file is read from its beginning.

        Durable when this returns. Canceling leaves the old file or the new one, never a mixture.
        """
        _check(key)
        try:
            if self._folder is not None:
                await asyncio.to_thread(_write, self._folder, key, source)
            else:
                await obstore.put_async(self._store, key, _rewound(source))
        except FAILURES as error:
            raise _failed("The file could not be stored. Try again later.", key, error) from error

    async def get(self, key: str, start: int = 0, end: int | None = None) -> AsyncGenerator[bytes, None]:
        """A stream over the bytes from `start` up to, not including, `end`; `not_found` if the key is absent.

        Close the stream (`aclose`) when it is not read to its end.
        """
        _check(key)
        options: GetOptions = {}
        if end is not None:
            if not 0 <= start < end:
                raise ValueError(f"{start} to {end} is not a range of bytes")
            options = {"range": (start, end)}
        elif start:
            options = {"range": {"offset": start}}
        try:
            result = await obstore.get_async(self._store, key, options=options)
        except FileNotFoundError as error:
            raise _absent(key) from error
        except FAILURES as error:
            raise _unreadable(key, error) from error
        return _chunks(key, result.stream(min_chunk_size=CHUNK))

    async def download(self, key: str, path: Path) -> None:
        """Copy a stored file to `path`, or leave nothing there; `not_found` if the key is absent."""
        _check(key)
        await asyncio.to_thread(self._download, key, path)

    def _download(self, key: str, path: Path) -> None:
        try:
            result = obstore.get(self._store, key)
        except FileNotFoundError as error:
            raise _absent(key) from error
        except FAILURES as error:
            raise _unreadable(key, error) from error
        try:
            with path.open("wb") as file:
                for chunk in result.stream(min_chunk_size=CHUNK):
                    file.write(chunk)
        except FAILURES as error:
            path.unlink(missing_ok=True)
            raise _unreadable(key, error) from error

    async def stat(self, key: str) -> Stat | None:
        """Size, entity tag and time of a stored file, or `None` if the key is absent."""
        _check(key)
        try:
            return _stat(await obstore.head_async(self._store, key))
        except FileNotFoundError:
            return None
        except FAILURES as error:
            raise _unreadable(key, error) from error

    async def delete(self, *keys: str) -> None:
        """Remove files; what is absent already is no error."""
        for key in keys:
            _check(key)
        for key in keys:
            try:
                if self._folder is not None:
                    await asyncio.to_thread(_remove, self._folder, key)
                else:
                    await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                continue
            except FAILURES as error:
                raise _failed("The file could not be deleted. Try again later.", key, error) from error

    async def delete_below(self, prefix: str) -> None:
        """Remove every file in a folder."""
        await self.delete(*[stat.key async for stat in self.list(prefix)])

    async def list(self, prefix: str = "") -> AsyncGenerator[Stat, None]:
        """Every stored file below `prefix`, which is a whole folder: `a/b` holds `a/b/c` but not `a/bc`."""
        if prefix:
            _check(prefix.removesuffix("/"))
        try:
            async for page in obstore.list(self._store, prefix or None):
                for meta in page:
                    if KEY.fullmatch(meta["path"]):
                        yield _stat(meta)
        except FAILURES as error:
            raise _unreadable(prefix, error) from error

    async def remove_abandoned(self, now: int) -> int:
        """Remove what a process that is gone had begun to write, at `now` in UTC milliseconds; how many files."""
        return 0 if self._folder is None else await asyncio.to_thread(_remove_abandoned, self._folder, now)


def _check(key: str) -> None:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a key of object storage")


def _failed(message: str, key: str, error: Exception) -> TaskError:
    detail = f"{key}: {type(error).__name__}: {error}"
    return TaskError(Code.STORAGE_FAILED, message, detail=detail, retryable=True)


def _unreadable(key: str, error: Exception) -> TaskError:
    return _failed("The file could not be read. Try again later.", key, error)


def _absent(key: str) -> TaskError:
    return TaskError(Code.NOT_FOUND, "The file does not exist any more. Submit the task again.", detail=key)


def _stat(meta: ObjectMeta) -> Stat:
    modified = int(meta["last_modified"].timestamp() * 1000)
    etag = meta["e_tag"] or f'"{meta["size"]:x}-{modified:x}"'
    return Stat(meta["path"], meta["size"], etag, modified)


def _rewound(source: Source) -> Source:
    if not isinstance(source, (bytes, Path)):
        source.seek(0)
    return source


async def _chunks(key: str, stream: BytesStream) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in stream:
            yield chunk
    except FAILURES as error:
        raise _unreadable(key, error) from error


# A local folder is written here and not by obstore, which does not sync to the disk (0.12).


def _write(folder: Path, key: str, source: Source) -> None:
    incoming = folder / INCOMING / uuid.uuid4().hex
    target = folder / key
    try:
        with incoming.open("xb") as file:
            _copy(source, file)
            file.flush()
            os.fsync(file.fileno())
        _publish(incoming, target)
        _sync(target.parent)
    except BaseException:
        incoming.unlink(missing_ok=True)
        raise


def _copy(source: Source, file: BinaryIO) -> None:
    if isinstance(source, bytes):
        file.write(source)
    elif isinstance(source, Path):
        with source.open("rb") as opened:
            shutil.copyfileobj(opened, file, CHUNK)
    else:
        source.seek(0)
        shutil.copyfileobj(source, file, CHUNK)


def _publish(incoming: Path, target: Path) -> None:
    for tries_left in (3, 2, 1, 0):
        try:
            _make_folder(target.parent)
            incoming.replace(target)
        except FileNotFoundError:
            # A delete that goes on at the same time removed the folder because it had become empty.
            if not tries_left:
                raise
        else:
            return


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync(folder.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(folder: Path, key: str) -> None:
    path = folder / key
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    for parent in path.parents:
        if parent == folder:
            return
        try:
            parent.rmdir()
        except OSError:  # not empty, or already gone
            return


def _remove_abandoned(folder: Path, now: int) -> int:
    count = 0
    for leftover in (folder / INCOMING).iterdir():
        # Young ones may belong to another process, which may also be quicker to publish or remove them.
        with suppress(FileNotFoundError):
            if now - leftover.stat().st_mtime * 1000 > ABANDONED:
                leftover.unlink()
                count += 1
    return count
