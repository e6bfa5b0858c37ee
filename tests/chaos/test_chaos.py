"""The short form of the chaos run: a dozen kills on SQLite, half as many on PostgreSQL. `make chaos` is the long one.

The plan of kills has a fixed seed, which is printed with what went wrong; what a process did when it died is chance.
"""

from __future__ import annotations

from pathlib import Path

from chaos.run import Outcome, run, table, told
from chaos.site import opened
from postgres import Postgres

SEED = 20


async def test_kills_full_disks_and_a_dead_receiver_break_no_promise_on_sqlite(tmp_path: Path) -> None:
    with opened(tmp_path) as site:
        checked(await run(site, SEED, 12), 12)


async def test_kills_full_disks_and_a_dead_receiver_break_no_promise_of_two_servers_on_postgres(
    tmp_path: Path, postgres: Postgres
) -> None:
    async with postgres.database() as url:
        with opened(tmp_path, url) as site:
            checked(await run(site, SEED, 6), 6)


def checked(outcome: Outcome, kills: int) -> None:
    """Nothing is wrong, and there was enough that could have been."""
    assert not outcome.violations, f"{told(outcome)}\n{table(outcome)}"
    assert outcome.kills == kills
    assert outcome.cut_off > 0
    assert len(outcome.stories) >= 16
    assert max(sighting.attempt or 0 for story in outcome.stories for sighting in story.seen) > 1
