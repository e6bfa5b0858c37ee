"""The systemd units: sound as systemd itself reads them, and hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = ("darkroom.service", "darkroom-worker.service")
INSTALLED = "/opt/darkroom/bin/darkroom"
MOST_EXPOSED = "20"  # tenths of the ten that `systemd-analyze security` counts; a unit without hardening has 96


def values(unit: str) -> dict[str, list[str]]:
    """What a unit sets, whatever the section; options may be set more than once."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / unit).read_text("utf-8").splitlines():
        if option := re.match(r"(\w+)=(.*)", line):
            found.setdefault(option[1], []).append(option[2])
    return found


@pytest.fixture
def analyze(tmp_path: Path) -> list[str]:
    """The command of systemd that looks at units, with units that start what is there."""
    found = shutil.which("systemd-analyze")
    if found is None:
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:
        text = (FOLDER / unit).read_text("utf-8")
        assert f"ExecStart={INSTALLED} " in text
        (tmp_path / unit).write_text(text.replace(INSTALLED, sys.executable))
    return [found]


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(unit: str, analyze: list[str], tmp_path: Path) -> None:
    command = [*analyze, "verify", "--man=no", tmp_path / unit]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert unit not in done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_little_of_the_machine_is_exposed(unit: str, analyze: list[str], tmp_path: Path) -> None:
    command = [*analyze, "security", "--offline=yes", "--no-pager", f"--threshold={MOST_EXPOSED}", tmp_path / unit]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_stops_as_the_program_wants_it(unit: str) -> None:
    found = values(unit)
    assert found["Type"] == ["exec"]
    assert found["KillMode"] == ["mixed"]  # engines are ended by their server
    assert found["OOMPolicy"] == ["continue"]  # and one that dies is its task's failure alone
    assert found["Restart"] == ["always"]
    assert "KillSignal" not in found  # SIGTERM
    assert int(found["TimeoutStopSec"][0]) > 10


@pytest.mark.parametrize("unit", UNITS)
def test_what_it_writes_to_is_its_own(unit: str) -> None:
    found = values(unit)
    (folder,) = found["StateDirectory"]
    assert found["Environment"] == [f"DARKROOM_DATA=/var/lib/{folder}"]
    assert found["WorkingDirectory"] == [f"/var/lib/{folder}"]
    assert found["ProtectSystem"] == ["strict"]
    assert found["User"] == ["darkroom"]


def test_each_has_an_example_of_its_settings() -> None:
    for unit in UNITS:
        (named,) = values(unit)["EnvironmentFile"]
        assert (FOLDER / f"{Path(named.lstrip('-')).name}.example").is_file()
