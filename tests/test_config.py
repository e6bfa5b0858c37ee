"""Settings from a file, the environment and flags, and everything that can be wrong with them."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from darkroom.config import DEFAULTS, RANGES, Settings, SettingsError, load


def file_of(folder: Path, text: str) -> Path:
    path = folder / "darkroom.toml"
    path.write_text(text, "utf-8")
    return path


def problems(
    flags: dict[str, Any] | None = None, environment: dict[str, str] | None = None, file: Path | None = None
) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(flags or {}, environment or {}, file)
    return str(refused.value).splitlines()


def test_without_any_source_everything_has_its_default() -> None:
    assert load({}, {}, None) == DEFAULTS


def test_the_environment_wins_over_the_file_and_flags_over_both(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'port = 1\nhost = "a"\nworkers = 1')
    settings = load({"port": 3, "host": None}, {"DARKROOM_PORT": "2", "DARKROOM_HOST": "b"}, file)
    assert (settings.port, settings.host, settings.workers) == (3, "b", 1)


def test_a_flag_that_was_not_given_changes_nothing() -> None:
    assert load({"port": None, "host": None}, {"DARKROOM_PORT": "2"}, None).port == 2


def test_what_belongs_to_the_command_line_and_to_others_is_no_setting() -> None:
    environment = {"DARKROOM_KEY": "sk-1", "DARKROOM_SERVER": "x", "DARKROOM_CONFIG": "y", "PORT": "1", "PATH": "/bin"}
    assert load({}, environment, None) == DEFAULTS


def test_a_list_is_written_with_commas_in_the_environment(tmp_path: Path) -> None:
    assert load({}, {"DARKROOM_ENGINES": "fake, opencv,"}, None).engines == ("fake", "opencv")
    assert load({"engines": "fake"}, {}, None).engines == ("fake",)
    assert load({}, {}, file_of(tmp_path, 'engines = ["fake"]')).engines == ("fake",)


def test_a_table_is_written_as_an_inline_table_in_the_environment() -> None:
    environment = {
        "DARKROOM_PRICES": '{"upscale-v1" = 3}',
        "DARKROOM_DEFAULTS": '{"image.generate" = "fake"}',
        "DARKROOM_ENGINE": "{opencv = {slots = 1}}",
    }
    settings = load({}, environment, None)
    assert settings.prices == {"upscale-v1": 3}
    assert settings.defaults == {"image.generate": "fake"}
    assert settings.engine == {"opencv": {"slots": 1}}


def test_a_table_of_the_environment_replaces_that_of_the_file(tmp_path: Path) -> None:
    file = file_of(tmp_path, "[prices]\na = 1\nb = 2")
    assert load({}, {"DARKROOM_PRICES": "{a = 5}"}, file).prices == {"a": 5}


def test_an_unknown_setting_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    file = file_of(tmp_path, "prot = 1")
    (found,) = problems(file=file)
    assert found == f"unknown setting 'prot' (from {file}): did you mean 'port'?"
    (found,) = problems(environment={"DARKROOM_LEASE_SECOND": "1"})
    assert found == "unknown setting 'lease_second' (from the environment): did you mean 'lease_seconds'?"


def test_an_unknown_setting_that_is_like_no_other_is_refused_too() -> None:
    (found,) = problems(environment={"DARKROOM_XYZZY": "1"})
    assert "'xyzzy'" in found
    assert "darkroom.example.toml" in found


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    file = file_of(tmp_path, 'prot = 1\nport = "many"\nworkers = 5000\n[prices]\nfake = -1')
    found = problems({"log_level": "loud"}, {"DARKROOM_MAX_PIXELS": "0", "DARKROOM_ENGINE": "opencv"}, file)
    for each in ("prot", "port", "workers", "prices", "log_level", "max_pixels", "engine"):
        assert any(line.startswith((each, f"unknown setting '{each}'")) for line in found), each
    assert len(found) == 7


@pytest.mark.parametrize("name", RANGES)
def test_a_number_has_its_range(name: str) -> None:
    low, high = RANGES[name]
    for good in (low, high):
        assert getattr(load({name: good}, {}, None), name) == good
    for bad in (low - 1, high + 1):
        (found,) = problems({name: bad})
        assert found.startswith(f"{name} must be from")


@pytest.mark.parametrize("name", [name for name in RANGES if isinstance(getattr(DEFAULTS, name), float)])
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_a_number_is_a_real_one(name: str, bad: str) -> None:
    assert problems(environment={f"DARKROOM_{name.upper()}": bad})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "8080x"),
        ("port", ""),
        ("port", "80.5"),
        ("lease_seconds", "soon"),
        ("prices", "fake=1"),
        ("prices", '{fake = "cheap"}'),
        ("engine", "{opencv = 1}"),
        ("aliases", "[1]"),
        ("log_level", "LOUD"),
        ("public_url", "media.example.com"),
        ("database", "mysql://localhost/db"),
        ("data", ""),
        ("mounts", '{"vendor" = "native"}'),
        ("mounts", '{"/{id}" = "native"}'),
        ("webhook_retries", "soon"),
        ("webhook_retries", "5,-1"),
        ("webhook_retries", "5,nan"),
        ("prices", "{fake = -1}"),
        ("prices", "{fake = 99999999999999999999}"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_by_name(name: str, value: str) -> None:
    (found,) = problems(environment={f"DARKROOM_{name.upper()}": value})
    assert found.startswith(name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("port = true", "port"),
        ("port = 1.5", "port"),
        ("host = 1", "host"),
        ("engines = [1]", "engines"),
        ("prices = 1", "prices"),
    ],
)
def test_a_value_of_the_wrong_type_in_the_file_is_refused(tmp_path: Path, text: str, name: str) -> None:
    (found,) = problems(file=file_of(tmp_path, text))
    assert found.startswith(f"{name} (from ")


def test_a_file_that_is_missing_or_no_toml_is_refused(tmp_path: Path) -> None:
    (found,) = problems(file=tmp_path / "missing.toml")
    assert found == f"cannot read {tmp_path}/missing.toml: No such file or directory"
    (found,) = problems(file=tmp_path)
    assert "Is a directory" in found
    (found,) = problems(file=file_of(tmp_path, "port = = 1"))
    assert "is not valid TOML" in found
    (tmp_path / "darkroom.toml").write_bytes(b"host = '\xff'")
    (found,) = problems(file=tmp_path / "darkroom.toml")
    assert "is not valid TOML" in found


def test_everything_lies_in_the_data_folder_unless_it_is_set_otherwise(tmp_path: Path) -> None:
    settings = load({"data": str(tmp_path)}, {}, None)
    assert settings.database_url == f"sqlite:{tmp_path}/darkroom.db"
    assert settings.objects_url == f"{tmp_path}/objects"
    other = load({"data": str(tmp_path), "database": "postgresql://h/n", "objects": "s3://b"}, {}, None)
    assert (other.database_url, other.objects_url) == ("postgresql://h/n", "s3://b")


def test_workers_are_as_many_as_cores_unless_told_otherwise() -> None:
    assert load({}, {}, None).worker_count >= 1
    assert load({"workers": 0}, {}, None).worker_count == 0
    assert load({"workers": 7}, {}, None).worker_count == 7


def test_every_setting_can_be_given_in_the_environment() -> None:
    """Each one's default, spelled as the environment spells it, is understood."""
    for each in fields(Settings):
        value = getattr(DEFAULTS, each.name)
        text = (
            ",".join(map(str, value)) if isinstance(value, tuple) else "{}" if isinstance(value, dict) else str(value)
        )
        assert load({}, {f"DARKROOM_{each.name.upper()}": text}, None) == DEFAULTS
