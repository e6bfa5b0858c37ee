"""A live progress bar for one task."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from .client import FINAL, Client

LOOK = 0.25  # seconds between looks while the task moves


def watch(client: Client, task_id: str) -> dict[str, Any]:
    """Show progress on standard error until the task is final; return it."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    task = client.get(task_id)
    with Progress(*columns, console=Console(stderr=True)) as progress:
        bar = progress.add_task("…", total=100)
        while True:
            waits = f" (number {task['position']} in the queue)" if task["position"] else ""
            progress.update(bar, completed=task["progress"], description=task["state"] + waits)
            if task["state"] in FINAL:
                return task
            time.sleep(LOOK)
            task = client.get(task_id)
