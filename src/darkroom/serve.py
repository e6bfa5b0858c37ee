"""Runs a server as a process: one event loop for HTTP, workers and janitor.

Guarantees: one server per SQLite data folder; `darkroom ready` is printed when requests are answered; SIGTERM and
SIGINT drain: no new work, running tasks are given back, exit status 0 within 10 seconds.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import resource
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import uvicorn
import uvloop

from .app import Server, running
from .config import Settings
from .log import Event, configure, write
from .metrics import CONNECTIONS
from .store.file_lock import HeldError, held, path_of
from .web.protocol import PollProtocol

BACKLOG = 1024  # connections that wait to be accepted
MAX_MESSAGE = 65_536  # bytes that a client may send over a WebSocket at once
OTHER_FILES = 256  # that a server may have open beside its connections
SWEEP = 10  # ticks of a tenth of a second between looks at all connections
DRAIN = 3  # seconds that requests may take to end when the server stops
LAST_RESORT = 9.5  # seconds after which a server that was told to stop ends, whatever still runs


class StartError(RuntimeError):
    """Why the server cannot start or go on, and what to do."""


def serve(settings: Settings) -> None:
    """Serve until a signal says to stop."""
    configure(settings.log_level)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the memory holds secrets
    allow_connections()
    make_folder(settings.data_dir)
    with only_server(settings):
        uvloop.run(serve_async(settings))


def allow_connections() -> None:
    """Take as many open files as the system lets this process have: each caller who waits is one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # where that is without a limit, the system may have one all the same
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def serve_async(settings: Settings) -> None:
    """The life of a server."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with listening(settings.host, settings.port) as listener:
        port = listener.getsockname()[1]
        async with running(settings) as server:
            http = HttpServer(http_config(server, most_connections(settings)))
            serving = asyncio.create_task(http.serve(sockets=[listener]))
            await asyncio.wait({asyncio.create_task(http.ready.wait()), serving}, return_when=asyncio.FIRST_COMPLETED)
            if not serving.done():
                announce(server, f"http://{bracketed(settings.host)}:{port}")
                collect_rarely()
                await asyncio.wait({asyncio.create_task(stop.wait()), serving}, return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                raise StartError("the HTTP server stopped by itself") from serving.exception()
            write(Event.SERVER_STOPPING)
            server.service.readiness.draining = True
            await asyncio.sleep(settings.drain_seconds)
            server.service.hub.close()
            end_for_certain()
            http.should_exit = True
            await asyncio.wait({serving}, timeout=DRAIN + 1)


class HttpServer(uvicorn.Server):
    """uvicorn without signal handlers of its own: ours give back running tasks too."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections."""
        await super().startup(sockets)
        self.ready.set()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: now and then, look at every connection."""
        if counter % SWEEP == 0:
            now = asyncio.get_running_loop().time()
            CONNECTIONS.set(len(self.server_state.connections))
            for connection in list(self.server_state.connections):
                if isinstance(connection, PollProtocol):
                    connection.sweep(now)
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `serve_async`."""
        yield


def most_connections(settings: Settings) -> int:
    """How many connections may be open: as the settings say, but not so many that no file can be opened any more."""
    most, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = settings.max_connections + OTHER_FILES
    if most < wanted:
        most = min(wanted, allowed) if allowed != resource.RLIM_INFINITY else wanted
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, allowed))
    return max(1, min(settings.max_connections, most - OTHER_FILES))


def http_config(server: Server, connections: int = 4096) -> uvicorn.Config:
    """How HTTP is served. Time-outs in seconds."""
    return uvicorn.Config(
        server.application,
        http=PollProtocol,
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE,
        ws_max_queue=4,
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        limit_concurrency=connections + 1,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=DRAIN,
    )


def collect_rarely() -> None:
    """Look for cyclic garbage less often: what requests and tasks leave behind is freed by its reference count."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def end_for_certain() -> None:
    """End this process soon, even if an engine does not stop: what it runs is run again after the next start."""

    def end() -> None:
        write(Event.LOOP_FAILED, level=logging.ERROR, loop="stop", reason="an engine did not stop in time")
        os._exit(0)

    timer = threading.Timer(LAST_RESORT, end)
    timer.daemon = True
    timer.start()


def announce(server: Server, address: str) -> None:
    """Tell whoever started the server how to use it."""
    write(Event.SERVER_STARTED, address=address, models=len(server.service.catalog.models))
    if server.first_key:
        print(f"Your first API key (shown only once): {server.first_key}\n")
        print("Try it:\n")
        print(f"  curl '{address}/api/tasks?wait=30' \\")
        print(f"    -H 'Authorization: Bearer {server.first_key}' \\")
        print("""    -d '{"operation": "image.generate", "params": {"prompt": "a mountain lake at sunset"}}'\n""")
    print(f"darkroom ready at {address}", flush=True)


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens at the address; port 0 picks a free one."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} of {host} is in use: stop what listens there, or choose --port") from None
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


@contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Hold the data folder's lock: with SQLite, a second server would run tasks twice."""
    if not settings.database_url.startswith("sqlite:"):
        yield
        return
    path = path_of(settings.database_url)
    make_folder(Path(path).parent)
    with ExitStack() as stack:
        try:
            stack.enter_context(held(path))
        except HeldError as error:
            raise StartError(
                f"another darkroom server (process {error.owner}) uses {Path(path).parent}: stop it, give --data "
                "another folder, or use PostgreSQL for several servers"
            ) from None
        yield


def make_folder(path: Path) -> None:
    """A folder that only its owner can read."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"cannot make the folder {path}: {error.strerror}") from None


def bracketed(host: str) -> str:
    """A host as URLs spell it."""
    return f"[{host}]" if ":" in host else host
