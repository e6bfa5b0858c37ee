"""Brings the schema of a PostgreSQL up to date while nodes of the release before go on working.

Guarantees: nobody waits for a lock of ours, or behind one that we wait for, for longer than `WAIT` and one short
command; a start that is broken off goes on with the next one; nodes that start together take turns.

A file is one transaction. One that says `-- one by one` is run command by command, each of which may be repeated: so
indexes of large tables are made with CONCURRENTLY, and a command that says `-- repeated until it returns no row`
changes many rows a few at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import asyncpg

from .database import migrations

T = TypeVar("T")

MIGRATION_LOCK = 0x6461726B  # any number that nothing else locks
TURN = 0.05  # seconds between looks whether another node has done with the schema
WAIT = 0.3  # seconds that a command waits for a lock, and whoever comes later behind it
PAUSE = 0.7  # seconds in which they go on before the next try
PATIENCE = 600.0  # seconds of tries
LONGEST_COMMAND = 3_600.0  # seconds that one command may take, on very many rows

UNFINISHED = (
    "the schema could not be changed within {:g} s: end the transaction that is open for so long, a dump perhaps "
    "(pg_stat_activity shows it), and start again"
)
ONE_BY_ONE = "\n-- one by one\n"
REPEATED = "-- repeated until it returns no row\n"


class UnfinishedError(ConnectionError):
    """Why the schema is not up to date, and what to do."""


async def migrate(connection: asyncpg.Connection) -> None:
    """Apply the schema files that the database lacks."""
    # Not by a statement that waits: an index that is made concurrently waits for all statements.
    while not await connection.fetchval("SELECT pg_try_advisory_lock($1::bigint)", MIGRATION_LOCK):  # noqa: ASYNC110 - a database does not tell
        await asyncio.sleep(TURN)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration (version BIGINT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL)"
        )
        for version, _, text in migrations("postgres"):
            if not await connection.fetch("SELECT 1 FROM migration WHERE version = $1", version):
                await apply(connection, version, text)
    finally:
        with suppress(asyncpg.InterfaceError, asyncpg.PostgresConnectionError):  # one that is lost holds nothing
            await connection.execute("RESET lock_timeout")
            await connection.execute("SELECT pg_advisory_unlock($1::bigint)", MIGRATION_LOCK)


async def apply(connection: asyncpg.Connection, version: int, text: str) -> None:
    """Apply one schema file."""

    async def whole() -> None:
        async with connection.transaction():
            await connection.execute(text, timeout=LONGEST_COMMAND)
            await note(connection, version)

    if ONE_BY_ONE not in text:
        await patiently(connection, whole)
        return
    for command in commands(text):
        await run(connection, command)
    await note(connection, version)


def commands(text: str) -> list[str]:
    """The commands of a schema file."""
    return [part for part in text.split(";\n") if part.strip()]


async def run(connection: asyncpg.Connection, command: str) -> None:
    """Run one command by itself, and again while there is something left for it."""

    async def once() -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await connection.fetch(command, timeout=LONGEST_COMMAND)
        return found

    if "CONCURRENTLY" in command:  # it waits for others and keeps nobody waiting
        await connection.execute("SET lock_timeout = 0")
        try:
            await connection.execute(command, timeout=LONGEST_COMMAND)
        except TimeoutError:
            raise UnfinishedError(UNFINISHED.format(LONGEST_COMMAND)) from None
        return
    while await patiently(connection, once) and REPEATED in command:
        pass


async def patiently(connection: asyncpg.Connection, work: Callable[[], Awaitable[T]]) -> T:
    """Do what needs a lock. Where somebody has it for long, let those go on who came later, and try again."""
    await connection.execute(f"SET lock_timeout = {int(WAIT * 1000)}")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return await work()
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
            if time.monotonic() > deadline:
                raise UnfinishedError(UNFINISHED.format(PATIENCE)) from error
        await asyncio.sleep(PAUSE)


async def note(connection: asyncpg.Connection, version: int) -> None:
    """Write down that a schema file was applied."""
    now = int(time.time() * 1000)
    await connection.execute("INSERT INTO migration (version, applied_at) VALUES ($1, $2)", version, now)
