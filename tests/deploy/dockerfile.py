"""A Dockerfile as data: enough of it to compare it with the repository and to do what it says."""

from __future__ import annotations

import fnmatch
import json
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Instruction:
    """One instruction, on one line."""

    name: str
    value: str

    @property
    def words(self) -> list[str]:
        """The value's words, without options."""
        return [word for word in self.value.split() if not word.startswith("--")]


def instructions(text: str) -> list[Instruction]:
    """Every instruction in its order."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#")).replace("\\\n", " ")
    parts = [line.split(maxsplit=1) for line in lines.splitlines() if line.strip()]
    return [Instruction(name.upper(), value.strip()) for name, value in parts]


def last_stage(found: list[Instruction]) -> list[Instruction]:
    """The instructions of the image that is kept."""
    start = max(place for place, each in enumerate(found) if each.name == "FROM")
    return found[start:]


def exec_form(instruction: Instruction) -> list[str]:
    """The command of an instruction that starts it without a shell."""
    command: list[str] = json.loads(instruction.value[instruction.value.index("[") :])
    return command


def sources(found: list[Instruction]) -> list[str]:
    """Every path of the context that is copied."""
    copies = [each for each in found if each.name in ("COPY", "ADD") and "--from=" not in each.value]
    return [source for each in copies for source in each.words[:-1]]


def in_context(path: str, patterns: list[str]) -> bool:
    """Whether a `.dockerignore` lets a path into the context: the last pattern that fits decides."""
    kept = True
    parts = path.split("/")
    above = ["/".join(parts[: place + 1]) for place in range(len(parts))]
    for pattern in patterns:
        bare = pattern.removeprefix("!").rstrip("/")
        if any(fits(each, bare) for each in above):
            kept = pattern.startswith("!")
    return kept


def fits(path: str, pattern: str) -> bool:
    """Whether a pattern of a `.dockerignore` names the path: `*` is within a folder, `**/` any folders."""
    if pattern.startswith("**/"):
        return fnmatch.fnmatch(path.rpartition("/")[2], pattern[3:])
    same_depth = pattern.count("/") == path.count("/")
    return same_depth and all(map(fnmatch.fnmatch, path.split("/"), pattern.split("/")))


def copy_context(root: Path, target: Path, copied: list[str], patterns: list[str]) -> None:
    """Lay out what a build would see: what is copied, as far as the `.dockerignore` lets it in."""
    for source in copied:
        inside = [root / source, *(root / source).rglob("*")]
        for path in inside:
            name = path.relative_to(root)
            if path.is_file() and in_context(name.as_posix(), patterns):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target / name)
