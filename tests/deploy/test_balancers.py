"""Two servers and a worker with one of the shipped balancers between them, and one of the servers is killed."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from balancers import NAMES, Balancer
from PIL import Image
from websockets.asyncio.client import connect

from darkroom.testing.ports import free_port, unused_port
from darkroom.testing.server import FAKE_DEFAULTS, NO_TLS, PATIENCE, Darkroom, fetched, module_path, until
from postgres import Postgres

TASK = {"operation": "image.generate", "model": "fake"}
HANGS = {**TASK, "params": {"outcome": "hang"}}
CALLERS = 6  # of each kind who wait at the same time, more than the worker has connections

Nodes = tuple[Darkroom, Darkroom]


@pytest.fixture(scope="module")
def ports() -> tuple[int, int]:
    """Where the two servers listen, also after a restart."""
    return free_port(), free_port()


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, ports: tuple[int, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Two that only answer."""
    folder = tmp_path_factory.mktemp("nodes")
    env = {
        "DARKROOM_DEFAULTS": FAKE_DEFAULTS,
        "DARKROOM_OBJECTS": str(folder / "objects"),
        "DARKROOM_DEVICE_CREDITS": "100",
        "DARKROOM_TRUSTED_PROXIES": "127.0.0.1",
        "DARKROOM_DRAIN_SECONDS": "1",
    }
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        opened = postgres.database()
        url = runner.run(opened.__aenter__())
        stack.callback(lambda: runner.run(opened.__aexit__(None, None, None)))
        first, second = (
            stack.enter_context(
                Darkroom(
                    folder / name,
                    engines="fake",
                    database=url,
                    env=env,
                    flags=("--port", str(port), "--workers", "0"),
                )
            )
            for name, port in zip(("first", "second"), ports, strict=True)
        )
        second.key = first.key
        yield first, second
        for node in (first, second):
            assert "Traceback" not in node.log


@pytest.fixture(scope="module", params=NAMES)
def balancer(
    nodes: Nodes, ports: tuple[int, int], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balancer]:
    """A balancer in front of both, and a worker behind it."""
    folder = tmp_path_factory.mktemp(request.param)
    balancer = Balancer(request.param, folder, ports)
    token = nodes[0].command("key", "create", "--name", f"worker-{request.param}", "--scope", "worker")
    with balancer.running():
        until(lambda: answers(balancer))
        with working(balancer, token, folder):
            yield balancer


