"""Drives the load generator wrk with a plan of requests, and reads what it measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

SCRIPT = Path(__file__).with_name("replay.lua")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a plan; a body is JSON."""

    method: str
    path: str
    body: object = None


class Load(msgspec.Struct):
    """What wrk saw: `refused` answers had a status of 400 or more, `broken` ones never came. p50 and p99 in ms."""

    requests: int
    seconds: float
    bytes: int
    refused: int
    broken: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        """Answers a second."""
        return (self.requests - self.refused) / self.seconds


def need_wrk() -> None:
    """End the program with advice where wrk is missing."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing. Debian, Ubuntu: apt-get install wrk. macOS: brew install wrk.")


def write_plan(path: Path, requests: Iterable[Request]) -> Path:
    """Write a plan for `start`."""
    lines = [f"{item.method}\t{item.path}\t{json.dumps(item.body) if item.body else ''}\n" for item in requests]
    path.write_text("".join(lines))
    return path


def start(
    address: str,
    plan: Path,
    key: str,
    seconds: int,
    *,
    core: int,
    connections: int = 64,
    acknowledged: Path | None = None,
) -> subprocess.Popen[str]:
    """Start wrk on one core; `acknowledged` is where it writes the ids of tasks that a server said to have stored."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), address]
    arguments = [str(plan), key, *([str(acknowledged)] if acknowledged else [])]
    return subprocess.Popen(["taskset", "-c", str(core), *command, "--", *arguments], stdout=subprocess.PIPE, text=True)


def result(wrk: subprocess.Popen[str]) -> Load:
    """Wait for wrk's end, and read its last line."""
    output, _ = wrk.communicate(timeout=120)
    if wrk.returncode:
        sys.exit(f"wrk failed:\n{output}")
    return msgspec.json.decode(output.splitlines()[-1], type=Load)


def clean(load: Load, name: str) -> Load:
    """The load, unless an answer was missing or a refusal: then the measurement means nothing."""
    if load.refused or load.broken or not load.requests:
        sys.exit(f"{name}: of {load.requests} requests {load.refused} were refused and {load.broken} never answered")
    return load
