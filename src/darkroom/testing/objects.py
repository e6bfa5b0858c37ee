"""The conformance kit of object storage: what the server relies on, wherever its files are.

Join it with one method in a test file; pytest finds the inherited tests:

    class TestBucket(ObjectsSuite):
        def objects(self, folder): return Objects.open("s3://a-bucket-for-tests")

The suite needs no pytest plug-in: each test runs its own event loop. It uses keys below `kit/` alone, and removes them.
"""

from __future__ import annotations

import asyncio
import functools
import io
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from ..core.errors import Code, TaskError
from ..objects import Objects

PICTURE = bytes(range(256)) * 4096  # 1 MB
LARGE = 32 << 20  # bytes: more than any part of an upload to the cloud
KEY = "kit/task/1/0"
ODD_KEYS = ("kit/-", "kit/_", "kit/a.b-c_d/0.png", "kit/" + "x" * 200, "kit/" + "/".join("abcdefghijklmno"))
NO_KEYS = (
    *("", "/etc/passwd", "..", "../x", "kit/../../x", "kit//b", "kit/", "./kit", "kit/.", ".incoming/x", "kit\\b"),
    *("kit b", "kit\x00", "é", "kit/..%2f", "kit\n", "kit#1", "x" * 300, "/".join("abcdefghijklmnopqrst")),
)


def in_a_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Make a test of a coroutine."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


async def read(stream: AsyncIterator[bytes]) -> bytes:
    """Everything that a stream has."""
    return b"".join([chunk async for chunk in stream])


async def keys(objects: Objects, prefix: str = "") -> list[str]:
    """The keys below a prefix."""
    return sorted([stat.key async for stat in objects.list(prefix)])


