"""Local work ends within a second of its cancel, however busy it is."""

from __future__ import annotations

import os
import time
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from workshop import NATIVE, Workshop

from darkroom.core.commands import Submit, Upload
from darkroom.core.task import Operation, State, Task
from darkroom.engines import EngineSettings, create
from darkroom.testing.processes import descendants

WITHIN = 1.0  # seconds from the request to the end


async def a_running(shop: Workshop, command: Submit) -> Task:
    """A task of which the engine has reported progress."""
    task = await shop.service.submit(shop.account_id, command, NATIVE)
    return await shop.until(task, lambda found: found.progress > 1)


async def cancel(shop: Workshop, command: Submit) -> None:
    """Cancel such tasks until one has ended in time: of three, for this machine may stand still meanwhile."""
    seconds = []
    while not seconds or (min(seconds) > WITHIN and len(seconds) < 3):
        task = await a_running(shop, command)
        at_work = descendants(os.getpid())
        assert at_work
        began = time.monotonic()
        await shop.cancel(task)
        seconds.append(time.monotonic() - began)
        assert (await shop.final(task)).state is State.CANCELED
        assert len(descendants(os.getpid()) & at_work) < len(at_work)
    assert min(seconds) <= WITHIN


async def test_a_running_upscale_is_canceled_within_a_second(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1000, 1000, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    async with Workshop(tmp_path, create("opencv", EngineSettings(1))) as shop, shop.working():
        kept = await shop.service.inputs.keep(shop.account_id, file)
        await cancel(
            shop,
            Submit(
                operation=Operation.IMAGE_UPSCALE,
                model="upscale-v1",
                params={"scale": 4},
                inputs=(Upload(kept.id),),
            ),
        )


async def test_a_running_video_is_canceled_within_a_second(tmp_path: Path) -> None:
    async with Workshop(tmp_path, create("procedural", EngineSettings(1))) as shop, shop.working():
        params = {"prompt": "a lake at dawn", "duration": 15, "fps": 30, "seed": 1}
        await cancel(shop, Submit(operation=Operation.VIDEO_GENERATE, model="procedural-video-v1", params=params))


async def test_another_process_hears_of_a_cancel_from_its_next_heartbeat(tmp_path: Path) -> None:
    async with Workshop(tmp_path) as shop, shop.working():
        task = await shop.running(await shop.submit(outcome="hang"))
        assert await shop.store.mark_cancel(task.id)  # as a server does that shares only the database
        assert (await shop.final(task)).state is State.CANCELED
