"""The command `darkroom doctor`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from .cli_options import Config, Data, Database, in_store, settings_from

SHOWN = 5  # ids of each finding


def doctor(
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be computed anew.")] = False,
    objects: Annotated[str | None, typer.Option(help="Folder or URL of results. Default: in the data folder")] = None,
    data: Data = None,
    database: Database = None,
    config: Config = None,
) -> None:
    """Prove that credits, tasks and files agree, beside a running server or without one. Status 1 if they do not."""
    from .clock import utc_now
    from .doctor import Doctor, Finding
    from .storage import usable_objects
    from .store import Store

    settings = settings_from(config, data=data, database=database, objects=objects)

    async def examine(store: Store) -> list[Finding]:
        patient = Doctor(store, await usable_objects(settings), utc_now)
        findings = await patient.examine(repair=repair)
        counts = await store.counts()
        looked = f"{len(await store.accounts())} accounts, {sum(counts.values())} tasks, {len(patient.checks())} checks"
        print(f"looked at {looked}")
        return findings

    findings = in_store(settings, examine)
    for finding in findings:
        ids = ", ".join(finding.found[:SHOWN]) + (", …" if len(finding.found) > SHOWN else "")
        word = "repaired" if finding.repaired else "problem"
        print(f"{word:<8}  {finding.check:<9} {len(finding.found):>6}  {finding.meaning}: {ids}")
    left = [finding for finding in findings if not finding.repaired]
    if left:
        hint = "" if repair else "; --repair puts right what can be computed anew"
        sys.exit(f"darkroom: {sum(len(finding.found) for finding in left)} problems{hint}")
    print("everything agrees")
