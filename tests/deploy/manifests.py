"""The Kubernetes manifests as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "deploy" / "kubernetes"
FILES = sorted(path for path in FOLDER.rglob("*.yaml") if path.name != "kustomization.yaml")
Manifest = dict[str, Any]


def documents(path: Path) -> list[Manifest]:
    """Every object of a file."""
    return [found for found in yaml.safe_load_all(path.read_text("utf-8")) if found]


ALL = [(path, found) for path in FILES for found in documents(path)]


def one(kind: str, name: str) -> Manifest:
    """The only object of a kind and name."""
    (found,) = (each for _, each in ALL if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pod(name: str) -> Manifest:
    """The specification of the pods of a deployment."""
    found: Manifest = one("Deployment", name)["spec"]["template"]["spec"]
    return found


def container(name: str) -> Manifest:
    """The only container of these pods."""
    (found,) = pod(name)["containers"]
    result: Manifest = found
    return result
