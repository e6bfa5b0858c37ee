"""Commands of `darkroom` as processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from darkroom.testing.server import module_path

PATIENCE = 60.0  # seconds
SIGNALS = {"SIGTERM": signal.SIGTERM, "SIGINT": signal.SIGINT}


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a process needs of ours, and nothing that would be a setting."""
    return {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": module_path(), **(more or {})}


def darkroom(*arguments: object, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A command that was run to its end."""
    return subprocess.run(
        [sys.executable, "-m", "darkroom", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        env=environment(env),
        timeout=PATIENCE,
    )


def refused(*arguments: object, env: Mapping[str, str] | None = None) -> str:
    """What a command says that must fail: on standard error, with status 1, and never with a traceback."""
    done = darkroom(*arguments, env=env)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr
