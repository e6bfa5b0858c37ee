"""What does the work. An engine is one coroutine: it is told a `Job` and hands back `Output` files.

An engine knows no account, no dialect and no money. It raises only `TaskError`, stops within 5 s when its coroutine is
canceled, and writes only under the job's `workdir`. The worker stores outputs, makes thumbnails, changes state, retries
and charges. An engine is found by its module name here or through the entry point group `darkroom.engines`; its module
exports `create(settings: EngineSettings) -> Engine` and imports heavy libraries only where the work is done.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from ..core.catalog import Model
from ..plugins import entry_points


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at a task. `inputs` are local files in the caller's order; `checkpoint` an earlier attempt saved."""

    task_id: str
    attempt: int
    operation: str
    model: str
    params: Mapping[str, Any]
    count: int
    inputs: tuple[Path, ...]
    workdir: Path
    checkpoint: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A result file under the job's `workdir`."""

    path: Path
    warnings: tuple[str, ...] = ()


def lies_in(workdir: Path, path: Path) -> bool:
    """Whether a path is that of a file under a job's `workdir`, wherever links lead."""
    if path.parent == workdir and not path.is_symlink():  # nearly always, and told without following each folder
        return path.is_file()
    return path.resolve().is_relative_to(workdir.resolve()) and path.is_file()


class Context(Protocol):
    """What an engine may tell while it works, and what it may ask when it is stopped."""

    @property
    def canceled(self) -> bool:
        """True if nobody wants the result any more. Otherwise a stop is a shutdown, a lost lease or a time limit, and a
        later attempt may go on from the checkpoint."""

    async def progress(self, percent: int, note: str = "") -> None:
        """Report 0 to 100; never goes back."""

    async def preview(self, picture: Path) -> None:
        """Show what there is so far: a small WebP file under `workdir`, each time another one; or never."""

    async def checkpoint(self, value: str) -> None:
        """Save what a later attempt needs to continue; durable when this returns."""


class Engine(Protocol):
    """Something that does the work of some models."""

    name: str
    slots: int  # how many jobs at once

    def models(self) -> Sequence[Model]:
        """What the engine offers."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc: object) -> None: ...

    async def run(self, job: Job, context: Context) -> Sequence[Output]:
        """Do one job."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine is made with: how many jobs at once, its own table of the configuration file, and the MiB of
    memory that each of its child processes may use; 0 for as much as there is."""

    slots: int = 1
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)  # a key may be among them
    memory_mib: int = 0


def names() -> tuple[str, ...]:
    """Names of every engine that can be created."""
    own = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    plugged = (entry.name for entry in entry_points("darkroom.engines"))
    return tuple(sorted({*own, *plugged}))


def create(name: str, settings: EngineSettings) -> Engine:
    """Make the engine of this name."""
    for entry in entry_points("darkroom.engines"):
        if entry.name == name:
            engine: Engine = entry.load()(settings)
            return engine
    if name not in names():
        raise ValueError(f"there is no engine {name!r}; there are: {', '.join(names())}")
    made: Engine = importlib.import_module(f"{__name__}.{name}").create(settings)
    return made
