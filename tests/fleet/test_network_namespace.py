"""A worker in a network of its own, whose cable is pulled: nothing is refused, and nothing arrives."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

import pytest
from workers import (
    ENV,
    SERVES_NOTHING,
    SHORT_LEASES,
    RemoteWorker,
    final,
    run_again,
    running,
    submit,
    target_of,
    token_of,
    told,
)

from darkroom.testing.server import Darkroom, until


class Cable:
    """A pair of network devices, one of them in a namespace of its own; both in a network that others hardly choose."""

    def __init__(self) -> None:
        network = IPv4Address("10.213.0.0") + 4 * secrets.randbelow(1 << 14)
        self.server, self.worker = str(network + 1), str(network + 2)
        self.namespace = f"darkroom-{secrets.token_hex(3)}"
        self.device = f"dr{secrets.token_hex(3)}"

    def __enter__(self) -> Self:
        try:
            ip("netns", "add", self.namespace)
            ip("link", "add", self.device, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
            ip("address", "add", f"{self.server}/30", "dev", self.device)
            self.inside("ip", "address", "add", f"{self.worker}/30", "dev", "eth0")
            self.inside("ip", "link", "set", "eth0", "up")
            self.inside("ip", "link", "set", "lo", "up")
            self.plug()
        except (OSError, subprocess.CalledProcessError) as error:
            self.__exit__()
            pytest.skip(f"no network namespace can be made here: {error}")
        return self

    def __exit__(self, *_: object) -> None:
        for words in (("link", "delete", self.device), ("netns", "delete", self.namespace)):
            with contextlib.suppress(OSError, subprocess.CalledProcessError):
                ip(*words)

    def plug(self) -> None:
        """Connect both ends."""
        ip("link", "set", self.device, "up")

    def pull(self) -> None:
        """What is sent arrives nowhere."""
        ip("link", "set", self.device, "down")

    def inside(self, *command: str) -> None:
        """Run a command in the namespace."""
        subprocess.run(["ip", "netns", "exec", self.namespace, *command], check=True, capture_output=True)


def ip(*words: str) -> None:
    """One `ip` command."""
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    if os.getuid() != 0 or shutil.which("ip") is None:
        pytest.skip("a network namespace needs root, and the program ip (Debian: apt-get install iproute2)")
    with Cable() as cable:
        yield cable


@contextmanager
def serving(folder: Path, **env: str) -> Iterator[Darkroom]:
    """A server that runs nothing itself, on both networks."""
    env["DARKROOM_HOST"] = "0.0.0.0"
    with Darkroom(folder, engines="fake", env=env, flags=SERVES_NOTHING) as server:
        server.address = server.address.replace("0.0.0.0", "127.0.0.1")
        yield server
        assert "Traceback" not in server.log


class FarWorker(RemoteWorker):
    """A worker behind a cable."""

    def __init__(self, cable: Cable, folder: Path, server: Darkroom) -> None:
        super().__init__(folder, f"http://{cable.server}:{target_of(server)[1]}", token_of(server))
        self._command = ["ip", "netns", "exec", cable.namespace, *self._command]


def test_a_cable_that_is_pulled_for_a_moment_costs_nothing(cable: Cable, tmp_path: Path) -> None:
    with serving(tmp_path / "server", **ENV) as server, FarWorker(cable, tmp_path / "worker", server):
        task = submit(server, steps=60, step_ms=100, results=1)
        until(lambda: running(server, task))
        cable.pull()
        time.sleep(1.5)
        cable.plug()
        done = final(server, task)
    assert (done["state"], done["attempt"]) == ("succeeded", 1)


def test_behind_a_cable_that_stays_pulled_nothing_is_ended(cable: Cable, tmp_path: Path) -> None:
    with serving(tmp_path / "server", **SHORT_LEASES) as server, FarWorker(cable, tmp_path / "far", server) as far:
        task = submit(server, steps=40, step_ms=100, results=1)
        until(lambda: running(server, task))
        cable.pull()
        with RemoteWorker(tmp_path / "near", server.address, token_of(server)):
            until(lambda: told(server, task)["attempt"] >= 2)
            run_again(server, task)
            cable.plug()
            until(lambda: "task.lost" in far.log)
        after = submit(server, results=1)
        assert final(server, after)["state"] == "succeeded"
