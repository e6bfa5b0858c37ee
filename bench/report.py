"""What a benchmark measured, as a table with ratios and targets."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. `target` is in words; `met` says whether it was reached, `None` where there is no target."""

    what: str
    figure: str
    beside: str = ""
    target: str = ""
    met: bool | None = None


def at_least(what: str, value: float, target: float, unit: str = "x", beside: str = "") -> Row:
    """A figure that should be large."""
    return Row(
        what,
        f"{value:,.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}",
        beside,
        f">= {target:,g} {unit}",
        value >= target,
    )


def at_most(what: str, value: float, target: float, unit: str, beside: str = "") -> Row:
    """A figure that should be small."""
    return Row(what, f"{value:,.3g} {unit}", beside, f"< {target:,g} {unit}", value < target)


def table(rows: Sequence[Row]) -> str:
    """A table in Markdown."""
    marks = {True: "met", False: "MISSED", None: ""}
    lines = ["| what | measured | details | target | |", "|---|---|---|---|---|"]
    lines += [f"| {row.what} | {row.figure} | {row.beside} | {row.target} | {marks[row.met]} |" for row in rows]
    return "\n".join(lines)


def machine() -> str:
    """Processor, cores, Python and how busy the machine is now."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}, load average {load:.2f}"


def main(measure: Callable[[], list[Row]]) -> None:
    """Run one benchmark by itself."""
    print(machine())
    print(table(measure()))
