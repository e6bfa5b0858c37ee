"""What a fake job shall do, as its parameters say it, and the parts of it that need no event loop.

The parameter `outcome` decides; without it, a word such as "fake:fail" anywhere in the prompt or the style does, so
that the engine can be driven through any vendor's dialect.
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

from ...core.errors import Code, TaskError
from .. import Job, Output
from .._child import Report

OUTCOMES = ("succeed", "fail", "fail_once", "crash", "crash_once", "hang", "flood")
WORD = re.compile(rf"\bfake:({'|'.join(OUTCOMES)}|slow)\b", re.ASCII)  # so that Chinese letters are no part of a word
SLOW = {"steps": 20, "step_ms": 200}
FLOOD = 100_000  # progress reports
CELLS = 8  # a picture is this many squares across and down


@dataclass(frozen=True, slots=True)
class Script:
    """The course of one job. `fails`, `crashes` and `hangs` happen after the steps and before any picture."""

    steps: int
    step_ms: int
    fails: bool
    crashes: bool
    hangs: bool
    again: bool  # a later attempt will succeed
    pictures: int

    @classmethod
    def of(cls, job: Job) -> Self:
        """Read the job's parameters, its prompt and its style."""
        word = WORD.search(f"{job.params.get('prompt', '')} {job.params.get('style', '')}")
        asked = word[1] if word else "succeed"
        given: dict[str, Any] = {"steps": 1, "step_ms": 0, **(SLOW if asked == "slow" else {}), **job.params}
        outcome = job.params.get("outcome", asked)
        if outcome == "flood":
            given |= {"steps": FLOOD, "step_ms": 0}
        kind, _, once = outcome.partition("_")
        happens = not once or job.attempt == 1
        return cls(
            steps=given["steps"],
            step_ms=given["step_ms"],
            fails=happens and kind == "fail",
            crashes=happens and kind == "crash",
            hangs=outcome == "hang",
            again=bool(once),
            pictures=given.get("results", job.count),
        )

    def percents(self) -> Iterator[int]:
        """The progress after each step."""
        return (100 * step // self.steps for step in range(1, self.steps + 1))


def work(job: Job, report: Report) -> list[Output]:
    """Play the job's script in a child process, where a crash is a real one."""
    script = Script.of(job)
    for percent in script.percents():
        if script.step_ms:
            time.sleep(script.step_ms / 1000)
        report.progress(percent)
    while script.hangs:
        time.sleep(60)
    if script.crashes:
        os.kill(os.getpid(), signal.SIGKILL)
    if script.fails:
        raise failure(script)
    return [draw(job, index) for index in range(script.pictures)]


def failure(script: Script) -> TaskError:
    """The failure that the job asked for."""
    return TaskError(Code.ENGINE_FAILED, "The fake engine failed, as asked. Ask for success.", retryable=script.again)


def draw(job: Job, index: int) -> Output:
    """Write a picture of squares in 16 colours, both derived from the task, the picture's index and the seed."""
    from PIL import Image

    params = job.params
    name = f"{job.task_id}/{index}/{params.get('seed')}"
    digest = hashlib.shake_256(name.encode()).digest(48 + CELLS * CELLS)
    width, height = map(int, params.get("size", "64x64").split("x"))
    squares = Image.frombytes("P", (CELLS, CELLS), bytes(byte % 16 for byte in digest[48:]))
    squares.putpalette(digest[:48])
    file_format = params.get("format", "png")
    picture = squares.resize((width, height), Image.Resampling.NEAREST)
    path = job.workdir / f"{index}.{file_format}"
    (picture if file_format == "png" else picture.convert("RGB")).save(path, file_format, compress_level=1)
    return Output(path)
