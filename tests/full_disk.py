"""A folder whose disk is really full for a while: a small file system of its own, or a limit on the size of files."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from darkroom.testing.processes import descendants

ROOM = 8 << 20  # bytes of the small file system
BIGGEST = 2 << 20  # bytes of a file under the limit: more than a small database, less than a big picture


class FullDisk:
    """What may be stored in `folder`.

    Where nothing can be mounted, the files of process `pid` (0: our own) are limited to `biggest` bytes each.
    """

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder = folder
        self.pid = 0
        self.biggest = BIGGEST
        self._mounted = mounted
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Take all room."""
        if not self._mounted:
            self._limit(self.pid, self.biggest)
            return
        with self._filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(64 << 10)):
                pass

    def free(self) -> None:
        """Give it back."""
        if self._mounted:
            self._filler.unlink(missing_ok=True)
            return
        self._limit(self.pid, None)
        for pid in descendants(self.pid or os.getpid()):  # one that was started meanwhile has the limit, too
            # Another user's process, such as the tests' PostgreSQL, is none of these.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                self._limit(pid, None)

    def _limit(self, pid: int, size: int | None) -> None:
        hardest = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (hardest if size is None else size, hardest))


@contextmanager
def full_disk(folder: Path, *, room: int = ROOM) -> Iterator[FullDisk]:
    """A disk of `room` bytes that can be filled, mounted at `folder` where this process may do that."""
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0
    disk = FullDisk(folder, mounted=mounted)
    try:
        yield disk
    finally:
        disk.pid = 0
        disk.free()
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)
