"""Traces by OpenTelemetry, with the extra `otel` and the setting `traces_url`; without them nothing is done.

A task's trace goes on from its request's: the request, its submit, and each attempt with its engine and its storage,
also on another server and after a restart, because the task keeps where its trace stands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

PARENT = "traceparent"  # the header of https://www.w3.org/TR/trace-context/, and the key in a task's `extra`
NEEDED = "traces_url: tracing needs two more packages: pip install 'darkroom-server[otel]'"
FLUSH_SECONDS = 2.0  # that the end of a server waits for its last spans to be sent
NOTHING: AbstractContextManager[Any] = nullcontext()


class _Tracing:
    provider: TracerProvider | None = None
    tracer: Tracer | None = None


def start(url: str, server: str) -> None:
    """Send spans to an OTLP endpoint over HTTP, such as `http://127.0.0.1:4318/v1/traces`."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ValueError(NEEDED) from None
    provider = TracerProvider(
        resource=Resource.create({"service.name": "darkroom", "service.instance.id": server}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url, timeout=5)))
    _Tracing.provider, _Tracing.tracer = provider, provider.get_tracer("darkroom")


def stop() -> None:
    """Send what is left, for `FLUSH_SECONDS` at most."""
    provider, _Tracing.provider, _Tracing.tracer = _Tracing.provider, None, None
    if provider is not None:
        ending = threading.Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(FLUSH_SECONDS)


def span(name: str, parent: str | None = None, **attributes: str | int) -> AbstractContextManager[Any]:
    """A span around a block; `parent` is a `traceparent`, without which it belongs to the block that surrounds it."""
    if _Tracing.tracer is None:
        return NOTHING
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract({PARENT: parent}) if parent else None
    named = {f"darkroom.{key}": value for key, value in attributes.items()}
    return _Tracing.tracer.start_as_current_span(name, context=context, attributes=named)


def note(**attributes: str | int) -> None:
    """Add to the span that surrounds this."""
    if _Tracing.tracer is not None:
        from opentelemetry.trace import get_current_span

        get_current_span().set_attributes({f"darkroom.{key}": value for key, value in attributes.items()})


def kept(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """A new task's `extra`, with where its trace stands."""
    if _Tracing.tracer is None:
        return extra
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return {**extra, **({PARENT: carrier[PARENT]} if PARENT in carrier else {})}
