"""The composition root: settings in, a running server out. The only module that knows the concrete parts."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from . import engines
from .config import Settings, SettingsError
from .core.catalog import Catalog
from .core.ids import new_id
from .core.machine import Policy
from .dialects import Dialect, discover
from .engines import Engine, EngineSettings
from .engines._process import Children
from .estimates import Estimates
from .fetch import Fetcher
from .hub import Hub
from .inputs import Inputs
from .janitor import Janitor
from .keys import Keyring, create_key
from .media import Limits
from .objects import Objects
from .objects.signing import Signer, SigningKey
from .results import Results
from .service import Service, utc_now
from .store import Store
from .web import Application, Pipeline, mounts
from .worker import Worker

HOUR = 3_600_000  # milliseconds


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
        store = await Store.open(settings.database_url)
        stack.push_async_callback(store.close)
        objects = Objects.open(settings.objects_url)
        signer = await make_signer(store, settings)
        dialects = discover()
        slots = settings.worker_count
        made = [make_engine(name, settings, slots) for name in settings.engines]
        catalog = make_catalog(settings, made, dialects)
        hub, estimates = Hub(), Estimates(slots)
        policy = Policy(settings.max_failures, int(settings.retry_seconds * 1000))
        finishers = Children("darkroom.finish:finish", max(1, slots))
        stack.push_async_callback(finishers.close)
        results = Results(objects, finishers)
        inputs = Inputs(
            store,
            objects,
            Fetcher(
                allow=settings.fetch_allow, max_bytes=settings.max_upload_mib << 20, timeout=settings.fetch_seconds
            ),
            Limits(bytes=settings.max_upload_mib << 20, pixels=settings.max_pixels),
            utc_now,
        )
        service = Service(
            store=store,
            objects=objects,
            catalog=catalog,
            hub=hub,
            keyring=Keyring(store),
            inputs=inputs,
            signer=signer,
            estimates=estimates,
            policy=policy,
            task_lifetime=int(settings.task_hours * HOUR),
        )
        application = make_application(settings, service, dialects)
        first_key = None
        if not await store.keys():
            first_key = await create_key(store, "first", settings.initial_credits, utc_now())
        janitor = Janitor(store, results, hub, policy=policy)
        worker = None
        if slots:
            running_engines = {engine.name: await stack.enter_async_context(engine) for engine in made}
            worker = make_worker(settings, store, running_engines, results, catalog, hub, estimates, policy)
            if settings.database_url.startswith("sqlite:"):
                # The data folder is locked: whoever held these leases is gone.
                await janitor.sweep(all_leases=True)
            stack.push_async_callback(stopped, worker, asyncio.create_task(worker.run()))
        stack.push_async_callback(canceled, asyncio.create_task(janitor.run()))
        yield Server(application, service, worker, first_key)


async def stopped(worker: Worker, task: asyncio.Task[None]) -> None:
    """Stop a worker and wait until it gave its tasks back."""
    worker.stop()
    await task


async def canceled(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def make_signer(store: Store, settings: Settings) -> Signer:
    """The signer of result links; its first key is made here."""
    keys = await store.signing_keys()
    if not keys:
        now = utc_now()
        await store.add_signing_key(new_id(now), secrets.token_hex(32), now)
        keys = await store.signing_keys()
    lifetime = int(settings.link_hours * HOUR)
    signing_keys = [SigningKey(key_id, bytes.fromhex(secret)) for key_id, secret in keys]
    return Signer(signing_keys, period_ms=min(HOUR, lifetime), lifetime_ms=lifetime)


def make_engine(name: str, settings: Settings, slots: int) -> Engine:
    """One engine, with its own table of the settings."""
    options = dict(settings.engine.get(name, {}))
    try:
        return engines.create(name, EngineSettings(max(1, options.pop("slots", slots)), options))
    except ValueError as error:
        raise SettingsError(f"engines: {error}") from None


def make_catalog(settings: Settings, made: Sequence[Engine], dialects: Sequence[Dialect]) -> Catalog:
    """The models of all engines, with names, defaults and prices from the settings."""
    try:
        return Catalog(
            (model for engine in made for model in engine.models()),
            defaults=settings.defaults,
            aliases=settings.aliases,
            prices=settings.prices,
            vendor_names=(name for dialect in dialects for name in dialect.models),
        )
    except ValueError as error:
        raise SettingsError(f"defaults, aliases or prices: {error}") from None


def make_application(settings: Settings, service: Service, dialects: Sequence[Dialect]) -> Application:
    """The ASGI application with every dialect in its places."""
    try:
        mounted = mounts(dialects, settings.mounts)
    except ValueError as error:
        raise SettingsError(str(error)) from None
    native = next(dialect for dialect in dialects if dialect.name == "native")
    return Application(service, mounted, Pipeline(service, settings.public_url.rstrip("/") or None), native)


def make_worker(
    settings: Settings,
    store: Store,
    running_engines: dict[str, Engine],
    results: Results,
    catalog: Catalog,
    hub: Hub,
    estimates: Estimates,
    policy: Policy,
) -> Worker:
    """The worker of this process, with an empty folder to work in."""
    name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    work = settings.data_dir / "work"
    for leftover in work.glob("*/owner") if work.exists() else ():
        if not alive(int(leftover.read_text())):
            shutil.rmtree(leftover.parent, ignore_errors=True)
    workdir = work / name
    workdir.mkdir(parents=True)
    (workdir / "owner").write_text(str(os.getpid()))
    return Worker(
        name,
        store,
        running_engines,
        results,
        catalog,
        hub,
        estimates,
        workdir=workdir,
        slots=settings.worker_count,
        policy=policy,
        lease=int(settings.lease_seconds * 1000),
    )


def alive(pid: int) -> bool:
    """Whether a process of this id runs on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
