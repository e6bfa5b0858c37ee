"""Marks on their way: what a task's results tell when they are stored."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from marked import MAKERS, insert, packet_of, picture, told
from PIL import Image

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import File, Operation, Task
from darkroom.engines import Output
from darkroom.engines._process import Children
from darkroom.marks import Provenance
from darkroom.objects import Objects
from darkroom.results import Results
from full_disk import full_disk

TASK = Task(
    id="0190-internal",
    public_id="task_public",
    account_id="account",
    dialect="native",
    operation=Operation.IMAGE_GENERATE,
    model="acme-v1",
    engine="acme",
    params={"prompt": "a <castle>"},
    attempt=1,
    created_at=1_790_000_000_000,
    started_at=1_790_000_060_000,
)
PROMPTS = Provenance(prompts=("*",))
CREDENTIALS = b"\x00\x00\x00\x18uuid" + bytes.fromhex("d8fec3d61b0e483c92975828877ec481")


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "objects"))


@pytest.fixture
async def finishers() -> AsyncIterator[Children]:
    children = Children("darkroom.finish:finish", 1)
    yield children
    await children.close()


async def stored(
    results: Results, objects: Objects, task: Task, path: Path, *, generative: bool = True
) -> dict[str, str]:
    """What the stored result tells, as its thumbnail must, too. Its size must be that of the file."""
    [artifact], warnings = await results.keep(task, [Output(path)], path.parent, generative=generative)
    copy = path.with_name(f"stored{path.suffix}")
    await objects.download(artifact.key, copy)
    assert copy.stat().st_size == artifact.size
    assert warnings == ()
    facts = told(packet_of(copy))
    assert artifact.thumbnail_key
    await objects.download(artifact.thumbnail_key, path.with_name("thumbnail.webp"))
    assert told(packet_of(path.with_name("thumbnail.webp"))) == facts
    return facts


@pytest.mark.parametrize("name", ["plain.png", "fast.mp4"])
async def test_a_stored_result_carries_the_mark_of_its_task(
    name: str, objects: Objects, finishers: Children, tmp_path: Path
) -> None:
    MAKERS[name](tmp_path / name)
    facts = await stored(Results(objects, finishers), objects, TASK, tmp_path / name)
    assert (facts["model"], facts["taskId"]) == ("acme-v1", "task_public")
    assert facts["DigitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert facts["CreateDate"] == "2026-09-21T14:14:20+00:00"
    assert "description" not in facts


@pytest.mark.parametrize(
    ("accounts", "told"), [(("*",), True), (("another", TASK.account_id), True), (("another",), False), ((), False)]
)
async def test_a_prompt_is_told_if_its_account_allows_it(
    objects: Objects, finishers: Children, tmp_path: Path, accounts: tuple[str, ...], told: bool
) -> None:
    picture().save(tmp_path / "a.png")
    results = Results(objects, finishers, Provenance(prompts=accounts))
    facts = await stored(results, objects, TASK, tmp_path / "a.png")
    assert facts.get("description") == ("a <castle>" if told else None)


async def test_a_result_made_of_a_callers_picture_is_told_apart(
    objects: Objects, finishers: Children, tmp_path: Path
) -> None:
    given = File("file", "files/1", "image/png", 1, 1, 1)
    task = replace(TASK, engine="opencv", operation=Operation.IMAGE_UPSCALE, inputs=(given,), params={})
    picture().save(tmp_path / "a.png")
    results = Results(objects, finishers, PROMPTS)
    facts = await stored(results, objects, task, tmp_path / "a.png", generative=False)
    assert facts["DigitalSourceType"].endswith("/algorithmicallyEnhanced")
    assert "description" not in facts


async def test_a_result_that_finds_no_room_for_its_mark_is_to_be_made_again(
    objects: Objects, finishers: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # so that the size of files is limited
    path = tmp_path / "a.png"
    Image.frombytes("RGB", (1000, 800), os.urandom(1000 * 800 * 3)).save(path)
    with full_disk(tmp_path / "disk") as disk:
        disk.fill()
        with pytest.raises(TaskError) as caught:
            await Results(objects, finishers).keep(TASK, [Output(path)], tmp_path)
    assert (caught.value.code, caught.value.retryable) == (Code.STORAGE_FAILED, True)


async def test_a_result_that_cannot_be_marked_is_delivered_as_it_is_with_a_warning(
    objects: Objects, finishers: Children, tmp_path: Path
) -> None:
    path = tmp_path / "fast.mp4"
    MAKERS[path.name](path)
    insert(path, path.stat().st_size, CREDENTIALS)
    before = path.read_bytes()
    [artifact], warnings = await Results(objects, finishers).keep(TASK, [Output(path, ("a first one",))], tmp_path)
    assert warnings == (
        "a first one",
        "The result carries no provenance mark: it has signed content credentials (C2PA), which a change would break.",
    )
    assert artifact.size == len(before)
    assert path.read_bytes() == before
