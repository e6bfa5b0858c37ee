"""Shows tasks on the terminal: live bars while they run, and a table at the end. Elsewhere, plain lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from .jobs import Run
from .layout import sizes

LOOK = 0.15  # seconds between two looks at all tasks
COLOURS = {"TensorsLab": "cyan", "Dimilinks": "magenta", "muyuhan": "yellow", "Darkroom": "green"}
PLAIN_WIDTH = 160  # columns of the table where there is no terminal
ONE_LINE = 110  # columns that a task needs to show its states on one line


def make_console() -> Console:
    """Standard output; where that is no terminal, wide enough for one line per task."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


def watch(
    console: Console, runs: Sequence[Run], futures: Sequence[Future[None]], percent: Callable[[str], int]
) -> None:
    """Show all tasks until their clients are done. `percent` reads how far a task is, by its id."""
    board = Bars(console, runs) if console.is_terminal else Lines(console)
    with board.shown():
        pending = True
        while pending:
            pending = bool(wait(futures, timeout=LOOK).not_done)
            for run in runs:
                board.show(run, percent(run.task_id) if run.task_id else 0)
    for future in futures:
        future.result()


class Bars:
    """One bar for each task."""

    def __init__(self, console: Console, runs: Sequence[Run]) -> None:
        self._progress = Progress(
            TextColumn("{task.fields[vendor]}"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.percentage:>3.0f} %"),
            TextColumn("{task.fields[state]}"),
            console=console,
        )
        self._bars: dict[int, TaskID] = {
            id(run): self._progress.add_task(run.job.title, total=100, state="", vendor=vendor_of(run)) for run in runs
        }

    def shown(self) -> AbstractContextManager[Any]:
        """Keep the bars on the screen for a `with` block."""
        return self._progress

    def show(self, run: Run, percent: int) -> None:
        """Draw one task."""
        state = run.states[-1][0] if run.states else "submitting"
        if run.failure is not None:
            state = "[red]" + (state if run.states else "refused")
        self._progress.update(self._bars[id(run)], completed=percent, state=state)


class Lines:
    """One line for each change of a task's state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: dict[int, int] = {}

    def shown(self) -> AbstractContextManager[Any]:
        """Lines need no screen."""
        return nullcontext()

    def show(self, run: Run, percent: int) -> None:
        """Print the states that are new."""
        states = tuple(run.states)
        for state, seconds in states[self._printed.get(id(run), 0) :]:
            self._console.print(
                f"{seconds:6.2f} s  {run.job.vendor.name:<10}  {run.job.title:<27}  {state:<12}  {percent:3} %"
            )
        self._printed[id(run)] = len(states)


def summary(runs: Sequence[Run], width: int) -> Table:
    """Every task with every state that its client saw, for a terminal of so many columns."""
    arrow = " → " if width >= ONE_LINE else "\n"
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("Task", no_wrap=True)
    table.add_column("Vendor", no_wrap=True)
    table.add_column("States seen, with seconds")
    table.add_column("Result")
    for run in runs:
        states = arrow.join(f"{state} {seconds:.2f}" for state, seconds in run.states)
        result = Text(sizes(run, "x")) if run.failure is None else Text(run.failure, style="red")
        table.add_row(run.job.title, vendor_of(run), states, result)
    return table


def vendor_of(run: Run) -> str:
    """The vendor's name in its colour."""
    name = run.job.vendor.name
    return f"[{COLOURS[name]}]{name}"
