"""Object storage: what is put can be read back, in a folder and in memory, and what fails says so."""

from __future__ import annotations

import asyncio
import io
import os
import resource
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.core.errors import Code, TaskError
from darkroom.objects import Objects
from darkroom.objects import folder as local
from darkroom.testing.objects import PICTURE, ObjectsSuite, keys, read


class TestFolder(ObjectsSuite):
    def objects(self, folder: Path) -> Objects:
        return Objects.open(str(folder))


class TestMemory(ObjectsSuite):
    def objects(self, folder: Path) -> Objects:
        return Objects.open("memory://")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def test_a_large_file_is_read_in_small_pieces(folder: Path, tmp_path: Path) -> None:
    objects = Objects.open(str(folder))
    source = tmp_path / "film"
    with source.open("wb") as file:
        file.truncate(64_000_000)
    tracemalloc.start()
    try:
        await objects.put("task/1/0", source)
        length = 0
        async for chunk in await objects.get("task/1/0"):
            length += len(chunk)
        await objects.download("task/1/0", tmp_path / "copy")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert length == 64_000_000 == (tmp_path / "copy").stat().st_size
    assert peak < 4_000_000


@given(st.text(alphabet="ab./\\-_%\x00~", max_size=12))
def test_no_key_leads_out_of_the_folder(key: str) -> None:
    from darkroom.objects import KEY

    if KEY.fullmatch(key):
        root = Path("/store")
        assert root in Path(os.path.normpath(root / key)).parents


async def test_files_survive_a_new_start(folder: Path) -> None:
    await Objects.open(str(folder)).put("task/1/0", PICTURE)
    assert await read(await Objects.open(folder.as_uri()).get("task/1/0")) == PICTURE


async def test_a_folder_is_found_by_its_escaped_url(tmp_path: Path) -> None:
    folder = tmp_path / "my pictures"
    await Objects.open(folder.as_uri()).put("task/1/0", PICTURE)
    assert files(folder) == ["task/1/0"]


@pytest.mark.parametrize("url", ["ftp://host/folder", "http://host/folder", "file://relative/folder"])
def test_a_place_that_is_no_object_storage_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="file:///"):
        Objects.open(url)


async def test_the_bytes_are_on_the_disk_before_the_name_and_the_name_before_put_returns(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = Objects.open(str(folder))
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def watched_fsync(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append("sync file" if path.is_file() else f"sync {path.relative_to(folder)}")

    def watched_replace(path: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(Path, "replace", watched_replace)
    await objects.put("task/1/0", PICTURE)
    assert steps == ["sync file", "sync .", "sync task", "rename", "sync task/1"]


class Breaking(io.RawIOBase):
    """A file on a disk that fails after the first piece."""

    def __init__(self) -> None:
        self.pieces = [b"half a pict"]

    def seek(self, offset: int, whence: int = 0) -> int:
        return 0

    def read(self, size: int = -1) -> bytes:
        if self.pieces:
            return self.pieces.pop()
        raise OSError(5, "Input/output error")


async def test_a_put_that_breaks_off_leaves_the_old_file_and_nothing_else(folder: Path) -> None:
    objects = Objects.open(str(folder))
    await objects.put("task/1/0", b"the old picture")
    with pytest.raises(TaskError) as caught:
        await objects.put("task/1/0", Breaking())
    assert caught.value.code is Code.STORAGE_FAILED
    assert (folder / "task/1/0").read_bytes() == b"the old picture"
    assert files(folder) == ["task/1/0"]


@contextmanager
def no_file_above(size: int) -> Iterator[None]:
    """The kernel refuses to let any file grow above `size`, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_write_that_the_disk_refuses_is_a_retryable_storage_failure(folder: Path) -> None:
    objects = Objects.open(str(folder))
    with no_file_above(100_000), pytest.raises(TaskError) as caught:
        await objects.put("task/1/0", PICTURE)
    assert caught.value.code is Code.STORAGE_FAILED
    assert caught.value.retryable
    assert "too large" in str(caught.value.detail)
    assert str(folder) not in caught.value.message
    assert files(folder) == []


async def test_a_download_that_the_disk_refuses_leaves_no_half_file(folder: Path, tmp_path: Path) -> None:
    objects = Objects.open(str(folder))
    await objects.put("task/1/0", PICTURE)
    with no_file_above(100_000), pytest.raises(TaskError) as caught:
        await objects.download("task/1/0", tmp_path / "copy")
    assert caught.value.code is Code.STORAGE_FAILED
    assert not (tmp_path / "copy").exists()


async def test_readers_never_see_a_half_written_file(folder: Path) -> None:
    objects = Objects.open(str(folder))
    pictures = [bytes([n]) * 600_000 for n in range(8)]
    await objects.put("task/1/0", pictures[0])
    writing = asyncio.create_task(_put_all(objects, pictures))
    seen = set()
    while not writing.done():
        content = await read(await objects.get("task/1/0"))
        seen.add(content in pictures)
    await writing
    assert seen == {True}


async def _put_all(objects: Objects, pictures: list[bytes]) -> None:
    for picture in pictures * 3:
        await objects.put("task/1/0", picture)


async def test_emptied_folders_are_removed(folder: Path) -> None:
    objects = Objects.open(str(folder))
    await objects.put("a/1/0", b"x")
    await objects.put("b/1/0", b"x")
    await objects.delete("a/1/0")
    assert sorted(path.name for path in folder.iterdir()) == [".incoming", "b"]


async def test_puts_and_deletes_in_one_folder_do_not_disturb_each_other(folder: Path) -> None:
    objects = Objects.open(str(folder))

    async def come_and_go(n: int) -> None:
        for _ in range(10):
            await objects.put(f"task/1/{n}", b"x")
            await objects.delete(f"task/1/{n}")
        await objects.put(f"task/1/{n}", b"x")

    await asyncio.gather(*(come_and_go(n) for n in range(4)))
    assert await keys(objects) == [f"task/1/{n}" for n in range(4)]


async def test_a_put_is_stored_however_often_its_folder_is_removed_meanwhile(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []

    def make(path: Path) -> None:
        make_folder(path)
        made.append(path)
        if path.name == "task" and made.count(path) <= 20:
            path.rmdir()

    make_folder = local._make_folder
    monkeypatch.setattr(local, "_make_folder", make)
    objects = Objects.open(str(folder))
    await objects.put("task/0", b"x")
    assert made.count(folder / "task") == 21
    assert await keys(objects) == ["task/0"]


async def test_leftovers_of_a_crash_are_removed_at_the_next_start_and_live_writes_are_not(folder: Path) -> None:
    Objects.open(str(folder))
    for name, mtime in (("crashed", 1_000_000_000), ("alive", None)):
        path = folder / ".incoming" / name
        path.write_bytes(b"half")
        if mtime is not None:
            os.utime(path, (mtime, mtime))
    objects = Objects.open(str(folder))
    assert files(folder) == [".incoming/alive"]
    assert await keys(objects) == []
