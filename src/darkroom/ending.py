"""How a command ends: with its status, and without taking the interpreter down.

The library of the object storage works on threads of its own. One that is just letting go of something of Python's
while the interpreter is taken down aborts the process, whatever the command had to say: see
https://github.com/PyO3/pyo3-async-runtimes/issues/40.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

FAILED = 1


@contextmanager
def ending_at_once() -> Iterator[None]:
    """End the process where the block ends. Everything that the block opened must be closed by then."""
    status = 0
    try:
        yield
    except SystemExit as end:
        status = status_of(end)
    except BaseException:  # noqa: BLE001 - the interpreter, which would tell of it, is not asked any more
        traceback.print_exc()
        status = FAILED
    for stream in filter(None, (sys.stdout, sys.stderr)):  # none where a program was started without
        try:
            stream.flush()
        except OSError:  # nobody reads it any more
            status = status or FAILED
    os._exit(status)


def status_of(end: SystemExit) -> int:
    """The status that `sys.exit` asked for; a text is printed, as the interpreter would."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    print(end.code, file=sys.stderr)
    return FAILED
