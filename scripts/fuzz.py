"""Fuzz a server by its own documents: no answer of 5xx, none that the document of its dialect does not allow.

    python scripts/fuzz.py [--cases 20000] [--dialect NAME] [--seed N]

It starts a server of its own with the fake engine, sends so many requests to each dialect, prints what came back and
what was wrong, and ends with status 1 if anything was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from darkroom.dialects import discover
from darkroom.testing.fuzz import fuzz
from darkroom.testing.server import Darkroom

ENOUGH = {"DARKROOM_INITIAL_CREDITS": "1000000000", "DARKROOM_FETCH_SECONDS": "2", "DARKROOM_RETRY_SECONDS": "0.05"}


def main() -> None:
    """Fuzz one dialect or all."""
    dialects = {dialect.name: dialect for dialect in discover()}
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cases", type=int, default=20_000, help="requests to each dialect")
    parser.add_argument("--dialect", choices=dialects, help="this one alone")
    parser.add_argument("--seed", type=int, default=0, help="other requests")
    asked = parser.parse_args()
    bad = False
    for name in [asked.dialect] if asked.dialect else dialects:
        with (
            tempfile.TemporaryDirectory() as folder,
            Darkroom(Path(folder), engines="fake", env=ENOUGH, flags=("--workers", "2")) as server,
        ):
            begun = time.monotonic()
            done = fuzz(server, dialects[name].mount, asked.cases, asked.seed)
            seconds = time.monotonic() - begun
            bugs = server.log.count("Traceback")
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(done.statuses.items()))
        print(f"{name}: {done.requests.total()} requests in {seconds:.0f} s; {statuses}")
        print(f"{name}: {len(done.findings)} kinds of findings, {bugs} errors in the server's log")
        for finding in done.findings.values():
            print(f"\n{finding}")
        bad = bad or bool(done.findings or bugs)
    sys.exit(bad)


if __name__ == "__main__":
    main()
