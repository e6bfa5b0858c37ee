"""Object storage: files by key, in a local folder or in the cloud, through obstore.

What `put` returned from is safe: on a local folder the bytes and the name are on the disk, and no reader ever sees a
half-written file under a key. Keys are plain (`[A-Za-z0-9._/-]`, no segment starts with a dot), so no key leads out of
the store. Nothing hangs for ever: a cloud that is silent or refuses is asked again a few times, and then given up.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, MemoryStore, S3Store

from ..core.errors import Code, TaskError
from . import folder as local
from .cloud import SCHEMES, Cloud, Links, open_cloud
from .folder import CHUNK, Source

if TYPE_CHECKING:
    from obstore import BytesStream, GetOptions, ObjectMeta
    from obstore.store import ObjectStore

KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}){0,15}")
FAILURES = (OSError, BaseError)  # what obstore and the file system raise
PART, PARTS_AT_ONCE = 5 << 20, 4  # bytes of a large file that are sent at once, each in the time that silence may last
MINUTE = 60_000  # milliseconds
ALL_AT_ONCE = 1000  # keys that S3 removes by one request


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known of a stored file: size in bytes, quoted entity tag, last change in UTC milliseconds."""

    key: str
    size: int
    etag: str
    last_modified: int


class Files(Protocol):
    """What those need who write results and remove them."""

    async def put(self, key: str, source: Source, media_type: str = "") -> None:
        """Store a file, over an older one if there is one; durable when this returns."""

    async def download(self, key: str, path: Path) -> None:
        """Copy a stored file to `path`, or leave nothing there."""

    async def delete(self, *keys: str) -> None:
        """Remove files; what is absent already is no error."""

    async def delete_below(self, prefix: str) -> None:
        """Remove every file in a folder."""


class Objects:
    """A store of files. Its methods raise `ValueError` for a malformed key, `storage_failed` when the store fails."""

    def __init__(self, store: ObjectStore, folder: Path | None = None, links: Links | None = None) -> None:
        self._store = store
        self._folder = folder
        self._links = links

    @classmethod
    def open(cls, url: str, cloud: Cloud | None = None) -> Self:
        """The store at a path, which is created, or at a `file:///`, `memory://`, `s3://`, `gs://` or `az://` URL.

        A `ValueError` says what is wrong with the URL, or with how a store in the `cloud` is to be reached.
        """
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
        if scheme not in SCHEMES:
            raise ValueError(f"{url!r} is no object storage: use a path, file:///, memory://, s3://, gs:// or az://")
        store, links = open_cloud(url, cloud or Cloud())
        return cls(store, links=links)

    @classmethod
    def _open_folder(cls, path: Path) -> Self:
        folder = local.prepare(path)
        return cls(LocalStore(folder), folder)

    async def check(self) -> None:
        """Write, read, list and remove a small file, and make a link if links are wanted.

        A `ValueError` says why that is not possible, and what to do.
        """
        key = f"probe-{secrets.token_hex(8)}"
        try:
            await self.put(key, b"Darkroom may write here.")
            async for _ in await self.get(key):
                pass
            async for _ in self.list("probe"):
                pass
            await self.delete(key)
        except TaskError as error:
            raise ValueError(_advice(error.__cause__ or error)) from None
        try:
            await self.link("GET", key, until=MINUTE, now=0, media_type="text/plain", disposition="inline")
        except TaskError as error:
            why = said(error.__cause__ or error)
            raise ValueError(f"links to the storage cannot be made: set objects_redirect = false ({why})") from None

    async def put(self, key: str, source: Source, media_type: str = "") -> None:
        """Store a file, over an older one if there is one. An open file is read from its beginning.

        Durable when this returns. Canceling leaves the old file or the new one, never a mixture. A cloud keeps the
        media type, too, for those whom it hands the file to itself.
        """
        _check(key)
        try:
            if self._folder is not None:
                await asyncio.to_thread(local.write, self._folder, key, source)
            else:
                kind = {"Content-Type": media_type} if media_type else None
                await obstore.put_async(
                    self._store, key, _rewound(source), attributes=kind, chunk_size=PART, max_concurrency=PARTS_AT_ONCE
                )
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

    async def link(
        self, method: str, key: str, *, until: int, now: int, media_type: str, disposition: str
    ) -> str | None:
        """A URL at which the storage itself hands out a file until a time, both UTC milliseconds.

        `None` if the file has to be read here: the store is no cloud, links are switched off, or there is no time left.
        """
        _check(key)
        if self._links is None:
            return None
        try:
            return await self._links.url(
                method, key, until=until, now=now, media_type=media_type, disposition=disposition
            )
        except FAILURES as error:
            raise _unreadable(key, error) from error

    async def link_to_put(self, key: str, *, until: int, now: int) -> str | None:
        """A URL at which the storage itself takes a file until a time, both UTC milliseconds; `None` if it does not."""
        _check(key)
        if self._links is None:
            return None
        try:
            return await self._links.url_to_put(key, until=until, now=now)
        except FAILURES as error:
            raise _unreadable(key, error) from error

    async def delete(self, *keys: str) -> None:
        """Remove files; what is absent already is no error."""
        for key in keys:
            _check(key)
        size = ALL_AT_ONCE if isinstance(self._store, S3Store) else 1
        for start in range(0, len(keys), size):
            await self._delete(keys[start : start + size])

    async def _delete(self, keys: Sequence[str]) -> None:
        try:
            if self._folder is not None:
                await asyncio.to_thread(local.remove, self._folder, keys[0])
            else:
                await obstore.delete_async(self._store, keys)
        except FileNotFoundError:
            pass
        except FAILURES as error:
            raise _failed("The file could not be deleted. Try again later.", keys[0], error) from error

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
        return 0 if self._folder is None else await asyncio.to_thread(local.remove_abandoned, self._folder, now)


def _check(key: str) -> None:
    if not KEY.fullmatch(key):
        raise ValueError(f"{key!r} is not a key of object storage")


def _failed(message: str, key: str, error: Exception) -> TaskError:
    detail = f"{key}: {type(error).__name__}: {said(error)}"
    return TaskError(Code.STORAGE_FAILED, message, detail=detail, retryable=True)


def said(error: BaseException) -> str:
    """What an error says, less what only the authors of the storage library need."""
    return str(error).partition("\n\nDebug source")[0].strip()


def _advice(error: BaseException) -> str:
    """Why a store cannot be used, and what to do."""
    words = said(error)
    code = found[1] if (found := re.search(r"<Code>(\w+)</Code>", words)) else type(error).__name__
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return (
            f"the storage refuses ({code}): check the keys (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"
            " objects_key_id and objects_secret), and that they may read, write, list and delete in this bucket"
        )
    if code == "NoSuchBucket" or isinstance(error, FileNotFoundError):
        return "there is no such bucket: make it, or set another one in objects"
    if "/latest/api/token" in words or "/latest/meta-data" in words:  # where a machine of Amazon's learns its role
        return "there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a role"
    if "error sending request" in words or "redirect" in words.lower():
        return f"the storage cannot be reached: check objects_endpoint and objects_region, and the network ({words})"
    return f"a file could not be written, read and removed again: {words}"


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
