"""Which processes there are, from /proc: an engine, a server or a test must not leave any behind.

Each process is asked for its parent. The kernel's own lists of children are not used: they belong to threads, which
end, and a list that is read while one ends may lack a child or be gone.
"""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def child_processes() -> set[int]:
    """Ids of this process's children, the unreaped ones among them."""
    return {pid for pid, parent in _parents().items() if parent == os.getpid()}


def descendants(pid: int) -> set[int]:
    """Ids of a process's children and theirs."""
    parents, found = _parents(), {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pid: int) -> bool:
    """Whether a process of this id runs; a dead one that nobody has buried yet does not."""
    return (fields := _stat(pid)) is not None and fields[0] != "Z"


def _parents() -> dict[int, int]:
    """The parent of each process; empty where there is no /proc."""
    ids = [int(folder.name) for folder in PROC.iterdir() if folder.name.isdecimal()] if PROC.is_dir() else []
    return {pid: int(fields[1]) for pid in ids if (fields := _stat(pid))}


def _stat(pid: int) -> list[str] | None:
    """State, parent and what follows in a process's line; None if the process is gone."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
