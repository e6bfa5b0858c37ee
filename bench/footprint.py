"""Footprint: memory after the start, time from exec to the first answer, and that no heavy library was loaded."""

from __future__ import annotations

import statistics
from pathlib import Path

import report
import servers
from seed import seed

STARTS = 5
HEAVY = ("numpy", "cv2")


def measure() -> list[report.Row]:
    """Start the servers several times; the first start warms the file cache and is forgotten."""
    with servers.folder() as folder:
        seeded = seed(folder / "data", 10)
        ours: list[tuple[float, float]] = []
        peers: list[tuple[float, float]] = []
        heavy: set[str] = set()
        for number in range(STARTS + 1):
            with servers.darkroom(seeded.copy(folder / f"{number}").data, workers=2, core=None) as running:
                ours.append(cost(running))
                heavy |= loaded(running.process.pid)
            with servers.fastapi("orm", seeded.database) as running:
                peers.append(cost(running))
        memory, seconds = (statistics.median(values) for values in zip(*ours[1:], strict=True))
        peer_memory, peer_seconds = (statistics.median(values) for values in zip(*peers[1:], strict=True))
        found = ", ".join(sorted(heavy)) or "none"
        return [
            report.at_most(
                "footprint: memory after start", memory, 100, "MB", f"FastAPI with the ORM: {peer_memory:.3g} MB"
            ),
            report.at_most(
                "footprint: exec to first answer", seconds, 1.5, "s", f"FastAPI with the ORM: {peer_seconds:.2g} s"
            ),
            report.Row("footprint: of numpy and OpenCV, loaded in the server", found, "", "none", not heavy),
        ]


def cost(running: servers.Running) -> tuple[float, float]:
    """Memory in MB and start-up time in seconds."""
    lines = Path(f"/proc/{running.process.pid}/status").read_text().splitlines()
    kilobytes = next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return kilobytes * 1024 / 1e6, running.seconds


def loaded(pid: int) -> set[str]:
    """Which of the heavy libraries a process has mapped."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {name for name in HEAVY if f"/{name}/" in maps or f"/{name}." in maps}


if __name__ == "__main__":
    report.main(measure)
