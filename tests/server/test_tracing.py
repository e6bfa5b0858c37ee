"""Traces as a real collector receives them from a real server."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from harness import Darkroom, changed
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from vendors import answered

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = "00f067aa0ba902b7"
GENERATE = {"operation": "image.generate"}


class Collector:
    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.url = ""

    def of(self, trace: str) -> list[Span]:
        return [span for span in self.spans if span.trace_id.hex() == trace]


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            message = ExportTraceServiceRequest()
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                import gzip

                data = gzip.decompress(data)
            message.ParseFromString(data)
            for resource in message.resource_spans:
                for scope in resource.scope_spans:
                    collector.spans += scope.spans
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's word
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        collector.url = f"http://127.0.0.1:{running.server_port}/v1/traces"
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield collector
        running.shutdown()
        thread.join()


@pytest.fixture
def env(tmp_path: Path, collector: Collector) -> dict[str, str]:
    """The environment of a server that sends its spans to the collector, the last ones however slow the machine."""
    return {
        "DARKROOM_TRACES_URL": collector.url,
        **changed(tmp_path / "patient", {"darkroom.tracing.FLUSH_SECONDS": 30.0}),
    }


def test_a_task_is_one_trace_from_its_caller_to_its_results(
    tmp_path: Path, collector: Collector, env: dict[str, str]
) -> None:
    with Darkroom(tmp_path, engines="fake", env=env) as server:
        client = server.client()
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        retried = {**GENERATE, "params": {"outcome": "fail_once"}}
        task = answered(client.post("/api/tasks?wait=20", json=retried, headers=headers))
        assert task["state"] == "succeeded"
        client.get("/api/account")
        assert server.stop() == 0
    spans = collector.of(TRACE)
    by_id = {span.span_id.hex(): span.name for span in spans} | {CALLER: "caller"}
    parents = sorted((span.name, by_id[span.parent_span_id.hex()]) for span in spans)
    assert parents == [
        ("attempt", "submit"),
        ("attempt", "submit"),
        ("engine", "attempt"),
        ("engine", "attempt"),
        ("request", "caller"),
        ("storage", "attempt"),
        ("submit", "request"),
    ]
    [submit] = [span for span in spans if span.name == "submit"]
    told = {item.key: item.value.string_value for item in submit.attributes}
    assert told["darkroom.task"] == task["id"]
    assert len({span.trace_id for span in collector.spans}) == 2  # the other request is a trace of its own
    assert server.key not in str(collector.spans)


def test_a_trace_goes_on_after_a_restart(tmp_path: Path, collector: Collector, env: dict[str, str]) -> None:
    with Darkroom(tmp_path, engines="fake", env=env, flags=("--workers", "0")) as server:
        headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        task = answered(server.client().post("/api/tasks", json=GENERATE, headers=headers))
        server.stop()
        server._flags = tuple("2" if flag == "0" and index == 5 else flag for index, flag in enumerate(server._flags))
        assert server._flags[-2:] == ("--workers", "2")
        server.start()
        assert answered(server.client().get(f"/api/tasks/{task['id']}?wait=20"))["state"] == "succeeded"
        server.stop()
    assert {span.name for span in collector.of(TRACE)} == {"request", "submit", "attempt", "engine", "storage"}


def test_a_collector_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    env = {"DARKROOM_TRACES_URL": "http://127.0.0.1:9/v1/traces"}
    with Darkroom(tmp_path, engines="fake", env=env) as server:
        assert answered(server.client().post("/api/tasks?wait=20", json=GENERATE))["state"] == "succeeded"
        assert server.stop() == 0


def test_without_the_packages_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from darkroom import tracing

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ValueError, match=r"darkroom-server\[otel\]"):
        tracing.start("http://127.0.0.1:9/v1/traces", "here")
