"""The command `darkroom objects`: stored files as a whole."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_options import Config, settings_from
from .config import Settings, SettingsError

if TYPE_CHECKING:
    from .copying import Copied

SHOWN = 5  # files that failed
EVERY = 1_000  # files after which there is a line on standard error
URL = "a folder, or s3://, gs:// or az://"

objects_app = typer.Typer(help="Stored files as a whole.", no_args_is_help=True)


@objects_app.command("copy")
def copy(
    source: Annotated[str, typer.Option("--from", help=f"Where the files are: {URL}.")],
    target: Annotated[str, typer.Option("--to", help=f"Where they are to be: {URL}.")],
    at_once: Annotated[int, typer.Option(help="Files copied at the same time.", min=1, max=256)] = 8,
    verify: Annotated[bool, typer.Option(help="Read each copy again and compare.")] = True,
    from_config: Annotated[
        Path | None, typer.Option(help="TOML file with objects_… settings for --from, if they are others.")
    ] = None,
    config: Config = None,
) -> None:
    """Copy every file from one storage to another; run it again to go on, and for what has come since."""
    settings = settings_from(config)
    theirs = settings_from(from_config) if from_config else settings
    check_places(source, target, others=from_config is not None)
    copied = asyncio.run(copy_all(theirs, source, settings, target, at_once, verify))
    print(
        f"copied {copied.files} files, {copied.bytes} bytes; {copied.present} were there already,"
        f" {copied.gone} ended meanwhile, {len(copied.failed)} failed"
    )
    if copied.failed:
        for key, reason in list(copied.failed.items())[:SHOWN]:
            print(f"failed  {key}: {reason}", file=sys.stderr)
        sys.exit("darkroom: not everything was copied: run this again for the rest")


def check_places(source: str, target: str, *, others: bool) -> None:
    """Refuse what would copy nothing, or its own copies for ever."""
    here, there = (url.rstrip("/") if "://" in url else str(Path(url).resolve()) for url in (source, target))
    if "://" not in source and not Path(source).is_dir():
        raise SettingsError(f"--from: there is no folder {source}")
    if not others and (there == here or there.startswith(f"{here}/")):
        raise SettingsError(f"--to lies in --from: the copies would be copied, too; choose a place beside {here}")


async def copy_all(theirs: Settings, source: str, ours: Settings, target: str, at_once: int, verify: bool) -> Copied:
    """Open both storages, and copy."""
    from .copying import Copier
    from .core.errors import TaskError
    from .storage import open_objects, usable_objects

    def told(copied: Copied) -> None:
        if copied.seen % EVERY == 0:
            print(f"{copied.seen} files, {copied.bytes} bytes copied", file=sys.stderr)

    here, there = open_objects(theirs, source), await usable_objects(ours, target)
    copier = Copier(here, there, at_once=at_once, verify=verify, told=told)
    try:
        return await copier.run()
    except TaskError as error:
        reason = error.detail or error.message
        sys.exit(f"darkroom: gave up after {copier.copied.files} files; run this again for the rest: {reason}")
