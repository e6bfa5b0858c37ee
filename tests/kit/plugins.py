"""Plug-in packages as strangers make them: written by `darkroom new`, filled in, installed, and tested."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Plugin:
    """A package in `project`, installed in `site`."""

    project: Path
    site: Path

    @classmethod
    def new(cls, kind: str, parent: Path) -> Plugin:
        """The package acme, as the command writes it."""
        done = run("darkroom", "new", kind, "acme", cwd=parent)
        assert done.returncode == 0, done.stderr
        return cls(parent / "darkroom-acme", parent / "site")

    def module(self, name: str = "__init__.py") -> Path:
        """A source file of the package."""
        return self.project / "src" / "darkroom_acme" / name

    def install(self) -> Plugin:
        """Install it, with its entry point, where nothing else is."""
        quietly = ("--quiet", "--no-input", "--disable-pip-version-check", "--no-index", "--no-deps")
        into = ("--no-build-isolation", "--upgrade", "--target", str(self.site))
        done = run("pip", "install", *quietly, *into, str(self.project), cwd=self.project)
        assert done.returncode == 0, done.stderr
        return self

    def tested(self, *which: str) -> Outcome:
        """What its tests say, all of them or some."""
        done = run("pytest", "-p", "no:cacheprovider", "-rA", *which, cwd=self.project, PYTHONPATH=str(self.site))
        return Outcome(done.stdout + done.stderr)


@dataclass(frozen=True)
class Outcome:
    """What a run of pytest printed."""

    text: str

    def names(self, how: str) -> set[str]:
        """The tests that passed, failed or met an error, without their parameters."""
        return set(re.findall(rf"^{how} \S+::(\w+)", self.text, re.MULTILINE))


def run(module: str, *arguments: str, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program as on a command line."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={"PATH": os.environ.get("PATH", os.defpath), "HOME": str(cwd), **env},
        timeout=600,
    )


def fill_in(path: Path, completed: str) -> None:
    """Put the functions of a completed file in the places of a skeleton's, and the rest before them."""
    skeleton, source = path.read_text("utf-8"), (HERE / completed).read_text("utf-8")
    before = []
    for node in ast.parse(source).body[2:]:
        text = ast.get_source_segment(source, node) or ""
        if isinstance(node, ast.FunctionDef):
            [stub] = [there for there in ast.parse(skeleton).body if getattr(there, "name", "") == node.name]
            skeleton = skeleton.replace(ast.get_source_segment(skeleton, stub) or "", text)
        elif "darkroom_acme" not in text:
            before.append(text)
    start = "from __future__ import annotations\n"
    path.write_text(skeleton.replace(start, f"{start}\n{chr(10).join(before)}\n", 1), "utf-8")
