"""Shows a video while it is made: now and then a frame of it, as a small picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from .reading import Pixels

EVERY = 2.0  # seconds between pictures; the first frame is always shown
SIDE = 320  # pixels of the longer side, at most


class Showing:
    """Writes previews beside the video at `path`, each to a file of its own, and hands them to `show`."""

    def __init__(self, path: Path, show: Callable[[Path], None]) -> None:
        self._path = path
        self._show = show
        self._next = 0.0
        self._shown = 0

    def frame(self, rgb: Pixels) -> None:
        """Show a frame of uint8 (height, width, 3), if it is time."""
        if time.monotonic() < self._next:
            return
        picture = Image.fromarray(rgb)
        picture.thumbnail((SIDE, SIDE))
        self._shown += 1
        file = self._path.with_name(f"{self._path.stem}-preview-{self._shown}.webp")
        picture.save(file, "WEBP", quality=70, method=1)
        self._show(file)
        self._next = time.monotonic() + EVERY
