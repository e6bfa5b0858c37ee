"""Every setting and every command in the deployment files is one that there is."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
import typer
import yaml
from dockerfile import exec_form, instructions, last_stage
from manifests import container

from darkroom import cli
from darkroom.config import NAMES, load

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix not in (".lock", ".json"))
FILES += [ROOT / "docs" / "deployment.md"]
COMMAND = typer.main.get_command(cli.app)


def environment(command: click.Command) -> set[str]:
    """Every variable that a command or one below it reads."""
    found = {name for option in command.params for name in variables(option)}
    for below in getattr(command, "commands", {}).values():
        found |= environment(below)
    return found


def variables(option: click.Parameter) -> list[str]:
    """The variables of one option."""
    named = option.envvar
    return [named] if isinstance(named, str) else list(named or ())


KNOWN = {f"DARKROOM_{name.upper()}" for name in NAMES} | environment(COMMAND)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_variable_is_a_setting_or_an_option(path: Path) -> None:
    assert set(re.findall(r"\bDARKROOM_[A-Z_]+\b", path.read_text("utf-8"))) <= KNOWN


def compose_environment(service: str) -> dict[str, str]:
    """What a service of the Compose file sets, with every variable at its default."""
    found = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"][service]["environment"]
    return {name: re.sub(r"\$\{\w+(?::?[-?]([^}]*))?\}", r"\1", str(value)) for name, value in found.items()}


def image_environment() -> dict[str, str]:
    """What the image sets."""
    (found,) = (
        each.value
        for each in last_stage(instructions((DEPLOY / "Dockerfile").read_text("utf-8")))
        if each.name == "ENV"
    )
    return dict(pair.split("=", 1) for pair in found.split())


def manifest_environment() -> dict[str, str]:
    """What the servers on Kubernetes get."""
    found = yaml.safe_load((DEPLOY / "kubernetes" / "settings.yaml").read_text("utf-8"))["data"]
    secret = next(yaml.safe_load_all((DEPLOY / "kubernetes" / "secret.example.yaml").read_text("utf-8")))
    return {**found, **secret["stringData"]}


def example_environment() -> dict[str, str]:
    """The example for systemd, with everything switched on."""
    text = (DEPLOY / "systemd" / "server.env.example").read_text("utf-8")
    return dict(re.findall(r"^# (\w+)=(\S*)$", text, re.MULTILINE))


@pytest.mark.parametrize(
    "given",
    [compose_environment("api-1"), image_environment(), manifest_environment(), example_environment()],
    ids=["compose", "image", "kubernetes", "systemd"],
)
def test_the_server_takes_the_values(given: dict[str, str]) -> None:
    load({}, given, None)


def commands() -> dict[str, list[str]]:
    """What each file starts, without the program."""
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]
    found = {f"compose {name}": services[name]["command"] for name in ("api-1", "api-2", "worker")}
    found |= {f"kubernetes {name}": container(name)["args"] for name in ("api", "worker")}
    for each in last_stage(instructions((DEPLOY / "Dockerfile").read_text("utf-8"))):
        if each.name == "CMD":
            found["image"] = exec_form(each)
    for unit in ("darkroom", "darkroom-worker"):
        text = (DEPLOY / "systemd" / f"{unit}.service").read_text("utf-8")
        found[f"systemd {unit}"] = re.search(r"^ExecStart=\S+ (.*)$", text, re.MULTILINE)[1].split()
    return found


@pytest.mark.parametrize("command", commands().values(), ids=commands())
def test_every_command_is_one_that_there_is(command: list[str]) -> None:
    name, *options = command
    there = getattr(COMMAND, "commands", {})
    there[name].make_parser(click.Context(there[name])).parse_args([*options])
