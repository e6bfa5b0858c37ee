"""Status polls: what a busy server does most. Key check, one indexed read, the answer as JSON.

Server on one core, wrk with 64 kept connections on another, several hundred finished tasks in turn, rounds interleaved.
Before the first round each server's answer to every task is compared, field by field; a refusal ends the program.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import report
import servers
import wrk
from seed import Seeded, seed

TASKS = 500
ROUNDS, SECONDS = 3, 4
ORM, PLAIN = "FastAPI, SQLAlchemy ORM", "FastAPI, sqlite3"
BARE, REMEMBERS = "bare protocol", "bare protocol, remembers"
EMPTY = "granian, empty application"
OURS = "darkroom, GET (dimilinks)"


@dataclass(frozen=True, slots=True)
class Round:
    """One round: what wrk saw, and the processor time that the server took for an answer, in microseconds."""

    load: wrk.Load
    cpu: float


@dataclass(frozen=True, slots=True)
class Target:
    """One way to poll one server. `shape` names whose JSON it answers with."""

    name: str
    running: servers.Running
    plan: Path
    shape: str


def measure() -> list[report.Row]:
    """Measure every server."""
    wrk.need_wrk()
    with servers.folder() as folder, ExitStack() as stack:
        seeded = seed(folder / "data", TASKS)
        targets = start_all(stack, seeded, folder)
        for target in targets:
            if target.name != EMPTY:
                check(target, seeded)
        rounds: dict[str, list[Round]] = {target.name: [] for target in targets}
        for seconds in (1, *[SECONDS] * ROUNDS):  # the first, short round warms up and is forgotten
            for target in targets:
                rounds[target.name].append(one_round(target, seeded.key, seconds))
        return rows({name: found[1:] for name, found in rounds.items()})


def one_round(target: Target, key: str, seconds: int) -> Round:
    """Poll one server for some seconds."""
    before = target.running.cpu()
    load = wrk.result(wrk.start(target.running.address, target.plan, key, seconds, core=servers.CLIENT))
    return Round(wrk.clean(load, target.name), 1e6 * (target.running.cpu() - before) / load.requests)


def start_all(stack: ExitStack, seeded: Seeded, folder: Path) -> list[Target]:
    """Start the servers; Darkroom is asked in three dialects."""
    ours = stack.enter_context(servers.darkroom(seeded.data))
    dimilinks = wrk.write_plan(folder / "get", (wrk.Request("GET", f"/v1/tasks/{name}") for name in seeded.ids))
    native = wrk.write_plan(folder / "native", (wrk.Request("GET", f"/api/tasks/{name}") for name in seeded.ids))
    query = "/v1/images/infobytaskid"
    tensorslab = wrk.write_plan(folder / "post", (wrk.Request("POST", query, {"taskid": name}) for name in seeded.ids))
    database = seeded.database
    peers = {
        ORM: servers.fastapi("orm", database),
        PLAIN: servers.fastapi("plain", database),
        BARE: servers.script("bare", database),
        REMEMBERS: servers.script("bare", database, remember=True),
        EMPTY: servers.script("empty", database),
    }
    return [
        Target(OURS, ours, dimilinks, "dimilinks"),
        Target("darkroom, GET (native)", ours, native, "native"),
        Target("darkroom, POST (tensorslab)", ours, tensorslab, "tensorslab"),
        *(Target(name, stack.enter_context(peer), dimilinks, "dimilinks") for name, peer in peers.items()),
    ]


def check(target: Target, seeded: Seeded) -> None:
    """Ask for every task twice, and end the program unless each answer shows that task with its result."""
    connection = http.client.HTTPConnection("127.0.0.1", target.running.port)
    for _ in range(2):
        for line in target.plan.read_text().splitlines():
            method, path, body = line.split("\t")
            headers = {"Authorization": f"Bearer {seeded.key}", "Content-Type": "application/json"}
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            content = answer.read()
            task_id = json.loads(body)["taskid"] if body else path.rpartition("/")[2]
            if answer.status != 200 or not shows(json.loads(content), target, task_id):
                sys.exit(f"{target.name}: wrong answer {answer.status} to {line}: {content[:600]!r}")
    connection.close()


def shows(answer: dict[str, Any], target: Target, task_id: str) -> bool:
    """Whether an answer shows the finished task with a signed link to its result."""
    base = target.running.address
    if target.shape == "native":
        found, state, link = answer["id"], answer["state"] == "succeeded", answer["outputs"][0]["url"]
        path = f"/api/tasks/{task_id}/outputs/0"
    elif target.shape == "tensorslab":
        data = answer["data"]
        found, state, link = data["taskid"], data["image_status"] == 3, data["url"][0]
        path = f"/images/{task_id}_0.png"
    else:
        keys = {"id", "task_id", "object", "status", "progress", "created_at", "completed_at", "result"}
        found, link = answer["id"], answer["result"]["data"][0]["url"]
        state = answer["status"] == "succeeded" and set(answer) == keys
        path = f"/p/img/{task_id}/0"
    return (
        found == task_id and state and link.startswith(f"{base}{path}?exp=") and len(link.partition("&sig=")[2]) == 24
    )


def rows(rounds: dict[str, list[Round]]) -> list[report.Row]:
    """Medians, and ratios of the first server to the others."""
    rates = {name: statistics.median(item.load.rate for item in found) for name, found in rounds.items()}
    p99 = statistics.median(item.load.p99 for item in rounds[OURS])
    return [
        *(report.Row(f"polls: {name}", f"{rates[name]:,.0f} /s", details(found)) for name, found in rounds.items()),
        report.at_least(f"polls: darkroom / {ORM}", rates[OURS] / rates[ORM], 15),
        report.at_least(f"polls: darkroom / {PLAIN}", rates[OURS] / rates[PLAIN], 5),
        report.at_least(f"polls: darkroom / {BARE}", 100 * rates[OURS] / rates[BARE], 85, "%"),
        *(
            report.Row(f"polls: darkroom / {name}", f"{100 * rates[OURS] / rates[name]:.1f} %")
            for name in (REMEMBERS, EMPTY)
        ),
        report.at_most("polls: p99 of darkroom, 64 connections", p99, 10, "ms"),
    ]


def details(found: list[Round]) -> str:
    """Spread, latency and processor time."""
    rates = sorted(item.load.rate for item in found)
    p50, p99 = (statistics.median(getattr(item.load, name) for item in found) for name in ("p50", "p99"))
    cpu = statistics.median(item.cpu for item in found)
    return f"{rates[0]:,.0f} to {rates[-1]:,.0f} /s, p50 {p50:.2f} ms, p99 {p99:.2f} ms, CPU {cpu:.0f} us"


if __name__ == "__main__":
    report.main(measure)
