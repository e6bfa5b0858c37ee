"""A real server for tests: `darkroom serve` as a process, with a data folder, settings and flags of the test's own.

    with Darkroom(tmp_path, env={"DARKROOM_LINK_HOURS": "1"}) as server:
        server.client().get("/api/account")          # with the first key
        server.client(server.new_key(credits=0))     # with another one
        server.restart()                             # the same data; clients made before it are of no use any more

Nothing of the caller's own settings gets in but where Python finds modules, and leaving the block ends the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from ..keys import create_key
from ..store import Store

T = TypeVar("T")

PATIENCE = 60.0  # seconds until a server that does not start or stop is a failure
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # making one with certificates takes longer than most tests
READY = re.compile(r"darkroom ready at (http://\S+)")
FIRST_KEY = re.compile(r"(sk-[A-Za-z0-9]{20,})")
OPERATIONS = (
    *("image.generate", "image.edit", "image.face_swap", "image.enhance", "image.filter", "image.upscale"),
    *("video.generate", "video.face_swap"),
)
FAKE_DEFAULTS = "{" + ", ".join(f'"{name}" = "fake"' for name in OPERATIONS) + "}"


class Darkroom:
    """A server on `folder`. `env` and `flags` are added to those that make it small and its default model `fake`.

    `address` and `pid` are those of the running process; `key` is the first API key, made on the first start.
    """

    def __init__(
        self,
        folder: Path,
        *,
        engines: str = "fake,opencv",
        database: str | None = None,
        env: Mapping[str, str] | None = None,
        flags: tuple[str, ...] = (),
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.key = ""
        self.address = ""
        self.printed: list[str] = []
        self._database = database or f"sqlite:{self.data / 'darkroom.db'}"
        self._store = ("--data", str(self.data), *(("--database", database) if database else ()))
        self._flags = ("--port", "0", "--engines", engines, *flags)
        self._env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "DARKROOM_DEFAULTS": FAKE_DEFAULTS,
            "PYTHONPATH": module_path(),  # plug-ins may be there
            "DARKROOM_FAILED_LOGINS": "0",  # tests send more wrong keys than any caller
            **(env or {}),
        }
        self._clients: list[httpx.Client] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    # ---- the process

    def start(self, *, wait: bool = True) -> None:
        """Start the server and, unless told otherwise, return when it answers."""
        assert self._process is None or self._process.poll() is not None, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-m", "darkroom", "serve", *self._store, *self._flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=self._env,
                cwd=self.folder,
            )
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Read what it prints until it is ready; `AssertionError` with its log when it is not."""
        while True:
            try:
                line = self._lines.get(timeout=PATIENCE)
            except queue.Empty:
                raise AssertionError(f"the server is not ready:\n{self.log}") from None
            if line is None:
                raise AssertionError(f"the server ended with status {self.wait()}:\n{self.log}")
            self.printed.append(line)
            if not self.key and (found := FIRST_KEY.search(line)):
                self.key = found[1]
            if ready := READY.search(line):
                self.address = ready[1]
                return

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the server to stop; its exit status."""
        self._close_clients()
        self._running.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End the server as a crash would: it can do nothing about it."""
        self._close_clients()
        self._running.kill()
        self._running.wait()

    def wait(self) -> int:
        """Wait for the end of the server; its exit status."""
        return self._running.wait(PATIENCE)

    def restart(self) -> None:
        """Stop and start; the address is another one."""
        self.stop()
        self.start()

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._running.pid

    @property
    def log(self) -> str:
        """Everything that it has logged so far."""
        return (self.folder / "log").read_text()

    # ---- using it

    def client(self, key: str | None = "", **options: Any) -> httpx.Client:
        """A client that sends the key; without one the first key, with `None` none."""
        key = self.key if key == "" else key
        headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
        headers |= options.pop("headers", {})
        plain: dict[str, Any] = {"verify": NO_TLS, "trust_env": False, "timeout": PATIENCE}
        client = httpx.Client(base_url=self.address, headers=headers, **plain, **options)
        self._clients.append(client)
        return client

    def command(self, *arguments: str) -> str:
        """What a command of `darkroom` prints that works beside this server on its data."""
        done = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "darkroom", *arguments, *self._store],
            check=False,
            capture_output=True,
            text=True,
            env=self._env,
            cwd=self.folder,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def new_key(self, *, credits: int = 1000, name: str = "caller") -> str:  # noqa: A002 - the command's word
        """A key of an account of its own: `darkroom key create`, without the start of a process."""

        async def make() -> str:
            store = await Store.open(self._database)
            try:
                return await create_key(store, name, credits, time.time_ns() // 1_000_000)
            finally:
                await store.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may be in an event loop
            return thread.submit(asyncio.run, make()).result()

    def revoke(self, name: str) -> None:
        """Revoke the key of this name, while the server runs."""
        found = [line.split()[0] for line in self.command("key", "list").splitlines() if line.endswith(f"  {name}")]
        assert len(found) == 1, found
        self.command("key", "revoke", found[0])

    def objects(self) -> dict[str, int]:
        """Every stored file with its size; the server may be removing some."""
        root, found = self.data / "objects", {}
        for folder, _, names in os.walk(root):
            for path in (Path(folder) / name for name in names):
                with contextlib.suppress(FileNotFoundError):
                    found[str(path.relative_to(root))] = path.stat().st_size
        return found

    def uploads(self) -> set[str]:
        """The names of stored inputs."""
        return {name for name in self.objects() if name.startswith("files/")}

    def connect(self) -> socket.socket:
        """A bare connection, for requests that no client library sends. Close it."""
        host, _, port = self.address.removeprefix("http://").rpartition(":")
        return socket.create_connection((host, int(port)), timeout=PATIENCE)

    def raw(self, method: str, target: str, *headers: str, body: bytes = b"") -> tuple[int, bytes]:
        """Status and body of the answer to a request whose target and headers are sent as they are."""
        head = [f"{method} {target} HTTP/1.1", "Host: localhost", "Connection: close", *headers, "", ""]
        with self.connect() as connection, connection.makefile("rb") as answer:
            connection.sendall("\r\n".join(head).encode() + body)
            status = int(answer.readline().split()[1])
            while answer.readline().strip():
                pass
            return status, answer.read()

    def memory(self) -> dict[str, int]:
        """Bytes that the server process holds now (`VmRSS`) and held at most (`VmHWM`)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: int(value.split()[0]) << 10 for name, value in map(split, lines) if name in ("VmRSS", "VmHWM")}

    @property
    def _running(self) -> subprocess.Popen[str]:
        assert self._process is not None, "it was never started"
        return self._process

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str | None]) -> None:
        assert process.stdout is not None
        with process.stdout as printed:
            for line in printed:
                lines.put(line)
        lines.put(None)

    def _close_clients(self) -> None:
        while self._clients:
            self._clients.pop().close()

    def _end(self) -> None:
        self._close_clients()
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


def module_path() -> str:
    """The caller's `PYTHONPATH`, to be used from any folder."""
    places = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(str(Path(place).resolve()) for place in places if place)


def fetched(url: str) -> httpx.Response:
    """The answer to somebody who has nothing but the URL."""
    return httpx.get(url, verify=NO_TLS, trust_env=False, timeout=PATIENCE)


def split(line: str) -> tuple[str, str]:
    """The two sides of a line of /proc/<pid>/status."""
    name, _, value = line.partition(":")
    return name, value


def until(look: Callable[[], T], *, seconds: float = 60.0) -> T:
    """What `look` returns, as soon as it is true; it is called again and again until then."""
    give_up = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < give_up, f"it did not come true within {seconds:g} s"
        time.sleep(0.01)
    return found


def polls(look: Callable[[], T], done: Callable[[T], bool], *, seconds: float = 90.0) -> Iterator[T]:
    """Everything that `look` returns, up to the first that is done."""
    give_up = time.monotonic() + seconds
    while True:
        assert time.monotonic() < give_up, f"it was not done within {seconds:g} s"
        found = look()
        yield found
        if done(found):
            return
        time.sleep(0.01)
