"""The file for Docker Compose, as Compose itself reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
COMPOSE = Path(sys.executable).with_name("docker-compose")
TEXT = (DEPLOY / "compose.yaml").read_text("utf-8")
EXAMPLE = dict(
    line.split("=", 1) for line in (DEPLOY / "env.example").read_text("utf-8").splitlines() if re.match(r"\w+=", line)
)


def compose(*arguments: str, settings: Path = DEPLOY / "env.example") -> subprocess.CompletedProcess[str]:
    """What Compose says; nothing of the caller's environment gets in."""
    file = ("--file", str(DEPLOY / "compose.yaml"), "--env-file", str(settings))
    return subprocess.run([COMPOSE, *file, *arguments], check=False, capture_output=True, text=True, env={})


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """Every service as Compose understands it, with the settings of the example."""
    done = compose("--profile", "worker", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["services"]
    return found


def seconds(duration: str) -> int:
    """`1m0s` as a number."""
    return sum(int(count) * {"s": 1, "m": 60}[unit] for count, unit in re.findall(r"(\d+)([ms])", duration))


def test_without_a_password_nothing_starts_and_the_missing_one_is_named(tmp_path: Path) -> None:
    settings = tmp_path / "env"
    for name in ("POSTGRES_PASSWORD", "OBJECTS_SECRET"):
        settings.write_text("".join(f"{key}={value}\n" for key, value in EXAMPLE.items() if key != name))
        done = compose("config", "--quiet", settings=settings)
        assert done.returncode != 0
        assert name in done.stderr


def test_the_example_has_every_variable_and_no_other() -> None:
    used = set(re.findall(r"\$\{(\w+)", TEXT)) | {"COMPOSE_PROFILES"}
    assert used == set(EXAMPLE)


def test_the_first_evening_starts_all_but_the_worker(tmp_path: Path) -> None:
    done = compose("config", "--services")
    assert set(done.stdout.split()) == {"postgres", "objects", "bucket", "api-1", "api-2", "balancer"}
    settings = tmp_path / "env"
    settings.write_text("".join(f"{key}={value}\n" for key, value in {**EXAMPLE, "COMPOSE_PROFILES": "worker"}.items()))
    assert "worker" in compose("config", "--services", settings=settings).stdout.split()


def test_everything_waits_for_what_it_needs(services: dict[str, Any]) -> None:
    needs = {
        name: {needed: rule["condition"] for needed, rule in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    ready = {"postgres": "service_healthy", "bucket": "service_completed_successfully"}
    assert needs == {
        "postgres": {},
        "objects": {},
        "bucket": {"objects": "service_healthy"},
        "api-1": ready,
        "api-2": ready,
        "balancer": {"api-1": "service_healthy", "api-2": "service_healthy"},
        "worker": {"balancer": "service_healthy"},
    }
    for name in {needed for rules in needs.values() for needed, rule in rules.items() if rule == "service_healthy"}:
        own = "build" in services[name]  # then the image has the check
        assert own or services[name]["healthcheck"]["test"][0] == "CMD", name


def test_only_the_balancer_and_the_storage_are_reached_from_outside(services: dict[str, Any]) -> None:
    published = {name: service["ports"][0]["published"] for name, service in services.items() if "ports" in service}
    assert published == {"balancer": "8080", "objects": "8333"}
    for name in ("api-1", "api-2"):
        assert set(services[name]["networks"]) == {"inside"}


def test_our_own_containers_have_no_rights_and_write_to_two_places(services: dict[str, Any]) -> None:
    for name in ("api-1", "api-2", "worker"):
        service = services[name]
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert {volume["target"] for volume in service["volumes"]} == {"/data", "/tmp"}


def test_no_secret_is_written_down() -> None:
    for name in ("POSTGRES_PASSWORD", "OBJECTS_SECRET"):
        assert EXAMPLE[name].startswith("change-me")
        assert EXAMPLE[name] not in TEXT
    assert EXAMPLE["DARKROOM_TOKEN"] == EXAMPLE["DARKROOM_METRICS_KEY"] == ""


def test_a_server_has_time_to_stop(services: dict[str, Any]) -> None:
    for name in ("api-1", "api-2"):
        drain = float(services[name]["environment"]["DARKROOM_DRAIN_SECONDS"])
        assert seconds(services[name]["stop_grace_period"]) > drain + 10


def test_every_file_that_it_names_is_there(services: dict[str, Any]) -> None:
    for service in services.values():
        if "build" in service:
            assert (Path(service["build"]["context"]) / service["build"]["dockerfile"]).is_file()
        for volume in service.get("volumes", ()):
            assert volume["type"] == "volume" or Path(volume["source"]).is_file()


def test_servers_and_storage_share_the_passwords(services: dict[str, Any]) -> None:
    server, storage = services["api-1"]["environment"], services["objects"]["environment"]
    assert (
        f":{services['postgres']['environment']['POSTGRES_PASSWORD']}@postgres/darkroom" in server["DARKROOM_DATABASE"]
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        assert server[name] == storage[name] == services["bucket"]["environment"][name]
