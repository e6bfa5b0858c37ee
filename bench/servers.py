"""Starts the servers that are measured, each as a process of its own, and stops them whatever happens."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).parent
CORES = sorted(os.sched_getaffinity(0))
SERVER, CLIENT = CORES[0], CORES[-1]


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers. `seconds` is the time from exec to its first answer."""

    process: subprocess.Popen[bytes]
    port: int
    seconds: float

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Seconds of processor time that the server has used so far, its children not counted."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def folder() -> Iterator[Path]:
    """An empty folder for one measurement."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as name:
        yield Path(name)


@contextmanager
def darkroom(
    data: Path,
    *,
    workers: int = 0,
    engines: str = "procedural,opencv",
    core: int | None = SERVER,
    database: str = "",
) -> Iterator[Running]:
    """`darkroom serve` on a data folder, and on SQLite unless a database is given."""
    port = free_port()
    command = [str(Path(sys.executable).with_name("darkroom")), "serve", "--port", str(port), "--data", str(data)]
    environment = {"DARKROOM_DATABASE": database} if database else {}
    with server(
        [*command, "--workers", str(workers), "--engines", engines], port, data / "server.log", environment, core
    ) as it:
        yield it


@contextmanager
def fastapi(peer: str, database: Path) -> Iterator[Running]:
    """One of the FastAPI peers on uvicorn with its fastest loop and parser."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", f"peers.{peer}:app", "--app-dir", str(BENCH), "--port", str(port)]
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    log = database.parent / f"{peer}.log"
    with server([*command, *options], port, log, {"BENCH_DATABASE": str(database)}) as running:
        yield running


@contextmanager
def script(peer: str, database: Path, *, remember: bool = False) -> Iterator[Running]:
    """One of the peers that are programs of their own."""
    port = free_port()
    command = [sys.executable, str(BENCH / "peers" / f"{peer}.py"), str(port)]
    settings = {"BENCH_DATABASE": str(database), "BENCH_REMEMBER": str(int(remember))}
    with server(command, port, database.parent / f"{peer}{int(remember)}.log", settings) as running:
        yield running


@contextmanager
def server(
    command: list[str], port: int, log: Path, environment: Mapping[str, str], core: int | None = SERVER
) -> Iterator[Running]:
    """A process that answers HTTP on a port, pinned to a core unless it may have all of them."""
    begun = time.monotonic()
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **environment})
    try:
        while not answers(port):
            if process.poll() is not None or time.monotonic() - begun > 30:
                sys.exit(f"{' '.join(command)} does not answer:\n{log.read_text()[-2000:]}")
            time.sleep(0.002)
        yield Running(process, port, time.monotonic() - begun)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answers(port: int) -> bool:
    """Whether something speaks HTTP on the port; any status will do."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
