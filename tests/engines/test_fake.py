"""The fake engine: it keeps to the contract of engines, and the input decides the outcome."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from darkroom.core.catalog import check_params
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import Engine, EngineSettings, Job, create, names
from darkroom.engines.fake import APART, HERE
from darkroom.testing.engines import EngineSuite, Recorder, check_job, example, opened, placed

BOTH = pytest.mark.parametrize("model", [HERE.name, APART.name])


class TestFake(EngineSuite):
    model = HERE.name

    def engine(self) -> Engine:
        return create("fake", EngineSettings(slots=2))

    def job(self, folder: Path) -> Job:
        picture = folder / "input.png"
        Image.new("RGB", (40, 30), "teal").save(picture)
        return example(self.model, Operation.IMAGE_EDIT, picture, count=2, steps=5)

    def long_job(self, folder: Path) -> Job:
        return example(self.model, Operation.VIDEO_GENERATE, outcome="hang")


class TestFakeProcess(TestFake):
    model = APART.name


async def run(
    folder: Path, model: str, recorder: Recorder | None = None, attempt: int = 1, **params: object
) -> list[Path]:
    job = placed(example(model, Operation.IMAGE_GENERATE, **params), folder, f"{len(list(folder.iterdir()))}")
    async with opened(create("fake", EngineSettings(slots=2))) as engine:
        outputs = await engine.run(check_job(engine, replace(job, attempt=attempt)), recorder or Recorder())
    return [output.path for output in outputs]


def test_the_engine_is_found_by_its_name() -> None:
    assert "fake" in names()


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValueError, match="seed"):
        create("fake", EngineSettings(options={"seed": 1}))


def test_both_models_offer_every_operation() -> None:
    assert set(HERE.operations) == set(APART.operations) == set(Operation)


@BOTH
async def test_pictures_have_the_asked_size_and_number(tmp_path: Path, model: str) -> None:
    paths = await run(tmp_path, model, results=3, size="120x80")
    assert len(paths) == 3
    for path in paths:
        with Image.open(path) as image:
            image.load()
            assert (image.format, image.size) == ("PNG", (120, 80))


@pytest.mark.parametrize("file_format", ["png", "jpeg", "webp"])
async def test_pictures_have_the_asked_format(tmp_path: Path, file_format: str) -> None:
    [path] = await run(tmp_path, HERE.name, format=file_format)
    with Image.open(path) as image:
        assert image.format == file_format.upper()


async def test_the_largest_size_is_delivered(tmp_path: Path) -> None:
    [path] = await run(tmp_path, HERE.name, size="4096x4096")
    with Image.open(path) as image:
        assert image.size == (4096, 4096)


async def test_pictures_differ_by_task_index_and_seed_and_by_nothing_else(tmp_path: Path) -> None:
    job = example(HERE.name, Operation.IMAGE_GENERATE)

    async def pixels(folder: str, task_id: str, seed: int, count: int) -> list[bytes]:
        made = replace(placed(job, tmp_path, folder), task_id=task_id, count=count, params={"seed": seed})
        outputs = await create("fake", EngineSettings()).run(made, Recorder())
        return [Image.open(output.path).convert("RGB").tobytes() for output in outputs]

    first = await pixels("a", "one", 1, 2)
    assert await pixels("b", "one", 1, 2) == first
    others = [*await pixels("c", "two", 1, 2), *await pixels("d", "one", 2, 2)]
    assert len({*first, *others}) == 6


async def test_a_job_without_results_touches_no_disk() -> None:
    nowhere = replace(example(HERE.name, Operation.IMAGE_GENERATE, results=0), workdir=Path("/nowhere/at/all"))
    assert await create("fake", EngineSettings()).run(nowhere, Recorder()) == []


@pytest.mark.parametrize(("model", "step_ms"), [(HERE.name, 0), (APART.name, 1000)])  # a process tells ten a second
async def test_each_step_is_reported(tmp_path: Path, model: str, step_ms: int) -> None:
    recorder = Recorder()
    await run(tmp_path, model, recorder, steps=3, step_ms=step_ms, results=0)
    assert recorder.percents == [33, 66, 100]


@BOTH
@pytest.mark.parametrize("asked", [{"outcome": "fail"}, {"prompt": "a lake, fake:fail, at night"}])
async def test_a_failure_as_asked_is_final(tmp_path: Path, model: str, asked: dict[str, str]) -> None:
    with pytest.raises(TaskError, match="as asked") as caught:
        await run(tmp_path, model, **asked)
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, False)


@BOTH
@pytest.mark.parametrize("asked", [{"outcome": "crash"}, {"prompt": "图片fake:crash图片"}])
async def test_a_crash_as_asked_may_be_retried(tmp_path: Path, model: str, asked: dict[str, str]) -> None:
    with pytest.raises(TaskError) as caught:
        await run(tmp_path, model, **asked)
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, True)


async def test_a_crash_apart_is_the_death_of_a_real_process(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"ended unexpectedly \(signal 9\)"):
        await run(tmp_path, APART.name, outcome="crash")


@BOTH
@pytest.mark.parametrize("asked", [{"outcome": "fail_once"}, {"outcome": "crash_once"}, {"prompt": "fake:fail_once"}])
async def test_what_happens_once_happens_to_the_first_attempt_alone(
    tmp_path: Path, model: str, asked: dict[str, str]
) -> None:
    with pytest.raises(TaskError) as caught:
        await run(tmp_path, model, **asked)
    assert caught.value.retryable
    assert len(await run(tmp_path, model, attempt=2, **asked)) == 1


async def test_the_parameter_decides_before_the_prompt(tmp_path: Path) -> None:
    assert len(await run(tmp_path, HERE.name, outcome="succeed", prompt="fake:fail")) == 1


async def test_a_slow_job_can_be_canceled_between_its_steps(tmp_path: Path) -> None:
    recorder = Recorder()
    running = asyncio.create_task(run(tmp_path, HERE.name, recorder, prompt="fake:slow"))
    await recorder.started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert recorder.percents == [5]


async def test_a_flood_reports_a_hundred_thousand_times_within_the_process(tmp_path: Path) -> None:
    recorder = Recorder()
    assert len(await run(tmp_path, HERE.name, recorder, outcome="flood")) == 1
    assert len(recorder.percents) == 100_000
    assert recorder.percents[-1] == 100


async def test_a_flood_apart_arrives_as_a_few_reports(tmp_path: Path) -> None:
    recorder = Recorder()
    assert len(await run(tmp_path, APART.name, recorder, outcome="flood")) == 1
    assert len(recorder.percents) <= 100
    assert recorder.percents[-1] == 100


@pytest.mark.parametrize(
    ("name", "value"),
    [("outcome", "explode"), ("steps", 10_001), ("step_ms", -1), ("results", 16), ("size", "4097x1"), ("count", 1)],
)
def test_parameters_out_of_bounds_are_refused(name: str, value: object) -> None:
    with pytest.raises(TaskError) as caught:
        check_params(HERE, {name: value})
    assert (caught.value.code, caught.value.param) == (Code.INVALID_INPUT, name)