@contextlib.contextmanager
def working(balancer: Balancer, token: str, folder: Path) -> Iterator[None]:
    """A worker that asks the balancer for tasks, from when it does."""
    env = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPATH": module_path(),
        "DARKROOM_DATA": str(folder / "worker"),
        "DARKROOM_DEFAULTS": FAKE_DEFAULTS,
        "DARKROOM_SERVER": balancer.address,
        "DARKROOM_TOKEN": token,
    }
    command = [sys.executable, "-m", "darkroom", "worker", "--engines", "fake", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        try:
            assert process.stdout is not None
            assert "ready" in process.stdout.readline()
            yield
        finally:
            process.terminate()
        assert process.wait(PATIENCE) == 0


def answers(balancer: Balancer) -> bool:
    """Whether somebody who asks is answered."""
    with balancer.client() as client, contextlib.suppress(httpx.HTTPError):
        return client.get("/healthz").status_code == 200
    return False


@pytest.fixture
def client(balancer: Balancer, nodes: Nodes) -> Iterator[httpx.Client]:
    """A caller of the balancer with the first key."""
    with balancer.client(nodes[0].key) as client:
        yield client


def requests_of(node: Darkroom) -> float:
    """How many requests of the native dialect a server has answered."""
    lines = fetched(f"{node.address}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith('darkroom_requests_total{dialect="native"'))


def both_are_asked(client: httpx.Client, nodes: Nodes) -> bool:
    """Whether callers who come at the same time get to both servers, also after one was away."""
    before = [requests_of(node) for node in nodes]
    with ThreadPoolExecutor(CALLERS) as callers:
        list(callers.map(client.get, ["/api/tasks?limit=100"] * 2 * CALLERS))
    return all(requests_of(node) > seen for node, seen in zip(nodes, before, strict=True))


def connections_of(node: Darkroom) -> float:
    """How many connections a server holds, our own included."""
    lines = fetched(f"{node.address}/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("darkroom_connections "))


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_configuration_is_sound(name: str, tmp_path: Path) -> None:
    checked = Balancer(name, tmp_path, (free_port(), free_port())).checked()
    assert checked.returncode == 0, checked.stderr
    assert "warn" not in checked.stderr.lower()


@pytest.mark.parametrize("name", NAMES)
def test_without_any_server_callers_are_told_to_ask_again(name: str, tmp_path: Path) -> None:
    with unused_port() as first, unused_port() as second:
        balancer = Balancer(name, tmp_path, (first, second))
        with balancer.running(), balancer.client() as client:
            answer = client.get("/api/account")
    assert answer.status_code in (502, 503)
    assert answer.json()["error"]["code"] == "unavailable"
    assert answer.headers["Retry-After"]


def test_tasks_are_submitted_polled_and_waited_for_at_either_server(client: httpx.Client, nodes: Nodes) -> None:
    before = [requests_of(node) for node in nodes]

    def made_and_waited_for(_: int) -> dict[str, Any]:
        made = client.post("/api/tasks", json={**TASK, "params": {"steps": 2, "step_ms": 200}}).json()
        assert client.get(f"/api/tasks/{made['id']}").status_code == 200
        done: dict[str, Any] = client.get(f"/api/tasks/{made['id']}?wait=50").json()
        return done

    with ThreadPoolExecutor(CALLERS) as callers:
        for done in callers.map(made_and_waited_for, range(CALLERS)):
            assert done["state"] == "succeeded"
            assert done["outputs"][0]["url"].startswith(str(client.base_url).rstrip("/"))
            assert fetched(done["outputs"][0]["url"]).status_code == 200
    assert all(requests_of(node) > seen for node, seen in zip(nodes, before, strict=True))


def test_events_arrive_while_the_task_still_runs(client: httpx.Client) -> None:
    made = client.post("/api/tasks", json=HANGS).json()
    states: list[str] = []
    with client.stream("GET", f"/api/tasks/{made['id']}/events") as stream:
        for line in stream.iter_lines():
            if line.startswith("data: "):
                states.append(json.loads(line.removeprefix("data: "))["state"])
                if states[-1] == "running":  # a balancer that keeps events back never comes here
                    client.post(f"/api/tasks/{made['id']}/cancel")
    assert states[-1] == "canceled"


async def test_the_socket_of_an_app_is_told_of_its_task(balancer: Balancer) -> None:
    with balancer.client() as client:
        device = {"appId": "com.example.app", "udid": f"behind-{balancer.name}"}
        token = client.post("/saveDevice", json=device).json()["data"]["accessToken"]
        async with connect(f"ws://127.0.0.1:{balancer.port}/ws?token={token}", proxy=None) as socket:
            submit = {"taskType": 7, "content": "a lake"}
            client.post("/submitTask", json=submit, headers={"Authorization": token}).raise_for_status()
            types: list[int] = []
            async with asyncio.timeout(PATIENCE):
                while 30 not in types:  # the result
                    types.append(json.loads(await socket.recv())["type"])
    assert types.count(30) == 1


def test_a_large_upload_passes(client: httpx.Client) -> None:
    picture = io.BytesIO()
    Image.frombytes("RGB", (1200, 1200), os.urandom(1200 * 1200 * 3)).save(picture, "PNG")
    assert len(picture.getvalue()) > 4 << 20
    assert client.post("/api/files", files={"file": ("noise.png", picture.getvalue())}).status_code < 300


def test_a_request_keeps_its_id_and_else_gets_one(client: httpx.Client, balancer: Balancer) -> None:
    given = f"order-{balancer.name}-7"
    assert client.get("/api/account", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given
    made = client.get("/api/account").headers["X-Request-Id"]
    assert len(made) == 32
    until(lambda: given in balancer.log and made in balancer.log)


def test_servers_see_the_address_of_the_caller(balancer: Balancer, nodes: Nodes) -> None:
    key = nodes[0].command("key", "create", "--name", f"elsewhere-{balancer.name}", "--ip", "127.0.0.5")
    with balancer.client(key) as other, balancer.client(key, transport=from_address("127.0.0.5")) as own:
        assert other.get("/api/account").status_code == 403
        assert own.get("/api/account").status_code == 200


def from_address(address: str) -> httpx.HTTPTransport:
    """Connections that come from an address of this machine."""
    return httpx.HTTPTransport(local_address=address, verify=NO_TLS)


def test_metrics_are_not_for_callers(client: httpx.Client) -> None:
    assert client.get("/metrics").status_code == 404


def test_a_server_that_stops_refuses_nobody(client: httpx.Client, nodes: Nodes) -> None:
    first, _ = nodes
    with ThreadPoolExecutor(1) as thread:
        stopped = thread.submit(first.stop)
        try:
            while not stopped.done():
                assert client.get("/api/account").status_code == 200
            assert stopped.result() == 0
            assert client.get("/api/account").status_code == 200
        finally:
            first.start()


def test_a_killed_server_costs_nobody_a_read_or_a_submit_with_a_key(
    client: httpx.Client, balancer: Balancer, nodes: Nodes
) -> None:
    first, second = nodes
    until(lambda: both_are_asked(client, nodes))
    watched = client.post("/api/tasks", json=HANGS).json()["id"]
    keys = [f"{balancer.name}-{number}" for number in range(CALLERS)]
    before = len(tasks(second))

    def read() -> httpx.Response:
        return client.get(f"/api/tasks/{watched}?wait=55")

    def submit(key: str | None) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return client.post("/api/tasks?wait=55", json=HANGS, headers=headers)

    with contextlib.ExitStack() as afterwards:
        with ThreadPoolExecutor(3 * CALLERS) as callers:
            # One kind after the other, so that the balancer gives half of each to either server.
            unkeyed = [callers.submit(refused, submit) for _ in range(CALLERS)]
            until(lambda: len(tasks(second)) == before + CALLERS)
            keyed = [callers.submit(submit, key) for key in keys]
            until(lambda: len(tasks(second)) == before + 2 * CALLERS)
            reads = [callers.submit(read) for _ in range(CALLERS)]
            until(lambda: connections_of(first) > CALLERS)
            first.kill()
            afterwards.callback(first.start)
            assert client.get("/api/account").status_code == 200
            until(lambda: any(each.done() for each in unkeyed))  # of those for whom nothing may be done
            for task in tasks(second, "queued") + tasks(second, "running"):
                client.post(f"/api/tasks/{task}/cancel").raise_for_status()
        assert [each.result().json()["state"] for each in reads] == ["canceled"] * CALLERS
        assert [each.result().json()["state"] for each in keyed] == ["canceled"] * CALLERS
        assert [each.result().json()["id"] for each in keyed] == [submit(key).json()["id"] for key in keys]
        assert len(tasks(second)) == before + 2 * CALLERS  # nothing was stored twice
        assert any(each.result() for each in unkeyed)


def refused(submit: Callable[[None], httpx.Response]) -> bool:
    """Whether a submit without a key gets no answer of a server: the balancer says so, or hangs up."""
    try:
        answer = submit(None)
    except httpx.RemoteProtocolError:
        return True
    if answer.status_code < 400:
        return False
    assert answer.status_code == 502
    assert answer.headers["Retry-After"]
    assert answer.json()["error"]["code"] == "unavailable"
    return True


def tasks(node: Darkroom, state: str = "") -> list[str]:
    """The ids of tasks, as a server tells them itself."""
    with httpx.Client(base_url=node.address, verify=NO_TLS, trust_env=False, timeout=PATIENCE) as client:
        client.headers["Authorization"] = f"Bearer {node.key}"
        query = {"limit": "100", **({"state": state} if state else {})}
        found = client.get("/api/tasks", params=query).json()
    assert not found["next_cursor"]
    return [task["id"] for task in found["items"]]
