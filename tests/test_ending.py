"""A command's status is its own, whatever the threads of the object storage do at its end."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from processes import PATIENCE, environment

AT_ONCE = 24  # so many compete for the processors that without `ending_at_once` some are aborted
BUSY = """
import asyncio, sys
import obstore
from obstore.store import LocalStore
from darkroom.ending import ending_at_once

async def work():
    store = LocalStore(sys.argv[1])
    await obstore.put_async(store, "file", b"content")
    await asyncio.gather(*(obstore.head_async(store, "file") for _ in range(8)))

with ending_at_once():
    asyncio.run(work())
    sys.exit(3)
"""
ENDS = """
import sys
from darkroom.ending import ending_at_once

with ending_at_once():
    print("said")
    {last}
"""


def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=5 * PATIENCE,  # so many at once take a while
    )


def test_no_command_is_aborted_at_its_end(tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as threads:
        ends = list(threads.map(lambda _: run(BUSY, tmp_path), range(AT_ONCE)))
    assert [(end.returncode, end.stderr) for end in ends] == [(3, "")] * AT_ONCE


@pytest.mark.parametrize(
    ("last", "status", "told"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(2)", 2, ""),
        ("sys.exit('darkroom: no')", 1, "darkroom: no\n"),
        ("raise ValueError('a bug')", 1, "ValueError: a bug\n"),
    ],
)
def test_what_was_said_and_the_status_are_those_of_any_program(last: str, status: int, told: str) -> None:
    end = run(ENDS.format(last=last))
    assert (end.returncode, end.stdout) == (status, "said\n")
    assert end.stderr.endswith(told)
    assert bool(end.stderr) == bool(told)


def test_a_command_that_was_started_without_outputs_ends_all_the_same() -> None:
    """As by `darkroom key list >&- 2>&-`."""
    command = ["sh", "-c", 'exec "$0" -c "$1" >&- 2>&-', sys.executable, ENDS.format(last="sys.exit(2)")]
    assert subprocess.run(command, check=False, env=environment(), timeout=PATIENCE).returncode == 2


def test_a_reader_who_has_gone_is_told_by_the_status() -> None:
    """As of `darkroom key list | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-c", ENDS.format(last="pass")]
    end = subprocess.run(command, check=False, stdout=writer, stderr=subprocess.PIPE, env=environment())
    os.close(writer)
    assert end.returncode == 1
