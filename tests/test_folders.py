"""Folders for jobs to work in: each job gets an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom.folders import Folders


def fill(folder: Path) -> None:
    (folder / "left behind.png").write_bytes(b"1")
    (folder / "frames").mkdir()
    (folder / "frames" / "1.png").write_bytes(b"1")


@pytest.mark.parametrize("jobs", [2, 50])
def test_every_job_has_an_empty_folder_however_fast_they_follow_each_other(tmp_path: Path, jobs: int) -> None:
    folders = Folders(tmp_path)
    for _ in range(jobs):
        with folders.one() as folder:
            assert list(folder.iterdir()) == []
            fill(folder)
    assert list(tmp_path.iterdir()) == [folder]  # one served them all


def test_a_job_that_makes_nothing_leaves_its_folder_to_one_that_does(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    for makes in (False, True, False, False, True, True):
        with folders.one() as folder:
            assert list(folder.iterdir()) == []
            if makes:
                fill(folder)


def test_what_a_job_only_renames_or_replaces_is_removed_too(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    with folders.one() as folder:
        (tmp_path / "elsewhere").write_bytes(b"1")
        (tmp_path / "elsewhere").rename(folder / "result.png")
    with folders.one() as folder:
        assert list(folder.iterdir()) == []


def test_a_job_that_fails_takes_its_folder_with_it(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    with pytest.raises(ValueError, match="broken"), folders.one() as broken:
        raise ValueError("broken")
    with folders.one() as folder:
        assert (folder != broken, broken.exists()) == (True, False)


def test_jobs_at_once_have_a_folder_each(tmp_path: Path) -> None:
    folders = Folders(tmp_path)
    with folders.one() as first, folders.one() as second:
        assert first != second
