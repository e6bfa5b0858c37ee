"""Files in a local folder, written here and not by the storage library, which does not sync to the disk (0.12).

What is being written lies in `.incoming`, which no key can name, and gets its name when all of it is on the disk.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

CHUNK = 256 * 1024  # bytes
INCOMING = ".incoming"
CONTENDED = 10.0  # seconds in which others remove a folder again and again, each time because they have got on
ABANDONED = 3_600_000  # milliseconds after which a file in INCOMING is a crash's leftover
Source = Path | bytes | BinaryIO


def prepare(path: Path) -> Path:
    """Make a folder fit for files; its absolute path."""
    folder = path.resolve()
    (folder / INCOMING).mkdir(parents=True, exist_ok=True)
    remove_abandoned(folder, time.time_ns() // 1_000_000)
    return folder


def write(folder: Path, key: str, source: Source) -> None:
    """Write a file under its key, over an older one if there is one: all of it, or nothing."""
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
    give_up = time.monotonic() + CONTENDED
    while True:
        try:
            _make_folder(target.parent)
            incoming.replace(target)
        except FileNotFoundError:
            # A delete that goes on at the same time removed the folder because it had become empty.
            if time.monotonic() > give_up or not incoming.exists():
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


def remove(folder: Path, key: str) -> None:
    """Remove a file, and the folders that are empty without it."""
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


def remove_abandoned(folder: Path, now: int) -> int:
    """Remove what a process that is gone had begun to write, at `now` in UTC milliseconds; how many files."""
    count = 0
    for leftover in (folder / INCOMING).iterdir():
        # Young ones may belong to another process, which may also be quicker to publish or remove them.
        with suppress(FileNotFoundError):
            if now - leftover.stat().st_mtime * 1000 > ABANDONED:
                leftover.unlink()
                count += 1
    return count
