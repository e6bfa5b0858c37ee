"""Celery on Redis: a queue of no-op tasks. `python queue_celery.py JOBS` enqueues, and waits for the workers.

The workers are a process of their own, `celery --app queue_celery worker`, with the broker's URL in BENCH_BROKER. A
task is acknowledged when it has ended (`acks_late`), so that one whose worker dies is not lost, as with the others.
"""

from __future__ import annotations

import os
import sys
import time

import redis
from celery import Celery

BROKER = os.environ.get("BENCH_BROKER", "")
app = Celery("bench", broker=BROKER)
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=16)


@app.task(name="nothing")  # type: ignore[untyped-decorator]
def nothing() -> None:
    """Count, so that the end can be seen."""
    counter().incr("done")


_counter: list[redis.Redis] = []


def counter() -> redis.Redis:
    """This process's connection to the broker."""
    if not _counter:
        _counter.append(redis.Redis.from_url(BROKER))
    return _counter[0]


def main(jobs: int) -> float:
    """Tasks a second, from the first enqueue to the last end. One task goes ahead, to see that the workers are up."""
    nothing.delay()
    while int(counter().get("done") or 0) < 1:
        time.sleep(0.01)
    begun = time.perf_counter()
    for _ in range(jobs):
        nothing.delay()
    while int(counter().get("done") or 0) < jobs + 1:
        time.sleep(0.002)
    return jobs / (time.perf_counter() - begun)


if __name__ == "__main__":
    print(main(int(sys.argv[1])))
