"""Writes a plug-in package to begin with: `darkroom new dialect NAME`, `darkroom new engine NAME`.

Its tests join the conformance kit; what fails is what is left to do. Nothing that exists is touched.
"""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
PLACE, TITLE = "NAME", "TITLE"  # what a skeleton has for the name, and for the name as a part of a class's name
SUFFIX = ".txt"  # so that no tool takes a skeleton for a program

Kind = Literal["dialect", "engine"]


def write(kind: Kind, name: str, parent: Path) -> Path:
    """Write the package into `parent`/darkroom-`name`, a new folder, which is returned.

    `ValueError` says what is wrong with the name or the place.
    """
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(
            f"{name!r} is no name for {article(kind)}: use a small letter, then small letters, digits or _"
        )
    if name in taken(kind):
        raise ValueError(f"there is {article(kind)} {name!r} already: take another name")
    folder = parent / f"darkroom-{name}"
    try:
        folder.mkdir()
    except FileExistsError:
        raise ValueError(f"{folder} exists already: nothing is written over it") from None
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror}") from None
    copy(files(__package__) / "skeletons" / kind, folder, name)
    return folder


def taken(kind: Kind) -> set[str]:
    """The names of those that are there."""
    if kind == "engine":
        from .engines import names

        return set(names())
    from .dialects import discover

    return {dialect.name for dialect in discover()}


def article(kind: Kind) -> str:
    """The kind, as it stands in a sentence."""
    return "an engine" if kind == "engine" else "a dialect"


def copy(skeleton: Traversable, folder: Path, name: str) -> None:
    """Copy a skeleton's files, with the name in its places."""
    for item in skeleton.iterdir():
        target = folder / item.name.removesuffix(SUFFIX).replace(PLACE, name)
        if item.is_dir():
            target.mkdir()
            copy(item, target, name)
        elif item.name.endswith(SUFFIX):
            title = name.title().replace("_", "")
            text = item.read_text("utf-8").replace(PLACE, name).replace(TITLE, title)
            target.write_text(text, encoding="utf-8")
