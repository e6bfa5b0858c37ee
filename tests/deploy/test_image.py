"""The image, as far as it can be tried without a container engine: its steps, its contents, and how it lives."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from confined import Confined
from dockerfile import copy_context, exec_form, in_context, instructions, last_stage, sources
from packaging.requirements import Requirement

from darkroom.testing.server import NO_TLS, PATIENCE

ROOT = Path(__file__).parents[2]
FOUND = instructions((ROOT / "deploy" / "Dockerfile").read_text("utf-8"))
KEPT = last_stage(FOUND)
IGNORED = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]


def locked(name: str) -> dict[str, str]:
    """Each line of a lock with its hashes, by package, version and marker."""
    text = (ROOT / name).read_text("utf-8").replace("\\\n", "")
    return dict(re.split(r"\s+(?=--hash)", line, maxsplit=1) for line in text.splitlines())


def packages_of(name: str) -> set[str]:
    """The packages of a lock."""
    return {normal(re.split("[=; ]", line)[0]) for line in locked(name)}


def value(name: str) -> str:
    """The value of an instruction that the image has once."""
    found = [each.value for each in KEPT if each.name == name]
    assert len(found) == 1, name
    return found[0]


def test_a_linter_finds_nothing_wrong() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("hadolint"), "--no-color", "--strict-labels", ROOT / "deploy" / "Dockerfile"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_everything_that_is_copied_is_there_and_let_into_the_context() -> None:
    for source in sources(FOUND):
        assert (ROOT / source).exists(), source
        files = list((ROOT / source).rglob("*.py")) or [ROOT / source]
        assert all(in_context(path.relative_to(ROOT).as_posix(), IGNORED) for path in files), source


@pytest.mark.parametrize("path", ["darkroom-data/darkroom.db", ".env", "deploy/.env", ".git/config", ".venv/bin/pip"])
def test_data_and_secrets_stay_out_of_the_context(path: str) -> None:
    assert not in_context(path, IGNORED)


def test_it_runs_as_a_user_of_its_own_without_a_shell() -> None:
    user, _, group = value("USER").partition(":")
    assert int(user) >= 10_000
    assert int(group) >= 10_000
    assert exec_form(instructions(f"ENTRYPOINT {value('ENTRYPOINT')}")[0]) == ["darkroom"]
    assert exec_form(instructions(f"CMD {value('CMD')}")[0]) == ["serve"]
    assert value("VOLUME") == "/data"
    assert value("STOPSIGNAL") == "SIGTERM"


@pytest.mark.parametrize("lock", ["runtime", "build"])
def test_its_locks_name_what_the_tests_run_with(lock: str) -> None:
    whole = locked("requirements.lock")
    for line, hashes in locked(f"deploy/locks/{lock}.lock").items():
        assert whole.get(line) == hashes, f"{line}: run `make lock`"
        assert "--hash=sha256:" in hashes


def test_its_lock_has_all_that_the_server_needs() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"]]
    for extra, packages in project["optional-dependencies"].items():
        wanted += packages if extra != "testing" else []
    there, whole = packages_of("deploy/locks/runtime.lock"), packages_of("requirements.lock")
    seen: set[tuple[str, frozenset[str]]] = set()
    while wanted:
        requirement = Requirement(wanted.pop())
        key = normal(requirement.name), frozenset(requirement.extras)
        if key in seen or key[0] not in whole or not needed(requirement):
            continue
        seen.add(key)
        assert key[0] in there, f"{key[0]} is missing: run `make lock`"
        for line in importlib.metadata.requires(requirement.name) or ():
            if needed(Requirement(line), *requirement.extras):
                wanted.append(str(Requirement(line)).partition(";")[0])


def needed(requirement: Requirement, *extras: str) -> bool:
    """Whether a requirement counts on this machine."""
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in (*extras, ""))


def normal(name: str) -> str:
    """A package's name as indexes spell it."""
    return re.sub("[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel is that the image's steps make of the image's context."""
    folder = tmp_path_factory.mktemp("image")
    copy_context(ROOT, folder / "context", sources(FOUND), IGNORED)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    options = ["--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "wheel", *options, "--wheel-dir", "wheels", "."], check=True, cwd=folder / "context")
    (wheel,) = (folder / "context" / "wheels").iterdir()
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", folder / "installed", wheel], check=True)
    return folder / "installed"


def test_the_wheel_of_its_context_has_every_file_of_the_package(installed: Path) -> None:
    package = ROOT / "src" / "darkroom"
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (installed / "darkroom" / path.relative_to(package)).is_file(), path


@pytest.fixture(scope="module")
def confined(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Confined]:
    """The wheel's server, with the environment of the image and a read-only root."""
    with Confined(installed, tmp_path_factory.mktemp("confined")) as running:
        yield running


def test_it_makes_a_picture_on_a_read_only_root_without_any_rights(confined: Confined) -> None:
    body = {"operation": "image.generate", "params": {"prompt": "a lake"}}
    with httpx.Client(base_url=confined.address, verify=NO_TLS, trust_env=False, timeout=PATIENCE) as client:
        client.headers["Authorization"] = f"Bearer {confined.key}"
        made = client.post("/api/tasks?wait=50", json=body).json()
        assert made["state"] == "succeeded", made
        assert client.get(made["outputs"][0]["url"]).status_code == 200


def test_its_health_check_tells_a_server_that_answers_from_one_that_does_not(confined: Confined) -> None:
    check = exec_form(instructions(f"HEALTHCHECK {value('HEALTHCHECK')}")[0])
    assert check[0] == "python"

    def healthy() -> bool:
        env = {"DARKROOM_PORT": confined.address.rpartition(":")[2]}
        return (
            subprocess.run([sys.executable, *check[1:]], check=False, env=env, stderr=subprocess.PIPE).returncode == 0
        )

    assert healthy()
    assert confined.stop() == 0
    assert not healthy()
