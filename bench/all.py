"""Runs every benchmark, and prints one table. About seven minutes; wants a machine that does nothing else.

Ratios within one run mean something on any machine; absolute figures belong to the machine in the first line.
"""

from __future__ import annotations

import os

import batches
import busy
import fairness
import footprint
import polls
import polls_postgres
import queues
import recovery
import report
import submits
import tasks
import two_servers
import waiting
import webhooks
import wrk


def main() -> None:
    """Measure everything."""
    wrk.need_wrk()
    print(report.machine(), flush=True)
    every = (
        polls,
        polls_postgres,
        two_servers,
        submits,
        batches,
        tasks,
        queues,
        fairness,
        recovery,
        webhooks,
        waiting,
        footprint,
        busy,
    )
    rows = [row for measure in every for row in measure.measure()]
    print(report.table(rows))
    print(f"\nload average at the end: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
