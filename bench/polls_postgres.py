"""Status polls of one process on PostgreSQL beside SQLite: of tasks that are done, and of tasks that wait.

As in `polls.py`: server on one core, wrk with 64 kept connections on another, PostgreSQL on any; interleaved rounds.
"""

from __future__ import annotations

import statistics
from contextlib import ExitStack

import polls
import report
import servers
import wrk
from databases import on_postgres
from seed import Seeded, seed

TASKS = 500  # of each kind
ROUNDS, SECONDS = 3, 3
DONE, WAITING = "done", "waiting"


def measure() -> list[report.Row]:
    """Measure both databases."""
    wrk.need_wrk()
    return on_postgres(lambda url: compare({"SQLite": "", "PostgreSQL": url}))


def compare(databases: dict[str, str]) -> list[report.Row]:
    """Poll both in turn, and put their rates beside each other."""
    with servers.folder() as folder, ExitStack() as stack:
        targets: dict[tuple[str, str], tuple[polls.Target, str]] = {}
        for name, database in databases.items():
            seeded = seed(folder / name, 2 * TASKS, database, finished=TASKS)
            running = stack.enter_context(servers.darkroom(seeded.data, database=database))
            for kind in (DONE, WAITING):
                plan = wrk.write_plan(folder / f"{name} {kind}", requests(seeded, kind))
                targets[name, kind] = polls.Target(f"{name}, {kind}", running, plan, "native"), seeded.key
        rounds: dict[tuple[str, str], list[polls.Round]] = {target: [] for target in targets}
        for seconds in (1, *[SECONDS] * ROUNDS):
            for key, (target, api_key) in targets.items():
                rounds[key].append(polls.one_round(target, api_key, seconds))
    measured = {key: found[1:] for key, found in rounds.items()}
    rates = {key: statistics.median(item.load.rate for item in found) for key, found in measured.items()}
    rows = [
        report.Row(f"polls: {name}, tasks that are {kind}", f"{rates[name, kind]:,.0f} /s", polls.details(found))
        for (name, kind), found in measured.items()
    ]
    return rows + [
        report.at_least(
            f"polls: PostgreSQL / SQLite, tasks that are {kind}",
            100 * rates["PostgreSQL", kind] / rates["SQLite", kind],
            60,
            "%",
        )
        for kind in (DONE, WAITING)
    ]


def requests(seeded: Seeded, kind: str) -> list[wrk.Request]:
    """A poll of each task of a kind."""
    ids = seeded.ids[:TASKS] if kind == DONE else seeded.ids[TASKS:]
    return [wrk.Request("GET", f"/api/tasks/{name}") for name in ids]


if __name__ == "__main__":
    report.main(measure)
