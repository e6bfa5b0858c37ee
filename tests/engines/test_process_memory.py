"""The memory limit of child processes: real processes allocate real memory, as Python and as each library does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from darkroom.config import DEFAULTS
from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Operation
from darkroom.engines import EngineSettings, create
from darkroom.engines._process import Child, Children
from darkroom.testing.engines import Recorder, example, placed

ENOUGH, SCARCE = 1600, 600  # MiB of addresses: the libraries take up to 500 of them, and 600 are asked for on top


@pytest.fixture(autouse=True)
def _targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)


@pytest.mark.parametrize("kind", ["python", "numpy", "opencv", "pillow"])
async def test_a_process_that_wants_more_than_its_limit_fails_and_goes_on(kind: str) -> None:
    child = Child("process_targets:allocate", SCARCE)
    with pytest.raises(TaskError, match="out of memory") as caught:
        await child.call(kind, str)
    assert (caught.value.code, caught.value.retryable) == (Code.ENGINE_FAILED, True)
    assert "Traceback" in (caught.value.detail or "")
    pid = child.pid
    assert await child.call("nothing", str) == "done"
    assert child.pid == pid
    await child.close()


@pytest.mark.parametrize("limit", [0, ENOUGH])
async def test_a_process_below_its_limit_or_without_one_gets_its_memory(limit: int) -> None:
    children = Children("process_targets:allocate", 1, limit)
    assert [await children.call(kind, str) for kind in ("opencv", "pillow")] == ["done", "done"]
    await children.close()


async def test_what_a_process_starts_has_the_limit_too() -> None:
    child = Child("process_targets:allocate", SCARCE)
    assert await child.call("process", str) == "too much"
    await child.close()


async def test_an_engine_keeps_its_processes_to_the_limit_that_it_is_made_with(tmp_path: Path) -> None:
    job = example("procedural-v1", Operation.IMAGE_GENERATE, prompt="abstract", size="4096x4096", format="jpeg")
    job = placed(job, tmp_path, "one")
    async with create("procedural", EngineSettings(memory_mib=700)) as engine:
        with pytest.raises(TaskError, match="out of memory"):
            await engine.run(job, Recorder())


async def test_the_largest_picture_of_words_needs_no_more_than_the_default(tmp_path: Path) -> None:
    given = {"prompt": "abstract", "size": "4096x4096", "format": "jpeg", "quality": 90}
    job = placed(example("procedural-v1", Operation.IMAGE_GENERATE, **given), tmp_path, "one")
    async with create("procedural", EngineSettings(memory_mib=DEFAULTS.engine_memory_mib)) as engine:
        [output] = await engine.run(job, Recorder())
    assert output.path.stat().st_size > 100_000
