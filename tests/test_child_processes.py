"""The kit's look at processes, while everything around it starts and ends."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from darkroom.testing.processes import alive, child_processes, descendants

LOOKS = 150


@pytest.fixture
def child() -> Iterator[int]:
    """A process that lives until its input is closed."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        try:
            yield process.pid
        finally:
            process.kill()


@contextmanager
def coming_and_going() -> Iterator[None]:
    """Threads and processes of ours that start and end all the time."""
    over = threading.Event()

    def threads() -> None:
        while not over.is_set():
            short = [threading.Thread(target=int) for _ in range(20)]
            for thread in short:
                thread.start()
            for thread in short:
                thread.join()

    def processes() -> None:
        while not over.is_set():
            subprocess.run(["true"], check=True)

    makers = [threading.Thread(target=make) for make in (threads, processes)]
    for maker in makers:
        maker.start()
    try:
        yield
    finally:
        over.set()
        for maker in makers:
            maker.join()


def test_a_child_is_seen_whatever_ends_meanwhile(child: int) -> None:
    with coming_and_going():
        assert all(child in child_processes() & descendants(os.getpid()) for _ in range(LOOKS))


def test_a_child_that_nobody_has_buried_is_seen_and_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert process.pid in child_processes()
        assert not alive(process.pid)
    assert process.pid not in child_processes()
