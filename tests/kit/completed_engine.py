"""What the skeleton of an engine leaves to do, done: the work."""

from __future__ import annotations

from darkroom.engines import Job, Output
from darkroom.engines._child import Report


def run(job: Job, report: Report) -> list[Output]:
    """Draw plain pictures, slowly enough for large ones to be canceled."""
    import time

    from PIL import Image

    width, height = map(int, job.params["size"].split("x"))
    for percent in range(10, 100, 10):
        time.sleep(width / 10_000)
        report.progress(percent)
    paths = [job.workdir / f"{index}.png" for index in range(job.count)]
    for path in paths:
        Image.new("RGB", (width, height), "teal").save(path)
    return [Output(path) for path in paths]
