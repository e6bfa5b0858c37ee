"""What Prometheus reads: documented, and the only thing that dashboard and alarms use."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest
from starlette.requests import Request

from darkroom import metrics
from darkroom.config import Settings
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import State
from darkroom.log import Event
from darkroom.metrics import REGISTRY, Timings
from darkroom.testing.tasks import task
from darkroom.web.scrape import may_read

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
PROCESS = ("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds", "process_max_fds")
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}
LABELS = {
    *("stage", "verdict", "model", "state", "code", "dialect", "status", "outcome"),
    *("limit", "event", "answer", "instance", "job", "le"),
}
FAMILIES = {family.name: family for family in REGISTRY.collect() if family.name.startswith("darkroom_")}
EXISTING = {f"{name}{end}" for name, family in FAMILIES.items() for end in SUFFIXES[family.type]} | set(PROCESS)


def dashboard() -> list[str]:
    """Every expression of the dashboard."""
    found = json.loads((ROOT / "deploy" / "grafana.json").read_text("utf-8"))
    variables = [item["query"] for item in found["templating"]["list"] if item["type"] == "query"]
    return variables + [target["expr"] for panel in found["panels"] for target in panel["targets"]]


def alarms() -> dict[str, str]:
    """Every alarm with its expression."""
    found = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))
    return {rule["alert"]: rule["expr"] for group in found["groups"] for rule in group["rules"]}


def series(expression: str) -> set[str]:
    """The series that an expression reads."""
    return set(re.findall(r"\b(?:darkroom|process)_[a-z_]+", re.sub(r'"[^"]*"', "", expression)))


@pytest.mark.parametrize("expression", [*dashboard(), *alarms().values()])
def test_dashboard_and_alarms_read_only_what_exists(expression: str) -> None:
    assert series(expression)
    assert series(expression) <= EXISTING
    used = {
        name for group in re.findall(r"\{([^}]*)\}", expression) for name in re.findall(r"(\w+)\s*(?:=~|!=|=)", group)
    }
    used |= {name for group in re.findall(r"by \(([^)]*)\)", expression) for name in group.replace(" ", "").split(",")}
    assert used <= LABELS
    for event in re.findall(r'event=~?"([^"]*)"', expression):
        assert set(event.split("|")) <= set(Event)
    for state in re.findall(r'state=~?"([^"]*)"', expression):
        assert state in list(State)
    assert expression.count("(") == expression.count(")")


def test_every_series_is_on_the_dashboard() -> None:
    shown = {name for expression in dashboard() for name in series(expression)}
    assert [name for name in FAMILIES if not any(each.startswith(name) for each in shown)] == []


def test_every_series_is_documented_with_its_labels() -> None:
    section = PAGE.split("\n## Metrics\n")[1].split("\n## ")[0]
    documented = dict(re.findall(r"^\| `(darkroom_\w+)(?:\{(.*)\})?` ", section, re.MULTILINE))
    declared = {}
    for name, family in FAMILIES.items():
        collector = REGISTRY._names_to_collectors.get(name)
        labels = getattr(collector, "_labelnames", None)
        if labels is None:
            (labels,) = {tuple(label for label in sample.labels if label != "le") for sample in family.samples} or {
                None
            }
        declared[name + ("_total" if family.type == "counter" else "")] = labels
    assert set(documented) == set(declared)
    for name, labels in declared.items():
        if labels is not None:
            assert documented[name] == ",".join(labels), name


def test_every_alarm_is_explained() -> None:
    section = PAGE.split("\n## Alarms\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` ", section, re.MULTILINE) == list(alarms())


def test_an_event_counts_whatever_the_level_of_the_log() -> None:
    before = value("darkroom_events_total", event="request.answered")
    from darkroom.log import write

    write(Event.REQUEST_ANSWERED, level=1)
    assert value("darkroom_events_total", event="request.answered") == before + 1


def test_times_fall_into_their_buckets() -> None:
    timings = Timings((0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        timings.add(seconds)
    assert timings.buckets() == [("0.1", 2.0), ("1.0", 3.0), ("+Inf", 4.0)]
    assert timings.total == 7.65


def test_the_end_of_a_task_counts_once_and_of_a_run_each_time() -> None:
    failed = {"model": "counted", "state": "failed"}
    error = TaskError(Code.ENGINE_FAILED, "Broken.")
    queued = replace(task("t", State.QUEUED), model="counted")
    metrics.ended(queued, error, 1.5)
    assert value("darkroom_tasks_total", **failed) == 0
    done = replace(queued, state=State.FAILED, created_at=1000, started_at=3000, finished_at=61_000)
    metrics.ended(done, error, 2.5)
    assert value("darkroom_tasks_total", **failed) == 1
    assert value("darkroom_attempt_failures_total", model="counted", code="engine_failed") == 2
    assert value("darkroom_task_run_seconds_sum", model="counted") == 4.0
    assert value("darkroom_task_wait_seconds_sum", model="counted") == 2.0
    assert value("darkroom_task_total_seconds_sum", model="counted") == 60.0


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def test_what_is_exposed_is_the_text_format() -> None:
    for line in generate_latest(REGISTRY).decode().splitlines():
        assert line.startswith("# ") or re.fullmatch(r"[a-z_]+(\{.*\})? \S+", line), line


def asking(client: str | None, **headers: str) -> Request:
    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return Request({"type": "http", "client": (client, 1) if client else None, "headers": pairs})


@pytest.mark.parametrize(
    ("mode", "client", "headers", "allowed"),
    [
        ("local", "127.0.0.1", {}, True),
        ("local", "::1", {}, True),
        ("local", "::ffff:127.0.0.1", {}, True),
        ("local", "192.168.1.7", {}, False),
        ("local", "::ffff:192.168.1.7", {}, False),
        ("local", None, {}, False),
        ("local", "127.0.0.1", {"x_forwarded_for": "203.0.113.9"}, False),
        ("local", "127.0.0.1", {"forwarded": "for=203.0.113.9"}, False),
        ("local", "127.0.0.1", {"via": "1.1 proxy"}, False),
        ("local", "192.168.1.7", {"authorization": "Bearer a-long-enough-key"}, True),
        ("local", "192.168.1.7", {"authorization": "a-long-enough-key"}, True),
        ("local", "192.168.1.7", {"authorization": "Bearer a-long-enough-kex"}, False),
        ("local", "192.168.1.7", {"authorization": "Bearer "}, False),
        ("open", "192.168.1.7", {}, True),
    ],
)
def test_who_may_read(mode: str, client: str | None, headers: dict[str, str], allowed: bool) -> None:
    settings = Settings(metrics=mode, metrics_key="a-long-enough-key")
    assert may_read(settings, asking(client, **headers)) is allowed


def test_without_a_key_an_empty_one_opens_nothing() -> None:
    assert not may_read(Settings(), asking("192.168.1.7", authorization="Bearer "))
