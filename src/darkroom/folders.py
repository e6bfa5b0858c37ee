"""Folders for jobs to work in."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

UNTOUCHED = 0  # the time of change that an empty folder is given: what is made in it gives it another one


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
            os.utime(folder, ns=(UNTOUCHED, UNTOUCHED))
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
        if folder.stat().st_mtime_ns == UNTOUCHED:
            return True
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(entry.path)
                else:
                    os.unlink(entry.path)  # noqa: PTH108 - a Path for each entry is not needed
        os.utime(folder, ns=(UNTOUCHED, UNTOUCHED))
    except OSError:
        return False
    return True


@contextmanager
def work_folder(parent: Path, name: str) -> Iterator[Path]:
    """A folder of this process's own, removed in the end. Those that processes left which are gone are removed now.

    A lock tells whose process is gone: in a container each start has the same process id.
    """
    parent.mkdir(parents=True, exist_ok=True)
    folder = parent / name
    with ExitStack() as own:
        with locked(parent):  # so that a folder is not taken for left behind while it is being made
            for other in parent.iterdir():
                with suppress(BlockingIOError, NotADirectoryError), locked(other, fcntl.LOCK_NB):
                    shutil.rmtree(other, ignore_errors=True)
            folder.mkdir()
            own.enter_context(locked(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(folder: Path, how: int = 0) -> Iterator[None]:
    """Hold the lock of a folder; it ends with this process at the latest."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(descriptor)
