"""A server that lives as in its container: a read-only root, two folders to write to, and none of root's rights."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from darkroom.testing.server import PATIENCE

KEY = re.compile(r"Your first API key .*: (\S+)")
READY = re.compile(r"darkroom ready at (\S+)")
NAMESPACE = (
    'set -e; for each in "$DARKROOM_DATA" "$TMPDIR"; do mount --bind "$each" "$each"; done;'
    ' mount -o bind,remount,ro /; ! touch "$PROBE" 2>/dev/null;'
    ' exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"'
)


class Confined:
    """`darkroom serve` of what is installed in a folder. Skips where no root can be made read-only."""

    def __init__(self, installed: Path, folder: Path) -> None:
        self._env = {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/nonexistent",
            "PYTHONPATH": str(installed),
            "PYTHONDONTWRITEBYTECODE": "1",
            "DARKROOM_DATA": str(folder / "data"),
            "DARKROOM_PORT": "0",
            "TMPDIR": str(folder / "tmp"),
        }
        self._within = ["unshare", "--mount", "env", f"PROBE={folder / 'probe'}", "sh", "-c", NAMESPACE, "sh"]
        for name in ("data", "tmp"):
            (folder / name).mkdir()

    def __enter__(self) -> Self:
        missing = [name for name in ("unshare", "setpriv") if shutil.which(name) is None]
        if missing or subprocess.run([*self._within, "true"], check=False, env=self._env).returncode:
            pytest.skip("nobody can make the root read-only here: that takes root, unshare and setpriv")
        self._process = subprocess.Popen(
            [*self._within, sys.executable, "-m", "darkroom", "serve", "--workers", "1"],
            stdout=subprocess.PIPE,
            text=True,
            env=self._env,
        )
        assert self._process.stdout is not None
        printed = ""
        for line in self._process.stdout:
            printed += line
            if ready := READY.search(line):
                self.address = ready[1]
                break
        else:
            raise AssertionError(f"it ended with status {self._process.wait(PATIENCE)}")
        found = KEY.search(printed)
        assert found is not None, printed
        self.key = found[1]
        return self

    def stop(self) -> int:
        """Ask it to stop; its exit status."""
        self._process.terminate()
        return self._process.wait(PATIENCE)

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
