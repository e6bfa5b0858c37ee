"""What an operator may want beyond the mark, on its way: labels, China's field and signatures of stored results."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import authority
import numpy as np
import pytest
from authority import Authority
from marked import MAKERS, packet_of, told
from PIL import Image
from test_marks_of_results import CREDENTIALS, TASK

from darkroom.core.errors import Code, TaskError
from darkroom.core.task import Artifact, Operation
from darkroom.engines import EngineSettings, Output, create
from darkroom.engines._process import Children
from darkroom.marks import Label, Provenance, field_of
from darkroom.objects import Objects
from darkroom.results import Results
from full_disk import full_disk

LABEL = Label("AI generated")
PRODUCER = "001191000000000000000010001"
UNSIGNED = "The result carries no signed content credentials: the server could not sign it."


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority.make(tmp_path_factory.mktemp("authority") / "files")


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects.open(str(tmp_path / "objects"))


@pytest.fixture
async def finishers() -> AsyncIterator[Children]:
    children = Children("darkroom.finish:finish", 1)
    yield children
    await children.close()


async def download(objects: Objects, artifact: Artifact, path: Path) -> Path:
    await objects.download(artifact.key, path)
    assert path.stat().st_size == artifact.size
    return path


def plain(path: Path) -> Path:
    Image.new("RGB", (320, 200), "white").save(path)
    return path


def darkest(path: Path) -> int:
    with Image.open(path) as image:
        return int(np.asarray(image.convert("L")).min())


async def test_a_picture_is_labelled_and_then_marked_and_then_signed(
    objects: Objects, finishers: Children, issuer: Authority, tmp_path: Path
) -> None:
    wanted = Provenance(producer=PRODUCER, label=LABEL, credentials=issuer.issue())
    outputs = [Output(plain(tmp_path / f"{number}.png")) for number in (1, 2)]
    artifacts, warnings = await Results(objects, finishers, wanted).keep(TASK, outputs, tmp_path)
    assert warnings == ()
    numbers = set()
    for artifact in artifacts:
        path = await download(objects, artifact, tmp_path / "stored.png")
        assert darkest(path) < 100
        facts = told(packet_of(path))
        assert facts["taskId"] == "task_public"
        numbers.add(json.loads(facts["AIGC"])["ProduceID"])
        manifest = authority.read(path, "image/png")
        assert manifest
        assert manifest.problems == {"signingCredential.untrusted"}
        assert manifest.actions[0]["digitalSourceType"] == facts["DigitalSourceType"]
        assert artifact.thumbnail_key
        await objects.download(artifact.thumbnail_key, tmp_path / "thumbnail.webp")
        assert told(packet_of(tmp_path / "thumbnail.webp"))["AIGC"] == facts["AIGC"]
        assert darkest(tmp_path / "thumbnail.webp") < 120
    assert numbers == {"task_public-1", "task_public-2"}


async def test_a_film_is_labelled_and_then_marked_and_then_signed(
    objects: Objects, finishers: Children, issuer: Authority, tmp_path: Path
) -> None:
    MAKERS["fast.mp4"](tmp_path / "a.mp4")
    wanted = Provenance(producer=PRODUCER, label=LABEL, credentials=issuer.issue())
    task = replace(TASK, operation=Operation.VIDEO_FILTER)
    [artifact], warnings = await Results(objects, finishers, wanted).keep(task, [Output(tmp_path / "a.mp4")], tmp_path)
    assert warnings == ()
    path = await download(objects, artifact, tmp_path / "stored.mp4")
    assert (artifact.width, artifact.height, artifact.duration) == (64, 48, 0.5)
    assert json.loads(field_of(path) or "")["ProduceID"] == "task_public-1"
    manifest = authority.read(path, "video/mp4")
    assert manifest
    assert [action["action"] for action in manifest.actions] == ["c2pa.created", "c2pa.edited"]


async def test_a_result_that_cannot_be_signed_is_delivered_and_the_operator_hears_why(
    objects: Objects, finishers: Children, issuer: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    signer = issuer.issue()
    signer.key.unlink()
    results = Results(objects, finishers, Provenance(credentials=signer))
    with caplog.at_level(logging.WARNING, "darkroom"):
        [artifact], warnings = await results.keep(TASK, [Output(plain(tmp_path / "a.png"))], tmp_path)
    assert warnings == (UNSIGNED,)
    path = await download(objects, artifact, tmp_path / "stored.png")
    assert told(packet_of(path))["taskId"] == "task_public"
    assert authority.read(path, "image/png") is None
    [record] = caplog.records
    assert record.getMessage() == "signing.failed"
    fields: dict[str, object] = record.__dict__["fields"]
    assert fields["task"] == TASK.id
    assert str(fields["reason"]).startswith(f"c2pa_key: cannot read {signer.key}")


async def test_a_result_that_a_vendor_signed_keeps_the_vendors_signature(
    objects: Objects, finishers: Children, issuer: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    MAKERS["fast.mp4"](path)
    path.write_bytes(path.read_bytes() + CREDENTIALS)
    before = path.read_bytes()
    wanted = Provenance(producer=PRODUCER, credentials=issuer.issue())
    [artifact], [warning] = await Results(objects, finishers, wanted).keep(TASK, [Output(path)], tmp_path)
    assert "C2PA" in warning
    assert (await download(objects, artifact, tmp_path / "stored.mp4")).read_bytes() == before


async def test_a_label_comes_before_a_vendors_signature(
    objects: Objects, finishers: Children, issuer: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    MAKERS["fast.mp4"](path)
    path.write_bytes(path.read_bytes() + CREDENTIALS)
    wanted = Provenance(label=LABEL, credentials=issuer.issue())
    [artifact], warnings = await Results(objects, finishers, wanted).keep(TASK, [Output(path)], tmp_path)
    assert warnings == ("The video's signed content credentials (C2PA) were lost, because the label changed it.",)
    manifest = authority.read(await download(objects, artifact, tmp_path / "stored.mp4"), "video/mp4")
    assert manifest
    assert manifest.state == "Valid"


async def test_a_label_that_finds_no_room_is_to_be_drawn_again(
    objects: Objects, finishers: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # so that the size of files is limited
    path = tmp_path / "a.png"
    Image.frombytes("RGB", (1000, 800), os.urandom(1000 * 800 * 3)).save(path)
    with full_disk(tmp_path / "disk") as disk:
        disk.fill()
        with pytest.raises(TaskError) as caught:
            await Results(objects, finishers, Provenance(label=LABEL)).keep(TASK, [Output(path)], tmp_path)
    assert (caught.value.code, caught.value.retryable) == (Code.STORAGE_FAILED, True)


async def test_warnings_of_the_label_stand_behind_those_of_the_engine(
    objects: Objects, finishers: Children, tmp_path: Path
) -> None:
    frames = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.mpo", save_all=True, append_images=frames[1:])
    output = Output(tmp_path / "a.mpo", ("from the engine",))
    _, warnings = await Results(objects, finishers, Provenance(label=LABEL)).keep(TASK, [output], tmp_path)
    assert warnings == ("from the engine", "Only the first of the file's pictures was kept, because of the label.")


@pytest.mark.parametrize("name", ["fake", "opencv", "procedural"])
def test_the_engines_that_come_along_say_that_they_are_not_generative(name: str) -> None:
    assert not [model.name for model in create(name, EngineSettings()).models() if model.generative]
