"""Runs a server as a process: one event loop for HTTP, workers and janitor.

Guarantees: one server per SQLite data folder; `darkroom ready` is printed when requests are answered; SIGTERM and
SIGINT drain: no new work, running tasks are given back, exit status 0 within 10 seconds.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import gc
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from granian.constants import Interfaces
from granian.server.embed import Server as HttpServer

from .app import Server, running
from .config import Settings
from .log import Event, configure, write


class StartError(RuntimeError):
    """Why the server cannot start, and what to do."""


def serve(settings: Settings) -> None:
    """Serve until a signal says to stop."""
    configure(settings.log_level)
    make_folder(settings.data_dir)
    with only_server(settings):
        uvloop.run(serve_async(settings))


async def serve_async(settings: Settings) -> None:
    """The life of a server."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with reserved_port(settings.host, settings.port) as port:
        async with running(settings) as server:
            http = HttpServer(
                server.application,
                address=settings.host,
                port=port,
                interface=Interfaces.ASGINL,
                log_enabled=False,
                backlog=1024,
            )
            serving = asyncio.create_task(http.serve())
            await answering(settings.host, port, serving)
            announce(server, f"http://{bracketed(settings.host)}:{port}")
            gc.freeze()
            await asyncio.wait({asyncio.create_task(stop.wait()), serving}, return_when=asyncio.FIRST_COMPLETED)
            write(Event.SERVER_STOPPING)
            http.stop()  # type: ignore[no-untyped-call]
            await asyncio.wait({serving}, timeout=3)


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


async def answering(host: str, port: int, serving: asyncio.Task[None]) -> None:
    """Return when the port accepts connections."""
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(reachable(host), port)
        except OSError:
            await asyncio.sleep(0.005)
            continue
        writer.close()
        await writer.wait_closed()
        return
    await serving
    raise StartError("the HTTP server stopped at once")


@contextmanager
def reserved_port(host: str, port: int) -> Iterator[int]:
    """The port to listen on; 0 picks a free one. It is held for us until the HTTP server has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            # Without SO_REUSEPORT, so that another server on this port is noticed.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            if port:
                probe.listen(1)
            free: int = probe.getsockname()[1]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise StartError(f"port {port} of {host} is in use: stop what listens there, or choose --port") from None
        raise StartError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    yield free


@contextmanager
def only_server(settings: Settings) -> Iterator[None]:
    """Hold the data folder's lock: with SQLite, a second server would run tasks twice."""
    if not settings.database_url.startswith("sqlite:"):
        yield
        return
    path = Path(settings.database_url.removeprefix("sqlite:").removeprefix("//") + ".lock")
    make_folder(path.parent)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 20, 0).decode() or "unknown"
            raise StartError(
                f"another darkroom server (process {owner}) uses {path.parent}: stop it, give --data another folder,"
                " or use PostgreSQL for several servers"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """A folder that only its owner can read."""
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StartError(f"cannot make the folder {path}: {error.strerror}") from None


def reachable(host: str) -> str:
    """An address that reaches a server which listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host)  # noqa: S104 - not bound here


def bracketed(host: str) -> str:
    """A host as URLs spell it."""
    return f"[{host}]" if ":" in host else host
