"""`darkroom worker`: a process that runs tasks for a server elsewhere.

It needs the server's address and a key with the scope `worker`. SIGTERM and SIGINT give running tasks back; while the
server is away, work goes on and its end is handed in when the server is back.
"""

from __future__ import annotations

import asyncio
import os
import resource
import secrets
import signal
import socket
from contextlib import AsyncExitStack

import uvloop

from . import __version__
from .app import canceled, stopped
from .clock import SharedClock
from .config import Settings, SettingsError
from .core.errors import Code, TaskError
from .core.fairness import Serves
from .core.workers import WorkerInfo
from .engines._process import Children
from .fleet.desk import RemoteDesk
from .fleet.files import RemoteFiles
from .fleet.link import Link
from .folders import work_folder
from .hub import Hub
from .log import Event, configure, write
from .parts import (
    blamed_on,
    make_catalog,
    make_dialects,
    make_engines,
    make_moderation,
    make_provenance,
)
from .previews import Previews
from .results import Results
from .serve import collect_rarely, end_for_certain, make_folder
from .worker import Worker

PAUSE = 2.0  # seconds between tries to reach the server at the start


def work(settings: Settings, server: str, token: str) -> None:
    """Work until a signal says to stop; `TaskError` if the server refuses this worker."""
    configure(settings.log_level)
    if not server.startswith(("http://", "https://")):
        raise SettingsError(f"--server {server!r} must begin with http:// or https://")
    if not token:
        raise SettingsError("--token is missing: make one at the server with `darkroom key create --scope worker`")
    if not settings.worker_count:
        raise SettingsError("workers = 0: this worker would run nothing")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the memory holds secrets
    make_folder(settings.data_dir)
    uvloop.run(work_async(settings, server, token))


async def work_async(settings: Settings, server: str, token: str) -> None:
    """The life of a worker."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        link = await stack.enter_async_context(Link(server, token))
        engines = make_engines(settings)
        catalog = make_catalog(settings, engines, make_dialects(settings))
        slots = settings.worker_count
        worker = WorkerInfo(
            name=f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}",
            engines=tuple(engine.name for engine in engines),
            slots=slots,
            serves=Serves(settings.worker_models, settings.worker_labels),
            version=__version__,
        )
        files = RemoteFiles(link)
        desk = RemoteDesk(link, files, worker)
        clock = await reached(desk, stop)
        if clock is None:
            return
        stack.push_async_callback(canceled, asyncio.create_task(clock.keep()))
        finishers = Children("darkroom.finish:finish", slots, settings.engine_memory_mib)
        stack.push_async_callback(finishers.close)
        with blamed_on("moderators"):
            moderation = make_moderation(settings)
        results = Results(files, finishers, await make_provenance(settings), moderation)
        hub = Hub()
        with blamed_on("engine"):
            running = {engine.name: await stack.enter_async_context(engine) for engine in engines}
        works = Worker(
            desk,
            running,
            results,
            catalog,
            hub,
            Previews(files, shown=not (moderation.wanted or settings.label)),
            workdir=stack.enter_context(work_folder(settings.data_dir / "work", worker.name)),
            slots=slots,
            serves=worker.serves,
            clock=clock,
        )
        stack.push_async_callback(stopped, works, asyncio.create_task(works.run()))
        stack.push_async_callback(canceled, asyncio.create_task(desk.follow(hub)))
        write(Event.WORKER_STARTED, server=server, name=worker.name, slots=slots)
        print(f"darkroom worker ready for {server}", flush=True)
        collect_rarely()
        desk.refused.add_done_callback(lambda _: stop.set())
        await stop.wait()
        write(Event.SERVER_STOPPING)
        end_for_certain()
    if desk.refused.done():
        raise desk.refused.result()


async def reached(desk: RemoteDesk, stop: asyncio.Event) -> SharedClock | None:
    """The server's clock, as soon as the server can be reached; `None` if a signal comes first."""
    told = False
    while not stop.is_set():
        try:
            return await SharedClock.start(desk.time)
        except TaskError as error:
            if error.code is not Code.UNAVAILABLE:
                raise
            if not told:
                print(f"{error.message} Trying again until it can.", flush=True)
            told = True
        try:
            async with asyncio.timeout(PAUSE):
                await stop.wait()
        except TimeoutError:
            continue
    return None
