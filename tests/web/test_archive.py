"""Archives are made while they are sent."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from darkroom.core.commands import Archive, Content
from darkroom.core.errors import TaskError
from darkroom.objects import CHUNK, Objects
from darkroom.web import archive
from darkroom.web.archive import zipped

BIG = os.urandom(5_000_000)


@pytest.fixture
async def objects(tmp_path: Path) -> Objects:
    objects = Objects.open(str(tmp_path))
    await objects.put("big", BIG)
    await objects.put("small", b"x")
    return objects


FILES = (Content("big", "video/mp4", len(BIG), '"1"', "a-1"), Content("small", "image/png", 1, '"2"', "a/../b\n"))


@pytest.mark.parametrize("large", [archive.LARGE, 1_000])  # the other one: as if 1,000 bytes were too many for a zip
async def test_no_more_than_a_piece_of_a_file_is_in_memory(
    objects: Objects, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    monkeypatch.setattr(archive, "LARGE", large)
    pieces = [piece async for piece in zipped(Archive(FILES, "a"), objects)]
    assert max(map(len, pieces)) < 5 * CHUNK
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as made:
        assert made.testzip() is None
        assert made.read("a-1.mp4") == BIG
        assert [info.compress_type for info in made.infolist()] == [zipfile.ZIP_STORED] * 2
        assert made.infolist()[1].filename == "a_.._b_.png"


async def test_a_file_that_is_gone_ends_the_archive_with_an_error(objects: Objects) -> None:
    await objects.delete("small")
    with pytest.raises(TaskError):
        _ = [piece async for piece in zipped(Archive(FILES, "a"), objects)]
