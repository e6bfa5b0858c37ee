"""What Prometheus can read of this process: counters and times, kept where things happen and read at scrape time.

Every series is named in `docs/operations.md`. What lies on the hot path counts in plain integers (`Timings`). Labels
have few values: models of the catalog, dialects, codes and events; never an account, a task or an address.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import cache
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from . import log
from .core.errors import TaskError
from .core.task import Task

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

TASK_TIMES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)  # seconds
REQUEST_TIMES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
POLL_TIMES = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1)

QUEUED = Gauge("darkroom_queue_tasks", "Tasks that could run now, up to 20000.", ["model"], registry=REGISTRY)
OLDEST = Gauge("darkroom_queue_oldest_seconds", "Since the oldest of them could run.", ["model"], registry=REGISTRY)
RUNNING = Gauge("darkroom_running_tasks", "Tasks that run, on all servers.", ["model"], registry=REGISTRY)
HELD = Gauge("darkroom_review_tasks", "Tasks that wait for a person.", registry=REGISTRY)
WEBHOOKS = Gauge("darkroom_webhook_due", "Deliveries that are due, up to 20000.", registry=REGISTRY)
WEBHOOK_LAG = Gauge("darkroom_webhook_lag_seconds", "Since the oldest of them is due.", registry=REGISTRY)
DRIFT = Gauge(
    "darkroom_ledger_drift_credits",
    "By how much accounts and ledger differ.",
    registry=REGISTRY,
)
READY = Gauge(
    "darkroom_ready", "1 if the server wants requests, 0 if it stops or its queue is full.", registry=REGISTRY
)
CONNECTIONS = Gauge("darkroom_connections", "Open connections of clients.", registry=REGISTRY)

SUBMITTED = Counter("darkroom_submitted", "Tasks that were stored.", ["dialect", "model"], registry=REGISTRY)
ENDED = Counter("darkroom_tasks", "Tasks that ended, by their last state.", ["model", "state"], registry=REGISTRY)
FAILED = Counter("darkroom_attempt_failures", "Runs that failed.", ["model", "code"], registry=REGISTRY)
WAITED = Histogram(
    "darkroom_task_wait_seconds", "From submit to first run.", ["model"], buckets=TASK_TIMES, registry=REGISTRY
)
RAN = Histogram(
    "darkroom_task_run_seconds", "A run here, however it ended.", ["model"], buckets=TASK_TIMES, registry=REGISTRY
)
TOOK = Histogram(
    "darkroom_task_total_seconds", "From submit to the end.", ["model"], buckets=TASK_TIMES, registry=REGISTRY
)
MODERATED = Counter(
    "darkroom_moderation",
    "Decisions about content, and failed moderators.",
    ["stage", "verdict"],
    registry=REGISTRY,
)
FETCHES = Counter("darkroom_fetches", "Downloads of inputs: ok, or why not.", ["outcome"], registry=REGISTRY)
TURNED_AWAY = Counter(
    "darkroom_connections_refused", "Connections that were ended by a limit.", ["limit"], registry=REGISTRY
)


@cache
def series(metric: MetricWrapperBase, *labels: str) -> Any:
    """The series of a metric that has these labels: to find it takes longer than to add to it."""
    return metric.labels(*labels)


class Timings:
    """A histogram that costs next to nothing to add to; times in seconds. Not for several threads."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def buckets(self) -> list[tuple[str, float]]:
        """Counts up to each bound, as Prometheus wants them."""
        found, sum_so_far = [], 0
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self.counts, strict=True):
            sum_so_far += count
            found.append((bound, float(sum_so_far)))
        return found


POLLS = {answer: Timings(POLL_TIMES) for answer in ("bytes", "memory", "built")}
REQUESTS: dict[str, Timings] = {}  # by dialect
STATUSES: dict[tuple[str, int], int] = {}  # requests by dialect and status


def answered(dialect: str, status: int, seconds: float) -> None:
    """Count a request that took the long way."""
    timings = REQUESTS.get(dialect)
    if timings is None:
        timings = REQUESTS[dialect] = Timings(REQUEST_TIMES)
    timings.add(seconds)
    key = dialect, status
    STATUSES[key] = STATUSES.get(key, 0) + 1


def ended(task: Task, error: TaskError | None = None, seconds: float | None = None) -> None:
    """Count the end of a run, and of the task if it was its last; `seconds` is how long the run took here."""
    if error is not None:
        series(FAILED, task.model, error.code.value).inc()
    if seconds is not None:
        series(RAN, task.model).observe(seconds)
    if task.state.final and task.finished_at is not None:
        series(ENDED, task.model, task.state.value).inc()
        series(TOOK, task.model).observe((task.finished_at - task.created_at) / 1000)
        if task.started_at is not None:
            series(WAITED, task.model).observe((task.started_at - task.created_at) / 1000)


class PlainCounts(Collector):
    """Reads what is counted in plain integers."""

    def collect(self) -> Iterable[Metric]:
        """Every such series."""
        polls = HistogramMetricFamily(
            "darkroom_poll_seconds",
            "Status polls: known by their bytes, remembered, or built anew.",
            labels=["answer"],
        )
        for answer, timings in POLLS.items():
            polls.add_metric([answer], timings.buckets(), timings.total)
        yield polls
        requests = HistogramMetricFamily(
            "darkroom_request_seconds", "Requests, with the time that they chose to wait.", labels=["dialect"]
        )
        for dialect, timings in REQUESTS.items():
            requests.add_metric([dialect], timings.buckets(), timings.total)
        yield requests
        statuses = CounterMetricFamily("darkroom_requests", "Requests by status.", labels=["dialect", "status"])
        for (dialect, status), count in STATUSES.items():
            statuses.add_metric([dialect, str(status)], count)
        yield statuses
        events = CounterMetricFamily(
            "darkroom_events", "Events of the log, also those below its level.", labels=["event"]
        )
        for event in log.Event:
            events.add_metric([event.value], log.counts[event])
        yield events


REGISTRY.register(PlainCounts())
