"""`/metrics`, for Prometheus: from this machine alone, unless the settings say otherwise."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from contextlib import suppress
from typing import Protocol

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from .. import metrics
from ..clock import Clock
from ..core.errors import TaskError
from ..readiness import Readiness
from ..store import Store

FARTHEST = 20_000  # waiting tasks that are looked at
LOOK = 5.0  # seconds for it: half of what Prometheus waits
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")  # by a proxy on this machine, for somebody elsewhere
REFUSED = "Metrics are read on the server's own machine, or with the key of the setting metrics_key.\n"


class Access(Protocol):
    """The settings that say who may read: `off`, `local` or `open`; and a key that opens it to whoever has it."""

    @property
    def metrics(self) -> str:
        """Who may read without a key."""

    @property
    def metrics_key(self) -> str:
        """The key, or nothing."""


def metrics_route(access: Access, store: Store, readiness: Readiness, clock: Clock) -> Route:
    """The route."""

    async def scrape(request: Request) -> Response:
        if not may_read(access, request):
            return PlainTextResponse(REFUSED, 403)
        await look(store, readiness, clock())
        return Response(generate_latest(metrics.REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return Route("/metrics", scrape, methods=["GET"])


def may_read(access: Access, request: Request) -> bool:
    """Whether this caller may."""
    given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
    if access.metrics_key and hmac.compare_digest(given, access.metrics_key.encode()):
        return True
    if access.metrics == "local":
        return request.client is not None and loopback(request.client.host) and not from_elsewhere(request)
    return access.metrics == "open"


def from_elsewhere(request: Request) -> bool:
    """Whether a proxy says that it asks for somebody else."""
    return any(name in request.headers for name in FORWARDED)


def loopback(host: str) -> bool:
    """Whether an address is this machine's own."""
    address = ipaddress.ip_address(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


async def look(store: Store, readiness: Readiness, now: int) -> None:
    """Read what is known to the database alone. While it is away its series are absent, and the rest is there."""
    ready, waiting, running, held, webhooks = 0, [], [], 0, (0, now)
    with suppress(TaskError, TimeoutError):
        async with asyncio.timeout(LOOK):
            waiting, running = await store.waiting(now, FARTHEST), await store.at_work()
            webhooks = await store.deliveries_due(now, FARTHEST)
            held = len(await store.held(FARTHEST))
            await readiness.check(store)
            ready = 1
    for gauge in (metrics.QUEUED, metrics.OLDEST, metrics.RUNNING):
        gauge.clear()
    metrics.READY.set(ready)
    metrics.HELD.set(held)
    metrics.WEBHOOKS.set(webhooks[0])
    metrics.WEBHOOK_LAG.set((now - webhooks[1]) / 1000)
    for model, tasks, since in waiting:
        metrics.QUEUED.labels(model).set(tasks)
        metrics.OLDEST.labels(model).set((now - since) / 1000)
    for model, tasks in running:
        metrics.RUNNING.labels(model).set(tasks)
