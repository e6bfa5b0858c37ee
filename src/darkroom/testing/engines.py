"""The conformance kit of engines: what the worker relies on, whatever the engine.

Join it with two methods in a test file; pytest finds the inherited tests:

    class TestPainter(EngineSuite):
        def engine(self): return painter.create(EngineSettings(slots=2))
        def job(self, folder): return example("painter", Operation.IMAGE_GENERATE, prompt="a lake")

The suite needs no pytest plug-in: each test runs its own event loop.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from ..core.catalog import Model, Param, check_params
from ..core.errors import TaskError
from ..core.task import Operation
from ..engines import Engine, Job, Output
from ..finish import finish_one
from .processes import child_processes

CANCEL = 5  # seconds within which a canceled job has stopped
SLICE = 0.05  # seconds
PATIENCE = 300  # seconds after which a test gives a job up

# Values that a caller can send. What a parameter's schema lets through, the engine must cope with.
HOSTILE: tuple[Any, ...] = (
    *("", "../../etc/passwd", "nul\x00byte", "\U0001f4a5\u202e\ud7ff", "x" * 100_000, "NaN"),
    *(-1, 0, 10**30, -(10**30), 1e308, -1e308, 5e-324, float("nan"), float("inf")),
    *(True, [], {}, ["a"], "0x0", "1x999999", "999999x999999", "1x1"),
)


def example(model: str, operation: Operation, *inputs: Path, count: int = 1, **params: Any) -> Job:
    """A job for a suite; the suite sets its id and its workdir."""
    return Job(
        task_id="example",
        attempt=1,
        operation=operation,
        model=model,
        params=params,
        count=count,
        inputs=inputs,
        workdir=Path(),
    )


@dataclass
class Recorder:
    """A `Context` that keeps what it is told; `started` is set by the first report, `saved` by the first checkpoint."""

    percents: list[int] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)
    checkpoints: list[str] = field(default_factory=list)
    started: asyncio.Event = field(default_factory=asyncio.Event)
    saved: asyncio.Event = field(default_factory=asyncio.Event)
    canceled: bool = False

    async def progress(self, percent: int, note: str = "") -> None:
        """Keep a report."""
        self.percents.append(percent)
        self.notes.append(note)
        self.started.set()

    async def preview(self, picture: Path) -> None:
        """Keep where a preview is."""
        self.pictures.append(picture)

    async def checkpoint(self, value: str) -> None:
        """Keep a checkpoint."""
        self.checkpoints.append(value)
        self.started.set()
        self.saved.set()


class EngineSuite:
    """Subclass this, name the subclass `Test…`, and say how the engine and an example job are made."""

    def engine(self) -> Engine:
        """Make the engine, if it can with at least two slots."""
        raise NotImplementedError

    def job(self, folder: Path) -> Job:
        """Make a short job (see `example`); its input files may be written to `folder`."""
        raise NotImplementedError

    def long_job(self, folder: Path) -> Job:
        """Make a job that works for more than a second and reports while it does: it will be canceled."""
        return self.job(folder)

    @pytest.fixture(autouse=True)
    def _surroundings(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Current folder, home and temporary files lie where the tests see what is written to them."""
        for name, variables in {"here": (), "home": ("HOME",), "temporary": ("TMPDIR", "TEMP", "TMP")}.items():
            (tmp_path / name).mkdir()
            for variable in variables:
                monkeypatch.setenv(variable, str(tmp_path / name))
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setattr(tempfile, "tempdir", None)

    def test_models_describe_themselves(self) -> None:
        """What the catalog and the documentation show is complete and consistent."""
        engine = self.engine()
        models = engine.models()
        assert engine.slots >= 1
        assert models, "an engine offers at least one model"
        assert len({model.name for model in models}) == len(models)
        for model in models:
            assert model.engine == engine.name
            assert model.operations
            assert model.description, f"say in the description of {model.name!r} what it makes, and what it cannot"
            assert 0 <= model.min_inputs <= model.max_inputs
            assert model.max_count >= 1
            assert len({param.name for param in model.params}) == len(model.params)
            for param in model.params:
                assert param.description, f"say in the description of {param.name!r} what it is for"
                assert param.default is None or param.check(param.default) == param.default

    def test_outputs_are_media_files_under_the_workdir(self, tmp_path: Path) -> None:
        """Each output is a file of its own that decodes as what it is."""
        job = placed(self.job(tmp_path), tmp_path, "one")
        outputs = asyncio.run(self._run(job, Recorder()))
        assert outputs, "the example job delivers something"
        assert len({output.path for output in outputs}) == len(outputs)
        for output in outputs:
            check_output(output, job)

    def test_progress_stays_within_bounds_and_never_goes_back(self, tmp_path: Path) -> None:
        """Progress is a whole number of 0 to 100 that only grows."""
        recorder = Recorder()
        asyncio.run(self._run(placed(self.job(tmp_path), tmp_path, "one"), recorder))
        assert all(type(percent) is int and 0 <= percent <= 100 for percent in recorder.percents)
        assert recorder.percents == sorted(recorder.percents)
        assert all(isinstance(note, str) for note in recorder.notes)

    def test_a_canceled_job_stops_and_the_engine_goes_on(self, tmp_path: Path) -> None:
        """Cancel ends a running job in time and leaves the engine fit for the next one."""
        long, next_job = placed(self.long_job(tmp_path), tmp_path, "long"), placed(self.job(tmp_path), tmp_path, "next")

        async def scenario() -> Sequence[Output]:
            async with opened(self.engine()) as engine:
                recorder = Recorder()
                running = asyncio.create_task(engine.run(check_job(engine, long), recorder))
                started = asyncio.create_task(recorder.started.wait())
                await asyncio.wait({running, started}, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
                started.cancel()
                assert not running.done(), (
                    "the long job ended, or failed, before it could be canceled: let `long_job` work for more than a"
                    " second and report progress while it does"
                )
                running.cancel()
                await ended(running)
                assert running.done(), f"the job went on for {CANCEL} s after it was canceled"
                assert running.cancelled(), "a canceled job ends with CancelledError"
                return await worked(engine, next_job, Recorder())

        assert asyncio.run(scenario())

    def test_two_jobs_at_once_do_not_mix(self, tmp_path: Path) -> None:
        """Each of two jobs delivers into its own workdir."""
        jobs = [placed(self.job(tmp_path), tmp_path, name) for name in ("one", "two")]

        async def scenario() -> list[Sequence[Output]]:
            async with opened(self.engine()) as engine:
                return await asyncio.gather(*(worked(engine, job, Recorder()) for job in jobs))

        for job, outputs in zip(jobs, asyncio.run(scenario()), strict=True):
            assert outputs
            for output in outputs:
                check_output(output, job)

    def test_nothing_is_written_outside_the_workdir(self, tmp_path: Path) -> None:
        """Inputs, current folder, home and temporary files stay as they are."""
        job = placed(self.job(tmp_path), tmp_path, "one")
        before = dict(contents(tmp_path, job.workdir))
        asyncio.run(self._run(job, Recorder()))
        assert dict(contents(tmp_path, job.workdir)) == before

    def test_hostile_parameters_raise_nothing_but_task_errors(self, tmp_path: Path) -> None:
        """Whatever passes the model's own schema ends as outputs or as a `TaskError`."""
        job = placed(self.job(tmp_path), tmp_path, "one")

        async def scenario() -> None:
            async with opened(self.engine()) as engine:
                for param, value in accepted(model_of(engine, job), job):
                    with_value = replace(job, params={**job.params, param.name: value})
                    with suppress(TaskError):
                        await asyncio.wait_for(engine.run(check_job(engine, with_value), Recorder()), PATIENCE)

        asyncio.run(scenario())

    def test_hostile_inputs_raise_nothing_but_task_errors(self, tmp_path: Path) -> None:
        """Empty, damaged and foreign input files end as outputs or as a `TaskError`."""
        job = placed(self.job(tmp_path), tmp_path, "one")

        async def scenario() -> None:
            async with opened(self.engine()) as engine:
                for number, content in enumerate(damaged(job)):
                    path = tmp_path / f"hostile-{number}{job.inputs[0].suffix}"
                    path.write_bytes(content)
                    hostile = replace(check_job(engine, job), inputs=(path, *job.inputs[1:]))
                    with suppress(TaskError):
                        await asyncio.wait_for(engine.run(hostile, Recorder()), PATIENCE)

        asyncio.run(scenario())

    async def _run(self, job: Job, recorder: Recorder) -> Sequence[Output]:
        async with opened(self.engine()) as engine:
            return await worked(engine, job, recorder)


async def worked(engine: Engine, job: Job, recorder: Recorder) -> Sequence[Output]:
    """The outputs of a job that is expected to succeed."""
    try:
        return await asyncio.wait_for(engine.run(check_job(engine, job), recorder), PATIENCE)
    except TaskError as error:
        raise AssertionError(f"the job failed: {error.code}: {error.message}\n{error.detail or ''}") from error


async def ended(running: asyncio.Task[Any]) -> None:
    """Wait for the end of a job for `CANCEL` seconds, counted one by one: a machine that stands still takes up one."""
    for _ in range(round(CANCEL / SLICE)):
        if not running.done():
            await asyncio.wait({running}, timeout=SLICE)


@asynccontextmanager
async def opened(engine: Engine) -> AsyncIterator[Engine]:
    """The engine, entered; when it is left, every process that it started must be gone."""
    before = child_processes()
    async with engine:
        yield engine
    assert child_processes() <= before, "the engine left a child process behind"


def placed(job: Job, folder: Path, name: str) -> Job:
    """The job with a task id and an empty workdir, both its own."""
    workdir = folder / f"work-{name}"
    workdir.mkdir()
    return replace(job, task_id=name, workdir=workdir)


def model_of(engine: Engine, job: Job) -> Model:
    """The model that the job asks for."""
    found = {model.name: model for model in engine.models()}
    assert job.model in found, f"the example job asks for {job.model!r}, but the engine offers {', '.join(found)}"
    return found[job.model]


def check_job(engine: Engine, job: Job) -> Job:
    """The job as an engine gets it: parameters checked, defaults filled in."""
    model = model_of(engine, job)
    assert job.operation in model.operations
    return replace(job, params=check_params(model, job.params)[0])


def check_output(output: Output, job: Job) -> None:
    """Raise unless the output is a picture or video under the job's workdir."""
    assert output.path.resolve().is_relative_to(job.workdir.resolve())
    finished = finish_one(output.path, job.workdir.parent / "thumbnail.webp")
    assert finished.size > 0
    assert all(isinstance(warning, str) for warning in output.warnings)


def accepted(model: Model, job: Job) -> list[tuple[Param, Any]]:
    """Hostile values that the model's own schema lets through; the others must be refused with a `TaskError`."""
    found = []
    for param in model.params:
        for value in HOSTILE:
            with suppress(TaskError):
                check_params(model, {**job.params, param.name: value})
                found.append((param, value))
    return found


def damaged(job: Job) -> Iterator[bytes]:
    """Contents that are no intact media, made from the job's first input; none for a job without inputs."""
    if job.inputs:
        intact = job.inputs[0].read_bytes()
        middle = len(intact) // 2
        yield b""
        yield b"this is no picture"
        yield intact[:middle]
        yield intact[:middle] + bytes(len(intact) - middle)
        yield intact[:64]


def contents(folder: Path, without: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file of a folder with its content, but for one subfolder."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_relative_to(without):
            yield path, path.read_bytes()
