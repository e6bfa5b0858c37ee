"""What commands share: their options, settings from them, and the database."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from .config import Settings, SettingsError, load

if TYPE_CHECKING:
    from .store import Store

T = TypeVar("T")

Config = Annotated[Path | None, typer.Option(help="TOML file with settings.", envvar="DARKROOM_CONFIG")]
Data = Annotated[str | None, typer.Option(help="Folder for everything. Default ./darkroom-data")]
Database = Annotated[str | None, typer.Option(help="sqlite:PATH or postgresql://… Default: SQLite in the data folder")]
MOST = 10**15  # credits


def settings_from(config: Path | None, **flags: Any) -> Settings:
    """Settings from the file, the environment and these flags."""
    return load(flags, os.environ, config)


def in_store(settings: Settings, use: Callable[[Store], Awaitable[T]]) -> T:
    """Use the database once, beside a server that may be running."""
    from .store import Store

    async def run() -> T:
        try:
            if not settings.database:
                settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            store = await Store.open(settings.database_url)
        except (OSError, ValueError) as error:
            raise SettingsError(f"database: {error}") from None
        try:
            return await use(store)
        finally:
            await store.close()

    return asyncio.run(run())
