"""The lock of a SQLite file: one server or one move at a time. It ends with its process, however that ends."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


class HeldError(RuntimeError):
    """Somebody else has the lock. `owner` is the id of his process, as far as it is known."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"process {owner}")
        self.owner = owner


def path_of(url: str) -> str:
    """The file that `sqlite:PATH` means."""
    return url.removeprefix("sqlite:").removeprefix("//")


@contextmanager
def held(path: str) -> Iterator[None]:
    """Hold the lock of a database file; its folder must be there."""
    descriptor = os.open(os.path.realpath(path) + ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise HeldError(os.pread(descriptor, 20, 0).decode() or "unknown") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
