"""The composition root: settings in, a running server out. The only module that knows the concrete parts."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from . import __version__, tracing
from .admission import Admission
from .callers import Callers
from .clock import SharedClock
from .config import Settings
from .core.access import networks
from .core.fairness import Serves, Sharing
from .core.machine import Policy
from .core.webhooks import schedule_of
from .core.workers import WorkerInfo
from .desk import StoreDesk
from .dialects import Dialect
from .drift import watch_ledger
from .engines._process import Children
from .estimates import Estimates
from .fetch import Fetcher
from .folders import work_folder
from .hints import Hints
from .hub import Hub
from .inputs import Inputs
from .janitor import Janitor
from .keys import Keyring, create_key
from .log import write_failure, write_outage
from .media import Limits
from .orphans import sweep_orphans
from .parts import (
    addresses,
    blamed_on,
    check_limits,
    check_retention,
    line_of,
    make_catalog,
    make_dialects,
    make_engines,
    make_moderation,
    make_provenance,
    make_retention,
    make_signer,
)
from .positions import Positions
from .previews import Previews
from .rates import WrongKeys
from .reach import Reach
from .readiness import Readiness
from .results import Results
from .roster import Roster, stay_announced
from .sending import Sender
from .service import Service
from .signing_keys import keep_current
from .storage import usable_objects
from .store import Store
from .subscriptions import Subscriptions
from .web import Application, Pipeline, mounts
from .web.cross_origin import CrossOrigin
from .web.fleet import Fleet
from .web.scrape import metrics_route
from .webhooks import Webhooks
from .worker import Worker

HOUR = 3_600_000  # milliseconds
OBSERVED = 1_000  # tasks that a start looks back to, to know how long they take


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs. `first_key` is the API key made because there was none."""

    application: Application
    service: Service
    worker: Worker | None
    first_key: str | None


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Server]:
    """Start every part in order; on leaving, give back running tasks and stop in the opposite order."""
    async with AsyncExitStack() as stack:
        with blamed_on("database"):
            store = await Store.open(settings.database_url, settings.database_seconds, write_outage)
        stack.push_async_callback(store.close)
        clock = await SharedClock.start(store.time)
        stack.push_async_callback(canceled, asyncio.create_task(clock.keep()))
        objects = await usable_objects(settings)
        signer = await make_signer(store, settings, clock())
        dialects = make_dialects(settings)
        if settings.traces_url:
            with blamed_on("traces_url"):
                tracing.start(settings.traces_url, f"{socket.gethostname()}-{os.getpid()}")
            stack.push_async_callback(asyncio.to_thread, tracing.stop)
        slots = settings.worker_count
        made = make_engines(settings)
        catalog = make_catalog(settings, made, dialects)
        await check_retention(settings, store, catalog)
        check_limits(settings, catalog)
        hub, estimates = Hub(), Estimates(slots)
        if (connect := line_of(settings)) is not None:
            hints = Hints(connect, hub.hear, lambda error: write_failure("hints", error))
            hub.carry(hints.send)
            stack.push_async_callback(canceled, asyncio.create_task(hints.run()))
        for model, seconds in await store.observed(OBSERVED):
            estimates.observe(model, seconds)
        policy = Policy(settings.max_failures, int(settings.retry_seconds * 1000), retention=make_retention(settings))
        finishers = Children("darkroom.finish:finish", max(1, slots), settings.engine_memory_mib)
        stack.push_async_callback(finishers.close)
        with blamed_on("moderators"):
            moderation = make_moderation(settings)
        results = Results(objects, finishers, await make_provenance(settings), moderation)
        max_bytes = settings.max_upload_mib << 20
        with blamed_on("fetch_allow"):
            fetcher = Fetcher(allow=settings.fetch_allow, max_bytes=max_bytes, timeout=settings.fetch_seconds)
        inputs = Inputs(store, objects, fetcher, Limits(bytes=max_bytes, pixels=settings.max_pixels), clock)
        service = Service(
            store=store,
            objects=objects,
            catalog=catalog,
            hub=hub,
            keyring=Keyring(store, clock),
            inputs=inputs,
            signer=signer,
            positions=Positions(store),
            subscriptions=Subscriptions(store, hub, clock),
            estimates=estimates,
            policy=policy,
            task_lifetime=int(settings.task_hours * HOUR),
            schedule_ahead=int(settings.schedule_days * 24 * HOUR),
            repeat_window=int(settings.repeat_seconds * 1000),
            device_credits=settings.device_credits,
            readiness=Readiness(settings.ready_queue),
            admission=Admission(objects, moderation, settings.require_consent),
            clock=clock,
            roster=Roster(store, settings.requires, clock),
        )
        lease = int(settings.lease_seconds * 1000)
        sharing = Sharing(settings.limits, settings.affinity, settings.requires)

        def desk(name: str) -> StoreDesk:
            return StoreDesk(name, store, hub, estimates, policy, lease=lease, sharing=sharing, clock=clock)

        application = make_application(settings, service, dialects, desk)
        first_key = None
        if not await store.keys():
            first_key = await create_key(store, "first", settings.initial_credits, clock())
        keep_inputs = int(settings.input_hours * HOUR)
        janitor = Janitor(
            store,
            results,
            hub,
            policy=policy,
            inputs=inputs,
            keep_inputs=keep_inputs,
            keep_deliveries=int(settings.webhook_log_days * 24 * HOUR),
            clock=clock,
        )
        with blamed_on("webhook_allow"):
            reach = Reach(settings.webhook_allow)
        with blamed_on("webhook_ca"):
            sender = Sender(reach, settings.webhook_seconds, settings.webhook_ca)
        webhooks = Webhooks(
            store,
            hub,
            sender,
            {dialect.name: dialect for dialect in dialects},
            signer,
            addresses=addresses(settings),
            schedule=schedule_of(settings.webhook_retries),
            clock=clock,
        )
        if settings.database_url.startswith("sqlite:"):
            # The data folder is locked: whoever was sending is gone.
            await store.outbox.release_all(clock())
        stack.push_async_callback(canceled, asyncio.create_task(webhooks.run()))
        worker = None
        if slots:
            with blamed_on("engine"):
                running_engines = {engine.name: await stack.enter_async_context(engine) for engine in made}
            name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
            serves = Serves(settings.worker_models, settings.worker_labels)
            there = WorkerInfo(name, tuple(running_engines), slots, serves, __version__, clock())
            await store.announce(there)
            stack.push_async_callback(canceled, asyncio.create_task(stay_announced(store, there, clock)))
            worker = Worker(
                desk(name),
                running_engines,
                results,
                catalog,
                hub,
                Previews(objects, shown=not (moderation.wanted or settings.label)),
                workdir=stack.enter_context(work_folder(settings.data_dir / "work", name)),
                slots=slots,
                serves=serves,
                clock=clock,
            )
            if settings.database_url.startswith("sqlite:"):
                # The data folder is locked: whoever held these leases is gone.
                await janitor.sweep(all_leases=True)
            stack.push_async_callback(stopped, worker, asyncio.create_task(worker.run()))
        stack.push_async_callback(canceled, asyncio.create_task(janitor.run()))
        stack.push_async_callback(canceled, asyncio.create_task(keep_current(store, signer, clock)))
        stack.push_async_callback(canceled, asyncio.create_task(watch_ledger(store, clock)))
        stack.push_async_callback(canceled, asyncio.create_task(sweep_orphans(store, objects, clock)))
        yield Server(application, service, worker, first_key)


async def stopped(worker: Worker, task: asyncio.Task[None]) -> None:
    """Stop a worker and wait until it gave its tasks back."""
    worker.stop()
    await task


async def canceled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def make_application(
    settings: Settings, service: Service, dialects: Sequence[Dialect], desk: Callable[[str], StoreDesk]
) -> Application:
    """The ASGI application with every dialect in its places."""
    with blamed_on("mounts"):
        mounted = mounts(dialects, settings.mounts)
    native = next(dialect for dialect in dialects if dialect.name == "native")
    callers = Callers(
        service.keyring,
        service.rates,
        wrong_keys=WrongKeys(settings.failed_logins),
        proxies=networks(settings.trusted_proxies),
    )
    pipeline = Pipeline(service, addresses(settings), callers)
    own = Fleet(service.store, service.objects, service.hub, callers, desk, service.clock).routes()
    if settings.metrics != "off":
        own.append(metrics_route(settings, service.store, service.readiness, service.clock))
    return Application(service, mounted, pipeline, native, CrossOrigin(settings.cors_origins), own)
