"""Folders for jobs to work in."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Folders:
    """Gives out empty folders and removes them with what is in them.

    One serves many jobs, emptied after each: to make and remove a folder costs more than many a small job.
    """

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._empty: list[Path] = []

    @contextmanager
    def one(self) -> Iterator[Path]:
        """A folder of the caller's own for a while, empty at first."""
        if self._empty:
            folder = self._empty.pop()
        else:
            folder = self._parent / secrets.token_hex(8)
            folder.mkdir(parents=True)
        try:
            yield folder
        except BaseException:
            # A thread of a job that was stopped may still write: into this folder, which the next job must not have.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if emptied(folder):
            self._empty.append(folder)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def emptied(folder: Path) -> bool:
    """Remove what is in a folder; whether that worked, and the folder is still there."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)  # noqa: PTH108 - a Path for each entry is not needed
    except OSError:
        return False
    return True
