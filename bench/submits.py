"""Durable submits: each acknowledged task is on disk, with the hold on its credits and the first line of its history.

First the rate: 64 connections, an fsync before each answer, Darkroom beside FastAPI with the ORM, rounds interleaved.
Then the promise: the server is killed with SIGKILL under load, and each acknowledged id must be in the file.
"""

from __future__ import annotations

import sqlite3
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import report
import servers
import wrk
from seed import Seeded, fsync_ms, seed

ROUNDS, SECONDS = 3, 4
KILL_AFTER = 2.0  # seconds of load
BODY = {"operation": "image.generate", "model": "procedural-v1", "params": {"prompt": "a lighthouse at dusk"}}


@dataclass(frozen=True, slots=True)
class Target:
    """A server that takes tasks, and the folder that it writes to."""

    name: str
    running: servers.Running
    seeded: Seeded


def measure() -> list[report.Row]:
    """Measure the rates, then kill a server."""
    wrk.need_wrk()
    with servers.folder() as folder:
        seeded = seed(folder / "data", 10)
        plan = wrk.write_plan(folder / "plan", [wrk.Request("POST", "/api/tasks", BODY)])
        found = [report.Row("submits: one fsync on this disk", f"{fsync_ms(folder):.2f} ms")]
        ours, peer = seeded.copy(folder / "ours"), seeded.copy(folder / "peer")
        with servers.darkroom(ours.data) as darkroom, servers.fastapi("orm", peer.database) as orm:
            targets = [Target("darkroom", darkroom, ours), Target("FastAPI, SQLAlchemy ORM", orm, peer)]
            found += rates(targets, plan)
        return [*found, *killed(seeded.copy(folder / "killed"), plan, folder / "acknowledged")]


def rates(targets: list[Target], plan: Path) -> list[report.Row]:
    """Submits a second. Every acknowledged task must be a row with a hold and an event."""
    loads: dict[str, list[wrk.Load]] = {target.name: [] for target in targets}
    for seconds in (1, *[SECONDS] * ROUNDS):  # the first, short round warms up and is forgotten
        for target in targets:
            before = stored(target.seeded)
            load = wrk.start(target.running.address, plan, target.seeded.key, seconds, core=servers.CLIENT)
            loads[target.name].append(wrk.clean(wrk.result(load), target.name))
            added = [after - then for after, then in zip(stored(target.seeded), before, strict=True)]
            if min(added) < loads[target.name][-1].requests:
                sys.exit(f"{target.name}: {loads[target.name][-1].requests} were acknowledged, {added} stored")
    found, medians = [], []
    for name, all_loads in loads.items():
        measured = all_loads[1:]
        per_second = sorted(load.rate for load in measured)
        medians.append(statistics.median(per_second))
        p50, p99 = (statistics.median(getattr(load, key) for load in measured) for key in ("p50", "p99"))
        spread = f"{per_second[0]:,.0f} to {per_second[-1]:,.0f} /s, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        found.append(report.Row(f"submits: {name}", f"{medians[-1]:,.0f} /s", spread))
    return [*found, report.at_least("submits: darkroom / FastAPI, SQLAlchemy ORM", medians[0] / medians[1], 8)]


def killed(seeded: Seeded, plan: Path, acknowledged: Path) -> list[report.Row]:
    """Kill the server while tasks are submitted; look for what it had acknowledged."""
    with servers.darkroom(seeded.data) as running:
        load = wrk.start(
            running.address, plan, seeded.key, int(KILL_AFTER) + 1, core=servers.CLIENT, acknowledged=acknowledged
        )
        time.sleep(KILL_AFTER)
        running.process.kill()
        running.process.wait()
        wrk.result(load)
    ids = set(acknowledged.read_text().split())
    with sqlite3.connect(seeded.database) as connection:
        there = {row[0] for row in connection.execute("SELECT public_id FROM task")}
        state = connection.execute("PRAGMA integrity_check").fetchone()[0]
    connection.close()
    missing = len(ids - there)
    details = f"{len(ids):,} acknowledged, {missing} of them missing, integrity check {state}"
    return [
        report.Row(
            "submits: lost by SIGKILL under load", f"{missing} tasks", details, "0 tasks", bool(ids) and not missing
        )
    ]


def stored(seeded: Seeded) -> tuple[int, int, int]:
    """How many tasks, holds and first events are in the file."""
    with sqlite3.connect(seeded.database) as connection:
        query = (
            "SELECT (SELECT COUNT(*) FROM task), (SELECT COUNT(*) FROM entry WHERE kind = 'hold'),"
            " (SELECT COUNT(*) FROM event WHERE n = 1)"
        )
        counts: tuple[int, int, int] = connection.execute(query).fetchone()
    connection.close()
    return counts


if __name__ == "__main__":
    report.main(measure)
