"""A real balancer in front of real servers, started from the shipped configuration: only addresses are changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from darkroom.testing.ports import free_port
from darkroom.testing.server import NO_TLS, PATIENCE, until

DEPLOY = Path(__file__).parents[2] / "deploy"
NAMES = ("haproxy", "nginx")


def program(name: str) -> str:
    """The balancer's program, or a skip that says what is missing."""
    found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {'nginx-light' if name == 'nginx' else name})")
    return found


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with every change made; each must be there to be made."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


class Balancer:
    """The balancer of a name in front of two ports, or HAProxy of more. `command` starts it, in a folder of its own."""

    def __init__(self, name: str, folder: Path, ports: tuple[int, ...]) -> None:
        self.name = name
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        first, second, *more = (f"127.0.0.1:{port}" for port in ports)
        if name == "nginx":
            shipped = (DEPLOY / "nginx.conf").read_text("utf-8")
            changes = {
                "api-1:8080": first,
                "api-2:8080": second,
                "listen 8080": f"listen 127.0.0.1:{self.port}",
                "/tmp/": f"{folder}/",
            }
            (folder / "nginx.conf").write_text(changed(shipped, changes))
            self._environment = {}
            self._start = [program(name), "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
            same_user = "user root; " if os.getuid() == 0 else ""  # nobody else may enter the folder
            self.command = [*self._start, "-g", f"{same_user}daemon off;"]
            self.check = [*self._start, "-t"]
        else:
            self._environment = {"API_1": first, "API_2": second, "BALANCER_ADDRESS": f"127.0.0.1:{self.port}"}
            last = '    server api-2 "${API_2-api-2:8080}"\n'
            lines = [last, *(f"    server api-{number} {place}\n" for number, place in enumerate(more, 3))]
            shipped = (DEPLOY / "haproxy.cfg").read_text("utf-8")
            (folder / "haproxy.cfg").write_text(changed(shipped, {last: "".join(lines)}))
            self._start = [program(name), "-f", str(folder / "haproxy.cfg")]
            self.command = [*self._start, "-db"]
            self.check = [*self._start, "-c"]
        self._log = folder / f"{name}.log"

    @property
    def log(self) -> str:
        """What it printed so far."""
        return self._log.read_text()

    def checked(self) -> subprocess.CompletedProcess[str]:
        """What its own check of the configuration says."""
        return subprocess.run(self.check, check=False, capture_output=True, text=True, env=self._environment)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run it, from when it listens."""
        with self._log.open("ab") as log, subprocess.Popen(
            self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._environment
        ) as process:  # fmt: skip
            try:
                until(lambda: process.poll() is not None or self._listens())
                assert process.poll() is None, self.log
                yield
            finally:
                process.terminate()

    def client(self, key: str | None = None, **options: object) -> httpx.Client:
        """A caller of the balancer."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(
            base_url=self.address, headers=headers, verify=NO_TLS, trust_env=False, timeout=PATIENCE, **options
        )

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False
