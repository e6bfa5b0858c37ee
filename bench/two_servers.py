"""Two servers on one PostgreSQL beside one: status polls of tasks that wait, and durable submits.

Each server has a core of its own, and a wrk with 64 connections. Where there are fewer than four cores both servers
share one, and only processor time says what two would do on two cores: twice what one answer of one server takes, over
what one answer of the two takes.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import report
import servers
import wrk
from databases import on_postgres
from seed import Seeded, seed
from submits import BODY

TASKS = 20  # few, as each is looked at anew by each server once a second, however often it is asked for
ROUNDS, SECONDS = 3, 3
TARGET = 1.8
ENOUGH = len(servers.CORES) >= 4


def measure() -> list[report.Row]:
    """Measure one and two."""
    wrk.need_wrk()
    return on_postgres(compare)


def compare(database: str) -> list[report.Row]:
    """Ask one server and both in turn."""
    with servers.folder() as folder, ExitStack() as stack:
        seeded = seed(folder / "data", TASKS, database, finished=0)
        running = [
            stack.enter_context(
                servers.darkroom(seeded.data, database=database, core=servers.CORES[i if ENOUGH else 0])
            )
            for i in range(2)
        ]
        polls = wrk.write_plan(folder / "polls", [wrk.Request("GET", f"/api/tasks/{name}") for name in seeded.ids])
        submits = wrk.write_plan(folder / "submits", [wrk.Request("POST", "/api/tasks", BODY)])
        return [*compared("polls", running, polls, seeded), *compared("submits", running, submits, seeded)]


def compared(what: str, running: Sequence[servers.Running], plan: Path, seeded: Seeded) -> list[report.Row]:
    """One load on one server and on both: how many times as much both do."""
    rates: dict[int, list[float]] = {1: [], 2: []}
    times: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(1 + ROUNDS):  # the first warms up and is forgotten
        for count in (1, 2):
            rate, cpu = one_round(what, running[:count], plan, seeded.key)
            rates[count].append(rate)
            times[count].append(cpu)
    rate, cpu = ({n: statistics.median(found[1:]) for n, found in every.items()} for every in (rates, times))
    beside = f"{rate[1]:,.0f} and {rate[2]:,.0f} /s, {cpu[1]:.0f} and {cpu[2]:.0f} us of processor time each"
    if ENOUGH:
        return [report.at_least(f"two servers: {what}, both / one", rate[2] / rate[1], TARGET, "x", beside)]
    return [
        report.at_least(f"two servers: {what}, both / one by processor time", 2 * cpu[1] / cpu[2], TARGET, "x", beside)
    ]


def one_round(what: str, running: Sequence[servers.Running], plan: Path, key: str) -> tuple[float, float]:
    """Answers a second of all servers together, and what an answer takes of them in microseconds."""
    before = sum(server.cpu() for server in running)
    cores = servers.CORES[2:] if ENOUGH else [servers.CLIENT]
    started = [
        wrk.start(server.address, plan, key, SECONDS, core=cores[i % len(cores)]) for i, server in enumerate(running)
    ]
    loads = [wrk.clean(wrk.result(each), what) for each in started]
    used = sum(server.cpu() for server in running) - before
    return sum(load.rate for load in loads), 1e6 * used / sum(load.requests for load in loads)


if __name__ == "__main__":
    report.main(measure)
