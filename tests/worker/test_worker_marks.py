"""Marks of results as workers make them: a model that is not generative is not taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from workshop import Played, Workshop

from darkroom.core.task import State
from darkroom.engines import Context, Job, Output


async def draw(job: Job, _: Context) -> list[Output]:
    Image.new("RGB", (8, 8)).save(job.workdir / "a.png")
    return [Output(job.workdir / "a.png")]


@pytest.mark.parametrize(
    ("model", "term"), [("fake", "/algorithmicallyEnhanced<"), ("played", "/compositeWithTrainedAlgorithmicMedia<")]
)
async def test_a_result_tells_whether_its_model_is_generative(model: str, term: str, tmp_path: Path) -> None:
    async with Workshop(tmp_path / "shop", Played(draw)) as shop:
        task = await shop.submit(model, **({"results": 1} if model == "fake" else {}))
        async with shop.working():
            done = await shop.final(task)
        assert done.state is State.SUCCEEDED
        await shop.objects.download(done.artifacts[0].key, tmp_path / "stored.png")
    assert term in (tmp_path / "stored.png").read_bytes().decode("latin-1")
