"""The command `darkroom migrate`."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from .doctor import Finding
    from .store.moving import Moved

LINES = 1.0  # seconds between lines about the same table
SHOWN = 5  # ids of each finding


def migrate(
    source: Annotated[str, typer.Option("--from", help="The database that is used now.", metavar="sqlite:PATH")],
    target: Annotated[str, typer.Option("--to", help="An empty one.", metavar="postgresql://HOST/NAME")],
) -> None:
    """Move everything from SQLite to PostgreSQL, or back. Stop the server first. Once broken off, run it again."""
    from .store.moving import MoveError

    try:
        asyncio.run(run(source, target))
    except MoveError as error:
        sys.exit(f"darkroom: {error}")


async def run(source: str, target: str) -> None:
    """Move, look whether everything agrees, and say what was done."""
    from .clock import utc_now
    from .store.moving import moving

    async with moving(source, target, Progress().tell, utc_now()) as move:
        moved = await move.run()
    print(told(moved))
    findings, checks, accounts = await examined(target)
    if findings:
        print("these problems came with it; `darkroom doctor` says more:")
        for finding in findings:
            print(f"problem   {finding.check:<9} {len(finding.found):>6}  {finding.meaning}: {shown(finding)}")
    else:
        print(f"the ledger of {accounts} accounts adds up, and all {checks} checks of `darkroom doctor` agree")
    print("next: darkroom serve with the new database and the same objects; files stay where they are")


async def examined(url: str) -> tuple[list[Finding], int, int]:
    """What the doctor finds in a database, how many checks these were, and of how many accounts."""
    from .clock import utc_now
    from .doctor import Doctor
    from .store import Store

    store = await Store.open(url)
    try:
        doctor = Doctor(store, None, utc_now)
        return await doctor.examine(), len(doctor.checks()), len(await store.accounts())
    finally:
        await store.close()


def told(moved: Moved) -> str:
    """What a move came to, in words."""
    if moved.before is not None:
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(moved.before / 1000))
        return f"{moved.source} was moved to {moved.target} before, at {day}"
    return f"moved {moved.rows:,} rows in {moved.tables} tables from {moved.source} to {moved.target}: both are equal"


def shown(finding: Finding) -> str:
    """Some of the ids of a finding."""
    return ", ".join(finding.found[:SHOWN]) + (", …" if len(finding.found) > SHOWN else "")


class Progress:
    """Lines on standard error: of one table at most one each second, but always the last one."""

    def __init__(self) -> None:
        self._subject = ""
        self._next = 0.0

    def tell(self, subject: str, text: str, *, last: bool = False) -> None:
        """Say how far a table has come."""
        now = time.monotonic()
        if last or subject != self._subject or now >= self._next:
            print(f"{subject}: {text}", file=sys.stderr, flush=True)
            self._subject, self._next = subject, now + LINES
