"""Starts `darkroom serve` as a process of its own, on a free port and with a temporary folder.

Guarantees: whatever happens, the process is stopped and its folder removed; where something failed, the end of the
server's log is shown.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

START_WITHIN = 30.0  # seconds
STOP_WITHIN = 15.0  # seconds
LOG_LINES = 10
# The demo must not touch a database or a bucket that the environment names for a real server.
SETTINGS = frozenset({"DARKROOM_ENGINES", "DARKROOM_ENGINE", "DARKROOM_WORKERS", "DARKROOM_LOG_LEVEL"})


class ServerError(Exception):
    """The server did not start, or stopped by itself."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers: where, to which key, and as which process."""

    address: str
    key: str
    pid: int


@contextmanager
def running_server() -> Iterator[Server]:
    """A server for the time of a `with` block."""
    folder = Path(tempfile.mkdtemp(prefix="darkroom-demo-"))
    log = folder / "server.log"
    try:
        with ended_by_signals():
            process = start(folder / "data", log)
            try:
                yield ready(process)
            finally:
                stop(process)
    except Exception:
        show_end(log)
        raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start(data: Path, log: Path) -> subprocess.Popen[str]:
    """Start the process; it logs into a file."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DARKROOM_") or name in SETTINGS}
    command = [sys.executable, "-m", "darkroom", "serve", "--port", "0", "--data", str(data)]
    with log.open("wb") as errors:
        return subprocess.Popen(command, env=kept, stdout=subprocess.PIPE, stderr=errors, text=True)  # noqa: S603


def ready(process: subprocess.Popen[str]) -> Server:
    """Wait for the line that says where the server listens."""
    watchdog = threading.Timer(START_WITHIN, process.kill)
    watchdog.start()
    try:
        key = ""
        assert process.stdout is not None
        for line in process.stdout:
            _, found, rest = line.strip().partition("(shown only once): ")
            key = rest if found else key
            _, found, address = line.strip().partition("darkroom ready at ")
            if found:
                return Server(address, key, process.pid)
    finally:
        watchdog.cancel()
    raise ServerError("the server did not start; the end of its log is above")


def stop(process: subprocess.Popen[str]) -> None:
    """End the process, gently first."""
    process.terminate()
    try:
        process.communicate(timeout=STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def show_end(log: Path) -> None:
    """Print the last lines of the server's log."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    if lines:
        print("The end of the server's log:", *lines[-LOG_LINES:], sep="\n  ", file=sys.stderr)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the program as Ctrl-C does: by an exception, so that it tidies up."""

    def end(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
