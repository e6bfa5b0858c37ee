"""What the tests of child processes run in them."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Job, Output
from darkroom.engines._child import RATE, Report


@dataclass(frozen=True, slots=True)
class Parcel:
    path: Path
    paths: tuple[Path, ...]
    operation: Operation
    params: Mapping[str, Any]


def echo(parcel: Parcel, report: Report) -> Parcel:
    assert isinstance(parcel.path, Path)
    assert isinstance(parcel.operation, Operation)
    return parcel


def pid(argument: None, report: Report) -> int:
    return os.getpid()


def pid_after_others(folder: Path, report: Report) -> int:
    """Return when two processes have come this far."""
    (folder / str(os.getpid())).touch()
    while len(list(folder.iterdir())) < 2:
        time.sleep(0.01)
    return os.getpid()


def surroundings(argument: None, report: Report) -> tuple[int, str, list[str]]:
    return os.nice(0), os.environ["OMP_NUM_THREADS"], [name for name in ("numpy", "PIL", "cv2") if name in sys.modules]


def fails(kind: str, report: Report) -> None:
    match kind:
        case "task":
            raise TaskError(
                Code.CONTENT_REJECTED, "Choose another picture.", param="image", detail="nude", retry_after=7
            )
        case "memory":
            raise MemoryError
        case "no_room":
            raise OSError(errno.ENOSPC, "No space left on device")
        case "bug":
            raise KeyError("secret of the house")
        case "system_exit":
            sys.exit(3)
        case "exit":
            os._exit(3)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)


def unsendable(argument: None, report: Report) -> object:
    return object()


def hang(argument: None, report: Report) -> None:
    report.progress(1, str(os.getpid()))
    while True:
        time.sleep(60)


def hang_with_a_helper(argument: None, report: Report) -> None:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    report.progress(1, str(helper.pid))
    while True:
        time.sleep(60)


def flood(argument: None, report: Report) -> str:
    for step in range(100_001):
        report.progress(step // 1000, f"step {step}")
    return "done"


def steady(told: Path, report: Report) -> None:
    for step in range(401):
        report.progress(step // 4)
        time.sleep(0.001)
        while step == 200 and not told.exists():
            time.sleep(0.01)


def zigzag(told: Path, report: Report) -> None:
    for percent in (10, 5, 300, -4):
        report.progress(percent)
        time.sleep(1.5 / RATE)
        while not told.exists():
            time.sleep(0.01)


def ten_reports(fifo: Path, report: Report) -> None:
    for percent in range(10, 101, 10):
        report.progress(percent)
        time.sleep(1.5 / RATE)
    fifo.write_text("all reported")


def noisy(argument: None, report: Report) -> str:
    print("printed by Python", flush=True)
    os.write(1, b"\x00\x00\x00\x02written to descriptor 1")
    subprocess.run(["echo", "printed by another program"], check=True)
    ctypes.CDLL(None).puts(b"printed by C")
    ctypes.CDLL(None).fflush(None)
    return sys.stdin.read() + "quiet"


def large(size: int, report: Report) -> bytes:
    return bytes(size)


def outputs(job: Job, report: Report) -> list[Output]:
    """Deliver what the job's parameters name."""
    (job.workdir / "a.txt").write_text(job.task_id)
    report.progress(50, "half")
    return [Output(job.workdir / job.params["deliver"], ("a warning",))]


def allocate(kind: str, report: Report) -> str:
    """Take 600 MiB the way that the named part does, and say how it went where it worked."""
    match kind:
        case "python":
            bytearray(600 << 20)
        case "numpy":
            import numpy

            numpy.ones(600 << 20, numpy.uint8)
        case "opencv":
            import cv2
            import numpy

            cv2.resize(numpy.zeros((10, 10), numpy.uint8), (600 << 10, 1 << 10))
        case "pillow":
            from PIL import Image

            Image.new("L", (600 << 10, 1 << 10))
        case "nothing":
            pass
        case "process":
            hungry = [sys.executable, "-c", "bytearray(600 << 20)"]
            return "too much" if subprocess.run(hungry, check=False, stderr=subprocess.DEVNULL).returncode else "done"
    return "done"
