"""The fake engine: for tests, demos and whoever needs a stand-in for a vendor. The input decides what happens.

`fake` plays its script within the server's own process and costs next to nothing; without results it touches no disk.
`fake-process` plays the same script in a child process, so that a crash and a hang are real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from ...core.catalog import Model, Param
from ...core.errors import Code, TaskError
from ...core.task import Operation
from .. import Context, EngineSettings, Job, Output
from .._process import ProcessEngine
from .script import OUTCOMES, Script, draw, failure

NAME = "fake"
TEXT = 100_000  # characters
INT64 = 2**63

PARAMS = (
    Param("outcome", "string", "What becomes of the job; *_once happens to its first attempt alone.", choices=OUTCOMES),
    Param("steps", "integer", "Progress reports on the way, 1 by default.", minimum=0, maximum=10_000),
    Param("step_ms", "integer", "Milliseconds before each report, 0 by default.", minimum=0, maximum=60_000),
    Param("results", "integer", "Pictures to deliver, by default as many as were asked for.", minimum=0, maximum=15),
    Param("size", "size", "Width and height in pixels.", default="64x64", minimum=1, maximum=4096),
    Param("format", "string", "File format of the pictures.", default="png", choices=("png", "jpeg", "webp")),
    Param("prompt", "string", "Decides the outcome by a word such as fake:fail or fake:slow.", maximum=TEXT),
    Param("negative_prompt", "string", "Accepted and ignored.", maximum=TEXT),
    Param("seed", "integer", "Another seed, another picture.", minimum=-INT64, maximum=INT64 - 1),
    Param("style", "string", "As the prompt; else accepted and ignored.", maximum=TEXT),
    Param("strength", "number", "Accepted and ignored."),
    Param("scale", "number", "Accepted and ignored."),
    Param("duration", "number", "Accepted and ignored."),
    Param("fps", "number", "Accepted and ignored."),
    Param("ratio", "string", "Accepted and ignored.", maximum=TEXT),
    Param("resolution", "string", "Accepted and ignored.", maximum=TEXT),
    Param("audio", "boolean", "Accepted and ignored."),
    Param("mask", "integer", "Accepted and ignored.", minimum=0, maximum=15),
)


def model(name: str, where: str) -> Model:
    """A model that offers every operation; `where` says in which process it works."""
    return Model(
        name=name,
        engine=NAME,
        generative=False,
        operations=tuple(Operation),
        description=f"Succeeds, fails, hangs or crashes as asked, {where}. Delivers pictures, for videos too.",
        params=PARAMS,
        max_inputs=16,
        max_count=15,
        price=1,
        timeout=60,
    )


HERE = model("fake", "within the server's own process, where a crash is only reported as one")
APART = model("fake-process", "in a process of its own, where crashes and hangs are real ones")


class FakeEngine:
    """Both models under one name."""

    def __init__(self, slots: int, memory_mib: int = 0) -> None:
        self.name = NAME
        self.slots = slots
        self._apart = ProcessEngine(NAME, (APART,), f"{__name__}.script:work", slots, memory_mib)

    def models(self) -> Sequence[Model]:
        """What the engine offers."""
        return (HERE, APART)

    async def __aenter__(self) -> Self:
        await self._apart.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._apart.__aexit__(*exc)

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        """Play the job's script."""
        if job.model == APART.name:
            return await self._apart.run(job, context)
        script = Script.of(job)
        for percent in script.percents():
            await asyncio.sleep(script.step_ms / 1000)
            await context.progress(percent)
        if script.hangs:
            await asyncio.Event().wait()
        if script.crashes:
            raise TaskError(Code.ENGINE_FAILED, "The fake engine crashed, as asked. Try again.", retryable=True)
        if script.fails:
            raise failure(script)
        return [await asyncio.to_thread(draw, job, index) for index in range(script.pictures)]


def create(settings: EngineSettings) -> FakeEngine:
    """Make the engine; it has no options."""
    if settings.options:
        raise ValueError(f"engine 'fake' has no options, not even {next(iter(settings.options))!r}")
    return FakeEngine(settings.slots, settings.memory_mib)