class ObjectsSuite:
    """Subclass this, name the subclass `Test…`, and say how the storage is opened."""

    def objects(self, folder: Path) -> Objects:
        """Open the storage; one that needs a folder has this one for the test."""
        raise NotImplementedError

    @pytest.fixture
    def opened(self, tmp_path: Path) -> Objects:
        """The storage, with nothing of earlier tests in it."""
        objects = self.objects(tmp_path / "store")

        async def clear() -> None:
            await objects.delete(*await keys(objects, "kit"))

        asyncio.run(clear())
        return objects

    @in_a_loop
    async def test_bytes_come_back_as_they_were_put(self, opened: Objects) -> None:
        """From memory."""
        await opened.put(KEY, PICTURE)
        assert await read(await opened.get(KEY)) == PICTURE

    @in_a_loop
    async def test_a_file_comes_back_as_it_was_put(self, opened: Objects, tmp_path: Path) -> None:
        """From a path, and from an open file, which is read from its beginning."""
        path, file = tmp_path / "picture", io.BytesIO(PICTURE)
        path.write_bytes(PICTURE)
        file.seek(1000)
        for source in (path, file):
            await opened.put(KEY, source)
            assert await read(await opened.get(KEY)) == PICTURE

    @in_a_loop
    async def test_an_empty_file_comes_back_empty(self, opened: Objects) -> None:
        """It is a file all the same."""
        await opened.put(KEY, b"")
        assert await read(await opened.get(KEY)) == b""

    @in_a_loop
    async def test_a_large_file_comes_back_whole(self, opened: Objects, tmp_path: Path) -> None:
        """Also one that travels in several parts."""
        source, copy = tmp_path / "film", tmp_path / "copy"
        with source.open("wb") as file:
            file.truncate(LARGE)
            file.seek(LARGE // 2)
            file.write(PICTURE)
        await opened.put(KEY, source)
        await opened.download(KEY, copy)
        assert copy.read_bytes() == source.read_bytes()
        assert await read(await opened.get(KEY, LARGE // 2, LARGE // 2 + len(PICTURE))) == PICTURE

    @in_a_loop
    async def test_a_second_put_replaces_the_first(self, opened: Objects) -> None:
        """Nothing of the first is left."""
        await opened.put(KEY, PICTURE)
        await opened.put(KEY, b"new")
        assert await read(await opened.get(KEY)) == b"new"

    @pytest.mark.parametrize(("start", "end"), [(0, 1), (10, 300_000), (300_000, None), (len(PICTURE) - 1, None)])
    @in_a_loop
    async def test_a_range_of_bytes_is_read_exactly(self, opened: Objects, start: int, end: int | None) -> None:
        """From its first byte up to, not including, its end."""
        await opened.put(KEY, PICTURE)
        assert await read(await opened.get(KEY, start, end)) == PICTURE[start:end]

    @in_a_loop
    async def test_a_range_beyond_the_end_is_a_storage_failure(self, opened: Objects) -> None:
        """The caller was told another size."""
        await opened.put(KEY, b"short")
        with pytest.raises(TaskError) as caught:
            await read(await opened.get(KEY, 5, 6))
        assert caught.value.code is Code.STORAGE_FAILED

    @in_a_loop
    async def test_an_empty_range_is_a_mistake_of_the_program(self, opened: Objects) -> None:
        """No store agrees with another on what it means."""
        await opened.put(KEY, PICTURE)
        with pytest.raises(ValueError, match="range"):
            await opened.get(KEY, 5, 5)

    @in_a_loop
    async def test_an_absent_file_is_not_found(self, opened: Objects, tmp_path: Path) -> None:
        """The message does not show the key."""
        for read_absent in (opened.get(KEY), opened.download(KEY, tmp_path / "copy")):
            with pytest.raises(TaskError) as caught:
                await read_absent
            assert caught.value.code is Code.NOT_FOUND
            assert KEY not in caught.value.message
        assert await opened.stat(KEY) is None
        assert not (tmp_path / "copy").exists()

    @in_a_loop
    async def test_a_download_is_a_copy(self, opened: Objects, tmp_path: Path) -> None:
        """What is done to it is not done to the stored file."""
        await opened.put(KEY, PICTURE)
        copy = tmp_path / "copy"
        await opened.download(KEY, copy)
        assert copy.read_bytes() == PICTURE
        copy.write_bytes(b"changed")
        assert await read(await opened.get(KEY)) == PICTURE

    @in_a_loop
    async def test_a_stat_tells_size_and_time_and_a_tag_that_follows_the_content(self, opened: Objects) -> None:
        """Entity tags are quoted, as HTTP wants them."""
        await opened.put(KEY, PICTURE)
        first = await opened.stat(KEY)
        await opened.put(KEY, PICTURE + b"!")
        second = await opened.stat(KEY)
        assert first is not None
        assert second is not None
        assert (first.key, first.size, second.size) == (KEY, len(PICTURE), len(PICTURE) + 1)
        assert first.etag.startswith('"')
        assert first.etag.endswith('"')
        assert first.etag != second.etag
        assert 1_700_000_000_000 < first.last_modified <= second.last_modified

    @in_a_loop
    async def test_deleting_removes_what_is_there_and_forgives_what_is_not(self, opened: Objects) -> None:
        """A delete may be repeated."""
        for n in range(3):
            await opened.put(f"kit/1/{n}", b"x")
        await opened.delete("kit/1/7", "kit/1/0", "kit/other/0", "kit/1/2", "kit/1/2")
        assert await keys(opened, "kit") == ["kit/1/1"]

    @in_a_loop
    async def test_a_list_holds_a_whole_folder_and_no_other(self, opened: Objects) -> None:
        """`kit/b` holds `kit/b/1` but not `kit/bc`."""
        for key in ("kit/b/1", "kit/b/c/2", "kit/bc/3"):
            await opened.put(key, b"x")
        assert await keys(opened, "kit") == ["kit/b/1", "kit/b/c/2", "kit/bc/3"]
        assert await keys(opened, "kit/b") == ["kit/b/1", "kit/b/c/2"] == await keys(opened, "kit/b/")
        assert await keys(opened, "kit/nothing") == []

    @pytest.mark.parametrize("key", ODD_KEYS)
    @in_a_loop
    async def test_odd_keys_name_files_like_others(self, opened: Objects, key: str) -> None:
        """They are stored, found, listed and removed under the very same key."""
        await opened.put(key, PICTURE)
        assert await read(await opened.get(key)) == PICTURE
        assert await keys(opened, "kit") == [key]
        await opened.delete(key)
        assert await keys(opened, "kit") == []

    @pytest.mark.parametrize("key", NO_KEYS)
    @in_a_loop
    async def test_a_key_that_is_not_plain_is_refused_everywhere(
        self, opened: Objects, key: str, tmp_path: Path
    ) -> None:
        """No key leads out of the store."""
        for attempt in (
            opened.put(key, b"x"),
            opened.get(key),
            opened.download(key, tmp_path / "copy"),
            opened.stat(key),
            opened.delete("kit/fine", key),
        ):
            with pytest.raises(ValueError, match="not a key"):
                await attempt

    @in_a_loop
    async def test_a_list_of_a_folder_above_is_refused(self, opened: Objects) -> None:
        """Neither does a prefix."""
        with pytest.raises(ValueError, match="not a key"):
            await keys(opened, "../")
