"""What a task of the demo is, and how a client lives through one: submit, poll, download.

Guarantees: a task counts as done only when its results were downloaded, open, and are what was promised.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .clients import Answer, RefusedError, Vendor
from .results import Expected, Picture, save

POLL = 0.15  # seconds between two queries of a task
GIVE_UP = 120.0  # seconds


@dataclass(frozen=True, slots=True)
class Job:
    """One task: who submits it, by which endpoint, and what must come of it.

    `after` is the clip that another job makes first; `makes` tells others of this job's clip.
    """

    vendor: Vendor
    title: str
    prompt: str
    endpoint: str
    submit: Callable[[], str]
    expected: tuple[Expected, ...]
    gloss: str = ""  # the prompt in English, where it is not
    after: Future[Path] | None = None
    makes: Future[Path] | None = None


@dataclass(slots=True)
class Run:
    """What is known of a job so far; written by its own thread alone. `states` have seconds since the submit."""

    job: Job
    task_id: str | None = None
    states: list[tuple[str, float]] = field(default_factory=list)
    pictures: tuple[Picture, ...] = ()
    failure: str | None = None


def live(run: Run, folder: Path, stop: threading.Event) -> None:
    """Submit a task, poll it until it is done, and save its results; what goes wrong is kept in `run.failure`."""
    try:
        if run.job.after is not None:
            run.job.after.result()
        begun = time.monotonic()
        run.task_id = run.job.submit()
        answer = poll(run, begun, stop)
        if answer.failure is None:
            run.pictures = save(run.job.expected, answer.results, folder)
        run.failure = answer.failure
    except (RefusedError, httpx.HTTPError, OSError) as error:
        run.failure = str(error) or type(error).__name__
    finally:
        tell(run)


def tell(run: Run) -> None:
    """Hand the clip to the job that waits for it, or say that there is none."""
    if run.job.makes is None:
        return
    clips = [picture.clip for picture in run.pictures if picture.clip is not None]
    if clips:
        run.job.makes.set_result(clips[0])
    else:
        run.job.makes.set_exception(RefusedError(f"there is no clip to work on: '{run.job.title}' did not succeed"))


def poll(run: Run, begun: float, stop: threading.Event) -> Answer:
    """Query a task until it is done, noting each new state."""
    while True:
        answer = run.job.vendor.query(run.task_id or "")
        passed = time.monotonic() - begun
        if not run.states or run.states[-1][0] != answer.state:
            run.states.append((answer.state, passed))
        if answer.done:
            return answer
        if passed > GIVE_UP or stop.wait(POLL):
            raise RefusedError(f"the client gave up after {passed:.0f} s in state '{answer.state}'")
