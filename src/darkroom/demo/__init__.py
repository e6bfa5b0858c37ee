"""`darkroom demo`: three vendors' clients and Darkroom's own use one real server over HTTP.

What they make becomes a contact sheet.

Guarantees: nothing is left behind but the folder of pictures; the exit status is 0 only if every task succeeded.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
from rich.console import Console

from .board import make_console, summary, watch
from .clients import Dimilinks, Muyuhan, Native, RefusedError, TensorsLab, connect
from .jobs import Run, live
from .page import write_page
from .plan import ADMIRAL, ASTRONAUT, Clients, plan
from .server import Server, ServerError, running_server
from .sheet import write_sheet

THREADS = 16  # more than there are tasks and uploads: each has its own


class DemoError(Exception):
    """Why the demo failed, and what to do."""


def run(folder: Path) -> None:
    """Run the demo; its pictures and pages go into `folder`. Exits with status 1 and a message if anything failed."""
    begun = time.monotonic()
    console = make_console()
    try:
        make_folder(folder)
        with running_server() as server:
            console.print(
                f"One server at {server.address} (process {server.pid}), three vendors' clients and its own:\n"
            )
            runs = use(server, folder, console)
            console.print()
            console.print(summary(runs, console.width))
            complain(runs)
        took = time.monotonic() - begun
        write_sheet(runs, folder / "contact-sheet.png", took)
        page = write_page(runs, folder / "index.html", took)
    except (DemoError, ServerError, RefusedError, httpx.HTTPError, OSError) as error:
        sys.exit(f"darkroom demo: {error}")
    console.print(f"\nOpen {page.resolve()}", soft_wrap=True)
    console.print(f"Done in {time.monotonic() - begun:.1f} s.")


def make_folder(folder: Path) -> None:
    """Make the folder for pictures."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoError(f"cannot make the folder {folder}: {error.strerror}; choose another with --folder") from None


def use(server: Server, folder: Path, console: Console) -> list[Run]:
    """Let all clients work at the same time, and show it; return what became of every task."""
    stop = threading.Event()

    def connection() -> httpx.Client:
        return stack.enter_context(connect(server.address, server.key))

    with ExitStack() as stack:
        clients = Clients(
            TensorsLab(connection()), Dimilinks(connection()), Muyuhan(connection()), Native(connection())
        )
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        stack.callback(stop.set)  # before the pool waits for its threads
        uploads = [pool.submit(clients.muyuhan.upload, portrait.path) for portrait in (ASTRONAUT, ADMIRAL)]
        runs = [Run(job) for job in plan(clients, uploads, folder)]
        watch(console, runs, [pool.submit(live, run, folder, stop) for run in runs], clients.native.progress)
    return runs


def complain(runs: Sequence[Run]) -> None:
    """Raise unless every task succeeded."""
    failed = [run for run in runs if run.failure is not None]
    if failed:
        lines = [f"  {run.job.vendor.name}, {run.job.title}: {run.failure}" for run in failed]
        raise DemoError("\n".join([f"{len(failed)} of {len(runs)} tasks did not succeed:", *lines]))
