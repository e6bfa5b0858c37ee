"""The composition root: what it makes of settings, and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from darkroom.app import running
from darkroom.config import SettingsError, load
from darkroom.folders import locked, work_folder


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ENGINES", "fake,imaginary", "there is no engine 'imaginary'"),
        ("ENGINE", "{imaginary = {slots = 1}}", "there is no engine 'imaginary'"),
        ("ENGINE", "{fake = {slots = 0}}", "slots of 'fake'"),
        ("ENGINE", '{fake = {slots = "two"}}', "slots of 'fake'"),
        ("ENGINE", "{fake = {speed = 1}}", "'speed'"),
        ("DEFAULTS", '{"image.invent" = "fake"}', "image.invent"),
        ("DEFAULTS", '{"image.generate" = "imaginary"}', "imaginary"),
        ("ALIASES", '{"a" = "imaginary"}', "imaginary"),
        ("MOUNTS", '{"/vendor" = "imaginary"}', "imaginary"),
        ("FETCH_ALLOW", "10.0.0.0/99", "fetch_allow"),
        ("OBJECTS", "ftp://example.com/a", "objects: 'ftp://example.com/a' is no object storage"),
        ("OBJECTS", "/dev/null/objects", "objects:"),
        ("OBJECTS", "az://container", "objects:"),
        ("DATABASE", "sqlite:", "database:"),
        ("DATABASE", "sqlite:/dev/null/x.db", "/dev/null"),
        ("DATABASE", "postgresql://127.0.0.1:1/none", "database: cannot reach the database"),
    ],
)
async def test_a_setting_that_only_a_start_can_judge_is_refused_by_name(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    environment = {"DARKROOM_DATA": str(tmp_path), "DARKROOM_ENGINES": "fake", f"DARKROOM_{name}": value}
    with pytest.raises(SettingsError) as refused:
        async with running(load({}, environment, None)):
            raise AssertionError("it started")
    assert said in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_folder_to_work_in_is_removed_in_the_end(tmp_path: Path) -> None:
    with work_folder(tmp_path / "work", "mine") as folder:
        (folder / "job").mkdir()
        (folder / "job" / "result.png").write_bytes(b"pixels")
    assert list((tmp_path / "work").iterdir()) == []


def test_folders_of_processes_that_are_gone_are_removed_and_no_others(tmp_path: Path) -> None:
    for name in ("gone", "alive"):
        (tmp_path / name / "job").mkdir(parents=True)
    (tmp_path / "a file").touch()
    with locked(tmp_path / "alive"), work_folder(tmp_path, "mine"):
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a file", "alive", "mine"]


async def test_a_running_server_keeps_its_folder_when_another_one_starts(tmp_path: Path) -> None:
    settings = load({"data": str(tmp_path), "engines": "fake", "workers": 1}, {}, None)
    async with running(settings):
        (mine,) = (tmp_path / "work").iterdir()
        with work_folder(tmp_path / "work", "other"):
            assert mine.exists()
    assert list((tmp_path / "work").iterdir()) == []


async def test_only_the_first_start_makes_a_key(tmp_path: Path) -> None:
    settings = load({"data": str(tmp_path), "engines": "fake", "workers": 0}, {}, None)
    async with running(settings) as server:
        assert server.first_key
        assert server.worker is None
    async with running(settings) as server:
        assert server.first_key is None
